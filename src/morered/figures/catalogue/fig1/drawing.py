"""Figure 1: a physical potential energy surface and the pseudo surfaces of the diffusion process, both computed, in one
dimension.

The example is a hydrogen atom between two nitrogen atoms, N-H...N, at a fixed distance of the nitrogens. Its energy is the
lower of two valence bond states, each a Morse curve of one N-H bond, coupled by a constant: the usual two-state model of
hydrogen transfer. The pseudo energy is -log q_t, where q_t is what the forward process (Eq. 2) makes of the two minima: a
mixture of two Gaussians.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from morered.diffusion.schedule import NoiseSchedule
from morered.figures import style

#: Morse curve of N-H in its ground state (Huber and Herzberg 1979: D_e from D_0 and the vibration 3282 1/cm): eV, 1/Å, Å.
DEPTH, STEEPNESS, LENGTH = 3.67, 2.25, 1.036
#: Distance of the nitrogen atoms in Å, and the coupling of the two states in eV: a strong hydrogen bond with two minima.
DISTANCE, COUPLING = 2.9, 0.7
#: Time steps (1..T) whose pseudo surfaces are drawn.
STEPS = (50, 100, 200, 350, 600)


def energy(x: ArrayLike) -> NDArray[np.float64]:
    """Energy in eV of the hydrogen atom at ``x`` Å from the middle of the nitrogens; not shifted to 0 at the minima."""
    x = np.asarray(x, float)
    left, right = (DEPTH * (1 - np.exp(-STEEPNESS * (r - LENGTH))) ** 2 for r in (DISTANCE / 2 + x, DISTANCE / 2 - x))
    return (left + right) / 2 - np.sqrt(((left - right) / 2) ** 2 + COUPLING**2)


def minima() -> NDArray[np.float64]:
    """Both minima of `energy` in Å, [2]."""

    def at(x: float) -> float:
        return float(energy(x))

    low = minimize_scalar(at, bounds=(-DISTANCE / 2, 0), method="bounded", options={"xatol": 1e-10}).x
    return np.array([low, -low])


def pseudo_energy(x: ArrayLike, step: int, centres: ArrayLike, schedule: NoiseSchedule) -> NDArray[np.float64]:
    """-log q_t at x [K] in Å for the array index ``step``, data points ``centres`` [C] (Å) of equal weight (section 2.2)."""
    alpha_bar = float(schedule.alpha_bar[step])
    variance = 1 - alpha_bar
    squares = (np.asarray(x, float)[:, None] - np.sqrt(alpha_bar) * np.asarray(centres, float)) ** 2
    return -(logsumexp(-squares / (2 * variance), axis=1) - np.log(np.size(centres)) - 0.5 * np.log(2 * np.pi * variance))


def numbers(steps: Sequence[int] = STEPS, points: int = 601, T: int = 1000) -> pd.DataFrame:
    """Both surfaces on one grid.

    Returns
    -------
    DataFrame
        surface ("physical" or "pseudo"), t (the paper's time step; 0 for the physical surface), x (Å) and value: eV above the
        minima for the physical surface, -log q_t (no unit) above its lowest value for the pseudo ones.
    """
    x = np.linspace(-1.0, 1.0, points)
    centres, schedule = minima(), NoiseSchedule(T=T)
    frames = [pd.DataFrame({"surface": "physical", "t": 0, "x": x, "value": energy(x) - energy(centres).min()})]
    for t in steps:
        value = pseudo_energy(x, t - 1, centres, schedule)
        frames.append(pd.DataFrame({"surface": "pseudo", "t": t, "x": x, "value": value - value.min()}))
    return pd.concat(frames, ignore_index=True)


@style.styled
def draw(table: pd.DataFrame, stem: str | Path) -> None:
    """Draw the physical surface on the left, the pseudo ones on the right; writes fig1.{png,pdf,csv}."""
    figure = style.new_figure(style.PAGE, 2.7)
    left, right = figure.subplots(1, 2)
    physical = table[table["surface"] == "physical"]
    centres = minima()
    colour = style.METHOD_COLOURS["MLFF"]
    left.plot(physical["x"], physical["value"], color=colour)
    crosses = np.linspace(-0.86, 0.86, 22)  # where a force field needs labels
    left.plot(
        crosses, np.interp(crosses, physical["x"], physical["value"]), "x", color="#333333", markersize=4, markeredgewidth=0.9
    )
    left.plot(centres, [0, 0], "o", color="white", markeredgecolor="black", markersize=6, zorder=4)
    left.set_ylim(-0.12, 2.2)
    left.set_ylabel("energy (eV)")
    left.set_title("physical: N–H···N, two coupled Morse curves")
    left.legend(["potential energy", "non-equilibrium, labelled", "equilibrium"], loc="upper center")
    shades = [style.METHOD_COLOURS["MoreRed-JT"], "#C97B00", "#A15C00", "#784200", "#4F2A00"]
    steps = list(dict.fromkeys(table.loc[table["surface"] == "pseudo", "t"]))
    for k, t in enumerate(steps):
        mine = table[(table["surface"] == "pseudo") & (table["t"] == t)]
        right.plot(mine["x"], mine["value"], color=shades[k % len(shades)], label=f"$t$ = {t}")
    right.plot(centres, [0, 0], "o", color="white", markeredgecolor="black", markersize=6, zorder=4)
    right.set_ylim(-0.35, 6.5)
    right.set_ylabel(r"pseudo energy $-\log q_t$")
    right.set_title("pseudo: diffused minima")
    right.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    for axes in (left, right):
        axes.set_xlabel("hydrogen from the middle (Å)")
        axes.set_xlim(-1, 1)
        axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    style.save(figure, stem, table)


def make(stem: str | Path, steps: Sequence[int] = STEPS, T: int = 1000) -> pd.DataFrame:
    """Compute and draw the figure; needs no input."""
    table = numbers(steps, T=T)
    draw(table, stem)
    return table
