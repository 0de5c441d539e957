"""Where results end, in numbers: summaries, coverage, calibration and reliability."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from morered.metrics import endings, reliability
from morered.metrics.calibration import PREDICTORS, Calibration


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Results whose distance follows time and size, and whose energy follows time and way; one in twenty did not converge."""
    rng = np.random.default_rng(seed)
    time, atoms, moved = rng.uniform(0, 0.03, n), rng.integers(4, 60, n), rng.uniform(0, 1, n)
    converged = np.arange(n) % 20 != 0
    nan = np.where(converged, 1.0, np.nan)
    return pd.DataFrame(
        {
            "id": [f"molecule/{k}/etkdg" for k in range(n)],
            "kind": "drugs",
            "n_atoms": atoms,
            "n_heavy": atoms // 2,
            "charge": 0,
            "elements": np.where(np.arange(n) % 4 == 0, "H C N", "H C"),
            "verdict": np.where(converged, "converged", "failed"),
            "converged": converged.astype(int),
            "seconds": rng.uniform(0.01, 0.03, n),
            "last_time": time,
            "fell": converged.astype(int),
            "moved": moved,
            "energy_left": nan * atoms * (time * (0.5 + moved) * rng.exponential(1.0, n)),
            "rmsd_left": nan * (0.01 + 4 * time) * (atoms / 30) * rng.uniform(0.5, 1.5, n),
            "rmsd_input": nan * 0.2,
            "nearer": converged.astype(int),
            "calls": nan * 20,
            "calls_input": 40,
        }
    )


def test_a_summary_counts_all_inputs_and_measures_what_fell_into_a_minimum() -> None:
    fast, slow = table(), table(seed=1)
    slow["calls"] *= 2
    both = pd.concat([fast.assign(testset="drugs", method="fast"), slow.assign(testset="drugs", method="MMFF94")])
    rows = endings.summarise(both, "MMFF94").set_index("method")
    assert rows.loc["fast", ["n", "fell"]].tolist() == [400, 380]
    assert rows.loc["fast", "converged_percent"] == pytest.approx(95)
    assert rows.loc["fast", "converged_percent_low"] < 95 < rows.loc["fast", "converged_percent_high"]
    assert rows.loc["fast", "median_rmsd_left"] == pytest.approx(fast["rmsd_left"].median())
    assert rows.loc["fast", "calls_ratio"] == pytest.approx(0.5)
    assert rows.loc["MMFF94", "calls_ratio"] == pytest.approx(1)
    assert endings.summarise(both).calls_ratio.isna().all()


def test_coverage_is_of_methods_that_relaxed_everything_and_counts_an_input_once() -> None:
    drugs = table().assign(testset="drugs", method="fast")
    again = drugs[:100].assign(testset="sample")
    sampled = again.assign(method="slow", converged=0)
    alone = endings.coverage(drugs)
    pd.testing.assert_frame_equal(endings.coverage(pd.concat([drugs, again, sampled], ignore_index=True)), alone)


def test_coverage_tells_elements_and_sizes() -> None:
    rows = endings.coverage(table().assign(testset="drugs", method="fast"))
    nitrogen = rows[(rows.panel == "element") & (rows.series == "N")].iloc[0]
    assert nitrogen.n == 100
    assert nitrogen.converged_percent == pytest.approx(80)  # every molecule that did not converge is one of these
    sizes = rows[rows.panel == "atoms"]
    assert sizes.n.sum() == 400
    assert sizes.series.tolist() == ["2", "10", "20", "30", "40", "50"]


def test_tables_are_read_with_the_names_of_their_runs(tmp_path) -> None:
    table(30).to_csv(tmp_path / "a.csv", index=False)
    found = endings.read([("drugs", "fast", tmp_path / "a.csv"), ("qm9", "fast", tmp_path / "a.csv")])
    assert found.groupby("testset").size().to_dict() == {"drugs": 30, "qm9": 30}


def test_what_is_expected_follows_time_size_and_way_and_is_right_in_the_mean() -> None:
    fitted = reliability.fit(table(8000))

    def at(time: float = 0.015, atoms: float = 30.0, moved: float = 0.5) -> tuple[float, float]:
        rmsd, energy = fitted.expected({"last_time": [time], "n_atoms": [atoms], "moved": [moved]})
        return float(rmsd[0]), float(energy[0])

    for time in (0.004, 0.01, 0.02, 0.026):
        for atoms in (10, 30, 50):
            for moved in (0.1, 0.5, 0.9):
                rmsd, energy = at(time, atoms, moved)
                assert rmsd == pytest.approx((0.01 + 4 * time) * atoms / 30, rel=0.12)
                assert energy == pytest.approx(atoms * time * (0.5 + moved), rel=0.2)
    assert at(time=1.0) == at(time=0.03)
    assert np.isnan(at(time=np.nan)).all()
    assert np.isnan(at(moved=np.nan)).all()
    curve = reliability.reliability(table(2000, seed=5).assign(method="fast"), fitted)
    assert ((curve.low - 0.15 * curve.found < curve.expected) & (curve.expected < curve.high + 0.15 * curve.found)).all()
    assert set(curve.quantity) == {"rmsd", "energy"}


def test_every_factor_of_a_calibration_leaves_no_class_with_another_mean() -> None:
    """Held to the condition that the fit solves: sums that were found are those expected, wherever no neighbour is pooled."""
    results = reliability.usable(table(2000, seed=3))
    expected, _ = reliability.fit(results).expected({name: results[name].to_numpy(float) for name in PREDICTORS})
    assert expected.sum() == pytest.approx(results["rmsd_left"].sum(), rel=0.01)
    for low, high in ((0, 0.01), (0.01, 0.02), (0.02, 0.03)):
        part = results["last_time"].between(low, high).to_numpy()
        assert expected[part].mean() == pytest.approx(results["rmsd_left"][part].mean(), rel=0.05)


def test_a_calibration_keeps_in_json_and_refuses_what_is_none() -> None:
    fitted = reliability.fit(table(100))
    assert Calibration.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    with pytest.raises(ValueError, match="too few"):
        reliability.fit(table(15))
    whole = fitted.to_dict()["rmsd"]
    for changes in (
        {"rmsd": {**whole, "moved": {"at": [0.0, 0.1], "factor": [0.2, 0.1]}}},
        {"rmsd": {**whole, "moved": {"at": [0.1, 0.1], "factor": [0.1, 0.2]}}},
        {"rmsd": {**whole, "moved": {"at": [0.1], "factor": [0.1, 0.2]}}},
        {"rmsd": {**whole, "last_time": {"at": [], "factor": []}}},
        {"rmsd": {**whole, "n_atoms": {"at": [1.0], "factor": [float("nan")]}}},
        {"rmsd": {"last_time": whole["last_time"]}},
        {"energy": "no"},
        {"results": None},
    ):
        with pytest.raises(ValueError, match="calibration"):
            Calibration.from_dict({**fitted.to_dict(), **changes})
