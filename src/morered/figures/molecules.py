"""Molecules drawn by matplotlib: balls and sticks, or sticks alone, sorted by depth, in one collection of shapes each.

Coordinates are in Å on both axes, seen along the z axis after a rotation (`view`), without perspective. Colours are those of
Corey, Pauling and Koltun (CPK). Bonds are found from distances (`morered.chemistry.bonds`).

Shapes: N atoms of one molecule, E bonds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Patch, Polygon
from numpy.typing import ArrayLike, NDArray

from morered.chemistry import bonds, covalent_radii

#: Colour by atomic number; anything else is `UNKNOWN`.
CPK = {
    1: "#FFFFFF", 5: "#FFB5B5", 6: "#6E6E6E", 7: "#3050F8", 8: "#EE2010", 9: "#70C050", 14: "#DAA520", 15: "#FF8000",
    16: "#E6C619", 17: "#1FD01F", 35: "#A62929", 53: "#940094",
}  # fmt: skip
UNKNOWN = "#FF69B4"

_OUTLINE = "#222222"
_BALL = 0.48  # a ball's radius over the covalent radius
_SMALLEST_BALL = 0.22  # Å
_FOG = 0.35  # how much of the colour the farthest atom loses
_MARGIN = 0.25  # Å around what is shown


@dataclass(frozen=True)
class Look:
    """How molecules are drawn.

    Attributes
    ----------
    balls
        Balls and sticks; False: sticks with round joints.
    hydrogens
        Draw hydrogen atoms.
    colour
        One colour for all atoms; None: CPK.
    stick
        Width of a bond in Å.
    fog
        Let what is far away fade towards white.
    opacity
        1 covers what is behind.
    """

    balls: bool = True
    hydrogens: bool = True
    colour: str | None = None
    stick: float = 0.16
    fog: bool = True
    opacity: float = 1.0


BALLS = Look()
STICKS = Look(balls=False, hydrogens=False, stick=0.2, fog=False)


def view(numbers: ArrayLike, positions: ArrayLike) -> NDArray[np.float64]:
    """A rotation [3, 3] that shows a molecule at its broadest: ``positions @ view`` is seen along z.

    The principal axes of the heavy atoms (of all, if there are fewer than three) are x, y and z in the order of their extent.
    Their signs are set by the atoms, so that a rotated molecule is drawn the same, and a mirror image as a mirror image.
    """
    z, x = np.asarray(numbers), np.asarray(positions, float)
    chosen = z > 1 if np.sum(z > 1) >= 3 else np.ones(len(z), bool)
    centred = x - x[chosen].mean(axis=0)
    axes = np.linalg.eigh(centred[chosen].T @ centred[chosen])[1][:, ::-1]
    weights = np.cbrt(z) * (1 + np.arange(len(z)) / (10 * len(z)))  # tells the ends of nearly symmetric molecules apart
    for k in range(2):
        coordinates = centred @ axes[:, k]
        if np.sum(weights * coordinates**3) < 0:
            axes[:, k] *= -1
    axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])
    return axes


def draw_molecule(
    axes: Axes,
    numbers: ArrayLike,
    positions: ArrayLike,
    *,
    look: Look = BALLS,
    rotation: ArrayLike | None = None,
    zorder: float = 2.0,
) -> NDArray[np.float64]:
    """Draw one molecule; the axes' aspect is made equal, limits are left to `frame`.

    Parameters
    ----------
    axes
        Where to draw.
    numbers, positions
        Atomic numbers [N] and positions [N, 3] in Å.
    look
        How.
    rotation
        [3, 3], see `view`; None: as it is.
    zorder
        Molecules with a higher one cover those with a lower one; a molecule's own parts are sorted among themselves.

    Returns
    -------
    array
        Smallest and largest x and y of what was drawn, [2, 2] in Å; NaN where nothing was.
    """
    z = np.asarray(numbers).astype(int)
    x = np.asarray(positions, float) @ (np.eye(3) if rotation is None else np.asarray(rotation, float))
    pairs = bonds(z, np.asarray(positions, float))
    shown = np.ones(len(z), bool) if look.hydrogens else z > 1
    if not shown.any():
        return np.full((2, 2), np.nan)
    colours = [np.array(to_rgb(look.colour or CPK.get(int(n), UNKNOWN))) for n in z]
    radii = np.maximum(_BALL * covalent_radii[z], _SMALLEST_BALL) if look.balls else np.full(len(z), look.stick / 2)
    depth = x[:, 2]
    low, span = depth[shown].min(), max(np.ptp(depth[shown]), 1e-9)
    flat = span < 0.5  # a planar molecule seen from above has no far side

    shapes: list[tuple[float, int, Patch, NDArray, NDArray]] = []

    def add(height: float, layer: int, patch: Patch, face: NDArray, edge: NDArray) -> None:
        if look.fog and not flat:
            fade = _FOG * (1 - (height - low) / span)
            face, edge = face + (1 - face) * fade, edge + (1 - edge) * fade
        shapes.append((height, layer, patch, face, edge))

    outline = np.array(to_rgb(_OUTLINE))
    for i, j in pairs:
        if not (shown[i] and shown[j]):
            continue
        for patch, face in _bond(x[i], x[j], radii[i], radii[j], look, colours[i], colours[j], outline):
            add((depth[i] + depth[j]) / 2, 0 if face is outline else 1, patch, face, face)
    for k in np.flatnonzero(shown):
        centre = (x[k, 0], x[k, 1])
        if look.balls:
            add(depth[k], 0, Circle(centre, radii[k]), colours[k], outline)
            shine = (centre[0] - 0.32 * radii[k], centre[1] + 0.32 * radii[k])
            light = colours[k] + (1 - colours[k]) * 0.55
            add(depth[k], 1, Circle(shine, 0.3 * radii[k]), light, light)
        else:
            add(depth[k] - 1e-6, 0, Circle(centre, radii[k] + 0.02), outline, outline)
            add(depth[k] + 1e-6, 1, Circle(centre, radii[k]), colours[k], colours[k])
    if not look.balls:  # sticks lie in layers, all outlines under all colours, so that joints show no seams
        shapes.sort(key=lambda shape: (shape[1], shape[0]))
    else:
        shapes.sort(key=lambda shape: (shape[0], shape[1]))
    collection = PatchCollection([shape[2] for shape in shapes], linewidths=0.5 if look.balls else 0.0, zorder=zorder)
    collection.set_facecolor([(*shape[3], look.opacity) for shape in shapes])
    collection.set_edgecolor([(*shape[4], look.opacity) for shape in shapes])
    axes.add_collection(collection)
    axes.set_aspect("equal")
    reach = np.array([x[shown, :2] - radii[shown, None], x[shown, :2] + radii[shown, None]])
    return np.array([reach[0].min(axis=0), reach[1].max(axis=0)])


def frame(axes: Axes, *boxes: NDArray[np.float64]) -> None:
    """Show all of what was drawn (the results of `draw_molecule`) with a margin around it, without axes."""
    low, high = np.nanmin([b[0] for b in boxes], axis=0) - _MARGIN, np.nanmax([b[1] for b in boxes], axis=0) + _MARGIN
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_axis_off()


def _bond(
    a: NDArray, b: NDArray, radius_a: float, radius_b: float, look: Look, colour_a: NDArray, colour_b: NDArray, outline: NDArray
) -> list[tuple[Patch, NDArray]]:
    """A dark stick and two coloured halves on it, from ball to ball."""
    along = (b - a)[:2]
    seen, length = float(np.linalg.norm(along)), float(np.linalg.norm(b - a))
    if seen < 1e-6:
        return []  # seen end-on, behind its atom
    unit, across = along / seen, np.array([-along[1], along[0]]) / seen
    # A stick enters a ball where it meets its surface, which is nearer to the centre when seen at an angle.
    inset = 0.85 * seen / length if look.balls else 0.0
    start, end = a[:2] + unit * radius_a * inset, b[:2] - unit * radius_b * inset
    if np.dot(end - start, unit) <= 0:
        return []
    middle = (start + end) / 2

    def stick(p: NDArray, q: NDArray, width: float) -> Polygon:
        side = across * width / 2
        return Polygon([p + side, q + side, q - side, p - side], closed=True)

    under = (stick(start, end, look.stick + 0.04), outline)
    if np.array_equal(colour_a, colour_b):  # in one piece, which has no seam
        return [under, (stick(start, end, look.stick), colour_a)]
    return [
        under,
        (stick(start, middle, look.stick), colour_a),
        (stick(middle, end, look.stick), colour_b),
    ]
