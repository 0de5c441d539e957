"""`morered relax` as a person uses it, with a small model trained for nothing but this."""

import gzip
import io
import sys

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import molecule
from rdkit import Chem
from rdkit.Chem import rdDepictor

from morered.checks.table import CHECKS
from morered.cli import main
from morered.models import shipped
from morered.models import weights as weights_files
from morered.models.networks import build
from morered.models.weights import WeightsHeader
from morered.settings.networks import ModelConfig


@pytest.fixture(scope="module")
def weights(repository):
    """A tiny stored model: its results are no good, but they are results."""
    return str(repository / "tests/data/model-v1-morered-jt.safetensors")


@pytest.fixture
def inputs(tmp_path):
    rng = np.random.default_rng(0)
    frames = []
    for name in ("CH3CH2OH", "C6H6", "H2CO"):
        atoms = molecule(name)
        atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape)
        atoms.info["name"] = name
        frames.append(atoms)
    path = tmp_path / "in.xyz"
    ase.io.write(path, frames, format="extxyz")
    return path


def relax(*arguments):
    return main(["relax", *map(str, arguments)])


#: What is wrong with a molecule -> (its lines in the file, what the message must say).
BROKEN = {
    "cut off": ("9\nname=cut\nO 0 0 0\nH 0 0 1\n", ["cut", "2 follow"]),
    "nan": ("3\nname=nan\nO 0 0 0\nH 0 0 nan\nH 0 1 0\n", ["nan", "atom 2", "not finite"]),
    "symbol": ("2\nname=symbol\nXy 0 0 0\nH 0 0 1\n", ["symbol", "Xy"]),
    "coinciding": ("3\nname=twice\nO 0 0 0\nH 0 0 1\nH 0 0 1\n", ["twice", "atoms 2 and 3 coincide"]),
    "one atom": ("1\nname=alone\nC 0 0 0\n", ["alone", "one atom"]),
    "element": ("2\nname=gold\nAu 0 0 0\nH 0 0 1.5\n", ["gold", "Au"]),
}


def test_molecules_come_back_in_order_in_their_pose_with_a_verdict(inputs, tmp_path, weights):
    out, table = tmp_path / "out.xyz", tmp_path / "t.csv"
    code = relax(inputs, "-o", out, "--weights", weights, "--steps", 3, "--table", table, "-q")
    relaxed = ase.io.read(out, ":")
    assert [atoms.info["name"] for atoms in relaxed] == ["CH3CH2OH", "C6H6", "H2CO"]
    assert list(pd.read_csv(table).name) == ["CH3CH2OH", "C6H6", "H2CO"]
    assert {atoms.info["verdict"] for atoms in relaxed} <= {"converged", "step-cap", "failed"}
    assert code == int(any(atoms.info["verdict"] != "converged" for atoms in relaxed))


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_molecule_is_named_and_changes_nothing_for_the_others(inputs, tmp_path, weights, capsys, fault):
    lines, words = BROKEN[fault]
    alone, mixed, table = tmp_path / "alone.xyz", tmp_path / "mixed.xyz", tmp_path / "t.csv"
    relax(inputs, "-o", alone, "--weights", weights, "--steps", 3)
    text = inputs.read_text()
    first = text.index("12\n")  # between ethanol and benzene
    (tmp_path / "in2.xyz").write_text(text[:first] + lines + text[first:])
    capsys.readouterr()
    assert relax(tmp_path / "in2.xyz", "-o", mixed, "--weights", weights, "--steps", 3, "--table", table) == 1
    said = capsys.readouterr().err
    for word in ["in2.xyz" if fault not in ("one atom", "element") else "refused", *words]:
        assert word in said
    verdicts = pd.read_csv(table).set_index("name")
    assert len(verdicts) == 4
    (broken,) = set(verdicts.index) - {"CH3CH2OH", "C6H6", "H2CO"}
    assert verdicts.verdict[broken] == "refused"
    others = {atoms.info["name"]: atoms.positions for atoms in ase.io.read(mixed, ":")}
    for atoms in ase.io.read(alone, ":"):
        np.testing.assert_allclose(others[atoms.info["name"]], atoms.positions, atol=1e-5)


def test_an_empty_or_missing_file_is_named(tmp_path, weights, capsys):
    (tmp_path / "empty.xyz").write_text("")
    for path, word in ((tmp_path / "empty.xyz", "empty"), (tmp_path / "nowhere.xyz", "no such file")):
        assert relax(path, "-o", tmp_path / "out.xyz", "--weights", weights) == 1
        said = capsys.readouterr().err
        assert path.name in said
        assert word in said.lower()


def test_a_pipe_in_and_out(inputs, weights, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(inputs.read_bytes())))
    relax("-", "--weights", weights, "--steps", 2, "-q")
    frames = ase.io.read(io.StringIO(capsys.readouterr().out), ":", format="extxyz")
    assert len(frames) == 3


