"""Every key of a config is set in a shipped config or in an ablation, or has a reason to be there."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import yaml

from morered.settings.base import Settings, config_name, hints_of, options_of
from morered.settings.study import StudySettings

PAPER = "a setting of the paper or of the authors' code (Appendix C.2), at its value there"
#: Keys that no shipped config sets -> why they are there.
KEPT = {
    "datasets.conformers": "molecules of one's own, docs/own-data.md",
    "datasets.relax_with": "molecules of one's own, docs/own-data.md",
    "datasets.timeout": "a molecule of one's own that never ends would hold its job",
    "datasets.displaced.labels": "forces to learn from at another level than displacements, such as PBE0",
    "datasets.files": "a part of QM7-X, whose whole is 92 GB",
    "datasets.sources": "a mirror of the downloads",
    "energies.timeout": "a field that never converges would hold its job",
    "savings.timeout": "an optimisation that never converges would hold its job",
    "libraries.finish": "docs/libraries.md",
    "methods.initial_hessian": "docs/organic.md compares both",
    "methods.optimizer": "ASE's L-BFGS, which the batched one is held against",
    "methods.variant": "docs/chemists.md tells the three MMFF94 apart",
    "models.cutoff": PAPER,
    "models.diffusion.s": PAPER,
    "models.energy_layers": PAPER,
    "models.time_layers": PAPER,
    "models.l_max": PAPER,
    "models.radial_basis": PAPER,
    "models.training.clip": PAPER,
    "models.training.ema_decay": PAPER,
    "models.training.forces_weight": PAPER,
    "models.training.plateau.cooldown": PAPER,
    "models.training.plateau.factor": PAPER,
    "models.training.plateau.patience": PAPER,
    "models.training.skip_factor": "a broken batch must not end a run of days",
    "models.training.noise.floor": "elastic noise of springs, docs/training.md",
    "models.training.checkpoint_minutes": "a cluster whose jobs are shorter or whose disks are slower",
    "models.training.device": "where a network is trained",
    "models.training.devices": "where a network is trained",
    "models.training.max_time": "a training for as long as one has",
    "trajectories.adaptive": "a study whose methods have other names",
    "trajectories.fixed": "a study whose methods have other names",
    "trajectories.testset": "a study whose test sets have other names",
}


def classes_in(hint: Any) -> Iterator[type[Settings]]:
    for option in options_of(hint):
        if dataclasses.is_dataclass(option):
            yield option
        for argument in typing.get_args(option):
            yield from classes_in(argument)


def keys_of(cls: type[Settings], above: str = "") -> Iterator[tuple[str, str]]:
    """Path and name of every key without keys of its own; names of a user's things are left out of paths."""
    for field in dataclasses.fields(cls):
        path = f"{above}{config_name(field)}"
        inner = list(classes_in(hints_of(cls)[field.name]))
        for one in inner:
            yield from keys_of(one, f"{path}.")
        if not inner:
            yield path, config_name(field)


def set_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from set_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from set_in(inner)


def test_a_key_that_no_shipped_config_sets_has_a_reason(repository):
    files = [*repository.glob("config/*.yaml"), *repository.glob("config/ablations/*.yaml")]
    used = {name for file in files for name in set_in(yaml.safe_load(file.read_text(encoding="utf-8")))}
    assert {path for path, name in keys_of(StudySettings) if name not in used} == set(KEPT)
