"""One step of each sampler against the paper's equations, written out anew from t = 1..T, with networks that say what they like.

Nothing of the schedule, the forward process or the samplers is used on the side of the paper: only the new noise that a sampler
draws, which is centred as in Algorithm 2, line 5.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from relaxation_support import minima, model
from torch import Tensor, nn

from morered.batching import molecule_keys, pad
from morered.diffusion.random_numbers import normal
from morered.metrics.rmsd import rmsd
from morered.models.networks import DiffusionOutput
from morered.relaxation import DiffusionMethod, relax
from morered.relaxation.samplers.frames import own_frames, turned
from morered.settings.networks import ModelConfig
from morered.structures import Structures

T, S = 1000, 1e-5
#: The reverse step that starts at each t: the first two, some in between and the last.
STEPS = [1, 2, 40, 500, 999, 1000]
SEED = 17


def alpha_bar(t: int) -> float:
    """(1 - 2s) (1 - (t/T)^2)^2 + s for t < T (Appendix C.2); at t = T the ratio to t - 1 is 0.001; 1 at t = 0."""
    if t == 0:
        return 1.0
    signal = (1 - (t / T) ** 2) ** 2 if t < T else 0.001 * (1 - ((T - 1) / T) ** 2) ** 2
    return (1 - 2 * S) * signal + S


def posterior(t: int) -> tuple[float, float, float]:
    """Factors of Eqs. 3 and 5 on x_t, on the predicted noise and on the new noise."""
    alpha = alpha_bar(t) / alpha_bar(t - 1)
    beta = 1 - alpha
    sigma = np.sqrt((1 - alpha_bar(t - 1)) / (1 - alpha_bar(t)) * beta)
    return 1 / np.sqrt(alpha), -beta / np.sqrt(1 - alpha_bar(t)) / np.sqrt(alpha), sigma


class Says(nn.Module):
    """Predicts that it is step t, and noise that depends on the structure and on the time that the noise head is given."""

    def __init__(self, kind: str, t: int) -> None:
        super().__init__()
        self.config = ModelConfig(kind=kind, features=4)
        self.elements = frozenset({1, 6, 7, 8, 16})
        self.t = t
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64), requires_grad=False)
        self.seen: list[float | None] = []  # times that were given

    @property
    def dtype(self) -> torch.dtype:
        return torch.float64

    def forward(self, numbers: Tensor, positions: Tensor, mask: Tensor, time: Tensor | None = None) -> DiffusionOutput:
        self.seen.append(None if time is None else float(time[0]))
        own = torch.full(mask.shape[:1], (self.t - 1) / (T - 1), dtype=torch.float64)
        noise = said(positions, own if time is None else time)
        heads = self.config
        return DiffusionOutput(
            noise * mask[..., None] if heads.predicts_noise else None,
            own[:, None].expand(mask.shape) if heads.predicts_time else None,
            own if heads.predicts_time else None,
        )


def said(positions: Tensor, time: Tensor) -> Tensor:
    """Any noise [B, N, 3] that turns with the molecule and has no mean; nothing of it depends on padding."""
    return 3 * positions / positions.square().sum((1, 2)).sqrt()[:, None, None] * (1 + time[:, None, None])


@pytest.fixture(scope="module")
def one() -> Structures:
    return minima([9]).centred()


@pytest.fixture(scope="module")
def start(one: Structures) -> NDArray[np.float64]:
    """The molecule in its own frame [A, 3], in which it is relaxed and its noise is drawn."""
    return turned(one, own_frames(one)).positions


def drawn(one: Structures, number: int) -> NDArray[np.float64]:
    """The centred noise [A, 3] of a molecule's step ``number``, counted from 0."""
    batch = pad(one)
    noise = normal(SEED, torch.from_numpy(molecule_keys(one.ids)), number, batch.n_padded)[batch.mask].numpy()
    return noise - noise.mean(axis=0)


