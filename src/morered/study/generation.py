"""What a study generates: its samplers, and where their molecules lie."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.settings.study import Sampler
    from morered.study.study import Study


def samplers(study: Study) -> Mapping[str, Sampler]:
    """Name -> settings of each sampler, in the config's order."""
    return study.settings.generation.methods


def models_of(study: Study, sampler: str) -> dict[str, str]:
    """Role ("noise", "time") -> name of the model that a sampler uses for it."""
    settings = samplers(study)[sampler]
    named = {"noise": settings.noise, "time": settings.time}
    return {role: name for role, name in named.items() if name is not None}


def dataset(study: Study) -> str:
    """The dataset that compositions are drawn from and that novelty is measured against."""
    return study.settings.generation.dataset or learned(study)


def learned(study: Study) -> str:
    """The dataset of the models, whose elements they know."""
    first = next(iter(samplers(study).values()))
    return study.settings.models[first.noise].dataset


def seed(study: Study) -> int:
    """Seed of compositions and noise: the study's."""
    return study.settings.seed


def folder(study: Study, sampler: str = "") -> str:
    """Folder of what is generated, or of one sampler's molecules."""
    return f"{study.root}/generation" + (f"/{sampler}" if sampler else "")


def dangling(study: Study) -> Iterable[str]:
    """What is wrong with the config's ``generation``: names that point nowhere, models of the wrong kind, impossible caps."""
    fitting = {"noise": ("noise", "morered-jt"), "time": ("time", "morered-jt")}
    models = study.settings.models
    faults: list[str] = []
    for name in samplers(study):
        for role, model in models_of(study, name).items():
            path = f"generation.methods.{name}.{role}"
            faults += study.unknown(path, model, "models")
            if model in models and models[model].kind not in fitting[role]:
                faults.append(f"{path}: {model!r} is a model of kind {models[model].kind}, not {' or '.join(fitting[role])}")
    if faults or not samplers(study):
        return faults
    datasets = {model: models[model].dataset for name in samplers(study) for model in models_of(study, name).values()}
    if len(set(datasets.values())) > 1:
        told = ", ".join(f"{model} on {data}" for model, data in datasets.items())
        faults.append(f"generation.methods: models of one dataset are compared, and these are of several: {told}")
    settings = study.settings.generation
    if settings.dataset is not None:
        faults += study.unknown("generation.dataset", settings.dataset, "datasets")
    caps = settings.caps
    if list(caps.steps) != sorted(caps.steps):
        faults.append(f"generation.caps.steps: {list(caps.steps)} do not ascend")
    if (caps.molecules or 0) > settings.molecules:
        faults.append(f"generation.caps.molecules: {caps.molecules} are more than generation.molecules, {settings.molecules}")
    return faults


def _of_schedule(study: Study, schedule: str) -> list[str]:
    """Samplers that predict the time ("adaptive"), or that do not ("fixed")."""
    return [name for name, settings in samplers(study).items() if (settings.time is not None) == (schedule == "adaptive")]


def samplers_for(study: Study, figure: str, schedule: str) -> list[str]:
    """Samplers that a figure needs: those with the ``adaptive`` or the ``fixed`` schedule.

    Raises
    ------
    ConfigError
        If there is none.
    """
    there = _of_schedule(study, schedule)
    if not there:
        key = "with the key time" if schedule == "adaptive" else "without the key time"
        raise ConfigError([f"figures: {figure} needs a sampler {key} in generation.methods"])
    return there
