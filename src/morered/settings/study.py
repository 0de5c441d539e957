"""One config file: a study, its named things, and what its figures need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from morered.settings.base import Kinds, Matches, Settings, group, key, several
from morered.settings.datasets import Datasets, Testsets
from morered.settings.level import LevelSettings
from morered.settings.networks import Architecture, Diffused, EnergyHead, NoiseHead, TimeHead
from morered.settings.presets import PRESETS, STUDIED
from morered.settings.relaxation import DiffusionSettings, Mmff94Settings, PotentialSettings, XtbSettings
from morered.settings.training import PotentialTraining, TrainingConfig

#: A file's name, and a named thing's; those that ablations add have an @.
FileName = Annotated[str, Matches(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Name = Annotated[str, Matches(r"^[A-Za-z0-9][A-Za-z0-9+._-]*(@[A-Za-z0-9+=._-]+)?$")]
EntryName = Annotated[str, Matches(r"^[A-Za-z0-9][A-Za-z0-9+=._-]*$")]

PresetName = Literal[*PRESETS]  # type: ignore[valid-type]
StudiedName = Literal[*STUDIED]  # type: ignore[valid-type]

_KIND = (
    "morered-jt predicts noise and time with one representation; noise (which is DDPM) and time are the two networks of "
    "MoreRed-AS and -ITP; mlff is the force field."
)


# --------------------------------------------------------------------- models


@dataclass(frozen=True)
class Augment(Settings):
    """Minima of another dataset."""

    dataset: str = key(meaning="The other dataset; its training part is taken.")
    max_heavy_atoms: int | None = key(None, "Atoms other than hydrogen in a molecule, at most; null: any number.", ge=1)


@dataclass(frozen=True, kw_only=True)
class Model(Architecture):
    """A network of a study."""

    dataset: str = key(meaning="The dataset it is trained on.")
    source: str = key("train", "train; shipped: the weights in the package; or a weights file.")
    train_limit: int | None = key(
        None, "Train on the first so many graphs of the training split only; validation and test stay as they are.", ge=1
    )
    features: int = key(256, "Features per atom.", ge=4, le=4096)
    ships_as: FileName | None = key(None, "Name of the weights and the card that the study makes of it; a version belongs in it.")


@dataclass(frozen=True, kw_only=True)
class DiffusionModel(Diffused, Model):
    """A network that predicts noise, time or both."""

    augment: Augment | None = group(
        None,
        "Minima of another dataset to train on as well; graphs of the model's own dataset and of the test sets' are left out.",
    )
    training: TrainingConfig = group(TrainingConfig, "How it is trained.")


@dataclass(frozen=True, kw_only=True)
class JointModel(TimeHead, NoiseHead, DiffusionModel):
    """Both heads on one representation."""

    KINDS: ClassVar[tuple[str, ...]] = ("morered-jt",)
    kind: Literal["morered-jt"] = key(meaning=_KIND)


@dataclass(frozen=True, kw_only=True)
class NoiseModel(NoiseHead, DiffusionModel):
    """The noise alone."""

    KINDS: ClassVar[tuple[str, ...]] = ("noise",)
    kind: Literal["noise"] = key(meaning=_KIND)


@dataclass(frozen=True, kw_only=True)
class TimeModel(TimeHead, DiffusionModel):
    """The time alone."""

    KINDS: ClassVar[tuple[str, ...]] = ("time",)
    kind: Literal["time"] = key(meaning=_KIND)


@dataclass(frozen=True, kw_only=True)
class PotentialModel(EnergyHead, Model):
    """The force field."""

    KINDS: ClassVar[tuple[str, ...]] = ("mlff",)
    kind: Literal["mlff"] = key(meaning=_KIND)
    training: PotentialTraining = group(PotentialTraining, "How it is trained.")


# --------------------------------------------------------------------- methods

_RELAXER = "What moves the atoms."
_TESTSETS = "The test sets it relaxes; null: all."


@dataclass(frozen=True, kw_only=True)
class StudyMethod(Settings):
    """What every method of a study has."""

    preset: StudiedName | None = key(
        None, "A method of `morered relax` to start from: its settings are this method's where no key says otherwise."
    )
    testsets: tuple[str, ...] | None = several(None, _TESTSETS)
    chunks: int = key(1, "Jobs that a test set is split into.", ge=1)


@dataclass(frozen=True, kw_only=True)
class DiffusionEntry(StudyMethod, DiffusionSettings):
    """Reverse diffusion with models of the study."""

    relaxer: Literal["morered"] = key(meaning=_RELAXER)
    noise: str = key(meaning="The model that predicts the noise.")
    time: str | None = key(None, "The model that predicts the time; a fixed schedule needs none.")
    seeds: int = key(1, "Runs with different noise.", ge=1)
    seeds_sample: int | None = key(
        None, "A random sample of so many inputs, the same for every method, for the runs after the first; null: all.", ge=1
    )


@dataclass(frozen=True, kw_only=True)
class PotentialEntry(StudyMethod, PotentialSettings):
    """The study's force field."""

    KINDS: ClassVar[tuple[str, ...]] = ("mlff",)
    relaxer: Literal["mlff"] = key(meaning=_RELAXER)
    model: str = key(meaning="The force field.")


