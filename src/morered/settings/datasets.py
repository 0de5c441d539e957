"""Datasets and test sets of a study: where minima come from, and which inputs are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from morered.settings.base import Settings, group, key, several

Calculator = Literal["mmff94", "gfn1", "gfn2", "aimnet2", "so3lr", "pbe0"]
File = Literal["1000", "2000", "3000", "4000", "5000", "6000", "7000", "8000"]

_KIND = (
    "qm7-pbe0 is embedded in the package; qm7x and qm9 are downloaded; custom is a file of yours; organic is made of SMILES "
    "lists that packages carry, at AIMNet2."
)
_SOURCES = "A table of files, sizes, digests and urls in the place of the package's own: a mirror, or a test server."


@dataclass(frozen=True)
class SplitSettings(Settings):
    """A split by molecular graph; what is in neither part is the test split."""

    train: int = key(4500, "Graphs (molecules for qm9) to train on.", ge=1)
    validation: int = key(1250, "Graphs (molecules for qm9) to validate on.", ge=1)
    seed: int = key(0, "Seed of the split.", ge=0)


@dataclass(frozen=True)
class DisplacedSettings(Settings):
    """Displaced structures of training and validation graphs, with energies and forces."""

    per_minimum: int = key(20, "Displaced structures of each minimum.", ge=1)
    calculator: Calculator = key("so3lr", "Calculator of Hessian and displacement energies.")
    labels: Calculator | None = key(None, "Calculator of the energies and forces that are learned; null: the same.")
    train_graphs: int | None = key(None, "Training graphs whose minima are displaced; null: all.", ge=1)
    validation_graphs: int | None = key(250, "The same of validation graphs.", ge=1)
    chunks: int = key(8, "Jobs that it is split into.", ge=1)


@dataclass(frozen=True, kw_only=True)
class Dataset(Settings):
    """What every dataset has."""

    split: SplitSettings = group(
        SplitSettings, "Molecular graphs in the training and validation split; the rest is the test split."
    )


@dataclass(frozen=True, kw_only=True)
class Displaceable(Dataset):
    """A dataset whose minima are displaced here."""

    displaced: DisplacedSettings = group(
        DisplacedSettings, "Displaced structures of the training and validation graphs with energies and forces, for the MLFF."
    )


@dataclass(frozen=True, kw_only=True)
class Qm7Dataset(Displaceable):
    """The QM7 minima at PBE0 in the package."""

    KINDS: ClassVar[tuple[str, ...]] = ("qm7-pbe0",)
    kind: Literal["qm7-pbe0"] = key(meaning=_KIND)


@dataclass(frozen=True, kw_only=True)
class Qm7xDataset(Dataset):
    """QM7-X, with displaced structures of its own."""

    KINDS: ClassVar[tuple[str, ...]] = ("qm7x",)
    kind: Literal["qm7x"] = key(meaning=_KIND)
    files: tuple[File, ...] = several(
        ("1000", "2000", "3000", "4000", "5000", "6000", "7000", "8000"), "The sets of QM7-X that are used.", least=1
    )
    sources: str | None = key(None, _SOURCES)


@dataclass(frozen=True, kw_only=True)
class Qm9Dataset(Displaceable):
    """QM9."""

    KINDS: ClassVar[tuple[str, ...]] = ("qm9",)
    kind: Literal["qm9"] = key(meaning=_KIND)
    source: Literal["figshare", "qm9pack"] = key(
        "figshare",
        "Where QM9 comes from; qm9pack is a package of the same molecules that needs no download. Where figshare cannot be "
        "reached, the package is taken if it is installed.",
    )
    sources: str | None = key(None, _SOURCES)


@dataclass(frozen=True, kw_only=True)
class CustomDataset(Displaceable):
    """A file of molecules."""

    KINDS: ClassVar[tuple[str, ...]] = ("custom",)
    kind: Literal["custom"] = key(meaning=_KIND)
    file: str = key(meaning="Minima as extxyz, SDF or ASE database, or a list of SMILES (.smi).")
    relax_with: Calculator | None = key(None, "Calculator that makes minima of the file's structures; null: they are minima.")
    conformers: int = key(10, "Conformers tried for each SMILES.", ge=1)
    timeout: float | None = key(
        3600.0, "Seconds that the relaxation of one molecule, or of its conformers, may take; null: no limit.", gt=0
    )
    chunks: int = key(1, "Jobs that the relaxation is split into.", ge=1)


@dataclass(frozen=True, kw_only=True)
class OrganicDataset(Dataset):
    """Organic molecules of fourteen elements."""

    KINDS: ClassVar[tuple[str, ...]] = ("organic",)
    kind: Literal["organic"] = key(meaning=_KIND)
    molecules: Literal["lists", "qm7"] = key(
        "lists",
        "lists: a choice from the lists of installable packages. qm7: stereoisomers and conformers of QM7's training graphs.",
    )
    minima: Literal["packages", "shipped"] = key(
        "packages",
        "Where the minima come from. packages: molecules are chosen from the lists of installable packages, and relaxed at the "
        "reference, which takes some eight core-hours (of qm7 half of one). shipped: the same, read from the file that comes "
        "with morered, which has those of lists; what it lacks is made.",
    )
    chunks: int = key(1, "Jobs that the relaxation is split into.", ge=1)
    chunks_used: int | None = key(
        None,
        "The minima of the first so many jobs alone, each a sample of all, so that a training need not wait; null: all.",
        ge=1,
    )
    entries: int | None = key(None, "A sample of so many of the molecules chosen; null: all.", ge=1)


_TESTSET = (
    "normal-modes: displaced along normal modes; diffused: steps of the forward process; published: the displaced structures "
    "that come with QM7-X; conformers: of molecules of an organic dataset that are not trained on, as RDKit makes them."
)


@dataclass(frozen=True, kw_only=True)
class Testset(Settings):
    """What every test set has."""

    dataset: str = key(meaning="The dataset whose minima are displaced.")
    split: Literal["test", "validation"] = key("test", "The split they are taken from.")
    molecules: int | None = key(None, "A random sample of so many graphs; null: all.", ge=1)


@dataclass(frozen=True, kw_only=True)
class NormalModes(Testset):
    """Minima displaced along normal modes."""

    KINDS: ClassVar[tuple[str, ...]] = ("normal-modes",)
    kind: Literal["normal-modes"] = key(meaning=_TESTSET)
    calculator: Calculator = key("so3lr", "Calculator of Hessian and energies.")
    displacements: int = key(
        100, "Displaced structures per minimum, of which the closest, the middle and the most distant are kept.", ge=3
    )
    chunks: int = key(1, "Jobs that it is split into.", ge=1)


@dataclass(frozen=True, kw_only=True)
class Diffused(Testset):
    """Minima after steps of the forward process."""

    KINDS: ClassVar[tuple[str, ...]] = ("diffused",)
    kind: Literal["diffused"] = key(meaning=_TESTSET)
    steps: int = key(250, "Forward steps.", ge=1)


@dataclass(frozen=True, kw_only=True)
class Published(Testset):
    """The displaced structures of QM7-X."""

    KINDS: ClassVar[tuple[str, ...]] = ("published",)
    kind: Literal["published"] = key(meaning=_TESTSET)


@dataclass(frozen=True, kw_only=True)
class Conformers(Testset):
    """Inputs of an organic dataset's frozen test molecules, or of validation molecules."""

    KINDS: ClassVar[tuple[str, ...]] = ("conformers",)
    kind: Literal["conformers"] = key(meaning=_TESTSET)
    of: Literal["drugs", "scaffolds", "qm9"] | None = key(None, "Which of the frozen test sets; null: all, or validation's.")
    start: Literal["etkdg", "mmff94"] = key("etkdg", "etkdg: as RDKit's ETKDGv3 embeds them; mmff94: the same after its MMFF94.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.of is not None and self.split == "validation":
            raise ValueError("of: validation molecules are of no test set: leave it out")


Datasets = Qm7Dataset | Qm7xDataset | Qm9Dataset | CustomDataset | OrganicDataset
Testsets = NormalModes | Diffused | Published | Conformers
