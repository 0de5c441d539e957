"""Verdicts: what is refused, what failed, and what the columns say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from ase.build import molecule as g2_molecule
from relaxation_support import Oracle, Springs, diffused, model

from morered.checks.table import CHECKS
from morered.metrics.rmsd import rmsd
from morered.models.weights import LoadedModel
from morered.relaxation import DiffusionMethod, PotentialMethod, relax
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.verdicts.judge import judge
from morered.relaxation.verdicts.screening import refusals
from morered.structures import Structures

METHANE = np.array([[0, 0, 0], [0.63, 0.63, 0.63], [0.63, -0.63, -0.63], [-0.63, 0.63, -0.63], [-0.63, -0.63, 0.63]])


def test_every_kind_of_refusal_says_why() -> None:
    broken, infinite, far, coinciding = (METHANE.copy() for _ in range(4))
    broken[2, 1] = np.nan
    infinite[0, 0] = np.inf
    far[4] = [1e5, 0, 0]
    coinciding[3] = coinciding[2] + 1e-4
    shifted = METHANE + 1e6  # far from the origin, but whole
    h4 = [6, 1, 1, 1, 1]
    cases: list[tuple[list[int], np.ndarray, str | None]] = [
        (h4, METHANE, None),
        (h4, shifted, None),
        ([], np.empty((0, 3)), "it has no atoms"),
        ([6], np.zeros((1, 3)), "it has one atom: there is nothing to relax"),
        (h4, broken, "a coordinate is infinite or no number"),
        (h4, infinite, "a coordinate is infinite or no number"),
        (h4, far, "an atom lies more than 1000 Å from the centre of its molecule"),
        (h4, coinciding, "two atoms lie on each other"),
        ([6, 1, 1, 1, 9], METHANE, "the model has never seen F"),
        ([6, 1, 1, 14, 9], METHANE, "the model has never seen F or Si"),
        ([6, 1, 1, 1, 0], METHANE, "0 is not an atomic number"),
        ([6, 1, 1, 1, 200], METHANE, "200 is not an atomic number"),
    ]
    given = Structures.build([c[0] for c in cases], [c[1] for c in cases], [str(i) for i in range(len(cases))])
    assert refusals(given, {1, 6, 7, 8}) == [c[2] for c in cases]
    blind = refusals(given, {1, 6, 7, 8}, positions_matter=False)
    assert blind[4:8] == [None] * 4
    assert blind[8] == "the model has never seen F"


def test_refused_molecules_keep_their_place_and_coordinates(noisy: Structures, jt: LoadedModel) -> None:
    bad = Structures.build([[1], [6, 9]], [[[3.0, 0, 0]], [[0, 0, 0], [np.nan, 0, 0]]], ["atom", "broken"])
    mixed = Structures.concatenate([noisy[:2], bad[[0]], noisy[2:4], bad[[1]]])
    relaxed = relax(mixed, DiffusionMethod(noise=jt, time=jt, move="jump")).structures
    assert relaxed.column("verdict").tolist() == [b"converged", b"converged", b"refused", b"converged", b"converged", b"refused"]
    assert np.array_equal(relaxed.ids, mixed.ids)
    for m in (2, 5):
        assert np.array_equal(relaxed.molecule(m).positions, mixed.molecule(m).positions, equal_nan=True)
        assert relaxed.column("steps")[m] == 0
        assert relaxed.column("bonds_kept")[m] == relaxed.column("stereo_kept")[m] == -1
        assert np.isnan(relaxed.column("last_time")[m])
    alone = relax(noisy[:4], DiffusionMethod(noise=jt, time=jt, move="jump")).structures
    kept = relaxed[relaxed.column("verdict") == b"converged"]
    assert np.array_equal(kept.positions, alone.positions)


def test_all_refused_is_no_error(jt: LoadedModel) -> None:
    bad = Structures.build([[1], []], [[[0.0, 0, 0]], np.empty((0, 3))], ["a", "b"])
    relaxed = relax(bad, DiffusionMethod(noise=jt, time=jt)).structures
    assert relaxed.column("verdict").tolist() == [b"refused", b"refused"]


def test_a_model_that_returns_nan_fails_its_molecule_alone(molecules: Structures, noisy: Structures) -> None:
    sick = model(Oracle(molecules, "morered-jt", broken=8))
    relaxed = relax(noisy, DiffusionMethod(noise=sick, time=sick, move="jump")).structures
    oxygen = np.array([8 in m.numbers for m in noisy])
    assert 0 < oxygen.sum() < len(noisy)
    assert np.array_equal(relaxed.column("verdict") == b"failed", oxygen)
    assert set(relaxed.column("reason")[oxygen].tolist()) == {b"a coordinate became infinite or no number"}
    atoms = oxygen[noisy.molecule_index]
    assert np.array_equal(relaxed.positions[atoms], noisy.positions[atoms])
    assert rmsd(relaxed[~oxygen], molecules[~oxygen]).max() < 0.01


def test_a_nan_time_fails_too(molecules: Structures, noisy: Structures) -> None:
    class Lost(Oracle):
        def forward(self, *args: torch.Tensor, **kwargs: torch.Tensor):  # type: ignore[no-untyped-def]
            out = super().forward(*args, **kwargs)
            return out._replace(time=out.time * torch.nan, noise=out.noise * torch.nan)

    lost = model(Lost(molecules, "morered-jt"))
    assert set(relax(noisy, DiffusionMethod(noise=lost, time=lost)).structures.column("verdict").tolist()) == {b"failed"}


def test_explosions_are_found(molecules: Structures, noisy: Structures) -> None:
    class Repulsive(Oracle):
        def forward(self, numbers, positions, *args, **kwargs):  # type: ignore[no-untyped-def]
            out = super().forward(numbers, positions, *args, **kwargs)
            return out._replace(noise=torch.where((numbers == 8).any(1)[:, None, None], -300.0 * positions, out.noise))

    wild = model(Repulsive(molecules, "morered-jt"))
    relaxed = relax(noisy, DiffusionMethod(noise=wild, time=wild)).structures
    oxygen = np.array([8 in m.numbers for m in noisy])
    assert set(relaxed.column("reason")[oxygen].tolist()) == {b"the structure exploded: an atom left the molecule"}
    assert set(relaxed.column("verdict")[~oxygen].tolist()) == {b"converged"}
    assert np.isfinite(relaxed.positions).all()


def test_a_collapse_is_found(molecules: Structures, noisy: Structures) -> None:
    points = Oracle(molecules, "morered-jt")
    points.minima = {key: x * 0.05 for key, x in points.minima.items()}
    heavy = model(points)
    relaxed = relax(noisy, DiffusionMethod(noise=heavy, time=heavy, move="jump")).structures
    assert set(relaxed.column("reason").tolist()) == {b"the structure collapsed: two atoms lie on each other"}
    assert set(relaxed.column("verdict").tolist()) == {b"failed"}
    assert np.array_equal(relaxed.positions, noisy.positions)
    assert np.isnan(relaxed.column("moved")).all()


def test_bonds_stereo_and_contacts_are_reported(molecules: Structures) -> None:
    near = diffused(molecules, 20)
    springs = model(Springs(molecules))
    relaxed = relax(near, PotentialMethod(potential="mlff", model=springs, precision="double")).structures
    assert set(relaxed.column("bonds_kept").tolist()) == {1}
    assert set(relaxed.column("stereo_kept").tolist()) == {1}
    assert relaxed.column("moved") == pytest.approx(rmsd(relaxed.without_columns(), near.without_columns()), abs=1e-12)
    assert relaxed.column("moved").min() > 0
    for m, molecule in enumerate(relaxed):
        distances = np.linalg.norm(molecule.positions[:, None] - molecule.positions, axis=2)
        assert relaxed.column("closest_contact")[m] == pytest.approx(distances[np.triu_indices(len(distances), 1)].min())
    torn = Oracle(molecules, "morered-jt")
    torn.minima = {key: x * 2.0 for key, x in torn.minima.items()}
    jt = model(torn)
    apart = relax(near, DiffusionMethod(noise=jt, time=jt, move="jump")).structures
    assert set(apart.column("bonds_kept").tolist()) == {0}
    assert set(apart.column("stereo_kept").tolist()) == {-1}


def test_units_and_types_of_the_columns(noisy: Structures, jt: LoadedModel) -> None:
    columns = relax(noisy[:2], DiffusionMethod(noise=jt, time=jt, move="jump")).structures.columns
    assert {name: (column.unit, column.values.dtype.kind) for name, column in columns.items()} == {
        "verdict": ("", "S"),
        "steps": ("", "i"),
        "first_time": ("", "f"),
        "last_time": ("", "f"),
        "first_fmax": ("eV/Å", "f"),
        "last_fmax": ("eV/Å", "f"),
        "moved": ("Å", "f"),
        **dict.fromkeys(CHECKS, ("", "i")),
        "closest_contact": ("Å", "f"),
        "seconds": ("s", "f"),
        "reason": ("", "S"),
    }


# --------------------------------------------------------------------- verdicts by the checks


def ended(inputs: Structures, results: np.ndarray, code: Code, **options: Any) -> Structures:
    """What is made of results that a method calls finished."""
    outcome = Result.begin(inputs)
    outcome.positions, outcome.code = np.array(results, np.float64), np.full(len(inputs), int(code), np.int8)
    return judge(inputs, outcome, **options).structures


def swapped_nitrile() -> tuple[Structures, np.ndarray]:
    """Methyl isocyanide, and acetonitrile of the same atoms in the same order."""
    atoms = g2_molecule("CH3CN")
    nitrogen = int(np.flatnonzero(atoms.numbers == 7)[0])
    carbon = int(min(np.flatnonzero(atoms.numbers == 6), key=lambda c: atoms.get_distance(c, nitrogen)))
    swapped = atoms.positions.copy()
    swapped[[nitrogen, carbon]] = swapped[[carbon, nitrogen]]
    return Structures.build([atoms.numbers], [swapped], ["isocyanide"]), atoms.positions


def test_what_passes_every_check_is_converged(molecules: Structures) -> None:
    relaxed = ended(molecules, molecules.positions, Code.SETTLED)
    assert set(relaxed.column("verdict").tolist()) == {b"converged"}
    for name in CHECKS:
        assert set(relaxed.column(name).tolist()) == ({-1} if name == "clean" else {1}), name


def test_another_molecule_is_changed_and_keeps_its_new_coordinates() -> None:
    isocyanide, nitrile = swapped_nitrile()
    changed = ended(isocyanide, nitrile, Code.SETTLED)
    assert changed.column("verdict").tolist() == [b"changed"]
    assert changed.column("bonds_kept").tolist() == [0]
    assert changed.column("reason")[0].startswith(b"it is another molecule: the bond ")
    assert rmsd(changed.without_columns(), isocyanide.with_positions(nitrile)) == pytest.approx([0.0], abs=1e-6)
    assert changed.column("moved")[0] > 0.1


def test_an_impossible_geometry_has_failed_and_keeps_the_input() -> None:
    dioxide = Structures.build([[8, 6, 8]], [[[-1.16, 0, 0], [0, 0, 0], [1.16, 0, 0]]], ["CO2"])
    failed = ended(dioxide, dioxide.positions + np.array([[0, 0, 0], [0.08, 0, 0], [0, 0, 0]]), Code.SETTLED)
    assert failed.column("verdict").tolist() == [b"failed"]
    assert failed.column("lengths").tolist() == [0]
    assert failed.column("reason").tolist() == [
        "the geometry is impossible: the bond C2-O3 is 1.08 Å, 1.10 to 1.23 Å is usual".encode()
    ]
    np.testing.assert_array_equal(failed.positions, dioxide.positions)
    assert np.isnan(failed.column("moved")[0])
    # A sampler's verdict is its own.
    assert ended(dioxide, dioxide.positions * 1.08, Code.SETTLED, checked=False).column("verdict").tolist() == [b"converged"]


def test_a_result_at_the_cap_is_kept_only_where_it_is_no_worse_than_the_input(molecules: Structures) -> None:
    stretched = np.repeat([1.25], len(molecules.positions))[:, None] * molecules.positions
    at_cap = ended(molecules.with_positions(stretched), molecules.positions, Code.STEP_CAP)
    assert set(at_cap.column("verdict").tolist()) == {b"step-cap"}
    worse = ended(molecules, molecules.positions * 0.7, Code.STEP_CAP)
    assert set(worse.column("verdict").tolist()) == {b"failed"}
    np.testing.assert_array_equal(worse.positions, molecules.positions)
    assert all(b"worse than the input" in reason for reason in worse.column("reason").tolist())
    isocyanide, nitrile = swapped_nitrile()
    lost = ended(isocyanide, nitrile, Code.STEP_CAP)
    assert lost.column("verdict").tolist() == [b"failed"]
    np.testing.assert_array_equal(lost.positions, isocyanide.positions)


def test_clean_is_told_where_the_method_sets_a_limit(noisy: Structures, jt: LoadedModel) -> None:
    for limit, expected in ((None, -1), (0.9, 1)):
        relaxed = relax(noisy[:3], DiffusionMethod(noise=jt, time=jt, move="jump", clean_below=limit)).structures
        assert relaxed.column("clean").tolist() == [expected] * 3


def test_an_input_that_is_no_molecule_is_refused_unless_nothing_is_asked_of_it() -> None:
    benzene = g2_molecule("C6H6")
    heavy = benzene.numbers > 1
    bare = Structures.build([benzene.numbers[heavy]], [benzene.positions[heavy]], ["bare"])
    (reason,) = refusals(bare, {1, 6})
    assert reason is not None
    assert "hydrogens are missing" in reason
    assert refusals(bare, {1, 6}, proper=False) == [None]
