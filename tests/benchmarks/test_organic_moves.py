"""The benchmark that the moves of `organic` were chosen from."""


def test_a_row_is_one_start_and_one_choice_of_moves(benchmark):
    moves = "long, 0.5, 0.3, 0.1"
    row = benchmark.measured("morered-organic-3", "mmff94", 3, moves)
    assert (row["start"], row["moves"], row["n"]) == ("mmff94", moves, 3)
    assert row["converged_percent"] > 0
    assert 0 < row["median_energy_left"] < 20
    assert 0 < row["median_rmsd_left"] < 1.5
    assert 15 < row["mean_evaluations"] <= 60
    assert row["mean_ms"] > 0
    assert all(moves.startswith(("mixed", "long")) for moves in benchmark.MOVES)
