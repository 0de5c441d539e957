import numpy as np
import pandas as pd
import pytest

from morered.metrics.evaluate import evaluate
from morered.metrics.tables import COLUMNS, Run, failed, one_seed, read_runs, read_table, summarise, write_table
from morered.structures import Column, Structures

# A dimer's aligned RMSD from one of another length is half the difference of the lengths: each atom is off by half of it.
LENGTHS = {"a": 1.0, "b": 1.2, "c": 1.5}


def dimers(lengths, ids, references=None, shift=0.0, **columns):
    positions = [[[shift, 0, 0], [shift, 0, length]] for length in lengths]
    structures = Structures.build([[7, 7]] * len(lengths), positions, ids, references)
    return structures.with_columns({name: Column(np.array(values)) for name, values in columns.items()})


@pytest.fixture
def minima():
    return dimers(LENGTHS.values(), list(LENGTHS))


@pytest.fixture
def inputs():
    return dimers(
        [1.2, 1.1, 1.7, 1.5], ["a-0", "a-1", "b-0", "c-0"], ["a", "a", "b", "c"], rank=[b"closest", b"farthest", b"middle", b""]
    )


def relaxed(lengths, verdicts, ids=("a-0", "a-1", "b-0", "c-0"), **columns):
    # Moved as a whole: what is measured must not see it.
    return dimers(lengths, ids, shift=3.0, verdict=[v.encode() for v in verdicts], steps=np.arange(len(lengths)) + 1, **columns)


def test_rmsds_ratios_and_columns(inputs, minima):
    table = evaluate(
        relaxed([1.1, 1.3, 1.3, 1.5], ["converged", "step-cap", "converged", "converged"], first_time=[0.1, 0.2, 0.3, 0.0]),
        inputs,
        minima,
    )
    assert list(table) == list(COLUMNS)
    assert list(table["reference"]) == ["a", "a", "b", "c"]
    assert list(table["rank"]) == ["closest", "farthest", "middle", ""]
    # Superposition of two points is exact to rounding; positions are of order 1.
    np.testing.assert_allclose(table["rmsd_before"], [0.1, 0.05, 0.25, 0.0], atol=1e-12)
    np.testing.assert_allclose(table["rmsd_after"], [0.05, 0.15, 0.05, 0.0], atol=1e-12)
    np.testing.assert_allclose(table["ratio"], [0.5, 3.0, 0.2, 1.0], atol=1e-9)
    assert table["ratio"].iloc[3] == 1.0  # at its minimum before and after: returned as it was
    np.testing.assert_allclose(table["moved"], [0.05, 0.1, 0.2, 0.0], atol=1e-12)
    assert list(table["steps"]) == [1, 2, 3, 4]
    assert list(table["n_atoms"]) == [2, 2, 2, 2]
    assert table["first_time"].tolist() == [0.1, 0.2, 0.3, 0.0]
    assert table["first_fmax"].isna().all()  # not recorded: unknown, not zero
    assert (table["bonds_kept"] == -1).all()


@pytest.mark.parametrize("verdict", ["refused", "failed"])
def test_an_unrelaxed_molecule_counts_as_a_failure_with_ratio_exactly_one(inputs, minima, verdict):
    broken = relaxed([1.2, np.nan, 1.3, 9.0], ["converged", verdict, "converged", verdict])
    table = evaluate(broken, inputs, minima)
    assert table["ratio"].iloc[1] == 1.0
    assert table["rmsd_after"].iloc[1] == table["rmsd_before"].iloc[1]
    assert table["moved"].isna().tolist() == [False, True, False, True]
    assert table["ratio"].iloc[3] == 1.0
    assert failed(table).tolist() == [True, True, False, True]


def test_a_result_that_is_its_input_has_ratio_exactly_one(inputs, minima):
    # Open Babel's MMFF94 returns diffused inputs unchanged; neither alignment nor single precision may turn that into a success.
    same = relaxed([1.2, 1.1, 1.7, 1.5], ["converged"] * 4)
    noisy = same.with_positions(same.positions.astype(np.float32).astype(float) * (1 - 1e-7))
    assert (evaluate(noisy, inputs, minima)["ratio"] == 1.0).all()


def test_coordinates_that_are_no_numbers_are_failures_not_gaps(inputs, minima):
    table = evaluate(relaxed([1.1, np.nan, 1.3, 1.6], ["converged"] * 4), inputs, minima)
    assert np.isinf(table["ratio"].iloc[1])
    assert np.isinf(table["ratio"].iloc[3])  # started at the minimum and left it
    assert failed(table).tolist() == [False, True, False, True]


