"""SchNetPack's databases, checked with SchNetPack's own loader and writer."""

import ase.build
import ase.db
import numpy as np
import pytest
from hypothesis import given, settings
from schnetpack import properties
from schnetpack.data import ASEAtomsData
from schnetpack.data.loader import _atoms_collate_fn

from morered import formats
from morered.structures import Column, Structures
from structures_support import assert_same, names, random_structures, structures


@settings(deadline=None, max_examples=15)
@given(structures(column_names=names("abXY_09 =\"'é/.-"), per_atom_shapes=((), (3,), (1,), (3, 3))))
def test_round_trip_is_exact(tmp_path_factory: pytest.TempPathFactory, s: Structures) -> None:
    path = tmp_path_factory.getbasetemp() / "round.db"
    formats.write_schnetpack(path, s)
    reading = formats.read(path)
    assert reading.problems == []
    assert_same(reading.structures(), s)


def test_schnetpack_loads_what_we_write(tmp_path) -> None:
    s = random_structures(6, low=2)
    s = s.with_columns(
        {
            "dipole": Column(np.arange(18.0).reshape(6, 3), "e Å"),
            "note": Column(np.array([b"x"] * 6)),
            "steps": Column(np.arange(6)),
        }
    )
    formats.write_schnetpack(tmp_path / "x.db", s)
    data = ASEAtomsData(
        str(tmp_path / "x.db"), distance_unit="Bohr", property_units={"energy": "kcal/mol", "forces": "kcal/mol/Bohr"}
    )
    assert len(data) == 6
    assert set(data.available_properties) == {"energy", "forces", "dipole", "steps"}
    plain = ASEAtomsData(str(tmp_path / "x.db"))
    assert plain.units == {"energy": "eV", "forces": "eV/Ang", "dipole": "e Ang", "steps": "arb. unit"}
    batch = _atoms_collate_fn([plain[m] for m in range(6)])
    np.testing.assert_array_equal(batch[properties.Z], s.numbers)
    np.testing.assert_array_equal(batch[properties.R], s.positions)
    np.testing.assert_array_equal(batch[properties.n_atoms], s.sizes)
    np.testing.assert_array_equal(batch["energy"], s.column("energy"))
    np.testing.assert_array_equal(batch["forces"], s.column("forces"))
    np.testing.assert_array_equal(batch["dipole"], s.column("dipole"))
    first = data[0]
    # SchNetPack's constants are CODATA 2014's, ASE's default.
    np.testing.assert_allclose(first["energy"], s.column("energy")[:1] * 23.060548, rtol=1e-7)
    np.testing.assert_allclose(first[properties.R], s.molecule(0).positions / 0.529177210, rtol=1e-7)


@pytest.mark.parametrize(("unit", "length"), [("Ang", 1.0), ("Bohr", 0.5291772105638411)])
def test_we_load_what_schnetpack_writes(tmp_path, unit: str, length: float) -> None:
    molecules = [ase.build.molecule(name) for name in ("H2O", "CH4", "H2", "Be")]
    data = ASEAtomsData.create(
        str(tmp_path / "x.db"), distance_unit=unit, property_unit_dict={"energy": "kcal/mol", "forces": "kcal/mol/Ang", "q": None}
    )
    data.add_systems(
        [
            {"energy": np.array([m * 1.0]), "forces": np.full((len(a), 3), m), "q": np.ones((1, 3))}
            for m, a in enumerate(molecules)
        ],
        molecules,
        [{"name": f"mol-{m}", "set": "demo"} for m in range(4)],
    )
    reading = formats.read(tmp_path / "x.db")
    assert reading.problems == reading.notes == []
    s = reading.structures()
    assert s.names == ["mol-0", "mol-1", "mol-2", "mol-3"]
    np.testing.assert_allclose(s.positions, np.concatenate([a.positions for a in molecules]) * length, rtol=1e-15)
    assert {name: (c.unit, c.per_atom, c.values.shape) for name, c in s.columns.items()} == {
        "energy": ("kcal/mol", False, (4,)),
        "forces": ("kcal/mol/Å", True, (s.n_atoms, 3)),
        "q": ("", False, (4, 3)),
        "set": ("", False, (4,)),
    }


def test_a_database_that_schnetpack_trains_on(tmp_path) -> None:
    """Batches of the loader go through a SchNetPack model without further ado."""
    from schnetpack import transform as trn
    from schnetpack.atomistic import Atomwise, PairwiseDistances
    from schnetpack.model import NeuralNetworkPotential
    from schnetpack.nn import CosineCutoff, GaussianRBF
    from schnetpack.representation import SchNet

    formats.write_schnetpack(tmp_path / "x.db", random_structures(4, low=3))
    data = ASEAtomsData(str(tmp_path / "x.db"), transforms=[trn.MatScipyNeighborList(5.0), trn.CastTo32()])
    model = NeuralNetworkPotential(
        SchNet(8, 1, GaussianRBF(4, 5.0), CosineCutoff(5.0)),
        input_modules=[PairwiseDistances()],
        output_modules=[Atomwise(8, output_key="energy")],
    )
    model.initialize_transforms(data)
    assert model(_atoms_collate_fn([data[m] for m in range(4)]))["energy"].shape == (4,)


def test_plain_databases_of_ase(tmp_path) -> None:
    with ase.db.connect(tmp_path / "x.db") as database:
        for name in ("H2O", "CH4"):
            database.write(ase.build.molecule(name), label=name, energy_above=1.5, data={"v": [1.0, 2.0]})
    s = formats.read(tmp_path / "x.db").structures()
    assert s.names == ["x/1", "x/2"]
    assert s.column("label").tolist() == [b"H2O", b"CH4"]
    assert s.column("v").tolist() == [[1, 2]] * 2


def test_a_broken_molecule_does_not_stop_the_others(tmp_path) -> None:
    with ase.db.connect(tmp_path / "x.db") as database:
        for z in (0.74, np.nan, 0.0, 0.8):
            database.write(ase.Atoms("H2", [[0, 0, 0], [0, 0, z]]))
    reading = formats.read(tmp_path / "x.db")
    assert reading.problems == [
        f"{tmp_path / 'x.db'}, molecule 2 (x/2): the coordinates of atom 2 are not finite (0 0 nan)",
        f"{tmp_path / 'x.db'}, molecule 3 (x/3): it has no coordinates: all atoms are at one point",
    ]
    assert reading.structures().positions[:, 2].tolist() == [0, 0.74, 0, 0.8]


def test_databases_that_cannot_be_read(tmp_path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database" * 99)
    assert formats.read(path).problems[0].startswith(f"{path}: not a database that ASE can read")
    path.unlink()
    with ase.db.connect(path) as database:
        database.metadata = {"_distance_unit": "furlong", "_property_unit_dict": {}}
        database.write(ase.build.molecule("H2O"))
    assert formats.read(path).problems == [f"{path}: its unit of length is unknown: furlong"]
    formats.write_schnetpack(tmp_path / "y.db", random_structures(3)[:0])
    assert formats.read(tmp_path / "y.db").problems == [f"{tmp_path / 'y.db'}: holds no molecule"]


def test_writing_replaces_an_old_database_whole(tmp_path) -> None:
    path = tmp_path / "x.db"
    formats.write_schnetpack(path, random_structures(5))
    formats.write_schnetpack(path, random_structures(2))
    assert len(formats.read(path).structures()) == 2
    assert [p.name for p in tmp_path.iterdir()] == ["x.db"]
    with pytest.raises(ValueError, match=r"must be called something\.db"):
        formats.write_schnetpack(tmp_path / "x.ase", random_structures(2))
