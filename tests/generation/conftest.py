"""Molecules that the tests of generation share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for generation_support: pytest's importlib mode leaves the path alone
sys.path.insert(0, str(Path(__file__).parents[1] / "relaxation"))  # for relaxation_support

from ase.build import molecule
from generation_support import BROKEN, GOOD, structures_of

from morered.structures import Structures


@pytest.fixture(scope="session")
def good() -> Structures:
    return structures_of({name: molecule(name) for name in GOOD})


@pytest.fixture(scope="session")
def broken() -> Structures:
    return structures_of({name: make() for name, (make, _) in BROKEN.items()})
