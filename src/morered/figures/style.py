"""The one look of all figures: sizes, fonts, a fixed colour for each method, and reproducible files.

The colours are those of Okabe and Ito and of Paul Tol's schemes, which people with any colour vision can tell apart. Figures
are made without pyplot: nothing global is left behind, and no display is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from morered.files import atomic_path
from morered.metrics.tables import write_table

#: Widths in inches of a figure that fills one column, or the page.
COLUMN, PAGE = 3.4, 7.0
#: Dots per inch of the PNG files.
DPI = 300

METHOD_COLOURS = {
    "MoreRed-ITP": "#009E73",
    "MoreRed-JT": "#E69F00",
    "MoreRed-AS": "#D55E00",
    "MoreRed-fast": "#661100",
    "MoreRed-balanced": "#AA3377",
    "MoreRed-accurate": "#BB5566",
    "MLFF": "#0072B2",
    "GFN2-xTB": "#CC79A7",
    "GFN1-xTB": "#882255",
    "MMFF94": "#999999",
    "MMFF94-tight": "#555555",
    "SO3LR": "#56B4E9",
    "DDPM": "#332288",
}
#: For names that are none of these, and for things that are no methods (molecules, dimensions).
OTHER_COLOURS = ("#AA4499", "#44AA99", "#999933", "#6699CC", "#8B6F47", "#117733", "#DDCC77", "#CC6677", "#88CCEE", "#000000")
#: The three molecules of figure 3b: purple, pink and orange as in the paper, further ones after them.
SERIES_COLOURS = ("#5E3C99", "#D6478F", "#E08214", "#117733", "#0072B2", "#661100", "#44AA99", "#000000")

_LOOK: dict[str, Any] = {
    "axes.axisbelow": True,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "white",
    "patch.force_edgecolor": True,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#333333",
    "axes.labelcolor": "black",
    "text.color": "black",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 3.0,
    "ytick.major.size": 3.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "lines.linewidth": 1.3,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "pdf.compression": 6,
    "mathtext.default": "regular",
}


def colour(method: str) -> str:
    """The colour of a method: fixed for those of the paper; any other name has one that depends on nothing but the name."""
    if method in METHOD_COLOURS:
        return METHOD_COLOURS[method]
    return OTHER_COLOURS[_place(method)]


def palette(methods: Iterable[str]) -> dict[str, str]:
    """Colours of the methods of one figure: `colour`, but two names that share one get different ones while there are any.

    A variant whose name begins with that of a method, such as MoreRed-JT-SO3Net, has the method's colour where that is free.
    """
    names = list(dict.fromkeys(methods))
    chosen = {name: METHOD_COLOURS[name] for name in names if name in METHOD_COLOURS}
    for name in sorted(set(names) - set(chosen)):
        start = _place(name)
        turns = [METHOD_COLOURS[known] for known in METHOD_COLOURS if name.startswith((f"{known}-", f"{known}@"))]
        turns += [OTHER_COLOURS[(start + turn) % len(OTHER_COLOURS)] for turn in range(len(OTHER_COLOURS))]
        chosen[name] = next((c for c in turns if c not in chosen.values()), turns[0])
    return {name: chosen[name] for name in names}


@contextmanager
def look() -> Iterator[None]:
    """Matplotlib's settings of all figures, for drawing and saving; restored afterwards."""
    with mpl.rc_context(cast(Any, _LOOK)):
        yield


def styled[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Run a function with the look of all figures."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with look():
            return function(*args, **kwargs)

    return wrapped


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, laid out so that nothing is clipped."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def letter(axes: Axes, text: str, above: float = 6.0) -> None:
    """Put a panel's letter at its upper left corner, so many points above the axes."""
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-24, above),
        textcoords="offset points",
        fontweight="bold",
        fontsize=9.5,
        va="bottom",
    )


def stem_of(path: str | Path) -> Path:
    """A figure's path without its ending: ``figures/fig4`` for itself and for ``figures/fig4.png``."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in (".png", ".pdf", ".csv") else path


def save(figure: Figure, stem: str | Path, table: pd.DataFrame | None = None) -> None:
    """Write ``stem.png``, ``stem.pdf`` and, from ``table``, ``stem.csv``, each complete or not at all.

    The files hold no dates: the same numbers give the same bytes (with the same version of matplotlib).
    """
    stem = stem_of(stem)
    with look():
        with atomic_path(stem.with_name(stem.name + ".png")) as path:
            figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None})
        with atomic_path(stem.with_name(stem.name + ".pdf")) as path:
            figure.savefig(
                path, format="pdf", metadata={"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}
            )
    if table is not None:
        write_table(table, stem.with_name(stem.name + ".csv"))


def _place(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") % len(OTHER_COLOURS)
