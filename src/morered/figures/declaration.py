"""What a figure or table declares of itself: what it shows of a study, its input files, its caption, its target, how it is drawn.

Each module of `morered.figures.catalogue` declares one as ``FIGURE``; the module's name is that of the target. The workflow
makes a rule of every declaration (`workflow/rules/figures.smk`), so nothing else names a figure. Declarations are read
whenever the workflow starts: a module of the catalogue imports what it draws with in ``draw``, or in a module beside it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from morered.study.study import Study

#: What a figure shows: names of methods, models and test sets, and settings.
type Plan = dict[str, Any]
#: Test set, method and seed of relaxations.
type Runs = list[tuple[str, str, int]]
#: Name -> file, or files.
type Files = dict[str, str | list[str]]


class Order(NamedTuple):
    """What one figure is drawn from and where it goes.

    Attributes
    ----------
    files
        Input files by the names of the declaration.
    plan
        What is shown.
    runs
        Relaxations that are shown, in the order of their files.
    settings
        Further settings of the declaration.
    stem
        Path of the figure or table without its ending.
    page
        Path of its HTML table; empty where it has none.
    """

    files: Mapping[str, Any]
    plan: Plan
    runs: Runs
    settings: Mapping[str, Any]
    stem: Path
    page: str


def _nothing(study: Study) -> dict[str, Any]:
    return {}


def _no_files(study: Study, plan: Plan) -> Files:
    return {}


@dataclass(frozen=True)
class Figure:
    """One figure or table.

    Attributes
    ----------
    caption
        Its caption in the report, reStructuredText.
    draw
        Draws it; a function of its module that is named ``draw``.
    plan
        What it shows of a study. Raises `morered.study.ConfigError`, naming the keys, where the study lacks what it needs.
    runs
        The relaxations that it shows, by its plan; their tables are inputs, as ``tables``.
    inputs
        Further files that it is made from, by its plan.
    settings
        Settings of the study that it depends on.
    files
        Endings of further output files beside the figure, such as ``summary.csv``.
    picture
        Whether it is a picture (PNG, PDF, CSV among the figures) or else a table (CSV among the tables).
    table
        Label of its HTML table in the report; empty: it has none.
    page
        Whether a page of its molecules (``<stem>.page.html``) belongs to it.
    category
        Category in the report.
    """

    caption: str
    draw: Callable[[Order], object]
    plan: Callable[[Study], Plan] = _nothing
    runs: Callable[[Study, Plan], Runs] | None = None
    inputs: Callable[[Study, Plan], Files] = _no_files
    settings: Callable[[Study], dict[str, Any]] = _nothing
    files: tuple[str, ...] = ()
    picture: bool = True
    table: str = ""
    page: bool = False
    category: str = "Figures"

    def shown_runs(self, study: Study) -> Runs:
        """The relaxations that it shows of a study."""
        return self.runs(study, self.plan(study)) if self.runs else []

    def input_files(self, study: Study) -> Files:
        """All files that it is made from."""
        files = self.inputs(study, self.plan(study))
        if self.runs:
            files = {"tables": [study.metrics(*run) for run in self.shown_runs(study)], **files}
        return files

    def stem(self, study: Study, name: str) -> str:
        """Its path without the ending."""
        return study.figure(name) if self.picture else study.table(name)

    def output_files(self, study: Study, name: str) -> dict[str, str]:
        """Files that its rule writes, by name; the target is the first one."""
        stem = self.stem(study, name)
        files = {ending: f"{stem}.{ending}" for ending in (("png", "pdf", "csv") if self.picture else ("csv",))}
        if self.table:
            files["html"] = f"{study.table(name)}.html"
        if self.page:
            files["page"] = f"{stem}.page.html"
        return files | {ending.partition(".")[0]: f"{stem}.{ending}" for ending in self.files}

    def shown_files(self, study: Study, name: str) -> dict[str, tuple[str, dict[str, str]]]:
        """Output files that the report shows -> category and labels there."""
        shown = {}
        if self.picture:
            shown["png"] = (self.category, {"figure": name, "study": study.name})
        if self.page:
            shown["page"] = (self.category, {"figure": f"{name}, to turn", "study": study.name})
        if self.table:
            shown["html"] = ("Tables", {"table": self.table})
        return shown


@cache
def declared() -> dict[str, Figure]:
    """Name -> declaration of each figure and table of the catalogue.

    Raises
    ------
    TypeError
        If a module of the catalogue declares none.
    """
    return {name: figure for name, module in _modules() if (figure := _declaration(name, module)) is not None}


def figures_of(study: Study) -> dict[str, Figure]:
    """`declared`, and those that are one for each of several things of a study, such as its sweeps."""
    further = (module.figures(study) for _, module in _modules() if hasattr(module, "figures"))
    return declared() | {name: figure for family in further for name, figure in family.items()}


def in_catalogue(names: Iterable[str], pictures: bool) -> list[str]:
    """Of these names those of pictures, or those of tables."""
    return [name for name in names if declared()[name].picture == pictures]


def _modules() -> list[tuple[str, Any]]:
    catalogue = import_module("morered.figures.catalogue")
    names = sorted(found.name for found in pkgutil.iter_modules(catalogue.__path__))
    return [(name, import_module(f"{catalogue.__name__}.{name}")) for name in names]


def _declaration(name: str, module: Any) -> Figure | None:
    figure = getattr(module, "FIGURE", None)
    if not isinstance(figure, Figure) and not hasattr(module, "figures"):
        raise TypeError(f"{module.__name__} declares no figure: it needs FIGURE = Figure(...), or a function figures(study)")
    return figure
