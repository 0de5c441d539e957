"""Which method takes which molecule, where the user names none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from morered.settings.base import Settings, key


@dataclass(frozen=True)
class AutoMethod(Settings):
    """Each molecule by the network that knows it, see `morered.relaxation.auto`.

    Methods are those of `morered.settings.presets.PRESETS`, by name, with the weights that ship.
    """

    KINDS: ClassVar[tuple[str, ...]] = ("auto",)
    relaxer: Literal["auto"] = key("auto", "What moves the atoms.")
    small: str = key(
        "fast", "The method of neutral molecules with up to ``max_heavy_atoms``, all of elements that its network knows."
    )
    max_heavy_atoms: int = key(7, "Atoms other than hydrogen, at most.", ge=1)
    others: str = key("organic", "The method of all other molecules.")
    first: str | None = key(
        "mmff94",
        "The method that goes before ``others`` where a molecule of more atoms than that is far from a minimum; null: none does.",
    )
    first_above: float = key(
        0.03, "Predicted diffusion time above which an input is far from a minimum: MMFF94's geometries lie below.", ge=0, lt=1
    )
    steps: int | None = key(None, "Cap on the steps of each method; null: its own.", ge=1)

    @property
    def kind(self) -> str:
        """The relaxer's name in a config."""
        return self.relaxer