def reverse(x: NDArray[np.float64], t: int, new: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eq. 5 at t with what `Says` predicts there."""
    noise = said(torch.from_numpy(x)[None], torch.tensor([(t - 1) / (T - 1)], dtype=torch.float64))[0].numpy()
    keep, follow, sigma = posterior(t)
    return keep * x + follow * noise + sigma * new


def assert_same(relaxed: Structures, expected: NDArray[np.float64]) -> None:
    """Up to the input's own pose, in which results come back."""
    assert rmsd(relaxed, relaxed.with_positions(expected))[0] < 1e-9


@pytest.mark.parametrize("t", STEPS)
@pytest.mark.parametrize("sampler", ["JT", "AS", "ITP", "DDPM", "mean"])
def test_one_step_is_equation_5(sampler: str, t: int, one: Structures, start: NDArray[np.float64]) -> None:
    joint, noise, time = (Says(kind, t) for kind in ("morered-jt", "noise", "time"))
    methods = {
        "JT": {"noise": (shared := model(joint)), "time": shared},
        "AS": {"noise": model(noise), "time": model(time)},
        "ITP": {"noise": model(noise), "time": model(time), "schedule": "initial"},
        "DDPM": {"noise": model(noise), "schedule": "fixed", "start_step": t - 1},
        "mean": {"noise": shared, "time": shared, "stochastic": False},
    }
    relaxed = relax(one, DiffusionMethod(**methods[sampler], steps=1, seed=SEED), checked=False).structures
    new = np.zeros_like(start) if sampler == "mean" else drawn(one, 0)
    assert_same(relaxed, reverse(start, t, new))
    if sampler in ("JT", "mean"):  # Algorithm 1 and 2: the noise head has the times of its own atoms
        assert joint.seen == [None]
    else:
        assert noise.seen == [pytest.approx((t - 1) / (T - 1), abs=1e-12)]
        assert time.seen == ([] if sampler == "DDPM" else [None])


def test_the_last_step_adds_no_noise(one: Structures, start: NDArray[np.float64]) -> None:
    """Eq. 3: sigma_1 = 0, so that two seeds agree where they started at t = 1, and nowhere else."""
    for t, alike in ((1, True), (2, False)):
        method = DiffusionMethod(noise=model(Says("noise", t)), schedule="fixed", start_step=t - 1, steps=1)
        first, second = (relax(one, method, seed=seed, checked=False).structures.positions for seed in (0, 1))
        assert np.array_equal(first, second) == alike


def test_the_following_step_is_one_lower_or_predicted_anew(one: Structures, start: NDArray[np.float64]) -> None:
    """Section 3.1: ITP and DDPM count down from the first step; AS asks again, and is told the same t here."""
    t = 40
    networks = {"noise": model(Says("noise", t)), "time": model(Says("time", t))}
    for schedule, following in (("initial", t - 1), ("adaptive", t), ("fixed", t - 1)):
        given = networks if schedule != "fixed" else {"noise": networks["noise"], "start_step": t - 1}
        relaxed = relax(one, DiffusionMethod(**given, schedule=schedule, steps=2, seed=SEED), checked=False).structures
        expected = reverse(reverse(start, t, drawn(one, 0)), following, drawn(one, 1))
        assert_same(relaxed, expected)


@pytest.mark.parametrize("t", [1, 2, 40, 500, 900])  # beyond, an x_0 that is no molecule's flies apart and is refused
def test_one_ddim_step_is_that_of_song(t: int, one: Structures, start: NDArray[np.float64]) -> None:
    """Song et al. 2021, Eq. 12 with no noise: x = sqrt(a_next) x_0 + sqrt(1 - a_next) e; a last step gives x_0 itself."""
    network = model(Says("morered-jt", t))
    relaxed = relax(one, DiffusionMethod(noise=network, time=network, move="ddim", shrink=0.6, steps=1), checked=False).structures
    noise = said(torch.from_numpy(start)[None], torch.tensor([(t - 1) / (T - 1)], dtype=torch.float64))[0].numpy()
    x0 = (start - np.sqrt(1 - alpha_bar(t)) * noise) / np.sqrt(alpha_bar(t))
    following = int(0.6 * (t - 1)) + 1
    mixed = np.sqrt(alpha_bar(following)) * x0 + np.sqrt(1 - alpha_bar(following)) * noise
    assert_same(relaxed, x0 if t == 1 else mixed)


def test_generation_starts_from_centred_noise(one: Structures) -> None:
    """Algorithm 2, lines 1 and 2: x_T ~ N(0, I) with its centre subtracted, whatever the coordinates of the composition are."""
    method = DiffusionMethod(noise=model(Says("noise", T)), schedule="fixed", start="noise", steps=1, seed=SEED)
    made = relax(one, method, checked=False).structures
    start = drawn(one, 2**32 - 1)
    assert_same(made, reverse(start, T, drawn(one, 0)))