def test_smiles_become_molecules_and_a_malformed_one_is_named(tmp_path, weights, capsys):
    out = tmp_path / "out.sdf"
    assert relax("-s", "CCO", "-s", "C1CC", "-o", out, "--weights", weights, "--steps", 2) == 1
    assert "C1CC" in capsys.readouterr().err
    assert len(ase.io.read(out, ":")) == 1


def test_a_physical_method_and_a_finish(inputs, tmp_path, weights):
    out, table = tmp_path / "out.xyz", tmp_path / "t.csv"
    assert relax(inputs, "-o", out, "--method", "mmff94", "--workers", 1, "-q") in (0, 1)
    relax(inputs, "-o", out, "--weights", weights, "--steps", 2, "--finish", "gfn2", "--workers", 1, "--table", table, "-q")
    finished = pd.read_csv(table)
    assert (finished.last_fmax < 1e-3).all()
    assert (finished.verdict == "converged").all()
    assert (finished.steps > 2).all()


def test_all_steps_are_written_where_asked_for(inputs, tmp_path, weights):
    trajectory, table = tmp_path / "steps.xyz", tmp_path / "t.csv"
    # a method without further starts, whose steps are counted as well
    options = ("--method", "jt", "--weights", weights, "--steps", 4, "-q")
    relax(inputs, "-o", tmp_path / "out.xyz", *options, "--trajectory", trajectory, "--table", table)
    assert len(ase.io.read(trajectory, ":")) == pd.read_csv(table).steps.sum()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "INPUT"),
        (["in.xyz", "--weights", "missing.safetensors"], "missing.safetensors"),
        (["in.xyz", "-o", "no/such/folder/out.xyz"], "no folder"),
        (["in.xyz", "--method", "gfn2", "--weights", "x"], "no weights"),
        (["in.xyz", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence_and_ends_in_2(inputs, monkeypatch, capsys, arguments, word):
    monkeypatch.chdir(inputs.parent)
    assert relax(*arguments) == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(("method", "parts"), [("as", ["noise", "time"]), ("itp", ["noise", "time"]), ("mlff", ["mlff"])])
def test_methods_work_as_soon_as_their_weights_ship(inputs, tmp_path, monkeypatch, capsys, method, parts):
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setattr(shipped, "folder", lambda: folder)
    assert relax(inputs, "-o", tmp_path / "out.xyz", "--method", method) == 2
    said = capsys.readouterr().err
    assert all(f"morered-{part}" in said for part in parts)
    assert "--weights" in said
    for part in parts:
        network = build(ModelConfig(kind=part, features=16, interactions=1))
        network.elements = frozenset({1, 6, 8})
        weights_files.save(folder / f"morered-{part}.safetensors", network, WeightsHeader(elements=(1, 6, 8), sizes=(4, 12)))
    assert relax(inputs, "-o", tmp_path / "out.xyz", "--method", method, "--steps", 2, "-q") in (0, 1)
    relaxed = ase.io.read(tmp_path / "out.xyz", ":")
    assert {atoms.info["verdict"] for atoms in relaxed} <= {"converged", "changed", "step-cap", "failed"}  # of untrained networks
    assert all(atoms.info["steps"] in (1, 2) for atoms in relaxed)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["relax", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for word in ("examples:", "--finish", "methods:", "exit code", "checks: each is a column", *CHECKS):
        assert word in said


def test_info_prints_what_a_weights_file_is(weights, capsys):
    assert main(["info", weights]) == 0
    said = capsys.readouterr().out
    assert "morered-jt" in said
    assert main(["info", "nothing.safetensors"]) == 1
    assert "nothing.safetensors" in capsys.readouterr().err


def test_atoms_outside_the_training_data_are_refused_by_element(tmp_path, weights):
    ase.io.write(tmp_path / "in.xyz", [Atoms("AuH", [[0, 0, 0], [0, 0, 1.5]])], format="extxyz")
    table = tmp_path / "t.csv"
    assert relax(tmp_path / "in.xyz", "-o", tmp_path / "out.xyz", "--weights", weights, "--table", table, "-q") == 1
    assert "Au" in pd.read_csv(table).reason[0]


def test_a_compressed_input_has_a_limit(tmp_path, weights, capsys):
    path = tmp_path / "in.xyz.gz"
    path.write_bytes(gzip.compress(b"3\nwater\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n" * 1000))
    options = ("-o", tmp_path / "out.xyz", "--weights", weights, "--steps", 1, "-q")
    assert relax(path, *options, "--max-unpacked", "1e-5") == 1
    assert "unpacks to more than 1e-05 GB" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        relax(path, *options, "--max-unpacked", "-1")


def test_a_name_is_no_formula_in_the_table(tmp_path, weights):
    atoms = molecule("CH3CH2OH")
    atoms.info["name"] = "=1+1"
    ase.io.write(tmp_path / "in.xyz", atoms, format="extxyz")
    relax(
        tmp_path / "in.xyz", "-o", tmp_path / "out.xyz", "--weights", weights, "--steps", 1, "--table", tmp_path / "t.csv", "-q"
    )
    assert (tmp_path / "t.csv").read_text().splitlines()[1].startswith("'=1+1,")


def test_a_molecule_that_became_another_one_is_changed_and_written_with_its_new_bonds(tmp_path, capsys):
    """The network of QM7 makes a nitrile of methyl isocyanide; the default then takes the other one."""
    out, table = tmp_path / "out.sdf", tmp_path / "t.csv"
    assert relax("-s", "C[N+]#[C-]", "-o", out, "-q") == 0
    code = relax("-s", "C[N+]#[C-]", "-s", "CCO", "-o", out, "--table", table, "--method", "fast")
    said = capsys.readouterr().err
    verdicts = pd.read_csv(table).set_index("name")
    for name in CHECKS:
        assert set(verdicts[name]) <= {-1, 0, 1}
    assert code == 1
    assert verdicts.verdict.to_dict() == {"C[N+]#[C-]": "changed", "CCO": "converged"}
    assert "1 changed" in said
    assert "it is another molecule" in said
    for made in Chem.SDMolSupplier(str(out), removeHs=False):
        points = made.GetConformer().GetPositions()
        for bond in made.GetBonds():
            assert np.linalg.norm(points[bond.GetBeginAtomIdx()] - points[bond.GetEndAtomIdx()]) < 1.7


def test_inputs_that_are_no_molecules_are_refused_with_the_way_out(tmp_path, weights, capsys):
    drawn = Chem.AddHs(Chem.MolFromSmiles("CC(N)=O"))
    rdDepictor.Compute2DCoords(drawn)
    (tmp_path / "flat.sdf").write_text(Chem.MolToMolBlock(drawn) + "$$$$\n")
    flat = Atoms([a.GetSymbol() for a in drawn.GetAtoms()], drawn.GetConformer().GetPositions())
    ase.io.write(tmp_path / "flat.xyz", flat, format="extxyz")
    benzene = molecule("C6H6")
    ase.io.write(tmp_path / "bare.xyz", benzene[benzene.numbers > 1], format="extxyz")
    for name, word in (("flat.sdf", "a flat drawing"), ("flat.xyz", "a flat drawing"), ("bare.xyz", "hydrogens are missing")):
        assert relax(tmp_path / name, "-o", tmp_path / "out.xyz", "--weights", weights) == 1
        said = capsys.readouterr().err
        assert "refused" in said
        assert word in said
        assert "-s" in said


def test_options_may_stand_between_inputs(tmp_path, inputs, weights):
    out = tmp_path / "out.xyz"
    relax(inputs, "-o", out, inputs, "--weights", weights, "--steps", 2)
    assert len(ase.io.read(out, ":")) == 6


def test_an_input_may_begin_with_a_dash(tmp_path, inputs, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-in.xyz").write_bytes(inputs.read_bytes())
    relax("-o", "out.xyz", "--weights", weights, "--steps", 2, "--", "-in.xyz")
    assert len(ase.io.read("out.xyz", ":")) == 3
    relax("-in.xyz".replace("-in", "./-in"), "-o", "both.xyz", "--weights", weights, "--steps", 2, "--", "-in.xyz")
    assert len(ase.io.read("both.xyz", ":")) == 6


@pytest.mark.parametrize("ending", ["smi", "smiles"])
def test_a_list_of_smiles_may_come_through_a_pipe_and_be_compressed(tmp_path, weights, monkeypatch, ending):
    for k, content in enumerate((b"CCO ethanol\nC methane\n", gzip.compress(b"CCO ethanol\nC methane\n"))):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        out = tmp_path / f"{k}.sdf"
        relax("-", "--format", ending, "-o", out, "--weights", weights, "--steps", 2, "--workers", 1)
        assert [m.GetProp("_Name") for m in Chem.SDMolSupplier(str(out))] == ["ethanol", "methane"]


def test_a_refused_drawing_comes_out_as_it_went_in(tmp_path, weights):
    smiles = ["C[C@H](N)C(=O)O", "O=[N+]([O-])c1ccccc1", "F/C=C/C#N", "CC(=O)[O-].[Na+]"]
    with Chem.SDWriter(str(tmp_path / "in.sdf")) as writer:
        for one in map(Chem.MolFromSmiles, smiles):
            rdDepictor.Compute2DCoords(one)
            writer.write(one)
    assert relax(tmp_path / "in.sdf", "-o", tmp_path / "out.sdf", "--weights", weights) == 1
    made = list(Chem.SDMolSupplier(str(tmp_path / "out.sdf")))
    assert [Chem.MolToSmiles(one) for one in made] == [Chem.CanonSmiles(one) for one in smiles]
    assert not any(one.GetConformer().Is3D() for one in made)


def test_a_salt_is_told_what_takes_it(tmp_path, capsys):
    assert relax("-s", "[Na+].CC(=O)[O-]", "-o", tmp_path / "out.sdf") == 1
    assert "is 2 molecules; morered relax --conformers 1 takes it" in capsys.readouterr().err
