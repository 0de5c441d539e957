"""Ions, stale values and data fields through `morered relax` and `morered energy`, as a person meets them."""

import io

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from tblite.ase import TBLite

from morered import relax as relax_atoms
from morered.cli import main

ETHANOL = molecule("CH3CH2OH")


@pytest.fixture
def ammonium(tmp_path):
    """An ammonium ion with M  CHG, away from its minimum."""
    block = Chem.MolToMolBlock(_embedded("[NH4+]", 0.1))
    (tmp_path / "nh4.sdf").write_text(block + "$$$$\n")
    return tmp_path / "nh4.sdf"


def _embedded(smiles, noise):
    from rdkit.Chem import AllChem

    found = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(found, randomSeed=1)
    conformer = found.GetConformer()
    moved = conformer.GetPositions() + noise * np.random.default_rng(0).normal(size=(found.GetNumAtoms(), 3))
    for i, point in enumerate(moved.tolist()):
        conformer.SetAtomPosition(i, point)
    return found


def relax(*arguments):
    return main(["relax", *map(str, arguments), "-q"])


def minimum(numbers, positions, charge):
    """The GFN2 energy of a structure by tblite's own calculator."""
    atoms = Atoms(numbers, positions, calculator=TBLite(method="GFN2-xTB", charge=charge, accuracy=0.1, verbosity=0))
    return atoms.get_potential_energy(), np.abs(atoms.get_forces()).max()


def test_an_ion_of_an_sdf_is_relaxed_as_an_ion_and_written_as_one(ammonium, tmp_path):
    out = tmp_path / "out.sdf"
    assert relax(ammonium, "-o", out, "--method", "gfn2", "--workers", 1) == 0
    (found,) = Chem.SDMolSupplier(str(out), removeHs=False)
    assert Chem.GetFormalCharge(found) == 1
    positions = found.GetConformer().GetPositions()
    bonds = np.linalg.norm(positions[1:] - positions[0], axis=1)
    assert np.ptp(bonds) < 2e-3
    assert bonds.max() < 1.1
    energy, force = minimum([7, 1, 1, 1, 1], positions, 1)
    assert float(found.GetProp("energy")) == pytest.approx(energy, abs=1e-4)
    assert force < 0.01
    assert found.GetProp("charge") == "1"


def test_energy_and_forces_of_the_method_stand_in_every_format(ammonium, tmp_path):
    relax(ammonium, "-o", tmp_path / "out.xyz", "--method", "gfn2", "--workers", 1, "--steps", 2)
    relax(ammonium, "-o", tmp_path / "out.db", "--method", "gfn2", "--workers", 1, "--steps", 2)
    atoms = ase.io.read(tmp_path / "out.xyz")
    expected, _ = minimum(atoms.numbers, atoms.positions, 1)
    assert atoms.info["charge"] == 1
    assert atoms.get_potential_energy() == pytest.approx(expected, abs=1e-5)
    reference = Atoms(atoms.numbers, atoms.positions, calculator=TBLite(method="GFN2-xTB", charge=1, accuracy=0.1, verbosity=0))
    np.testing.assert_allclose(atoms.get_forces(), reference.get_forces(), atol=1e-4)
    from morered import formats

    stored = formats.read(tmp_path / "out.db").structures()
    assert stored.column("energy")[0] == pytest.approx(expected, abs=1e-4)
    np.testing.assert_allclose(stored.column("forces"), reference.get_forces(), atol=1e-3)


@pytest.mark.parametrize("method", ["fast", "mmff94-openbabel"])
def test_what_knows_neutral_molecules_only_says_so_and_names_the_way_out(ammonium, tmp_path, capsys, method):
    table = tmp_path / "t.csv"
    assert relax(ammonium, "-o", tmp_path / "o.sdf", "--method", method, "--workers", 1, "--table", table) == 1
    (row,) = pd.read_csv(table).itertuples()
    assert row.verdict == "refused"
    assert "it is an ion, charge +1" in row.reason
    assert "--finish gfn2" in row.reason
    assert relax(ammonium, "-o", tmp_path / "o.sdf", "--method", method, "--finish", "gfn2", "--workers", 1) == 0


def test_the_command_line_says_what_a_file_does_not(tmp_path, capsys):
    molecules = [Atoms("OH", [[0, 0, 0], [0, 0, 0.9]], info={"name": "hydroxide"}), molecule("H2O")]
    molecules[1].info |= {"name": "water", "charge": 0}
    ase.io.write(tmp_path / "in.xyz", molecules, format="extxyz")
    table = tmp_path / "t.csv"
    code = relax(tmp_path / "in.xyz", "-o", tmp_path / "o.xyz", "--method", "so3lr", "--charge", -1, "--table", table)
    verdicts = pd.read_csv(table).set_index("name")
    assert code == 1
    assert verdicts.verdict.to_dict() == {"hydroxide": "converged", "water": "refused"}
    assert "its source says charge +0, --charge says -1" in verdicts.reason["water"]
    assert ase.io.read(tmp_path / "o.xyz", 0).info["charge"] == -1
    capsys.readouterr()
    arguments = ["--basis", "sto-3g", "--grid", "0", "--no-mbd", "--workers", "1"]
    assert main(["energy", "-s", "[OH-]", "-s", "[OH]", *arguments]) == 0
    ion, radical = pd.read_csv(io.StringIO(capsys.readouterr().out)).energy_eV
    assert ion != pytest.approx(radical, abs=0.1)
    assert main(["energy", "-s", "[OH-]", "--charge", "0", *arguments]) == 1
    assert "says charge -1, --charge says +0" in capsys.readouterr().out


