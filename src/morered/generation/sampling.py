"""From compositions and pure noise to structures, by reverse diffusion (Appendix B.5).

DDPM starts from noise at the last step and takes all T steps of the fixed schedule. MoreRed predicts the time before every
step, from the same start, and is done after a step at i <= 0 or at a cap. Both run in the relaxation's engine; a molecule's noise
depends on seed and id alone.

Shapes: M molecules, A atoms (flat).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from morered.diffusion.noise import stream
from morered.relaxation import DiffusionMethod, Relaxation, relax
from morered.relaxation.methods import Model
from morered.structures import Column, Structures, as_names

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


def generate(compositions: Structures, method: DiffusionMethod, *, checked: bool = False, **options: Any) -> Relaxation:
    """A structure for each of M compositions, with a verdict (`morered.relaxation.verdicts`).

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


def generate_to_caps(compositions: Structures, method: DiffusionMethod, caps: Sequence[int], **options: Any) -> Structures:
    """What there would be with each of several caps on the steps, from one process: where it stands at each cap, or ended before.

    The process is a Markov chain, so that stopping it at a cap and going on from there with fresh noise is the same process; the
    later parts have seeds of their own.

    Parameters
    ----------
    compositions, method
        As for `generate`; the method's own cap is not used.
    caps
        Numbers of steps, ascending.
    options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    Structures
        [len(caps) * M], all molecules at the first cap, then at the next: ids ``<id>@<cap>``, references the compositions' ids,
        columns ``cap``, ``verdict`` and ``steps``.

    Raises
    ------
    ValueError
        If the caps do not ascend.
    """
    if not caps or list(caps) != sorted(set(caps)) or caps[0] < 1:
        raise ValueError(f"caps must ascend from at least 1, not {list(caps)}")
    taken, parts = 0, []
    positions = np.zeros((compositions.n_atoms, 3))
    verdicts = np.full(len(compositions), b"step-cap", dtype="S9")
    steps = np.zeros(len(compositions), np.int32)
    for cap in caps:
        going = np.flatnonzero(verdicts == b"step-cap")
        if len(going):
            stage = replace(method, steps=cap - taken, seed=method.seed if not taken else stream(method.seed, "cap", taken))
            if taken:
                stage = replace(stage, start="input")
            done = relax(compositions.with_positions(positions)[going], stage, checked=False, **options).structures
            atoms = np.isin(compositions.molecule_index, going)
            positions = positions.copy()
            positions[atoms] = done.positions
            verdicts[going] = done.column("verdict")
            steps[going] += done.column("steps")
        parts.append(_at_cap(compositions, cap, positions, verdicts, steps))
        taken = cap
    return Structures.concatenate(parts)


def _at_cap(
    compositions: Structures, cap: int, positions: NDArray[np.float64], verdicts: NDArray[np.bytes_], steps: NDArray[np.int32]
) -> Structures:
    named = Structures(
        compositions.numbers,
        positions,
        compositions.offsets,
        as_names([f"{name}@{cap}" for name in compositions.names]),
        compositions.ids,
    )
    columns = {
        "cap": Column(np.full(len(named), cap, np.int32)),
        "verdict": Column(verdicts.copy()),
        "steps": Column(steps.copy()),
    }
    return named.with_columns(columns)
