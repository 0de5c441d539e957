"""What `morered relax` streams, what it does not, and what it says of a library."""

import gzip

import pandas as pd
import pytest

from morered import formats
from morered.cli import main

LINES = "CCO ethanol\nC1CC broken\nCC(C)C isobutane\nCCO ethanol\n"


@pytest.fixture
def few(repository, tmp_path, monkeypatch):
    """The arguments of a quick relaxation; the folder holds a library."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib.smi.gz").write_bytes(gzip.compress(LINES.encode()))
    weights = str(repository / "tests/data/model-v1-morered-jt.safetensors")
    return ["relax", "--method", "jt", "--weights", weights, "--steps", "2"]


def test_a_list_of_smiles_is_streamed_and_summed_up(few, tmp_path, capsys):
    assert main([*few, "lib.smi.gz", "-o", "out.sdf.gz", "--table", "t.csv"]) == 1
    said = capsys.readouterr().err
    assert "morered relax: lib.smi.gz, molecule 2 (broken): 'C1CC' is no SMILES" in said
    assert "4 molecules: " in said
    assert "1 refused" in said
    assert "a second)" in said
    table = pd.read_csv("t.csv")
    assert table.name.to_list() == ["ethanol", "broken", "isobutane", "ethanol#2"]
    assert "seconds" not in table
    molecules = formats.read("out.sdf.gz").records
    assert [record.name for record in molecules] == ["ethanol", "isobutane", "ethanol#2"]
    assert molecules[0].info["smiles"] == "CCO"
    assert not (tmp_path / "out.sdf.gz.progress").exists()


@pytest.mark.parametrize("output", [["-o", "out.h5"], ["-o", "out.sdf", "--html", "page.html"]])
def test_what_needs_all_molecules_takes_a_list_of_smiles_as_well(few, tmp_path, output, capsys):
    assert main([*few, "lib.smi.gz", *output, "--table", "t.csv"]) == 1
    assert pd.read_csv("t.csv").name.to_list() == ["ethanol", "broken", "isobutane", "ethanol#2"]
    assert "seconds" in pd.read_csv("t.csv")
    assert len(formats.read(output[1]).records) == 3
    capsys.readouterr()
    assert main([*few, "lib.smi.gz", *output, "--resume"]) == 2
    assert "--resume needs an output that grows" in capsys.readouterr().err


def test_a_few_molecules_are_not_streamed_but_where_asked(few, capsys):
    main([*few, "lib.smi.gz", "-o", "in.xyz", "-q"])
    main([*few, "in.xyz", "-o", "plain.xyz", "--table", "plain.csv", "-q"])
    main([*few, "in.xyz", "-o", "resumed.xyz", "--table", "resumed.csv", "--resume", "-q"])
    plain, resumed = pd.read_csv("plain.csv"), pd.read_csv("resumed.csv")
    pd.testing.assert_frame_equal(plain.drop(columns="seconds"), resumed)
    capsys.readouterr()
    assert main([*few, "in.xyz", "-o", "resumed.xyz", "--resume", "-q"]) == 2
    assert "holds no unfinished run: it is complete" in capsys.readouterr().err
    assert main([*few, "in.xyz", "--resume", "-q"]) == 2
    assert "--resume needs an output file" in capsys.readouterr().err


def test_large_inputs_are_streamed(few, monkeypatch):
    main([*few, "lib.smi.gz", "-o", "in.xyz", "-q"])
    monkeypatch.setattr("morered.commands.library.LARGE", 100)
    main([*few, "in.xyz", "-o", "out.xyz", "--table", "t.csv", "-q"])
    assert "seconds" not in pd.read_csv("t.csv")


def test_a_library_goes_to_a_pipe(few, capfdbinary):
    main([*few, "lib.smi.gz", "-q"])
    assert capfdbinary.readouterr().out.count(b"name=") == 3