def test_nothing_of_the_old_geometry_stands_on_a_moved_one(tmp_path):
    atoms = ETHANOL.copy()
    atoms.positions += 0.1 * np.random.default_rng(1).normal(size=atoms.positions.shape)
    ion = atoms.copy()
    ion.info |= {"name": "ion", "charge": 1}
    atoms.info["name"] = "neutral"
    for one in (atoms, ion):
        one.info |= {"REF_energy": -7.5, "config_type": "md", "dipole": np.array([1.0, 2.0, 3.0])}
        one.arrays |= {"dft_forces": np.full((9, 3), 7.5), "mulliken_charges": np.full(9, 7.5), "tag": np.arange(9)}
    ase.io.write(tmp_path / "in.xyz", [atoms, ion], format="extxyz")
    for ending in ("xyz", "sdf", "db"):
        relax(tmp_path / "in.xyz", "-o", tmp_path / f"o.{ending}")
    from morered import formats

    for ending in ("xyz", "sdf", "db"):
        neutral, kept = formats.to_ase(formats.read(tmp_path / f"o.{ending}").structures())
        assert neutral.info["verdict"] == "converged"
        assert kept.info["verdict"] == "refused"
        assert not any(np.any(neutral.info.get(name, np.nan) == neutral.info.get(name, 0)) for name in ("REF_energy", "dipole"))
        for name in ("dft_forces", "mulliken_charges"):
            assert name not in neutral.arrays or np.isnan(neutral.arrays[name]).all()
            assert (kept.arrays[name] == 7.5).all()
        assert kept.info["REF_energy"] == -7.5
        assert neutral.info["config_type"] == "md"
        assert neutral.arrays["tag"].tolist() == list(range(9))
    text = (tmp_path / "o.xyz").read_text().split("name=ion")[0]
    assert "7.5" not in text


def test_data_fields_of_an_sdf_come_out_as_they_went_in(tmp_path):
    fields = {"ID": "000123", "code": "1E5", "v": "1.10", "yes": "True", "big": "9" * 23, "empty": "", "lines": "a b\n c"}
    with Chem.SDWriter(str(tmp_path / "in.sdf")) as writer:
        for k, given in enumerate((fields, {"CID": "2244", "x": "1 2"}, {"x": "[[1"})):
            found = _embedded("CO", 0.05)
            found.SetProp("_Name", f"m{k}")
            for name, value in given.items():
                found.SetProp(name, value)
            writer.write(found)
    relax(tmp_path / "in.sdf", "-o", tmp_path / "out.sdf")
    found = list(Chem.SDMolSupplier(str(tmp_path / "out.sdf"), removeHs=False))
    assert {name: found[0].GetProp(name) for name in fields} == fields
    assert (found[1].GetProp("CID"), found[1].GetProp("x"), found[2].GetProp("x")) == ("2244", "1 2", "[[1")
    assert not found[1].HasProp("ID")
    assert not found[0].HasProp("CID")
    assert "nan" not in {found[1].GetProp(name) for name in found[1].GetPropNames() if name in fields}
    relax(tmp_path / "out.sdf", "-o", tmp_path / "again.sdf")
    again = next(iter(Chem.SDMolSupplier(str(tmp_path / "again.sdf"), removeHs=False)))
    assert {name: again.GetProp(name) for name in fields} == fields


def test_python_takes_charges_and_gives_results(tmp_path):
    ion = Atoms("NH4", [[0, 0, 0], [0.6, 0.6, 0.6], [-0.6, -0.6, 0.6], [-0.6, 0.6, -0.6], [0.6, -0.6, -0.7]])
    ion.info |= {"energy": 5.0, "tag": "kept"}
    ion.arrays["forces"] = np.ones((5, 3))
    relaxed = relax_atoms(ion, "gfn2", charge=1, workers=1)
    assert relaxed.info["verdict"] == "converged"
    assert relaxed.info["charge"] == 1
    assert "energy" not in relaxed.info
    assert "forces" not in relaxed.arrays
    assert relaxed.info["tag"] == "kept"
    energy, force = minimum(relaxed.numbers, relaxed.positions, 1)
    assert relaxed.get_potential_energy() == pytest.approx(energy, abs=1e-6)
    assert np.abs(relaxed.get_forces()).max() < 1e-3
    assert force < 1e-3
    odd, good = ETHANOL.copy(), ETHANOL.copy()
    odd.info["charge"] = "much"
    verdicts = relax_atoms([odd, good, ion], "fast", charge=None)
    assert [atoms.info["verdict"] for atoms in verdicts] == ["refused", "converged", "refused"]
    assert "its charge is not a whole number: 'much'" in verdicts[0].info["reason"]
    assert "11 electrons" in verdicts[2].info["reason"]
    assert verdicts[2].info["energy"] == 5.0
    np.testing.assert_array_equal(verdicts[0].positions, odd.positions)