@dataclass(frozen=True, kw_only=True)
class PretrainedEntry(StudyMethod, PotentialSettings):
    """A pretrained force field."""

    KINDS: ClassVar[tuple[str, ...]] = ("aimnet2", "so3lr")
    relaxer: Literal["aimnet2", "so3lr"] = key(meaning=_RELAXER)


@dataclass(frozen=True, kw_only=True)
class XtbEntry(StudyMethod, XtbSettings):
    """GFN-xTB."""

    relaxer: Literal["gfn2", "gfn1"] = key(meaning=_RELAXER)


@dataclass(frozen=True, kw_only=True)
class Mmff94Entry(StudyMethod, Mmff94Settings):
    """MMFF94."""

    relaxer: Literal["mmff94"] = key(meaning=_RELAXER)


# --------------------------------------------------------------------- figures


@dataclass(frozen=True)
class Process(Settings):
    """Figure 2."""

    steps: tuple[int, ...] = several(
        (0, 100, 200, 300, 500, 700, 1000),
        "Time steps that are shown, ascending; the reverse process starts at the last one, 1000 being pure noise.",
        least=2,
    )


@dataclass(frozen=True)
class Followed(Settings):
    """Figure 3b."""

    testset: str = key("normal-modes", "The test set whose molecules are followed.")
    adaptive: str = key("MoreRed-JT", "The method with the adaptive schedule.")
    fixed: str = key("MoreRed-ITP", "The method with the fixed schedule.")
    molecules: int = key(3, "How many molecules, spread evenly over the RMSD of the inputs.", ge=1)


@dataclass(frozen=True)
class Examples(Settings):
    """Figure 5."""

    methods: tuple[str, ...] | None = several(
        None,
        "The two methods; null: the first MoreRed method with the adaptive schedule and the first that is no MoreRed.",
        least=2,
        most=2,
    )
    molecules: int = key(8, "How many molecules.", ge=1)


@dataclass(frozen=True)
class Images(Settings):
    """Figure A1."""

    source: Literal["photographs", "cifar10", "none"] = key(
        "photographs",
        "photographs: patches of two photographs that scikit-learn ships; cifar10: downloaded; none: only the molecule is shown.",
    )
    features: int = key(16, "Features of its first layer.", ge=1)
    training_steps: int = key(5000, "Batches of 64 images that it is trained with.", ge=1)


