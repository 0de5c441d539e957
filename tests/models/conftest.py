import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for models_support: pytest's importlib mode leaves the path alone

from models_support import random_molecules

from morered.batching import Batch, pad
from morered.structures import Structures


@pytest.fixture
def molecules() -> Structures:
    return random_molecules()


@pytest.fixture
def batch(molecules: Structures) -> Batch:
    return pad(molecules)