def test_bonds_are_compared_with_those_of_the_minimum(inputs, minima):
    # Two nitrogen atoms are bonded below 1.25 x 2 x 0.71 Å = 1.775 Å; the input b-0 is (1.7 Å), and so are all minima.
    table = evaluate(relaxed([1.1, 1.8, 1.7, 3.0], ["converged"] * 4), inputs, minima)
    assert table["minimum_bonds"].tolist() == [1, 0, 1, 0]
    assert summarise(table.assign(testset="t", method="m", seed=0))["other_bonds_percent"].tolist() == [50.0]


def test_order_of_the_results_does_not_matter(inputs, minima):
    results = relaxed([1.1, 1.3, 1.3, 1.5], ["converged"] * 4)
    shuffled = results[[2, 0, 3, 1]]
    pd.testing.assert_frame_equal(evaluate(results, inputs, minima), evaluate(shuffled, inputs, minima))


def test_lost_doubled_and_foreign_results_are_refused(inputs, minima):
    results = relaxed([1.1, 1.3, 1.3, 1.5], ["converged"] * 4)
    with pytest.raises(ValueError, match="3 results for 4 inputs; there is none for 'b-0'"):
        evaluate(results[[0, 1, 3]], inputs, minima)
    assert list(evaluate(results[[3, 1]], inputs, minima, subset=True)["id"]) == ["a-1", "c-0"]
    with pytest.raises(ValueError, match="twice"):
        evaluate(results[[0, 1, 1, 3]], inputs, minima)
    with pytest.raises(KeyError, match="'c'"):
        evaluate(results, inputs, minima[:2])
    other = Structures.build([[7, 8], [7, 7], [7, 7]], [minima.molecule(k).positions for k in range(3)], list(LENGTHS))
    with pytest.raises(ValueError, match="a"):
        evaluate(results, inputs, other)
    with pytest.raises(KeyError, match="verdict"):
        evaluate(results.without_columns(), inputs, minima)


def test_a_table_comes_back_from_its_file_as_it_was(inputs, minima, tmp_path):
    table = evaluate(relaxed([1.1, 1.3, np.nan, 1.5], ["converged", "refused", "converged", "step-cap"]), inputs, minima)
    table.loc[0, ["id", "reason"]] = ["0123", "nan, said the force field"]
    write_table(table, tmp_path / "t.csv")
    back = read_table(tmp_path / "t.csv")
    pd.testing.assert_frame_equal(back, table, check_dtype=False)
    assert back["id"].iloc[0] == "0123"


def test_runs_are_read_in_order_and_only_once(inputs, minima, tmp_path):
    table = evaluate(relaxed([1.1, 1.3, 1.3, 1.5], ["converged"] * 4), inputs, minima)
    paths = [tmp_path / f"{k}.csv" for k in range(3)]
    for path in paths:
        write_table(table, path)
    runs = read_runs([Run("t", "B", 1, paths[0]), Run("t", "B", 0, paths[1]), Run("t", "A", 0, paths[2])])
    assert len(runs) == 12
    assert list(runs["method"].unique()) == ["B", "A"]
    assert one_seed(runs).groupby("method")["seed"].unique().to_dict() == {"A": [0], "B": [0]}
    with pytest.raises(ValueError, match="two tables for B on t, seed 0"):
        read_runs([Run("t", "B", 0, paths[0]), Run("t", "B", 0, paths[1])])
    with pytest.raises(ValueError, match="no runs"):
        read_runs([])


def test_the_summary_by_hand(inputs, minima):
    results = relaxed([1.1, 1.3, 1.3, 1.5], ["converged", "step-cap", "converged", "failed"], seconds=[1.0, 2.0, 3.0, 6.0])
    table = evaluate(results, inputs, minima)
    row = summarise(table.assign(testset="t", method="m", seed=0)).iloc[0]
    assert (row["n"], row["failure_percent"]) == (4, 50.0)
    assert (row["mean_steps"], row["median_steps"], row["seconds"]) == (2.0, 2.0, 2.0)  # without the failed one
    assert row["median_ratio"] == pytest.approx(0.75, abs=1e-9)
    assert row["median_rmsd"] == pytest.approx(0.05, abs=1e-12)
    assert (row["step_cap_percent"], row["refused_percent"]) == (25.0, 25.0)
    assert row["other_bonds_percent"] == 0
