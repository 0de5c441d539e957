"""Every key of a config is set in a shipped config or in an ablation, or has a reason to be there."""

import dataclasses
import typing
from collections.abc import Iterator
from typing import Any

import yaml

from morered.settings.base import Settings, config_name, hints_of, options_of
from morered.settings.presets import PRESETS
from morered.settings.study import StudySettings

PAPER = "a setting of the paper or of the authors' code (Appendix C.2), at its value there"
LONG = "moves for a network of one's own; the defaults were chosen with the one that ships, docs/organic.md"
#: Keys that no shipped config sets -> why they are there.
KEPT = {
    "ablations.entries.datasets": "a sweep over data, such as the calculator of displacements",
    "ablations.testsets": "a sweep that needs one test set only",
    "datasets.entries": "a sample of the organic molecules, for a first look",
    "datasets.file": "molecules of one's own, docs/own-data.md",
    "datasets.split.seed": "another split, to see what hangs on it",
    "datasets.conformers": "molecules of one's own, docs/own-data.md",
    "datasets.relax_with": "molecules of one's own, docs/own-data.md",
    "datasets.timeout": "a molecule of one's own that never ends would hold its job",
    "datasets.displaced.labels": "forces to learn from at another level than displacements, such as PBE0",
    "datasets.files": "a part of QM7-X, whose whole is 92 GB",
    "datasets.sources": "a mirror of the downloads",
    "energies.timeout": "a field that never converges would hold its job",
    "savings.timeout": "an optimisation that never converges would hold its job",
    "examples.methods": "a study whose methods have other names",
    "libraries.finish": "docs/libraries.md",
    "libraries.seed": "another run of the same library",
    "methods.overrelaxation.lengths": LONG,
    "methods.overrelaxation.before": LONG,
    "methods.overrelaxation.between": LONG,
    "methods.overrelaxation.factor": LONG,
    "methods.overrelaxation.atoms": LONG,
    "methods.optimizer": "ASE's L-BFGS, which the batched one is held against",
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
    "models.training.seed": "another run of the same training",
    "models.training.stages.learning_rate": "stages of a training, docs/organic.md",
    "models.training.skip_factor": "a broken batch must not end a run of days",
    "models.training.noise.floor": "elastic noise of springs, docs/training.md",
    "models.training.checkpoint_minutes": "a cluster whose jobs are shorter or whose disks are slower",
    "models.training.device": "where a network is trained",
    "models.training.max_time": "a training for as long as one has",
    "testsets.steps": "more or less noise than the paper's 250 steps",
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


def keys_of(cls: type[Settings], above: str = "") -> Iterator[str]:
    """Path of every key without keys of its own; names of a user's things are left out."""
    for field in dataclasses.fields(cls):
        path = f"{above}{config_name(field)}"
        inner = list(classes_in(hints_of(cls)[field.name]))
        for one in inner:
            yield from keys_of(one, f"{path}.")
        if not inner:
            yield path


#: Where the next name is a user's own.
NAMED = ("datasets", "models", "methods", "testsets", "libraries", "generation.methods", "ablations", "ablations.entries")


def set_in(value: Any, above: str = "") -> Iterator[str]:
    """Paths of the keys that a config states, without a user's own names; what an ablation changes counts as stated."""
    if isinstance(value, dict):
        for name, inner in value.items():
            path = f"{above}.{name}".strip(".")
            yield path
            for one in inner.values() if path in NAMED and isinstance(inner, dict) else [inner]:
                yield from set_in(one, path)
            if path.startswith("ablations.entries."):
                yield from set_in({name: inner})
    elif isinstance(value, list):
        for inner in value:
            yield from set_in(inner, above)


def test_a_key_that_no_shipped_config_sets_has_a_reason(repository):
    def stated(path):
        return yaml.safe_load(path.read_text(encoding="utf-8"))

    configs = [stated(path) for path in repository.glob("config/*.yaml")]
    sweeps = {path.stem: stated(path) for path in repository.glob("config/ablations/*.yaml")}
    presets = {name: preset.stated() for name, preset in PRESETS.items()}
    used = {path for value in [*configs, {"ablations": sweeps}, {"methods": presets}] for path in set_in(value)}
    assert {path for path in keys_of(StudySettings) if path not in used} == set(KEPT)
