"""From drawings to conformers: embedded, relaxed, freed of duplicates, ranked."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem import AllChem

import morered
from morered.cli import main
from morered.conformers import Preparation, distinct, isomers
from morered.datasets.smiles import parse


def positions(molecule):
    return [conformer.GetPositions() for conformer in molecule.GetConformers()]


def test_copies_are_found_whichever_equal_atoms_are_exchanged():
    molecule = Chem.AddHs(Chem.MolFromSmiles("CCCO"))
    AllChem.EmbedMolecule(molecule, randomSeed=3)
    (first,) = positions(molecule)
    turned = first[:, [1, 2, 0]] + 2.0
    swapped = turned.copy()
    methyl = [atom.GetIdx() for atom in molecule.GetAtomWithIdx(0).GetNeighbors() if atom.GetAtomicNum() == 1]
    swapped[methyl] = swapped[np.roll(methyl, 1)]
    other = first.copy()
    other[-1] = first[2] + 2 * (first[3] - first[2])  # the hydroxyl's hydrogen elsewhere: it counts
    assert distinct(molecule, [first, turned, other, swapped]) == [None, 0, None, 0]
    ring = Chem.AddHs(Chem.MolFromSmiles("c1ccncc1"))
    AllChem.EmbedMolecule(ring, randomSeed=1)
    (one,) = positions(ring)
    mirror = list(ring.GetSubstructMatches(Chem.MolFromSmarts("c1ccncc1"), uniquify=False))
    assert len(mirror) == 2
    flipped = one.copy()
    flipped[list(mirror[0])] = one[list(mirror[1])]
    assert distinct(ring, [one, flipped]) == [None, 0]


def test_stereochemistry_is_as_drawn_or_enumerated():
    drawn, notes = isomers(parse("C[C@H](N)O"), "a", Preparation())
    assert ([one.smiles for one in drawn], notes) == (["C[C@H](N)O"], [])
    taken, notes = isomers(parse("CC(N)O"), "a", Preparation())
    assert [one.name for one in taken] == ["a"]
    assert notes == [f"a: 2 stereoisomers fit its drawing; {taken[0].smiles} is taken, --enumerate-stereo takes all"]
    both, notes = isomers(parse("CC(N)O"), "a", Preparation(enumerate_stereo=True))
    assert ({one.smiles for one in both}, [one.name for one in both], notes) == (
        {"C[C@H](N)O", "C[C@@H](N)O"},
        ["a-1", "a-2"],
        [],
    )


def test_salts_charges_and_tautomers_are_kept_or_changed_as_told():
    salt = parse("CC(=O)[O-].[Na+]", ions=True, several=True)

    def smiles(**wishes):
        return isomers(salt, "a", Preparation(**wishes))[0][0].smiles

    assert smiles() == "CC(=O)[O-].[Na+]"
    assert smiles(desalt=True) == "CC(=O)[O-]"
    assert smiles(desalt=True, neutralize=True) == "CC(=O)O"
    enol = isomers(parse("C=C(C)O"), "a", Preparation(canonical_tautomer=True))[0][0]
    assert enol.smiles == "CC(C)=O"


def test_fragments_of_a_salt_do_not_lie_on_each_other():
    (molecule,) = morered.search_conformers("CC(=O)[O-].[NH4+]", 1, "mmff94", workers=1)
    distances = AllChem.Get3DDistanceMatrix(molecule)
    assert distances[np.triu_indices(len(distances), 1)].min() > 0.9


def test_butane_has_an_anti_and_two_gauche_conformers():
    (butane,) = morered.search_conformers("CCCC", 12, "mmff94", seed=1, workers=1)
    angles = [abs(AllChem.GetDihedralDeg(conformer, 0, 1, 2, 3)) for conformer in butane.GetConformers()]
    assert angles == pytest.approx([180, 65, 65], abs=3)
    energies = [conformer.GetDoubleProp("relative_energy") for conformer in butane.GetConformers()]
    assert energies == pytest.approx([0, 0.78, 0.78], abs=0.03)  # MMFF94's own, Halgren 1996
    assert [conformer.GetIntProp("rank") for conformer in butane.GetConformers()] == [1, 2, 3]


def test_the_command_writes_ranked_conformers_and_a_table_of_all(tmp_path: Path, capsys):
    with gzip.open(tmp_path / "in.smi.gz", "wt") as file:
        file.write("CCCO propanol\nC[C@H](N)O aminal\nC1CC broken\n[Na+].[Cl-] salt\n")
    out, table = tmp_path / "out.sdf", tmp_path / "t.csv"
    arguments = ["relax", str(tmp_path / "in.smi.gz"), "--conformers", "6", "--energy", "gfn2", "-o", str(out)]
    assert main([*arguments, "--table", str(table), "--workers", "1"]) == 1  # one is broken
    told = capsys.readouterr().err
    assert "in.smi.gz, molecule 3 (broken): 'C1CC' is no SMILES" in told
    assert "ranked by gfn2" in told
    assert "  salt: no conformer converged: refused, the model has never seen Na" in told
    molecules = list(Chem.SDMolSupplier(str(out), removeHs=False))
    names = [molecule.GetProp("molecule") for molecule in molecules]
    assert names == sorted(names, key=["propanol", "aminal"].index)
    for name, smiles in (("propanol", "CCCO"), ("aminal", "C[C@H](N)O")):
        mine = [molecule for molecule in molecules if molecule.GetProp("molecule") == name]
        assert len(mine) >= 2
        assert [int(molecule.GetProp("rank")) for molecule in mine] == list(range(1, len(mine) + 1))
        energies = [float(molecule.GetProp("relative_energy")) for molecule in mine]
        assert energies[0] == 0
        assert energies == sorted(energies)
        for molecule in mine:
            Chem.AssignStereochemistryFrom3D(molecule)
            assert Chem.MolToSmiles(Chem.RemoveHs(molecule)) == molecule.GetProp("smiles") == smiles
    lines = table.read_text().splitlines()
    assert lines[0].startswith("name,molecule,rank,relative_energy,ranking_energy,energy_method,duplicate_of,")
    assert len(lines) == 20  # of each conformer, and of what is broken
    assert lines[-1].startswith("broken,broken,0,")
    assert "is no SMILES" in lines[-1]
    copies = [line.split(",") for line in lines[1:] if line.split(",")[6]]
    assert all(copy[2] == "0" and copy[6].startswith(copy[1]) for copy in copies)


def test_conformers_of_a_file_keep_its_stereochemistry(tmp_path: Path):
    molecule = Chem.AddHs(Chem.MolFromSmiles("C[C@@H](O)F"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    Chem.MolToMolFile(molecule, str(tmp_path / "in.sdf"))
    out = tmp_path / "out.sdf"
    options = ["--conformers", "2", "--method", "mmff94", "--workers", "1", "-q"]
    assert main(["relax", str(tmp_path / "in.sdf"), "-o", str(out), *options]) == 0
    for found in Chem.SDMolSupplier(str(out), removeHs=False):
        Chem.AssignStereochemistryFrom3D(found)
        assert Chem.MolToSmiles(Chem.RemoveHs(found)) == "C[C@@H](O)F"
        assert found.GetProp("energy_method") == "mmff94"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--desalt"], "--desalt goes with --conformers N"),
        (["--conformers", "3", "--seeds", "2"], "--conformers does not go with --seeds"),
        (["--conformers", "3", "--same", "-1"], "--same must be positive"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, told, capsys):
    assert main(["relax", "-s", "CCO", "-o", "out.sdf", *options]) == 2
    assert told in capsys.readouterr().err


def test_a_wish_that_is_none_is_refused():
    with pytest.raises(ValueError, match="desalted: unknown; there are: desalt, neutralize"):
        morered.search_conformers("CCO", 1, desalted=True)


def test_ranks_without_energies_are_told(tmp_path: Path, capsys):
    out, table = tmp_path / "out.sdf", tmp_path / "t.csv"
    arguments = ["relax", "-s", "OB(O)CC", "--conformers", "2", "--method", "organic"]
    assert main([*arguments, "-o", str(out), "--table", str(table)]) == 0
    told = capsys.readouterr().err
    assert "OB(O)CC: mmff94 gives no energies of its conformers, so that their ranks say nothing" in told
    assert "in no order" in told
    assert "mmff94" not in table.read_text()


def test_an_interrupt_while_they_are_ranked_keeps_what_is_relaxed(tmp_path: Path, monkeypatch, capsys):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("morered.conformers._energies", stopped)
    out = tmp_path / "out.sdf"
    assert main(["relax", "-s", "CCO", "--conformers", "2", "--energy", "mmff94", "--method", "fast", "-o", str(out)]) == 1
    assert len(Chem.SDMolSupplier(str(out))) >= 1


def test_a_record_without_atoms_costs_the_others_nothing(tmp_path: Path):
    empty = "nothing\n\n\n  0  0  0  0  0  0            999 V2000\nM  END\n$$$$\n"
    mol = Chem.AddHs(Chem.MolFromSmiles("CCO"))
    AllChem.EmbedMolecule(mol, randomSeed=1)
    (tmp_path / "in.sdf").write_text(empty + "ethanol" + Chem.MolToMolBlock(mol) + "$$$$\n")
    arguments = ["relax", str(tmp_path / "in.sdf"), "--conformers", "1", "--method", "mmff94", "--workers", "1"]
    assert main([*arguments, "-o", str(tmp_path / "out.sdf"), "--table", str(tmp_path / "t.csv")]) == 1
    assert len(Chem.SDMolSupplier(str(tmp_path / "out.sdf"))) == 1
    assert "it has no atoms" in (tmp_path / "t.csv").read_text().splitlines()[-1]


@pytest.mark.parametrize("smiles", ["C1=C/CCCCCC/1", "C1[C@H]2C[C@@H]3C[C@H]1C[C@@H](C2)C3"])
def test_marks_at_atoms_that_are_no_centres_hinder_nothing(smiles: str):
    assert morered.search_conformers(smiles, 1, "mmff94", workers=1)[0].GetNumConformers() == 1
