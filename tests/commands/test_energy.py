"""`morered energy` as a person uses it, with a small basis."""

import csv
import gzip
import importlib.util
import io

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from morered.cli import main
from morered.dft.single_point import single_point
from morered.settings.level import Level

SMALL = ["--basis", "sto-3g", "--grid", "1"]


@pytest.fixture
def inputs(tmp_path):
    """Water and hydrogen, a hydroxyl radical between them."""
    frames = []
    for name in ("H2O", "OH", "H2"):
        atoms = molecule(name)
        atoms.info["name"] = name
        frames.append(atoms)
    path = tmp_path / "in.xyz"
    ase.io.write(path, frames, format="extxyz")
    return path


def energy(*arguments):
    return main(["energy", *map(str, arguments)])


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_every_molecule_has_its_line_and_its_reason(inputs, tmp_path, capsys):
    table = tmp_path / "t.csv"
    assert energy(inputs, *SMALL, "--table", table, "--workers", 1) == 1  # the radical has no energy
    printed = capsys.readouterr()
    assert table.read_text() == printed.out
    assert energy(inputs, *SMALL, "--table", tmp_path / "t.csv.gz", "--workers", 1) == 1
    assert gzip.decompress((tmp_path / "t.csv.gz").read_bytes()).decode().startswith("name,energy_eV")
    water, radical, hydrogen = rows(printed.out)
    assert list(water) == ["name", "energy_eV", "mbd_eV", "total_eV", "cycles", "seconds", "status", "reason"]
    assert [row["name"] for row in (water, radical, hydrogen)] == ["H2O", "OH", "H2"]
    assert [row["status"] for row in (water, radical, hydrogen)] == ["converged", "failed", "converged"]
    assert "radical" in radical["reason"]
    assert radical["energy_eV"] == radical["total_eV"] == ""
    atoms = molecule("H2O")
    point = single_point(atoms.numbers, atoms.positions, Level(basis="sto-3g", grid=1))
    assert float(water["energy_eV"]) == pytest.approx(point.energy, abs=1e-5)
    assert float(water["mbd_eV"]) == pytest.approx(point.mbd, abs=1e-7)
    assert float(water["total_eV"]) == pytest.approx(float(water["energy_eV"]) + float(water["mbd_eV"]), abs=1e-7)
    assert "3 molecules at PBE0+MBD/STO-3G: 1 without an energy" in printed.err


def test_workers_keep_the_order_and_a_broken_record_stops_nobody(inputs, tmp_path, capsys):
    text = inputs.read_text()
    (tmp_path / "broken.xyz").write_text("3\nname=nan\nO 0 0 0\nH 0 0 nan\nH 0 1 0\n")
    inputs.write_text(text[: text.index("2\n")])  # water alone
    assert energy(tmp_path / "broken.xyz", inputs, "-s", "[H][H]", *SMALL, "--no-mbd", "--workers", 2, "-q") == 1
    printed = capsys.readouterr()
    broken, water, hydrogen = rows(printed.out)
    assert [broken["status"], water["status"], hydrogen["status"]] == ["failed", "converged", "converged"]
    assert "not finite" in broken["reason"]
    assert "broken.xyz" in printed.err
    assert float(water["mbd_eV"]) == 0
    assert float(hydrogen["energy_eV"]) > float(water["energy_eV"])


def test_all_well_is_0_and_fitting_changes_little(tmp_path, capsys):
    path = tmp_path / "h2.xyz"
    ase.io.write(path, molecule("H2"))
    assert energy(path, *SMALL, "-q", "--workers", 1) == 0
    fitted = rows(capsys.readouterr().out)
    assert energy(path, *SMALL, "--exact", "-q", "--workers", 1) == 0
    exact = rows(capsys.readouterr().out)
    assert float(exact[0]["energy_eV"]) != float(fitted[0]["energy_eV"])
    assert float(exact[0]["energy_eV"]) == pytest.approx(float(fitted[0]["energy_eV"]), abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "at least one INPUT"),
        (["x.xyz", "--grid", "12"], "grid"),
        (["x.xyz", "--basis", "def2-wrong"], "--basis def2-wrong"),
        (["x.xyz", "--table", "nowhere/t.csv"], "no folder 'nowhere'"),
        (["x.xyz", "--memory", "0"], "max_memory"),
        (["x.xyz", "--timeout", "0"], "--timeout"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(arguments, words, capsys):
    assert energy(*arguments) == 2
    assert words in capsys.readouterr().err


def test_a_gpu_needs_its_package(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert energy("x.xyz", "--gpu") == 2
    assert "gpu4pyscf" in capsys.readouterr().err


def test_a_molecule_over_its_time_is_told(tmp_path, capsys):
    path = tmp_path / "h2.xyz"
    ase.io.write(path, molecule("H2"))
    assert energy(path, *SMALL, "--timeout", 0.001) == 1
    (row,) = rows(capsys.readouterr().out)
    assert "time limit" in row["reason"]
    assert np.isnan(float(row["total_eV"] or "nan"))