@dataclass(frozen=True)
class Sampler(Settings):
    """A sampler of a study."""

    noise: str = key(meaning="The model that predicts the noise.")
    time: str | None = key(None, "The model that predicts the time; null: the fixed schedule of all T steps (DDPM).")
    steps: int | None = key(None, "Cap on the steps; null: 2000, and for the fixed schedule none.", ge=1)
    chunks: int = key(1, "Jobs that the samples are split into.", ge=1)


@dataclass(frozen=True)
class Caps(Settings):
    """Figure B4's validity against the cap, of the last adaptive sampler beside the last fixed one."""

    steps: tuple[int, ...] = several((500, 600, 800, 1000, 1500, 2000, 5000, 10000, 50000), "Caps, ascending.", least=2)
    molecules: int | None = key(None, "Samples at each cap; null: as many as of each method.", ge=1)
    chunks: int = key(1, "Jobs that they are split into.", ge=1)


@dataclass(frozen=True)
class Generation(Settings):
    """Molecules from pure noise."""

    dataset: str | None = key(
        None,
        "The dataset that compositions are drawn from, of its test part and of elements that the models' dataset has, and that "
        "novelty is measured against; null: the models' own.",
    )
    molecules: int = key(10000, "Samples of each method.", ge=1)
    methods: Mapping[Name, Sampler] = group(dict, "Named samplers; the names are those of the table.")
    trajectories: int = key(6, "Samples whose time steps figure B4 shows.", ge=1)
    grid: int = key(48, "Samples that figures D1 and D2 show.", ge=1)
    caps: Caps = group(Caps, "Figure B4's validity against the cap, of the last adaptive sampler beside the last fixed one.")


@dataclass(frozen=True)
class Sample(Settings):
    """A sample of inputs of which something is computed."""

    methods: tuple[str, ...] | None = several(None, "The methods; null: all that figures compare.")
    molecules: int | None = key(100, "A random sample of so many inputs, the same for every method; null: all.", ge=1)
    max_atoms: int | None = key(None, "Inputs with more atoms are left out, unless all have; null: none is.", ge=1)


@dataclass(frozen=True)
class Energies(Sample):
    """Figure 6."""

    testset: str | None = key(None, "The test set that the inputs are of; null: the config's first.")
    level: LevelSettings = group(LevelSettings, "Level of theory of PBE0+MBD.")
    timeout: float | None = key(7200.0, "Seconds for one single point; null: no limit.", gt=0)
    chunks: int = key(40, "Jobs that the single points are split into.", ge=1)


@dataclass(frozen=True)
class Savings(Sample):
    """What a relaxation saves."""

    FORMER: ClassVar[Mapping[str, str]] = {"testset": "testsets"}

    testsets: tuple[str, ...] | None = several(None, "The test sets that the inputs are of; null: the config's first.", least=1)
    methods: tuple[str, ...] | None = several(
        None, "The methods, each on those of these test sets that it relaxes; null: all that figures compare."
    )
    molecules: int | None = key(10, "A random sample of so many inputs of each, the same for every method; null: all.", ge=1)
    calculators: tuple[Literal["pbe0", "gfn2", "gfn1", "aimnet2"], ...] = several(("pbe0", "gfn2"), "What optimises.", least=1)
    level: LevelSettings = group(
        LevelSettings(basis="def2-svp", grid=2, coarse_grid=2),
        "Level of theory of pbe0, here without dispersion; where the key is not given, def2-svp on grid 2.",
    )
    steps: int = key(200, "Cap on the steps.", ge=1)
    timeout: float | None = key(36000.0, "Seconds for one optimisation; null: no limit.", gt=0)
    chunks: int = key(80, "Jobs that the optimisations with pbe0, and those with aimnet2, are split into.", ge=1)


# --------------------------------------------------------------------- libraries, ablations, and the whole


