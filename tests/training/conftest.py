"""A few molecules, and trainings small enough to be run many times."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for training_support: pytest's importlib mode leaves the path alone

from training_support import MODEL, NAMES, QUICK, ase_molecules, with_labels

from morered.settings.networks import ModelConfig
from morered.settings.training import training_config
from morered.structures import Structures
from morered.training import train


@pytest.fixture(scope="session")
def molecules() -> Structures:
    return ase_molecules(NAMES, copies=2)


@pytest.fixture(scope="session")
def held_out() -> Structures:
    return ase_molecules(NAMES[:6], seed=1)


@pytest.fixture
def quick(molecules: Structures, held_out: Structures, tmp_path: Path) -> Callable[..., Path]:
    """Train with settings that differ from `QUICK`, into a folder of this test."""

    def run(folder: str = "run", model: ModelConfig = MODEL, resume: bool = True, **settings: object) -> Path:
        config = training_config({**QUICK, **settings}, model.kind)
        labelled = model.kind == "mlff"
        data, validation = (with_labels(s) if labelled else s for s in (molecules, held_out))
        return train(model, config, data, validation, tmp_path / folder, resume=resume, split_digest="abc", dataset="ase")

    return run
