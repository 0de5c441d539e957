"""Which published files a study's datasets are made from, where they lie and which table of files lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from morered.datasets import sources
from morered.settings.datasets import Dataset, Qm7xDataset, Qm9Dataset
from morered.settings.reading import ConfigError

if TYPE_CHECKING:
    from morered.study.study import Study

RAW = "results/data/raw"


class Listed(NamedTuple):
    """A file in a table of files.

    Attributes
    ----------
    source
        What finds it there: the arguments of `morered.datasets.sources.of_file`.
    digests
        What it must be, packed and, where it is an archive, unpacked.
    """

    source: dict[str, str | None]
    digests: tuple[str, ...]


def files_of(settings: Dataset) -> list[str]:
    """Names of the files that a dataset with these settings is made from, as published."""
    if isinstance(settings, Qm7xDataset):
        return [f"{name}.xz" for name in settings.files] + ["DupMols.dat"]
    if isinstance(settings, Qm9Dataset) and settings.source == "figshare":
        return ["dsgdb9nsd.xyz.tar.bz2", "uncharacterized.txt"]
    return []


def listed(study: Study) -> dict[str, Listed]:
    """Path -> listing of every file that the study's datasets need, and of all files of the package's own table.

    Raises
    ------
    ConfigError
        If a dataset's own table (its key ``sources``) cannot be read or lacks a file.
    """
    found = {f"{RAW}/{source.dataset}/{source.file.name}": _listing(source, None) for source in sources.table()}
    problems = []
    for name, settings in study.settings.datasets.items():
        table = getattr(settings, "sources", None)
        try:
            for file in files_of(settings):
                path = f"{study.raw_dir(name)}/{file}"
                found[path] = _listing(sources.of_file(settings.kind, file, table), table)
        except (OSError, ValueError) as error:
            problems.append(f"datasets.{name}.sources: {error}")
        except KeyError as error:
            problems.append(f"datasets.{name}.sources: {table or 'the table of files'} has {error.args[0]}")
    if problems:
        raise ConfigError(problems)
    return found


def _listing(source: sources.Source, table: str | None) -> Listed:
    digests = tuple(file.digest for file in (source.file, source.unpacked) if file is not None)
    return Listed({"dataset": source.dataset, "file": source.file.name, "path": table}, digests)
