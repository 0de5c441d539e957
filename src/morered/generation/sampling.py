"""From compositions and pure noise to structures, by reverse diffusion (Appendix B.5).

DDPM starts from noise at the last step and takes all T steps of the fixed schedule. MoreRed predicts the time before every
step, from the same start, and is done after a step at i <= 0 or at a cap. Both run in the relaxation's engine; a molecule's noise
depends on seed and id alone.

Shapes: M molecules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from morered.relaxation import DiffusionMethod, Result, relax
from morered.settings.relaxation import Model
from morered.structures import Structures

#: Cap on the steps of the adaptive schedule in the paper.
STEPS = 2000

Sampler = Literal["jt", "ddpm"]


def preset(name: Sampler, model: Model, *, steps: int | None = None, seed: int = 0) -> DiffusionMethod:
    """The samplers of the paper: "jt" with one joint model, "ddpm" with a model that predicts noise (or a joint one's).

    ``steps`` caps the steps; by default 2000 for jt, and all of the schedule for ddpm.
    """
    if name == "jt":
        return from_settings({"noise": model, "time": model, "steps": steps}, seed=seed)
    return from_settings({"noise": model, "steps": steps}, seed=seed)


def from_settings(settings: Mapping[str, Any], *, seed: int = 0) -> DiffusionMethod:
    """A sampler as a config has it: ``noise``, ``time`` (None or absent: DDPM), ``steps`` (None or absent: the paper's cap)."""
    noise, time, steps = settings["noise"], settings.get("time"), settings.get("steps")
    if time is None:
        # The schedule itself ends after its T steps; the cap only has to lie beyond them.
        return DiffusionMethod(noise=noise, schedule="fixed", start="noise", steps=steps or 10**9, seed=seed)
    return DiffusionMethod(noise=noise, time=time, start="noise", steps=steps or STEPS, seed=seed)


# --------------------------------------------------------------------- sampling


def generate(compositions: Structures, method: DiffusionMethod, *, checked: bool = False, **options: Any) -> Result:
    """A structure for each of M compositions, with a verdict (`morered.relaxation.verdicts.columns`).

    ``options`` are those of `morered.relaxation.relax`. Nothing is compared with an input: there is none. A molecule whose
    process broke off ("failed") has no structure: all of its atoms lie at the origin. With ``checked`` one whose geometry is
    impossible has failed as well; without it, as in the paper, every sample counts.

    Raises
    ------
    ValueError
        If the method does not start from noise.
    """
    if method.start != "noise":
        raise ValueError("generation starts from noise; this method starts from the structure given")
    return relax(compositions, method, checked=checked, **options)
