import numpy as np
import pandas as pd
import pytest

from morered import resumable
from morered.dft.single_point import single_point
from morered.energies import batch, sampling
from morered.settings.level import Level
from morered.structures import Structures
from morered.units import KCAL_MOL_PER_EV

TOY = Level(basis="sto-3g", grid=0, coarse_grid=0)


@pytest.fixture
def hydrogens():
    """Hydrogen molecules of several lengths, and an atom that has no closed shell."""
    lengths = [0.74, 0.8, 0.9]
    numbers = [[1, 1]] * 3 + [[1]]
    positions = [*([[0, 0, 0], [0, 0, x]] for x in lengths), [[0, 0, 0]]]
    return Structures.build(numbers, positions, ["a", "b", "c", "atom"])


def test_single_points_come_as_a_table_and_a_failure_has_its_reason(hydrogens):
    table = batch.table(batch.compute(hydrogens, TOY)).set_index("geometry")
    assert list(table.columns) == list(batch.COLUMNS)
    point = single_point(*hydrogens.molecule(1)[1:], TOY)
    assert table["total_eV"]["b"] == pytest.approx(point.energy + point.mbd, abs=1e-6)
    assert table["status"].to_dict() == {"a": "converged", "b": "converged", "c": "converged", "atom": "failed"}
    assert "radical" in table["reason"]["atom"]
    assert np.isnan(table["total_eV"]["atom"])


def test_every_finished_point_is_kept_when_a_job_dies(hydrogens, tmp_path, monkeypatch):
    computed = []

    def dying(numbers, positions, level, *electrons, **rest):
        if len(computed) == 2:
            raise KeyboardInterrupt
        computed.append(positions[-1, 2])
        return single_point(numbers, positions, level, *electrons, **rest)

    monkeypatch.setattr(batch, "single_point", dying)
    with pytest.raises(KeyboardInterrupt):
        batch.compute(hydrogens, TOY, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    computed.clear()
    told = []
    monkeypatch.setattr(batch, "single_point", lambda n, x, *a, **k: computed.append(len(n)) or single_point(n, x, *a, **k))
    again = batch.compute(hydrogens, TOY, folder=tmp_path, progress=lambda done, total: told.append(done))
    assert computed == [2, 1]  # what was left
    assert told == [2, 3, 4]
    monkeypatch.undo()
    differ = ["seconds", "cycles"]  # a point starts from the density of the one before, where there is one
    fresh = batch.table(batch.compute(hydrogens, TOY)).drop(columns=differ)
    pd.testing.assert_frame_equal(batch.table(again).drop(columns=differ), fresh, atol=1e-6)
    other = batch.compute(hydrogens, Level(basis="sto-3g", grid=1, coarse_grid=0), folder=tmp_path)  # its own pieces
    assert not np.allclose(other.structures.column("energy")[:3], again.structures.column("energy")[:3], atol=1e-6)


def test_each_point_starts_from_the_density_of_the_one_before():
    water = np.array([[0, 0, 0.12], [0, 0.76, -0.48], [0, -0.76, -0.48]])
    level = Level(basis="def2-svp", dispersion=False)
    geometries = Structures.build([[8, 1, 1]] * 2, [water, water * 1.005], ["first", "second"])
    cycles = batch.table(batch.compute(geometries, level)).set_index("geometry")["cycles"]
    assert cycles["second"] < cycles["first"]


def test_a_point_over_its_time_is_a_row_too(hydrogens):
    built = batch.compute(hydrogens[[0]], TOY, workers=1, timeout=0.001)
    (row,) = batch.table(built).itertuples()
    assert (row.geometry, row.status) == ("a", "failed")
    assert "time limit" in row.reason


def test_parts_are_gathered_whatever_failed_in_them(hydrogens, tmp_path):
    whole = batch.compute(hydrogens, TOY)
    parts = [batch.compute(hydrogens[k::5], TOY) for k in range(5)]  # the last one is empty
    for k, part in enumerate(parts):
        resumable.save(tmp_path / f"{k}.h5", part)
    joined = resumable.Built.concatenate([resumable.load(tmp_path / f"{k}.h5") for k in range(5)])
    assert batch.table(joined)["geometry"].tolist() == batch.table(whole)["geometry"].tolist()


def test_differences_are_against_the_same_inputs_reference():
    sources = pd.DataFrame(
        {
            "testset": ["t"] * 4,
            "id": ["x", "x", "y", "y"],
            "source": [sampling.REFERENCE, "JT", sampling.REFERENCE, "JT"],
            "geometry": ["xr", "xj", "yr", "xj"],
        }
    )
    energies = {"xr": -10.0, "xj": -9.9, "yr": np.nan}
    points = pd.DataFrame({"geometry": list(energies), "total_eV": list(energies.values())})
    joined = batch.energies_of(sources, points)
    np.testing.assert_allclose(joined["difference_kcal_mol"], [0, 0.1 * KCAL_MOL_PER_EV, np.nan, np.nan])
    with pytest.raises(ValueError, match="no single point of 'yr'"):
        batch.energies_of(sources, points[:2])
