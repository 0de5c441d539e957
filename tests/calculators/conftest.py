"""Molecules that every calculator is tried on."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode leaves the path alone

from calculators_support import three_molecules, write_mlff

from morered.structures import Structures

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def molecules():
    """Numbers [N] and positions [N, 3] by name."""
    return three_molecules()


@pytest.fixture(scope="session")
def structures(molecules):
    """The same three as one container."""
    numbers, positions = zip(*molecules.values(), strict=True)
    return Structures.build(numbers, positions, list(molecules))


@pytest.fixture(scope="session")
def mlff_file(tmp_path_factory):
    """The file of a small force field."""
    return write_mlff(tmp_path_factory.mktemp("weights") / "mlff.safetensors")
