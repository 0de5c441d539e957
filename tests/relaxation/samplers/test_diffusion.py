"""The diffusion methods against the paper's equations, with exact models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from relaxation_support import Oracle, model

from morered.batching import molecule_keys, pad
from morered.diffusion.random_numbers import centre, normal
from morered.diffusion.schedule import NoiseSchedule
from morered.metrics.rmsd import rmsd
from morered.models.weights import LoadedModel
from morered.relaxation import DiffusionMethod, Recording, relax
from morered.relaxation.samplers.frames import own_frames, turned
from morered.settings.relaxation import Mixing, Settled, StopRules
from morered.structures import Structures

NAMES = ("ITP", "AS", "JT", "DDPM", "deterministic", "jump", "damped", "ddim", "ddim-initial", "accelerated", "overrelaxed")


@pytest.mark.parametrize("name", NAMES)
def test_every_method_finds_the_minima_of_an_exact_model(
    name: str, methods: dict[str, DiffusionMethod], noisy: Structures, molecules: Structures
) -> None:
    relaxed = relax(noisy, methods[name]).structures
    # The last step adds no noise; what is left is of the smallest level, 0.0032 Å per coordinate.
    assert rmsd(relaxed, molecules).max() < 0.01
    assert set(relaxed.column("verdict").tolist()) == {b"converged"}
    assert np.array_equal(relaxed.ids, noisy.ids)


def test_one_reverse_step_is_equation_5(jt: LoadedModel, noisy: Structures, molecules: Structures) -> None:
    schedule, one = NoiseSchedule(), noisy[[3]]
    method = DiffusionMethod(noise=jt, time=jt, steps=1, seed=11)
    relaxed = relax(one, method).structures
    batch = pad(turned(one, own_frames(one)))  # where the molecule is relaxed, and its noise is drawn
    out = jt.network(batch.numbers, batch.positions, batch.mask)
    i = int(torch.round(out.time[0] * 999))
    assert relaxed.column("first_time")[0] == relaxed.column("last_time")[0] == i / 999
    alpha, alpha_bar = float(schedule.alpha[i]), float(schedule.alpha_bar[i])
    sigma = np.sqrt((1 - float(schedule.alpha_bar[i - 1])) / (1 - alpha_bar) * (1 - alpha))
    drawn = normal(11, torch.from_numpy(molecule_keys(one.ids)), 0, batch.n_padded)
    step = (batch.positions - (1 - alpha) / np.sqrt(1 - alpha_bar) * out.noise) / np.sqrt(alpha) + sigma * centre(
        drawn, batch.mask
    )
    expected = one.with_positions(step[batch.mask].numpy())
    assert rmsd(relaxed, expected)[0] < 1e-12
    assert relaxed.column("verdict")[0] == b"step-cap"
    assert relaxed.column("steps")[0] == 1


def test_the_initial_schedule_runs_from_the_predicted_step_down_to_0(
    methods: dict[str, DiffusionMethod], noisy: Structures
) -> None:
    relaxation = relax(noisy, methods["ITP"], recording=Recording())
    relaxed, trajectories = relaxation.structures, relaxation.trajectories
    assert trajectories is not None
    first = np.round(relaxed.column("first_time") * 999).astype(int)
    assert np.array_equal(relaxed.column("steps"), first + 1)
    for m, steps in enumerate(trajectories):
        assert np.array_equal(np.round(steps.columns["time"] * 999), np.arange(first[m], -1, -1))


def test_the_adaptive_schedule_stops_after_a_step_at_0(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    relaxation = relax(noisy, methods["AS"], recording=Recording())
    assert relaxation.trajectories is not None
    for steps in relaxation.trajectories:
        assert steps.columns["time"][-1] == 0
        assert (steps.columns["time"][:-1] > 0).all()
    assert np.array_equal(relaxation.trajectories.lengths, relaxation.structures.column("steps"))


def test_a_fixed_schedule_needs_no_time_model_and_takes_all_steps(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    relaxed = relax(noisy, replace(methods["DDPM"], start_step=40)).structures
    assert set(relaxed.column("steps").tolist()) == {41}


def test_the_cap_on_the_steps_holds(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    relaxed = relax(noisy, replace(methods["JT"], steps=7)).structures
    assert set(relaxed.column("steps").tolist()) == {7}
    assert set(relaxed.column("verdict").tolist()) == {b"step-cap"}
    exact = relax(noisy[[0]], methods["ITP"]).structures.column("steps")[0]
    at_the_cap = relax(noisy[[0]], replace(methods["ITP"], steps=int(exact))).structures
    assert at_the_cap.column("verdict")[0] == b"converged"  # the last step that is allowed converges


def test_generation_from_noise_uses_the_composition_alone(methods: dict[str, DiffusionMethod], molecules: Structures) -> None:
    method = replace(methods["JT"], start="noise", steps=2000)
    molecules = molecules[:8]
    nowhere = molecules.with_positions(np.full_like(molecules.positions, np.nan))
    made = relax(nowhere, method).structures
    assert rmsd(made, molecules).max() < 0.01
    assert set(made.column("bonds_kept").tolist()) == {-1}
    assert np.allclose(made.per_molecule_mean(made.positions), 0, atol=1e-10)
    other = relax(nowhere, replace(method, seed=1)).structures
    assert not np.array_equal(made.column("steps"), other.column("steps"))


def test_ddpm_generates_from_the_last_step(molecules: Structures) -> None:
    method = DiffusionMethod(noise=model(Oracle(molecules, "noise")), schedule="fixed", start="noise")
    made = relax(molecules[:4], method).structures
    assert rmsd(made, molecules[:4]).max() < 0.01
    assert set(made.column("steps").tolist()) == {1000}
    assert set(made.column("verdict").tolist()) == {b"converged"}


def test_a_jump_ends_at_the_predicted_clean_structure(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    method, one = methods["jump"], noisy[[2]]
    start = turned(one, own_frames(one))
    batch = pad(start)
    out = method.noise.network(batch.numbers, batch.positions, batch.mask)
    schedule = NoiseSchedule()
    step = schedule.step(out.time)
    left = schedule.alpha_bar[step].reshape(-1, 1, 1)
    clean = (batch.positions - (1 - left).sqrt() * out.noise) / left.sqrt()  # Eq. 2 solved for x_0
    target = one.with_positions(clean[batch.mask].numpy())
    assert rmsd(relax(one, replace(method, steps=1)).structures, target)[0] < 1e-12
    half = relax(one, replace(method, steps=1, damping=0.5)).structures
    middle = one.with_positions((target.positions + start.positions) / 2)
    assert rmsd(half, middle)[0] < 1e-12


def test_ddim_shrinks_the_time_whatever_is_predicted(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    relaxation = relax(noisy, replace(methods["ddim"], shrink=0.7), recording=Recording())
    assert relaxation.trajectories is not None
    for steps in relaxation.trajectories:
        used = np.round(steps.columns["time"] * 999)
        assert (used[1:] <= np.floor(0.7 * used[:-1])).all()


def test_deterministic_steps_draw_no_noise(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    first, second = (relax(noisy, methods["deterministic"], seed=seed).structures for seed in (0, 1))
    assert np.array_equal(first.positions, second.positions)
    moved = (relax(noisy, methods["JT"], seed=seed).structures for seed in (0, 1))
    assert len({s.positions.tobytes() for s in moved}) == 2


def test_accelerated_moves_settle_a_slow_map(molecules: Structures, noisy: Structures) -> None:
    """Where each jump goes a tenth of the way, Anderson mixing needs a few steps where plain jumps need dozens."""

    class Slow(Oracle):
        def forward(self, *args: torch.Tensor, **kwargs: torch.Tensor):  # type: ignore[no-untyped-def]
            out = super().forward(*args, **kwargs)
            x, level = args[1], out.time
            alpha_bar = self.schedule.alpha_bar[self.schedule.step(level)][:, None, None]
            x0 = (x - (1 - alpha_bar).sqrt() * out.noise) / alpha_bar.sqrt()
            return out._replace(noise=(x - alpha_bar.sqrt() * (x + 0.1 * (x0 - x))) / (1 - alpha_bar).sqrt())

    slow = model(Slow(molecules, "morered-jt"))
    plain = relax(noisy, DiffusionMethod(noise=slow, time=slow, move="jump")).structures
    mixed = relax(noisy, DiffusionMethod(noise=slow, time=slow, move="accelerated")).structures
    assert np.median(plain.column("steps")) > 35
    assert np.median(mixed.column("steps")) < 15
    assert rmsd(mixed, molecules).max() < 0.01


def test_mixed_moves_are_no_longer_than_allowed(molecules: Structures, noisy: Structures) -> None:
    method = DiffusionMethod(
        noise=model(Oracle(molecules, "morered-jt")), time=model(Oracle(molecules, "time")), move="accelerated",
        mixing=Mixing(warmup=1, max_move=0.05), steps=4,
    )  # fmt: skip
    trajectories = relax(noisy, method, recording=Recording(frames=True)).trajectories
    assert trajectories is not None
    for steps in trajectories:
        assert steps.frames is not None
        moves = np.linalg.norm(np.diff(steps.frames, axis=0), axis=2).max(axis=1)
        assert moves.max(initial=0) < 0.05 + 1e-5  # frames are float32


def test_what_never_reaches_the_first_step_ends_at_the_cap(molecules: Structures, noisy: Structures) -> None:
    class Stuck(Oracle):
        """Predicts at least step 30."""

        def forward(self, *args: torch.Tensor, **kwargs: torch.Tensor):  # type: ignore[no-untyped-def]
            out = super().forward(*args, **kwargs)
            return out._replace(time=out.time.clamp(min=30 / 999))

    stuck = model(Stuck(molecules, "morered-jt"))
    capped = relax(noisy, DiffusionMethod(noise=stuck, time=stuck, steps=100)).structures
    assert set(capped.column("verdict").tolist()) == {b"step-cap"}
    assert set(capped.column("steps").tolist()) == {100}


@pytest.mark.parametrize(("name", "window"), [("damped", 1), ("AS", 10)])
def test_a_settled_clean_structure_stops(
    name: str, window: int, methods: dict[str, DiffusionMethod], noisy: Structures, molecules: Structures
) -> None:
    """An exact model predicts the same clean structure from the start: two windows are enough."""
    rules = StopRules(settled=Settled(window=window, threshold=0.01))
    relaxed = relax(noisy, replace(methods[name], stop=rules)).structures
    assert set(relaxed.column("reason").tolist()) == {b"the predicted clean structure no longer moves"}
    assert set(relaxed.column("steps").tolist()) == {2 * window}


def test_unused_times_are_recorded_and_change_nothing(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    plain = relax(noisy[:3], methods["ITP"])
    recorded = relax(noisy[:3], methods["ITP"], recording=Recording(unused_times=True))
    assert np.array_equal(plain.structures.positions, recorded.structures.positions)
    assert recorded.trajectories is not None
    columns = recorded.trajectories.columns
    assert set(columns) == {"step", "time", "predicted_time"}
    assert columns["predicted_time"].values[0] == columns["time"].values[0]  # the first one is used
    assert np.abs(columns["predicted_time"].values - columns["time"].values).max() < 0.1  # exact models keep to the schedule


def test_frames_are_kept_with_a_stride(methods: dict[str, DiffusionMethod], noisy: Structures) -> None:
    every = relax(noisy[:4], methods["JT"], recording=Recording(frames=True)).trajectories
    some = relax(noisy[:4], methods["JT"], recording=Recording(stride=10, frames=True))
    assert every is not None
    assert some.trajectories is not None
    for m, (dense, sparse) in enumerate(zip(every, some.trajectories, strict=True)):
        number = sparse.columns["step"]
        last = some.structures.column("steps")[m]
        assert number.tolist() == sorted({*range(1, last + 1, 10), last})
        assert dense.frames is not None
        assert sparse.frames is not None
        assert np.array_equal(dense.frames[number - 1], sparse.frames)
    final = some.structures.molecule(1).positions
    frame = some.trajectories.trajectory(1).frames
    assert frame is not None
    # Distances within the molecule do not depend on the frame of reference; frames are float32.
    assert np.allclose(np.linalg.norm(final[0] - final, axis=1), np.linalg.norm(frame[-1][0] - frame[-1], axis=1), atol=1e-5)


def test_models_of_the_wrong_kind_are_refused(molecules: Structures, noisy: Structures) -> None:
    time = model(Oracle(molecules, "time"))
    with pytest.raises(ValueError, match="kind time and cannot be used as the noise model"):
        relax(noisy, DiffusionMethod(noise=time, time=time))
    with pytest.raises(ValueError, match="start_step must be below the schedule's 1000 steps"):
        relax(noisy, DiffusionMethod(noise=model(Oracle(molecules, "noise")), schedule="fixed", start_step=1000))
