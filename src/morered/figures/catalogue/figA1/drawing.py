"""Figure A1: why one sample tells the noise level. Left: the density of the scaled radius (Eq. 7). Right: predicted times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from textwrap import fill

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from morered.extras import needs
from morered.figures import style
from morered.metrics.tables import write_table

with needs("figures"):
    import seaborn as sns

#: Dimensions drawn: 42 is a molecule of 14 atoms, 3072 an image of 32 x 32 pixels and three colours.
DIMENSIONS = (3, 12, 42, 300, 3072)
_COLOURS = ("#88CCEE", "#44AA99", "#E69F00", "#CC6677", "#332288")


def radius_density(r: ArrayLike, dimension: int) -> NDArray[np.float64]:
    """p(r) of Eq. 7: density of the radius, over its root mean square sqrt(D (1 - alpha_bar)), of a Gaussian in D dimensions."""
    r = np.asarray(r, float)
    half = dimension / 2
    with np.errstate(divide="ignore"):
        log = half * np.log(dimension) + (dimension - 1) * np.log(r) - (half - 1) * np.log(2) - gammaln(half) - half * r**2
    return np.exp(log)


def sampled_radii(dimension: int, samples: int, seed: int = 0) -> NDArray[np.float64]:
    """Scaled radii [samples] of standard normal deviates in so many dimensions."""
    rng = np.random.default_rng([seed, dimension])
    chunks = [rng.normal(size=(min(1000, samples - k), dimension)) for k in range(0, samples, 1000)]
    return np.concatenate([np.sqrt(np.mean(chunk**2, axis=1)) for chunk in chunks])


def numbers(dimensions: Sequence[int] = DIMENSIONS, samples: int = 10_000, seed: int = 0) -> pd.DataFrame:
    """The density by the equation and by sampling.

    Returns
    -------
    DataFrame
        dimension, r, density (Eq. 7) and sampled: histogram density at the same r, the middle of its bin.
    """
    frames = []
    for dimension in dimensions:
        width = 1 / np.sqrt(2 * dimension)  # standard deviation of the radius for many dimensions
        edges = np.linspace(max(0.0, 1 - 5 * width), 1 + 5 * width, 61)
        middles = (edges[1:] + edges[:-1]) / 2
        counts = np.histogram(sampled_radii(dimension, samples, seed), edges)[0]
        frames.append(
            pd.DataFrame(
                {
                    "dimension": dimension,
                    "r": middles,
                    "density": radius_density(middles, dimension),
                    "sampled": counts / (samples * np.diff(edges)),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@style.styled
def draw(table: pd.DataFrame, stem: str | Path, predictions: Mapping[str, pd.DataFrame] | None = None) -> None:
    """Draw the densities and, where there are predictions, predicted against true times; writes figA1.{png,pdf,csv} and
    figA1.times.csv.

    ``predictions`` maps a label to a frame with the columns t and predicted_t (the paper's steps).
    """
    figure = style.new_figure(style.PAGE if predictions else style.COLUMN, 3.1 if predictions else 2.7)
    left, *rest = figure.subplots(1, 2 if predictions else 1, squeeze=False)[0]
    for k, (dimension, rows) in enumerate(table.groupby("dimension", sort=False)):
        colour = _COLOURS[k % len(_COLOURS)]
        fine = np.linspace(rows["r"].min(), rows["r"].max(), 400)
        density = radius_density(fine, int(str(dimension)))
        sns.lineplot(x=fine, y=density, estimator=None, color=colour, label=f"{dimension}", linewidth=1.0, zorder=3, ax=left)
        seen = rows[rows["sampled"] > 0][::2]
        circles = {"s": 9, "facecolor": "white", "edgecolor": colour, "linewidth": 0.7, "zorder": 4}
        sns.scatterplot(x=seen["r"], y=seen["sampled"], ax=left, **circles)
    left.set_yscale("log")
    left.set_ylim(0.02, 2 * table["density"].max())
    left.set_xlim(0, 2.2)
    left.set_xlabel(r"scaled radius $\tilde{r}$")
    left.set_ylabel(r"density $p(\tilde{r})$")
    left.legend(title="dimension $D$", title_fontsize=7.5, loc="upper right")
    for axes in rest:
        for k, (label, rows) in enumerate((predictions or {}).items()):
            colour = (style.METHOD_COLOURS["MoreRed-JT"], style.METHOD_COLOURS["MLFF"])[k % 2]
            name = fill(label, 46)  # as wide as the panel
            points = {"s": 4, "color": colour, "alpha": 0.5, "linewidth": 0, "label": name, "rasterized": True}
            sns.scatterplot(x=rows["t"], y=rows["predicted_t"], ax=axes, **points)
        last = max(rows["t"].max() for rows in (predictions or {}).values())
        axes.plot([0, last], [0, last], color="#333333", linewidth=0.7, linestyle=(0, (4, 3)))
        axes.set_xlabel("true time step $t$")
        axes.set_ylabel(r"predicted time step $\hat{t}$")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, markerscale=2.5)
    style.save(figure, stem, table)
    stem = style.stem_of(stem)
    write_table(times(predictions or {}), stem.with_name(f"{stem.name}.times.csv"))


def times(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The points of the right panel under each other: label, t, predicted_t."""
    frames = [rows[["t", "predicted_t"]].assign(label=label) for label, rows in predictions.items()]
    empty = pd.DataFrame({"label": [], "t": [], "predicted_t": []})
    return pd.concat(frames, ignore_index=True)[list(empty)] if frames else empty


def predictions(files: Mapping[str, str | PathLike[str]]) -> dict[str, pd.DataFrame]:
    """What the right panel shows, from tables of `morered.training.predicted_times`.

    Parameters
    ----------
    files
        "molecule" and "images": what there is of both.

    Returns
    -------
    dict
        Label -> t and predicted_t.
    """
    shown = {}
    if "molecule" in files:
        table = pd.read_csv(files["molecule"])
        atoms = int(table["atoms"].iloc[0])
        shown[f"molecule of {atoms} atoms, D = {3 * atoms}"] = table
    if "images" in files:
        table = pd.read_csv(files["images"])
        shown[f"image, D = {DIMENSIONS[-1]} ({table['images'].iloc[0]})"] = table
    return shown


def make(
    stem: str | Path,
    predictions: Mapping[str, pd.DataFrame] | None = None,
    dimensions: Sequence[int] = DIMENSIONS,
    samples: int = 10_000,
) -> pd.DataFrame:
    """Compute and draw the figure; the left panel needs no input, the right one predictions (see `draw`)."""
    table = numbers(dimensions, samples)
    draw(table, stem, predictions)
    return table
