"""Random garbage among valid molecules, at every method: no crash, no hang, a verdict each, no effect on the valid ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from morered.models.networks import build
from morered.models.weights import LoadedModel, WeightsHeader
from morered.relaxation import DiffusionMethod, Method, PotentialMethod, from_config, relax
from morered.settings.networks import ModelConfig
from morered.settings.relaxation import Overrelaxation, Settled, StopRules
from morered.structures import Structures

VERDICTS = {b"converged", b"changed", b"step-cap", b"refused", b"failed"}
ELEMENTS = frozenset({1, 6, 7, 8, 16})

#: Any number that a file may hold: huge, tiny, not finite, and the usual ones.
coordinates = st.one_of(
    st.floats(-3, 3), st.floats(allow_nan=True, allow_infinity=True, width=64), st.sampled_from([0.0, -0.0, 1e-12, 1e300, 5e-324])
)


@st.composite
def garbage(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Elements and positions of something that need not be a molecule."""
    n = draw(st.integers(0, 12))
    numbers = draw(hnp.arrays(np.uint8, n, elements=st.one_of(st.sampled_from(sorted(ELEMENTS)), st.integers(0, 255))))
    if draw(st.booleans()):  # plausible elements at impossible places
        numbers = np.array(draw(st.lists(st.sampled_from(sorted(ELEMENTS)), min_size=n, max_size=n)), np.uint8)
    return numbers, draw(hnp.arrays(np.float64, (n, 3), elements=coordinates))


def network(kind: str, seed: int = 0) -> LoadedModel:
    torch.manual_seed(seed)
    built = build(ModelConfig(kind=kind, features=8, interactions=2)).double().eval().requires_grad_(False)  # type: ignore[arg-type]
    built.elements = ELEMENTS
    return LoadedModel(built, built.config, WeightsHeader(), "")


def in_kernels(kind: str) -> LoadedModel:
    """A network that the compiled kernels take."""
    torch.manual_seed(0)
    built = build(ModelConfig(kind=kind, features=16, interactions=2)).eval().requires_grad_(False)  # type: ignore[arg-type]
    built.elements = ELEMENTS
    return LoadedModel(built, built.config, WeightsHeader(), "")


def batched_methods() -> dict[str, Method]:
    jt, noise, time, force_field = (network(kind) for kind in ("morered-jt", "noise", "time", "mlff"))
    fast = in_kernels("morered-jt")
    rules = StopRules(settled=Settled(window=2))
    return {
        "ITP": DiffusionMethod(noise=noise, time=time, schedule="initial", steps=6),
        "AS": DiffusionMethod(noise=noise, time=time, steps=6),
        "JT": DiffusionMethod(noise=jt, time=jt, steps=6),
        "DDPM": DiffusionMethod(noise=noise, schedule="fixed", start_step=5, steps=9),
        "generation": DiffusionMethod(noise=jt, time=jt, start="noise", steps=6),
        "jump": DiffusionMethod(noise=jt, time=jt, move="jump", steps=6),
        "ddim": DiffusionMethod(noise=jt, time=jt, move="ddim", steps=6),
        "accelerated": DiffusionMethod(noise=jt, time=jt, move="accelerated", steps=6),
        "overrelaxed": DiffusionMethod(noise=jt, time=jt, move="accelerated", overrelaxation=Overrelaxation(atoms=2), steps=6),
        "rules": DiffusionMethod(noise=jt, time=jt, stop=rules, steps=6),
        "mlff": PotentialMethod(potential="mlff", model=force_field, precision="double", steps=6, memory=3),
        "mlff-kernels": PotentialMethod(potential="mlff", model=in_kernels("mlff"), steps=6),
        "accelerated-kernels": DiffusionMethod(noise=fast, time=fast, move="accelerated", steps=6),
        "mlff-ase": PotentialMethod(potential="mlff", model=force_field, precision="double", steps=4, optimizer="ase"),
    }


METHODS = batched_methods()


def check(
    method: Method,
    rubbish: list[tuple[np.ndarray, np.ndarray]],
    valid: Structures,
    place: int,
    tolerance: float = 1e-7,
    **options: Any,
) -> None:
    """Relax valid molecules with rubbish before, among and after them, and without it; they agree to the tolerance in Å."""
    trash = Structures.build([z for z, _ in rubbish], [x for _, x in rubbish], [f"trash/{i}" for i in range(len(rubbish))])
    cut = place % (len(rubbish) + 1)
    parts = [trash[np.arange(cut)], valid[[0]], trash[np.arange(cut, len(trash))], valid[np.arange(1, len(valid))]]
    mixed = Structures.concatenate(parts)
    relaxed = relax(mixed, method, **options).structures
    assert np.array_equal(relaxed.ids, mixed.ids)
    assert np.array_equal(relaxed.numbers, mixed.numbers)
    assert set(relaxed.column("verdict").tolist()) <= VERDICTS
    assert all(reason for reason in relaxed.column("reason").tolist())
    untouched = np.isin(relaxed.column("verdict"), [b"refused", b"failed"])
    atoms = untouched[mixed.molecule_index]
    assert np.array_equal(relaxed.positions[atoms], mixed.positions[atoms], equal_nan=True)
    assert np.isfinite(relaxed.positions[~atoms]).all()
    alone = relax(valid, method, **options).structures
    among = relaxed[relaxed.index_of(valid.ids)]
    for name in ("verdict", "reason", "steps", "bonds_kept", "stereo_kept"):
        assert np.array_equal(among.column(name), alone.column(name)), name
    assert np.abs(among.positions - alone.positions).max() < tolerance


@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rubbish=st.lists(garbage(), min_size=1, max_size=6), place=st.integers(0, 6), batch=st.integers(1, 8))
def test_batched_methods_survive(
    name: str, rubbish: list[tuple[np.ndarray, np.ndarray]], place: int, batch: int, noisy: Structures
) -> None:
    tolerance = 1e-4 if name.endswith("kernels") else 1e-7  # these compute in single precision
    check(METHODS[name], rubbish, noisy[[0, 4, 9]], place, tolerance, batch_size=batch)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rubbish=st.lists(garbage(), min_size=3, max_size=6), place=st.integers(0, 6))
def test_a_batched_calculator_survives(rubbish: list[tuple[np.ndarray, np.ndarray]], place: int, molecules: Structures) -> None:
    """SO3LR, which comes as it is: nothing of ours stands between it and the garbage but the engine."""
    check(from_config({"relaxer": "so3lr", "precision": "double", "steps": 4}), rubbish, molecules[[0, 1]], place)


@pytest.mark.parametrize("relaxer", ["gfn2", "gfn1", "mmff94"])
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rubbish=st.lists(garbage(), min_size=6, max_size=10), place=st.integers(0, 6))
def test_programs_survive(relaxer: str, rubbish: list[tuple[np.ndarray, np.ndarray]], place: int, molecules: Structures) -> None:
    method = from_config({"relaxer": relaxer, "steps": 5, "timeout": 10})
    check(method, rubbish, molecules[[0, 1]], place, workers=1)
