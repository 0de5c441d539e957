"""Where results end, in numbers: summaries, coverage, calibration and reliability."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from morered.metrics import endings, reliability
from morered.metrics.calibration import Calibration


def table(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Results whose distance and energy follow their time, with scatter; one in twenty did not converge."""
    rng = np.random.default_rng(seed)
    time, atoms = rng.uniform(0, 0.03, n), rng.integers(4, 60, n)
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
            "energy_left": nan * atoms * (time * rng.exponential(1.0, n)),
            "rmsd_left": nan * (0.01 + 4 * time) * rng.uniform(0.5, 1.5, n),
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


def test_what_is_expected_rises_with_the_time_and_is_right_in_the_mean() -> None:
    fitted = reliability.fit(table(4000))
    times = np.linspace(0, 0.03, 50)
    rmsd, energy = fitted.expected(times, np.full(50, 30))
    assert (np.diff(rmsd) >= 0).all()
    assert (np.diff(energy) >= 0).all()
    np.testing.assert_allclose(rmsd[5:-5], 0.01 + 4 * times[5:-5], atol=0.006)
    np.testing.assert_allclose(energy[5:-5], 30 * times[5:-5], atol=0.15)
    beyond, _ = fitted.expected([np.nan, 1.0], [10, 10])
    assert np.isnan(beyond[0])
    assert beyond[1] == fitted.rmsd[-1]
    curve = reliability.reliability(table(2000, seed=5), fitted)
    assert ((curve.low - 0.15 * curve.found < curve.expected) & (curve.expected < curve.high + 0.15 * curve.found)).all()
    assert set(curve.quantity) == {"rmsd", "energy"}


def test_a_calibration_keeps_in_json_and_refuses_what_is_none() -> None:
    fitted = reliability.fit(table(100))
    assert Calibration.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    with pytest.raises(ValueError, match="too few"):
        reliability.fit(table(15))
    for changes in (
        {"rmsd": [0.2, 0.1], "times": [0.0, 0.1], "energy": [0, 1]},
        {"rmsd": "no"},
        {"energy": []},
        {"results": None},
    ):
        with pytest.raises(ValueError, match="calibration"):
            Calibration.from_dict({**fitted.to_dict(), **changes})
