"""Outputs that cannot be written are refused before the work; where one fails after it, the results are elsewhere."""

import os
import re

import ase.io
import pytest
from ase.build import molecule

from morered import files, formats
from morered.cli import main
from morered.commands import outputs


@pytest.fixture
def alcohol(tmp_path):
    path = tmp_path / "in.xyz"
    ase.io.write(path, molecule("CH3CH2OH"), format="extxyz")
    return path


def relax(*arguments):
    return main(["relax", *map(str, arguments), "-q"])


@pytest.mark.parametrize("option", ["-o", "--table", "--trajectory", "--html"])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no/such/x.xyz", "there is no folder"),
        ("folder", "is a folder"),
        ("n" * 256 + ".xyz", "cannot be written: file name too long"),
    ],
)
def test_outputs_are_tried_before_the_work(alcohol, tmp_path, monkeypatch, capsys, option, name, words):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("morered.inputs.gather", lambda *_: pytest.fail("the work has begun"))
    before = sorted(os.listdir(tmp_path))
    assert relax(alcohol, option, name) == 2
    assert words in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("option", ["-o", "--trajectory"])
def test_the_format_of_molecules_is_known_before_the_work(alcohol, tmp_path, monkeypatch, capsys, option):
    monkeypatch.setattr("morered.inputs.gather", lambda *_: pytest.fail("the work has begun"))
    for ending in ("pdb", "txt", "smi", ""):
        assert relax(alcohol, option, tmp_path / f"x.{ending}") == 2
        assert "cannot be written; known are .xyz" in capsys.readouterr().err


def test_two_outputs_of_one_name_are_refused(alcohol, tmp_path, capsys):
    assert relax(alcohol, "-o", tmp_path / "x.xyz", "--table", tmp_path / "." / "x.xyz") == 2
    assert "two outputs have this name" in capsys.readouterr().err
    assert relax(alcohol, "-o", os.devnull, "--trajectory", tmp_path / "x.xyz", "--table", os.devnull) in (0, 1, 2)


def test_a_folder_that_lets_nobody_write(tmp_path, monkeypatch):
    def denied(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert files.unwritable(tmp_path / "x.xyz") == f"{tmp_path / 'x.xyz'}: cannot be written: permission denied"


def test_a_long_name_is_written(alcohol, tmp_path):
    out = tmp_path / ("n" * 246 + ".xyz")
    assert relax(alcohol, "-o", out) == 0
    assert len(ase.io.read(out, ":")) == 1


def test_results_of_a_full_disk_are_elsewhere_and_the_others_are_written(alcohol, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    real = formats.write

    def full(path, *arguments, **options):
        if str(path).endswith("out.sdf"):
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **options)

    monkeypatch.setattr(formats, "write", full)
    assert relax(alcohol, "-o", "out.sdf", "--table", "t.csv") == 1
    said = capsys.readouterr().err
    assert "out.sdf: [Errno 28] No space left on device" in said
    (path,) = re.findall(r"the results are in (\S+)", said)
    assert ase.io.read(path).info["verdict"] == "converged"
    assert (tmp_path / "t.csv").exists()


def test_a_value_that_no_writer_takes_costs_no_coordinates(alcohol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reading = formats.read(alcohol)
    odd = {record.name: formats.Carried({"odd": object()}) for record in reading.records}
    path = outputs.rescue(reading.structures(), odd).removeprefix("the results are in ")
    assert len(ase.io.read(path)) == 9


def test_where_nothing_can_be_written_that_is_said(alcohol, tmp_path, monkeypatch):
    def nowhere(**_options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(outputs.tempfile, "mkstemp", nowhere)
    assert "could not be written to" in outputs.rescue(formats.read(alcohol).structures())


def test_names_that_are_no_text_cost_nobody_anything(alcohol, tmp_path, capfdbinary):
    odd = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.xyz")
    with open(odd, "wb") as file:
        file.write(b"3\nname=a\xffb\0c\nO 0 0 0\nH 0.97 0 0\nH -0.3 0.9 0\n")
    missing = os.path.join(os.fsencode(tmp_path), b"\xfd.xyz")
    out = tmp_path / "out.xyz"
    assert (
        main(
            ["relax", os.fsdecode(odd), os.fsdecode(missing), str(alcohol), "-o", str(out), "--method", "gfn2", "--workers", "1"]
        )
        == 1
    )
    said = capfdbinary.readouterr().err.decode()
    assert "what is no text in its name is shown as \ufffd" in said
    assert "there is no such file" in said
    assert [atoms.info["verdict"] for atoms in ase.io.read(out, ":")] == ["converged", "converged"]
    odd_output = os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xfc.xyz"))
    assert relax(alcohol, "-o", odd_output) == 0
    assert os.path.exists(odd_output)


def test_an_input_is_never_written_over_while_it_is_read(alcohol, tmp_path, capsys):
    sdf, smiles = tmp_path / "in.sdf", tmp_path / "in.smi"
    smiles.write_text("CCO ethanol\n")
    assert relax(alcohol, "-o", sdf, "--method", "mmff94") == 0
    before = sdf.read_bytes()
    (tmp_path / "link.sdf").symlink_to(sdf)
    for output in (sdf, tmp_path / "link.sdf"):
        assert relax(sdf, "-o", output, "--workers", 2) == 2
        assert "is an input, which is read while it would be written" in capsys.readouterr().err
    for option in ("--table", "--html", "--trajectory"):
        assert relax(smiles, "-o", tmp_path / "out.sdf", option, smiles) == 2
        assert "is an input, which would be lost" in capsys.readouterr().err
    assert sdf.read_bytes() == before
    assert smiles.read_text() == "CCO ethanol\n"
    assert relax(sdf, "-o", sdf, "--method", "mmff94") == 0  # read at once, and only then written
    assert b"verdict" in sdf.read_bytes()


@pytest.mark.parametrize("options", [[], ["--workers", 2], ["--conformers", 1]])
def test_a_mistyped_input_empties_no_file(alcohol, tmp_path, capsys, options):
    out = tmp_path / "out.sdf"
    out.write_text("what was there")
    assert relax(tmp_path / "typo.sdf", "-o", out, *options) == 1
    assert "typo.sdf: there is no such file" in capsys.readouterr().err
    (tmp_path / "empty.xyz").write_text("")
    if not options:
        assert relax(tmp_path / "empty.xyz", "-o", out) == 1
    assert out.read_text() == "what was there"


def test_only_molecules_go_to_standard_output_and_a_table_is_csv(alcohol, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for option in ("--table", "--html", "--trajectory"):
        assert relax(alcohol, "-o", "x.xyz", option, "-") == 2
        assert "only molecules go to standard output" in capsys.readouterr().err
    for name in ("t.xlsx", "t.parquet", "t.xlsx.gz"):
        assert relax(alcohol, "-o", "x.xyz", "--table", name) == 2
        assert "a table is written as CSV" in capsys.readouterr().err
    assert os.listdir() == ["in.xyz"]
