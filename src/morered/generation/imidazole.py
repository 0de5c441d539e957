"""Imidazole through the diffusion process and back: what figure 2 shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
import pandas as pd
import torch

from morered.batching import pad
from morered.diffusion.random_numbers import centre, normal, stream
from morered.diffusion.schedule import NoiseSchedule
from morered.models.weights import LoadedModel
from morered.relaxation import DiffusionMethod, Recording, relax
from morered.relaxation.networks import loaded
from morered.structures import Structures
from morered.trajectories import Trajectories

#: Time steps that are shown, 0 for the minimum.
STEPS = (0, 100, 200, 300, 500, 700, 1000)

#: Imidazole's minimum at PBE0/def2-TZVP (density fitting), largest force 0.005 eV/Å; Å.
_NUMBERS = [6, 6, 7, 6, 7, 1, 1, 1, 1]
_POSITIONS = [
    [-0.9828, 0.7408, -0.0060],
    [-0.7737, -0.5908, -0.2235],
    [0.5731, -0.7707, -0.0596],
    [1.1082, 0.4370, 0.2438],
    [0.1956, 1.3712, 0.2841],
    [-1.9174, 1.2787, -0.0428],
    [-1.4375, -1.4019, -0.4718],
    [1.0706, -1.6388, -0.1484],
    [2.1640, 0.5744, 0.4241],
]


def imidazole() -> Structures:
    """Imidazole's minimum, centred; its id is ``imidazole``."""
    return Structures.build([_NUMBERS], [_POSITIONS], ["imidazole"]).centred()


def forward(
    minimum: Structures, steps: Sequence[int] = STEPS, *, seed: int = 0, schedule: NoiseSchedule | None = None
) -> Structures:
    """One molecule along the forward process, walked step by step (Eq. 1).

    Parameters
    ----------
    minimum
        One molecule.
    steps
        Steps t at which it is kept, 0..T in ascending order.
    seed
        Of the noise.
    schedule
        The paper's by default.

    Returns
    -------
    Structures
        The molecule at each of the steps, ids ``<minimum>-t<step>``. The last one is where a reverse process may start.

    Raises
    ------
    ValueError
        If a step is beyond the schedule, or there is not exactly one molecule.
    """
    schedule = schedule or NoiseSchedule()
    if len(minimum) != 1:
        raise ValueError(f"one molecule is shown, not {len(minimum)}")
    if not 0 <= min(steps) <= max(steps) <= schedule.T:
        raise ValueError(f"steps must lie between 0 and {schedule.T}")
    batch = pad(minimum)
    x, kept = centre(batch.positions, batch.mask), {}
    walk = torch.arange(max(steps))
    noise = normal(stream(seed, "figure 2"), batch.keys.expand(len(walk)), walk, batch.positions.shape[1])
    noise = centre(noise, batch.mask.expand(len(walk), -1))
    for t in range(max(steps) + 1):
        if t > 0:
            x = schedule.alpha[t - 1].sqrt() * x + schedule.beta[t - 1].sqrt() * noise[t - 1]
        if t in steps:
            kept[t] = x[0, : minimum.n_atoms].numpy().copy()
    name = minimum.names[0]
    return Structures.build(
        [minimum.numbers] * len(steps), [kept[t] for t in steps], [f"{name}-t{t}" for t in steps], [name] * len(steps)
    )


def record_reverse(
    model: str | PathLike[str] | LoadedModel, steps: Sequence[int] = STEPS, *, seed: int = 0, device: torch.device | str = "cpu"
) -> Trajectories:
    """Take imidazole back from where `forward` ends, by the fixed schedule (DDPM), and keep every structure.

    Parameters
    ----------
    model
        A model that predicts noise, or its file.
    steps
        Those that are shown; the process starts at the last one.
    seed
        Of both processes.
    device
        Where the network runs.

    Returns
    -------
    Trajectories
        One molecule with frames. A process that breaks off, as that of a hardly trained network may, ends early.

    Raises
    ------
    ValueError
        If the model predicts no noise, or a step lies beyond its schedule.
    """
    model = loaded(model, device, "noise")
    start = forward(imidazole(), steps, seed=seed, schedule=schedule_of(model))[-1]
    method = DiffusionMethod(noise=model, schedule="fixed", start_step=steps[-1] - 1, steps=steps[-1], seed=seed)
    trajectories = relax(start, method, device=device, recording=Recording(frames=True), progress=True).trajectories
    assert trajectories is not None  # a recording was asked for
    return trajectories


def schedule_of(model: LoadedModel) -> NoiseSchedule:
    """The schedule that a diffusion model was trained with."""
    d = model.config.diffusion
    return NoiseSchedule(d.schedule, d.T, d.s, d.time_scale)


def backward(
    trajectories: Trajectories, start: Structures, steps: Sequence[int] = STEPS, *, schedule: NoiseSchedule | None = None
) -> dict[int, Structures]:
    """Structures of a recorded reverse process at the steps shown.

    Parameters
    ----------
    trajectories
        One molecule with frames, columns as `morered.relaxation` records them.
    start
        Where it started: at the last of the steps.
    steps
        Steps t that are shown, ascending; 0 is the end of the process.
    schedule
        Of the model, the paper's by default.

    Returns
    -------
    dict
        Step -> the frame nearest to it. A step that the process did not reach, because it broke off, is not there.

    Raises
    ------
    ValueError
        If no frames were kept.
    """
    schedule = schedule or NoiseSchedule()
    trajectory = trajectories.trajectory(0)
    if trajectory.frames is None:
        raise ValueError("the reverse process was recorded without frames")
    # A frame is the structure after a step at t, whose array index is t - 1: it is at t - 1.
    after = schedule.step(torch.from_numpy(np.array(trajectory.columns["time"], np.float64))).numpy()
    shown = {}
    for t in steps:
        name = f"{trajectory.id}-t{t}"
        if t == steps[-1]:
            shown[t] = start
        elif len(after) and t >= after.min():
            shown[t] = Structures.build([start.numbers], [trajectory.frames[int(np.argmin(np.abs(after - t)))]], [name])
    return shown


def coordinates(there: Structures, back: Mapping[int, Structures], steps: Sequence[int] = STEPS) -> pd.DataFrame:
    """Both processes as a table: process ("forward" or "reverse"), t, atom, number, x, y, z (Å)."""
    frames = []
    pictures = [("forward", t, there[k]) for k, t in enumerate(steps)] + [("reverse", t, back[t]) for t in steps if t in back]
    for process, t, molecule in pictures:
        frame = pd.DataFrame(np.asarray(molecule.positions, float), columns=["x", "y", "z"])
        frames.append(frame.assign(process=process, t=t, atom=range(len(frame)), number=molecule.numbers))
    return pd.concat(frames, ignore_index=True)[["process", "t", "atom", "number", "x", "y", "z"]]


def processes(
    model: str | PathLike[str] | LoadedModel, steps: Sequence[int] = STEPS, *, seed: int = 0, device: torch.device | str = "cpu"
) -> tuple[Trajectories, pd.DataFrame]:
    """Both processes by one model: the reverse process as recorded (`record_reverse`), and the `coordinates` of both.

    Parameters and errors are those of `record_reverse`.
    """
    model = loaded(model, device, "noise")
    schedule = schedule_of(model)
    there = forward(imidazole(), steps, seed=seed, schedule=schedule)
    reverse = record_reverse(model, steps, seed=seed, device=device)
    return reverse, coordinates(there, backward(reverse, there[-1], steps, schedule=schedule), steps)
