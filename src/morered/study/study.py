"""What the workflow asks of a config: names, settings and paths of datasets, models, methods, test sets and ablations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from morered.figures.declaration import declared
from morered.models import shipped
from morered.settings.datasets import CustomDataset
from morered.settings.presets import started
from morered.settings.reading import ConfigError, read
from morered.settings.study import DiffusionEntry, DiffusionModel, Energies, Savings, StudySettings
from morered.study import generation
from morered.study.ablations import Ablation, expand, load_files

Settings = dict[str, Any]
#: What a sample of inputs is computed for.
Purpose = Literal["energies", "savings"]

# Settings of a dataset that its minima and its split do not depend on; and those that its minima before the split do not.
_NOT_OF_THE_MINIMA = ("displaced", "chunks", "timeout")
_NOT_OF_THE_SOURCE = (*_NOT_OF_THE_MINIMA, "split", "chunks_used")
# Settings of a method that its runs do not depend on.
_BOOKKEEPING = ("preset", "testsets", "chunks", "seeds", "seeds_sample")


class Study:
    """One config file, checked and expanded.

    Raises
    ------
    ConfigError
        For faults of the config; the message lists them with the paths of their keys.
    """

    def __init__(self, config: Mapping[str, Any], ablations_dir: str | Path = "config/ablations") -> None:
        complete = load_files(json.loads(json.dumps(config)), ablations_dir)
        read(StudySettings, _started(complete))
        expanded, self.ablations = expand(complete)
        self.settings = read(StudySettings, _seeded(_started(expanded)))
        self.name = self.settings.study
        problems = list(self._dangling()) or list(self._lacking())
        if problems:
            raise ConfigError(problems)

    # ----------------------------------------------------------------- settings of jobs, as plain values

    def testset_settings(self, name: str) -> Settings:
        """Settings of a test set, defaults filled in, and the seed of its sample, displacements and noise: the study's."""
        return {**self.settings.testsets[name].to_dict(), "seed": self.settings.seed}

    def network_settings(self, name: str) -> Settings:
        """What a model's training depends on, without what is at its default: a new default retrains nothing."""
        model = self.settings.models[name]
        settings = model.stated()
        settings["training"] = {**settings.get("training", {}), "seed": model.training.seed}
        return {key: value for key, value in settings.items() if key not in ("dataset", "source", "ships_as")}

    def method_settings(self, name: str) -> Settings:
        """What a method's runs depend on, without what is at its default and without the models' names."""
        method = self.settings.methods[name]
        settings = {"relaxer": method.relaxer, **method.stated()}
        return {key: value for key, value in settings.items() if key not in (*_BOOKKEEPING, "noise", "time", "model")}

    def sampling(self, purpose: Purpose) -> Settings:
        """What the sample of inputs depends on that is computed for ``purpose``."""
        sample = self.sample(purpose)
        return {"molecules": sample.molecules, "max_atoms": sample.max_atoms, "seed": self.settings.seed}

    def level(self, purpose: Purpose) -> Settings:
        """The level of theory of ``purpose``, without what is at its default."""
        return self.sample(purpose).level.stated()

    # ----------------------------------------------------------------- what belongs together

    def sample(self, purpose: Purpose) -> Energies | Savings:
        """The config's ``energies`` or ``savings``."""
        return self.settings.energies if purpose == "energies" else self.settings.savings

    def is_adaptive(self, method: str) -> bool:
        """Whether a method predicts the time before every step."""
        settings = self.settings.methods[method]
        return isinstance(settings, DiffusionEntry) and settings.schedule == "adaptive"

    def steps_of_process(self, model: str) -> int:
        """Time steps T of the forward process of a diffusion model."""
        settings = self.settings.models[model]
        assert isinstance(settings, DiffusionModel)
        return settings.diffusion.T

    def predicted_steps(self, methods: Iterable[str]) -> dict[str, int]:
        """Method -> T of the network that predicts its time steps, or, where none does, its noise."""
        models = {method: self.models_of(method) for method in methods}
        return {method: self.steps_of_process(of_it.get("time", of_it["noise"])) for method, of_it in models.items()}

    @property
    def base_methods(self) -> list[str]:
        """The methods as the config names them, without those that ablations added."""
        return [name for name in self.settings.methods if "@" not in name]

    @property
    def so3net_methods(self) -> list[str]:
        """The config's methods whose models are built on SO3Net."""
        return [
            name
            for name in self.base_methods
            if any(self.settings.models[model].representation == "so3net" for model in self.models_of(name).values())
        ]

    @property
    def shown_methods(self) -> list[str]:
        """The methods that figures compare: the config's own, without those on SO3Net where others are learned on PaiNN."""
        apart = set(self.so3net_methods)
        if all(name in apart for name in self.base_methods if self.models_of(name)):
            return self.base_methods
        return [name for name in self.base_methods if name not in apart]

    @property
    def datasets_used(self) -> list[str]:
        """The datasets that models, test sets or compositions are of, in the config's order; all where there is neither."""
        settings = self.settings
        of = {entry.dataset for entries in (settings.models, settings.testsets) for entry in entries.values()}
        of |= {augment.dataset for model in settings.models.values() if (augment := getattr(model, "augment", None)) is not None}
        of |= {settings.generation.dataset} if settings.generation.dataset is not None else set()
        return [name for name in settings.datasets if name in of or not of]

    def calibrating(self, model: str) -> list[tuple[str, str]]:
        """Test set and method of the relaxations whose ends calibrate a model: its first method, conformers of validation
        molecules.
        """
        method = next((name for name in self.base_methods if self.models_of(name).get("time") == model), None)
        if method is None:
            return []
        return [
            (name, method)
            for name, testset in self.settings.testsets.items()
            if testset.kind == "conformers" and testset.split == "validation" and self.methods_of(name, [method])
        ]

    def first_model(self, kind: str) -> str | None:
        """The config's first model of a kind, None where there is none."""
        return next((name for name, model in self.settings.models.items() if model.kind == kind and "@" not in name), None)

    def methods_of(self, testset: str, among: Iterable[str] | None = None) -> list[str]:
        """The methods (by default those that figures compare) that relax a test set, in the config's order."""
        chosen = self.shown_methods if among is None else list(dict.fromkeys(among))
        shown = {name: self.settings.methods[name].testsets for name in chosen}
        return [name for name, testsets in shown.items() if testsets is None or testset in testsets]

    def sources_at_most(self, purpose: Purpose) -> int | None:
        """Geometries that ``energies`` or ``savings`` compute at most; None where all inputs are taken, uncounted as yet.

        Of each sampled input the minimum, itself, and what each method makes of it.
        """
        sample = self.sample(purpose)
        if sample.molecules is None:
            return None
        testsets = len(getattr(sample, "testsets", None) or [None])
        return testsets * sample.molecules * (2 + len(self.shown_methods if sample.methods is None else sample.methods))

    def chunks_of_savings(self, calculator: str) -> int:
        """Jobs of a calculator's optimisations: those of GFN-xTB take seconds and are not split."""
        return self.settings.savings.chunks if calculator in ("pbe0", "aimnet2") else 1

    def models_of(self, method: str) -> dict[str, str]:
        """Role ("noise", "time", "model") -> name of the model that a method uses for it."""
        named = {role: getattr(self.settings.methods[method], role, None) for role in ("noise", "time", "model")}
        return {role: name for role, name in named.items() if name is not None}

    def time_predictors(self, testset: str) -> dict[str, str]:
        """Name of a panel -> method, the first for each model that predicts times: what figure 3a compares."""
        panels: dict[str, tuple[str, list[str]]] = {}
        for method in self.methods_of(testset):
            model = self.models_of(method).get("time")
            if model is not None:
                panels.setdefault(model, (method, []))[1].append(method)
        return {_joined(names): first for first, names in panels.values()}

    def seeds(self, method: str) -> range:
        """The seeds that a method is run with, counted from 0."""
        return range(getattr(self.settings.methods[method], "seeds", 1))

    def sampled_for(self, method: str, seed: int) -> int | None:
        """How many inputs of a test set a method's run is for; None: all."""
        return getattr(self.settings.methods[method], "seeds_sample", None) if seed else None

    def chunks(self, method: str, seed: int = 0) -> range:
        """The parts that the input of a method's run is split into; a sample stays whole."""
        return range(1 if self.sampled_for(method, seed) else self.settings.methods[method].chunks)

    def plan(self, figure: str) -> Settings:
        """What a figure or table shows (`morered.figures.declaration`); ConfigError where the study lacks what it needs."""
        return declared()[figure].plan(self)

    def runs(
        self, methods: Iterable[str] | None = None, testsets: Iterable[str] | None = None, every_seed: bool = False
    ) -> list[tuple[str, str, int]]:
        """Test set, method and seed of relaxations: of each method (see `methods_of`) the first seed, or all."""
        chosen = None if methods is None else list(methods)
        return [
            (testset, method, seed)
            for testset in testsets or self.settings.testsets
            for method in self.methods_of(testset, chosen)
            for seed in (self.seeds(method) if every_seed else [0])
        ]

    # ----------------------------------------------------------------- paths

    @property
    def root(self) -> str:
        """Folder of the study's results."""
        return f"results/{self.name}"

    def data_dir(self, dataset: str) -> str:
        """Folder of a dataset, shared by studies and keyed by what the minima and the split depend on."""
        own = self.settings.datasets[dataset].stated()
        settings = {key: value for key, value in own.items() if key not in _NOT_OF_THE_MINIMA}
        return f"results/data/{dataset.split('@')[0]}-{digest(settings)}"

    def raw_dir(self, dataset: str) -> str:
        """Folder of what a dataset is made from whatever its split: downloads, or the relaxed minima of a file of yours.

        Downloads of the package's table of files lie in results/data/raw/<kind>.
        """
        settings = self.settings.datasets[dataset]
        if settings.kind in ("custom", "organic"):
            made_of = {key: value for key, value in settings.stated().items() if key not in _NOT_OF_THE_SOURCE}
            return f"results/data/raw/{dataset.split('@')[0]}-{digest(made_of)}"
        table = getattr(settings, "sources", None)
        return f"results/data/raw/{settings.kind}" + (f"-{digest({'sources': table})}" if table else "")

    def displaced(self, dataset: str) -> str:
        """Displaced structures of a dataset's training and validation graphs, made here, with energies and forces."""
        stated = self.settings.datasets[dataset].stated().get("displaced", {})
        settings = {key: value for key, value in stated.items() if key not in _NOT_OF_THE_MINIMA}
        return f"{self.data_dir(dataset)}/displaced-{digest(settings)}.h5"

    def labelled(self, dataset: str) -> str:
        """Structures with energies and forces: those that come with QM7-X, or `displaced` ones."""
        if self.settings.datasets[dataset].kind == "qm7x":
            return f"{self.data_dir(dataset)}/structures.h5"
        return self.displaced(dataset)

    def training_data(self, model: str) -> str:
        """What a model is trained on: minima, or for a force field labelled structures."""
        settings = self.settings.models[model]
        if settings.kind == "mlff":
            return self.labelled(settings.dataset)
        return f"{self.data_dir(settings.dataset)}/minima.h5"

    def augmentation(self, model: str) -> str | None:
        """Minima of another dataset that a model is trained on as well."""
        settings = self.settings.models[model].stated().get("augment")
        if settings is None:
            return None
        own, *tested = self.known_to(model)
        made_of = {**settings, "dataset": self.data_dir(settings["dataset"]), **({"tested": tested} if tested else {})}
        return f"{own}/augmentation-{digest(made_of)}.h5"

    def known_to(self, model: str) -> list[str]:
        """Folders of a model's dataset and of those that it is tested on: an augmentation adds no graph of theirs."""
        own = self.settings.models[model].dataset
        tested = {testset.dataset for testset in self.settings.testsets.values()} - {own}
        return [self.data_dir(name) for name in (own, *sorted(tested))]

    def initial_weights(self, model: str) -> str | None:
        """Weights file that a training starts from: of another model of the study, or one of the user's.

        None where it starts from nothing, or from weights that ship.
        """
        init = self.settings.models[model].training.init
        if init is not None and init in self.settings.models:
            return self.weights(init)
        return init if init is not None and init.endswith(shipped.SUFFIX) else None

    def given_weights(self, model: str) -> str | None:
        """Weights file of the user's that is taken for a model; None where there is none."""
        source = self.settings.models[model].source
        return source if source.endswith(shipped.SUFFIX) else None

    def card(self, dataset: str) -> str:
        """A data card's path without its ending."""
        return f"{self.root}/data_cards/{dataset}"

    def weights(self, model: str) -> str:
        """Weights file of a model."""
        return f"{self.root}/models/{model}/weights.safetensors"

    def calibrated(self, model: str) -> str:
        """The same with what its predicted times mean in the header (`calibrating`)."""
        return f"{self.root}/models/{model}/calibrated.safetensors"

    def inputs(self, testset: str) -> str:
        """Structures of a test set."""
        return f"{self.root}/testsets/{testset}.h5"

    def minima(self, testset: str) -> str:
        """Minima of the dataset that a test set is of; of conformers those that the inputs fall into."""
        settings = self.settings.testsets[testset]
        if settings.kind == "conformers":
            return f"{self.conformers(testset)}.minima.h5"
        return f"{self.data_dir(settings.dataset)}/minima.h5"

    def conformers(self, testset: str) -> str:
        """Files that a test set of conformers is taken from, without their endings: their inputs and their minima."""
        settings = self.settings.testsets[testset]
        # whatever part of the minima is used
        return f"{self.raw_dir(settings.dataset)}/{'tests' if settings.split == 'test' else settings.split}"

    def endings(self, testset: str, method: str, seed: int = 0) -> str:
        """Table of where each result of a test set of conformers lies on the reference's surface."""
        return f"{self.root}/relax/{testset}/{method}/seed{seed}.endings.csv"

    def relaxed(self, testset: str, method: str, seed: int = 0) -> str:
        """Relaxed structures of a test set."""
        return f"{self.root}/relax/{testset}/{method}/seed{seed}.h5"

    def metrics(self, testset: str, method: str, seed: int = 0) -> str:
        """Table of RMSD, ratio and verdict of each relaxed structure."""
        return f"{self.root}/relax/{testset}/{method}/seed{seed}.csv"

    def figure(self, name: str) -> str:
        """A figure's path without its ending."""
        return f"{self.root}/figures/{name}"

    def table(self, name: str) -> str:
        """A table's path without its ending."""
        return f"{self.root}/tables/{name}"

    # ----------------------------------------------------------------- internals

    def unknown(self, path: str, name: str, kind: str) -> Iterable[str]:
        """The sentence about a key (``path``) whose value is no name of this kind of thing, if it is none."""
        named: Mapping[str, object] = getattr(self.settings, kind)
        if name not in named:
            yield f"{path}: no such name {name!r} in {kind}; there are: {', '.join(named) or 'none'}"

    def _lacking(self) -> Iterable[str]:
        """Why figures that the config asks for cannot be made: names of none, and what the study lacks for one."""
        for place, name in enumerate(self.settings.figures):
            if name not in declared():
                yield f"figures.{place}: {name!r} is not one of {', '.join(declared())}"
                continue
            try:
                self.plan(name)
            except ConfigError as error:
                yield from error.problems

    def _dangling(self) -> Iterable[str]:
        """Names that point nowhere, or at a thing of the wrong kind."""
        known, names = self.settings, self.unknown
        if not known.datasets and not known.libraries:
            yield "(top level): needs the key 'datasets' or 'libraries': what the study is of"
        for name, dataset in known.datasets.items():
            if isinstance(dataset, CustomDataset) and _lists_smiles(dataset.file) and dataset.relax_with is None:
                yield f"datasets.{name}: conformers of SMILES are no minima: relax_with must name a calculator"
        for name, model in known.models.items():
            yield from names(f"models.{name}.dataset", model.dataset, "datasets")
            if (augment := getattr(model, "augment", None)) is not None:
                yield from names(f"models.{name}.augment.dataset", augment.dataset, "datasets")
        for name, testset in known.testsets.items():
            yield from names(f"testsets.{name}.dataset", testset.dataset, "datasets")
            kind = known.datasets[testset.dataset].kind if testset.dataset in known.datasets else None
            if testset.kind == "published" and kind != "qm7x":
                yield f"testsets.{name}.kind: published structures come with qm7x only, not with {kind}"
            if testset.kind == "conformers" and kind != "organic":
                yield f"testsets.{name}.kind: conformers are of datasets of kind organic only, not of {kind}"
        fitting = {"noise": ("noise", "morered-jt"), "time": ("time", "morered-jt"), "model": ("mlff",)}
        for name, method in known.methods.items():
            for role, used in self.models_of(name).items():
                faults = list(names(f"methods.{name}.{role}", used, "models"))
                yield from faults
                if not faults and known.models[used].kind not in fitting[role]:
                    allowed = " or ".join(fitting[role])
                    yield f"methods.{name}.{role}: {used!r} is a model of kind {known.models[used].kind}, not {allowed}"
            if isinstance(method, DiffusionEntry) and method.schedule != "fixed" and method.time is None:
                yield f"methods.{name}: the schedule {method.schedule} needs the key 'time', the model that predicts it"
            for inputs in method.testsets or ():
                yield from names(f"methods.{name}.testsets", inputs, "testsets")
        yield from generation.dangling(self)


