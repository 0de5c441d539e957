"""Figure 1: a physical and a pseudo potential energy surface."""

from __future__ import annotations

from morered.figures.declaration import Figure, Order

CAPTION = """\
**A physical and a pseudo potential energy surface, computed in one dimension.** Left: a hydrogen atom between two nitrogen
atoms, the lower of two coupled Morse curves; a force field has to learn it from many labelled structures (crosses) besides
the minima (circles). Right: the pseudo energy -log q(t) of the two minima after t steps of the forward process. It
needs nothing but the minima, is a parabola around each of them at small t, and becomes a single well at large t.

The paper (Fig. 1) sketches the same two surfaces.
"""


def draw(order: Order) -> None:
    """Needs no input."""
    from morered.figures.catalogue.fig1 import drawing

    drawing.make(order.stem)


FIGURE = Figure(CAPTION, draw)
