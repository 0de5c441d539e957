"""`morered generate` as a person uses it, with a small model trained for nothing but this, and with the shipped one."""

import ase.io
import pandas as pd
import pytest
from rdkit import Chem

from morered.cli import main


@pytest.fixture(scope="module")
def weights(repository):
    """A tiny stored model: what it makes is no good, but it makes something."""
    return str(repository / "tests/data/model-v1-morered-jt.safetensors")


def generate(*arguments):
    return main(["generate", *map(str, arguments)])


def test_each_molecule_has_a_verdict_and_is_looked_at(tmp_path, weights):
    out, table = tmp_path / "out.sdf", tmp_path / "t.csv"
    code = generate("CH4", "H2O", "-n", 3, "-o", out, "--weights", weights, "--steps", 4, "--table", table, "-q")
    told = pd.read_csv(table, keep_default_na=False)
    assert told["id"].tolist() == [f"{formula}/000{k}" for formula in ("CH4", "H2O") for k in (1, 2, 3)]
    assert code == int((told["verdict"] != "converged").any())
    written = list(Chem.SDMolSupplier(str(out), sanitize=False, removeHs=False))
    kept = told[~told["verdict"].isin(["failed", "refused"])]
    assert [molecule.GetProp("_Name") for molecule in written] == kept["id"].tolist()
    for molecule, (_, row) in zip(written, kept.iterrows(), strict=True):
        assert molecule.GetNumAtoms() == row["n_atoms"]
        assert molecule.GetProp("verdict") == row["verdict"]
        assert int(molecule.GetProp("valid")) == row["valid"]
        assert molecule.GetProp("problem") == (row["problem"] or "none")
        assert molecule.GetProp("smiles") == (row["smiles"] or "-")


def test_the_shipped_model_makes_valid_molecules_of_a_composition(tmp_path, capsys):
    out = tmp_path / "out.sdf"
    assert generate("CH4O", "-n", 3, "-o", out, "--method", "ddpm") in (0, 1)
    assert "valid" in capsys.readouterr().err
    molecules = list(Chem.SDMolSupplier(str(out), removeHs=False))
    assert molecules
    assert "CO" in [molecule.GetProp("smiles") for molecule in molecules if molecule is not None]  # there is no other one


def test_the_seed_decides(tmp_path, weights):
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        path = tmp_path / f"{name}.xyz"
        generate("H2O", "-n", 2, "-o", path, "--weights", weights, "--steps", 3, "--seed", seed, "-q")
        made[name] = [atoms.positions for atoms in ase.io.read(path, ":")]
    assert (made["a"][0] == made["b"][0]).all()
    assert not (made["a"][0] == made["a"][1]).all()
    assert not (made["a"][0] == made["c"][0]).all()


def test_valid_ones_only_and_once(tmp_path, monkeypatch):
    from morered.generation import examine

    whole = examine.examine

    def told(structures, **options):
        return whole(structures, **options).assign(valid=[1, 1, 0, 1], smiles=["O", "O", "", "OO"], verdict="converged")

    monkeypatch.setattr(examine, "examine", told)
    out = tmp_path / "out.xyz"
    weights = "morered-jt"
    generate("H2O", "-n", 4, "-o", out, "--weights", weights, "--steps", 1, "--valid", "-q")
    assert [atoms.info["name"] for atoms in ase.io.read(out, ":")] == ["H2O/0001", "H2O/0004"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["C7Hx"], "no element 'Hx'"),
        (["C"], "at least two atoms"),
        (["c6h6"], "begins no element"),
        (["AuH"], "the model has never seen Au; it knows H, C"),
        (["CH4", "H4C"], "given twice"),
        (["CH4", "--weights", "missing.safetensors"], "missing.safetensors"),
        (["CH4", "-o", "no/such/folder/out.sdf"], "no folder"),
        (["CH4", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence_and_ends_in_2(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert generate(*arguments) == 2
    assert words in capsys.readouterr().err


def test_a_model_without_noise_is_refused(repository, capsys):
    weights = repository / "tests/data/model-v1-mlff.safetensors"
    assert generate("CH4", "--weights", weights, "-n", 1) == 2
    assert "noise" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["generate", "--help"])
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    for word in ("examples:", "-n 100", "methods:", "Exit code", "ddpm"):
        assert word in said