def _lists_smiles(file: str) -> bool:
    return file.lower().endswith((".smi", ".smiles"))


def _started(config: Settings) -> Settings:
    """The config with the settings of the presets that its methods name; models are the study's own."""
    methods = config.get("methods")
    if not isinstance(methods, Mapping):
        return config
    begun = dict(methods)
    for name, method in methods.items():
        if isinstance(method, Mapping) and method.get("preset") is not None:
            begun[name] = {**started(method, f"methods.{name}", models=False), "preset": method["preset"]}
    return {**config, "methods": begun}


def _seeded(config: Settings) -> Settings:
    """The config with its seed for every training that has none of its own."""
    seed = config.get("seed", 0)
    models = {
        name: {**model, "training": {"seed": seed, **(model.get("training") or {})}}
        for name, model in config.get("models", {}).items()
    }
    return {**config, "models": models}


def _joined(names: list[str]) -> str:
    """One name of several: "MoreRed-ITP/-AS" of MoreRed-ITP and MoreRed-AS."""
    family = names[0].split("-")[0]
    if all(name.startswith(f"{family}-") for name in names):
        return "/".join([names[0], *(name.removeprefix(family) for name in names[1:])])
    return "/".join(names)


def digest(settings: Mapping[str, Any]) -> str:
    """Eight hexadecimal digits that name these settings."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


__all__ = ["Ablation", "Study", "digest"]
