"""A small library."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for library_support: pytest's importlib mode leaves the path alone

from library_support import LIBRARY


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """A list of forty SMILES."""
    path = tmp_path_factory.mktemp("library") / "lib.smi"
    path.write_text(LIBRARY)
    return path
