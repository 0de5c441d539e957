"""Gives each molecule a frame of its own, so that a result does not depend on how the input was turned.

A network's answer turns with the molecule, but noise is drawn in a fixed frame, and rounding depends on the frame; where an
iteration does not contract, a difference in the last digit grows until it decides how the molecule ends. So a molecule is relaxed
in a frame that its own atoms span, from coordinates rounded to `GRID` there, and comes back in the frame it was given in.

Shapes: M molecules, A atoms (flat), N atoms of one molecule.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from morered.structures import Structures
from morered.trajectories import Trajectories

#: Å. Far below what a network can tell, and far above the rounding of a turned input.
GRID = 0.001

#: Their multiples, modulo 1, are the weights of the two sums of positions that span a frame.
_IRRATIONAL = (2**0.5, 3**0.5)


def own_frames(structures: Structures) -> NDArray[np.floating]:
    """Rotations [M, 3, 3] to a frame that each molecule's atoms span: ``centred @ rotation``.

    The first axis is a weighted sum of the atoms' positions, the second what another such sum has beside it; the weights are
    fixed irrational numbers in the order of the atoms, which no symmetry of a molecule cancels. So the axes change smoothly with
    the positions, as principal axes, whose signs and order may jump, do not. Where the atoms span no plane, the rest is any.
    """
    centred = structures.centred().positions
    place = np.arange(structures.n_atoms) - structures.offsets[structures.molecule_index]
    sums = [np.asarray(structures.per_molecule_sum(_weights(place, k)[:, None] * centred), np.float64) for k in (0, 1)]
    first = _unit(sums[0], np.array([1.0, 0.0, 0.0]))
    second = sums[1] - (sums[1] * first).sum(axis=1, keepdims=True) * first
    # Perpendicular to the first whatever it is: the coordinate axis that it has least of.
    other = np.eye(3)[np.abs(first).argmin(axis=1)]
    second = _unit(second, other - (other * first).sum(axis=1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=2)


def turned(structures: Structures, rotations: NDArray[np.floating]) -> Structures:
    """Molecules, centred, each turned by its rotation [M, 3, 3] and rounded to `GRID`."""
    positions = np.einsum("ai,aij->aj", structures.centred().positions, rotations[structures.molecule_index])
    return structures.with_positions(np.round(positions / GRID) * GRID).centred()


def turned_back(trajectories: Trajectories, rotations: NDArray[np.floating]) -> Trajectories:
    """Trajectories whose frames are in the frames of ``rotations`` [M, 3, 3], in those that the molecules were given in."""
    if trajectories.frames is None or trajectories.frame_offsets is None:
        return trajectories
    owner = np.repeat(np.arange(len(trajectories)), np.diff(trajectories.frame_offsets))
    frames = np.einsum("aj,aij->ai", trajectories.frames, rotations[owner]).astype(np.float32)
    return replace(trajectories, frames=frames)


def _weights(place: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """Weights between -1 and 1 by the atoms' places, [A]."""
    return np.asarray(2.0 * ((place + 1) * _IRRATIONAL[k] % 1.0) - 1.0, dtype=np.float64)


def _unit(vectors: NDArray[np.floating], otherwise: NDArray[np.floating]) -> NDArray[np.floating]:
    """Vectors [M, 3] at length 1; another one in place of one that is all but zero."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = np.where(length > 1e-3, vectors, otherwise)
    return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True), np.float64)
