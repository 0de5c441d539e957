"""What is kept of the steps of a relaxation."""

from __future__ import annotations

from dataclasses import dataclass

#: Units of the columns that methods record.
UNITS = {"fmax": "eV/Å", "energy": "eV"}


@dataclass(frozen=True)
class Recording:
    """What to keep of the steps.

    Attributes
    ----------
    stride : int
        Every so many steps of a molecule, from its first on; its last step is always kept.
    frames : bool
        Positions after each kept step as well, in the frame of the input's centre.
    unused_times : bool
        Let a method with a fixed schedule predict the time at every step although it does not use it (the dots of Fig. 3b); one
        more evaluation of the time network per step.

    Raises
    ------
    ValueError
        If ``stride`` is not positive.
    """

    stride: int = 1
    frames: bool = False
    unused_times: bool = False

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"the stride must be at least 1, not {self.stride}")