@dataclass(frozen=True)
class LibrarySettings(Settings):
    """A library of molecules of yours."""

    file: str = key(meaning="A list of SMILES (.smi), SDF or xyz, also compressed (.gz); or what else ASE reads.")
    method: PresetName = key("auto", "A method of `morered relax`, by its name there.")
    finish: Literal["organic", "gfn2", "gfn1", "aimnet2", "so3lr", "mmff94"] | None = key(
        None, "A method that goes on from each result; null: none."
    )
    seed: int = key(0, "Seed of embedding and noise.", ge=0)
    chunks: int = key(10, "Jobs that it is split into.", ge=1)


@dataclass(frozen=True)
class Entry(Settings):
    """The keys that differ."""

    datasets: Mapping[str, Mapping[str, Any]] = group(dict, "Named datasets and the keys that differ.")
    models: Mapping[str, Mapping[str, Any]] = group(dict, "Named models and the keys that differ.")
    methods: Mapping[str, Mapping[str, Any]] = group(dict, "Named methods and the keys that differ.")


@dataclass(frozen=True)
class AblationSettings(Settings):
    """A sweep."""

    methods: tuple[str, ...] = several(meaning="The methods that are run for every entry.", least=1)
    entries: Mapping[EntryName, Entry | None] = group(meaning="Name of each entry -> the keys that differ.")
    description: str = key("", "What is asked; it stands in the figure's caption.")
    testsets: tuple[str, ...] | None = several(None, "The test sets; null: all.")


@dataclass(frozen=True)
class StudySettings(Settings):
    """A whole config."""

    FORMER: ClassVar[Mapping[str, str]] = {"worth": "savings"}

    study: FileName = key(meaning="Name of the study; it is the folder of its results, results/<study>/.")
    note: str = key(
        "", "A sentence about the study that stands on its report's first page, e.g. that its numbers are toy numbers."
    )
    seed: int = key(0, "Seed of everything random that has no seed of its own.", ge=0)
    libraries: Mapping[Name, LibrarySettings] = group(
        dict, "Named libraries of yours, relaxed and nothing else (docs/libraries.md); the target `all` makes them."
    )
    datasets: Mapping[Name, Annotated[Datasets, Kinds("kind")]] = group(dict, "Named datasets.")
    models: Mapping[Name, Annotated[JointModel | NoiseModel | TimeModel | PotentialModel, Kinds("kind")]] = group(
        dict, "Named networks."
    )
    methods: Mapping[
        Name, Annotated[DiffusionEntry | PotentialEntry | PretrainedEntry | XtbEntry | Mmff94Entry, Kinds("relaxer")]
    ] = group(dict, "Named ways to relax; the names are those of the figures.")
    testsets: Mapping[Name, Annotated[Testsets, Kinds("kind")]] = group(dict, "Named inputs, all relaxed by every method.")
    figures: tuple[str, ...] = several(
        ("fig1", "fig2", "fig3a", "fig3b", "fig4", "fig5", "figA1", "figB1", "figB2", "figC3", "tableD"),
        "Figures and tables that the target `all` makes, by their names in src/morered/figures/catalogue; each is a target too.",
    )
    process: Process = group(Process, "Figure 2, imidazole through the forward and the reverse process.")
    trajectories: Followed = group(Followed, "Figure 3b's runs, whose every step is recorded.")
    examples: Examples = group(Examples, "Figure 5's molecules, of the first test set, relaxed by two methods.")
    images: Images = group(Images, "Figure A1's predictor of the time steps of images.")
    generation: Generation = group(
        Generation,
        "Molecules from pure noise: figures B4, D1 and D2 and table B1. Nothing of it is made where there are no methods.",
    )
    energies: Energies = group(
        Energies,
        "Figure 6's single points: a sample of the first test set, its minima and what each method makes of it.",
    )
    savings: Savings = group(
        Savings,
        "What a relaxation saves: geometry optimisations of a sample from the raw inputs, from their minima and from what "
        "each method makes of them.",
    )
    ablations: Mapping[Name, AblationSettings] = group(
        dict,
        "Named sweeps, or the name of a file in config/ablations/. Each entry holds only the keys of datasets, models and "
        "methods that differ.",
    )
