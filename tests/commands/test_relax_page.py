"""What `morered relax` offers to judge a result by: the page, the spread over seeds, warnings of sizes."""

import json
import re

import ase.io
import numpy as np
import pandas as pd
import pytest
from ase.build import molecule

from morered.cli import main
from morered.models.weights import load, save


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
    with path.open("a") as file:
        file.write("9\nname=cut\nO 0 0 0\n")
    return path


def relax(*arguments):
    return main(["relax", *map(str, arguments)])


def shown(path):
    """What a page shows, with all that it knows of each molecule put together."""
    text = path.read_text(encoding="utf-8")
    data, details = (re.search(rf'id="{name}">(.*?)</script>', text, re.DOTALL)[1].strip() for name in ("data", "details"))
    data = json.loads(data)
    rows = [dict(zip(data["table"], row, strict=True)) for row in zip(*data["table"].values(), strict=True)]
    molecules = [{"values": row, **json.loads(line)} for row, line in zip(rows, details.splitlines(), strict=True)]
    return {**data, "molecules": molecules}


def test_the_page_shows_every_molecule_of_every_stage(inputs, tmp_path, weights):
    page, table = tmp_path / "page.html", tmp_path / "t.csv"
    arguments = ["--weights", weights, "--steps", 3, "--finish", "gfn2", "--workers", 1, "--table", table, "--html", page]
    assert relax(inputs, "-o", tmp_path / "out.xyz", *arguments, "-q") == 1
    data, verdicts = shown(page), pd.read_csv(table)
    assert [m["values"]["name"] for m in data["molecules"]] == ["CH3CH2OH", "C6H6", "H2CO", "cut"]
    assert [m["values"]["verdict"] for m in data["molecules"]] == verdicts.verdict.to_list()
    labels = [[curve["label"] for curve in m["curves"]] for m in data["molecules"]]
    assert labels == [["predicted time", "gfn2: largest force"]] * 3 + [[]]
    assert [len(m["curves"][0]["steps"]) for m in data["molecules"][:3]] == [3, 3, 3]
    assert data["molecules"][0]["curves"][1]["values"][-1] == pytest.approx(verdicts.last_fmax[0], rel=1e-3)
    assert data["molecules"][3]["before"] is None
    assert "then gfn2" in data["about"]
    before = np.reshape(data["molecules"][2]["before"], (-1, 3))
    given = ase.io.read(inputs, 2).positions
    # Coordinates in the page are rounded to 0.001 Å.
    np.testing.assert_allclose(np.linalg.norm(before[0] - before[1]), np.linalg.norm(given[0] - given[1]), atol=2e-3)


def test_seeds_add_columns_and_leave_the_result_as_it_is(inputs, tmp_path, weights):
    plain, several, table = tmp_path / "plain.xyz", tmp_path / "several.xyz", tmp_path / "t.csv"
    common = ["--method", "jt", "--weights", weights, "--steps", 5, "-q"]
    relax(inputs, "-o", plain, *common)
    relax(inputs, "-o", several, *common, "--seeds", 3, "--table", table, "--html", tmp_path / "page.html")
    for a, b in zip(ase.io.read(plain, ":"), ase.io.read(several, ":"), strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)
    spreads = pd.read_csv(table).set_index("name")[["seed_spread", "time_spread"]]
    assert list(pd.read_csv(table).columns)[-1] == "reason"
    assert (spreads.loc["C6H6"] > 0).all()
    # A molecule that a run left worse than its input has no result of that run to compare: it has no spread.
    assert (spreads[:3].isna() | (spreads[:3] > 0)).all(axis=None)
    assert spreads.loc["cut"].isna().all()
    assert "seed_spread" in ase.io.read(several, 0).info
    assert {"seed_spread", "time_spread"} <= {column["key"] for column in shown(tmp_path / "page.html")["columns"]}


def test_a_method_without_noise_starts_again_from_shaken_inputs(inputs, tmp_path, weights):
    table = tmp_path / "t.csv"
    relax(inputs, "-o", tmp_path / "out.xyz", "--method", "mmff94", "--seeds", 2, "--workers", 1, "--table", table, "-q")
    spreads = pd.read_csv(table).set_index("name")
    assert "time_spread" not in spreads
    # Shaken by 0.05 Å per coordinate, MMFF94 comes back to the same minimum (0.01 Å: the width that its limit on forces leaves).
    assert spreads.seed_spread["C6H6"] < 0.01


def test_sizes_outside_the_training_data_are_warned_of_once(inputs, tmp_path, weights, capsys):
    network, _, header, _ = load(weights)
    sized = tmp_path / "sized.safetensors"
    save(sized, network, type(header)(**{**header.to_dict(), "sizes": (5, 10)}))
    relax(inputs, "-o", tmp_path / "out.xyz", "--weights", sized, "--steps", 2, "--table", tmp_path / "t.csv")
    reasons = pd.read_csv(tmp_path / "t.csv").set_index("name").reason
    told = reasons.str.contains("atoms are outside the training data, which has 5 to 10", regex=False)
    assert told.to_dict() == {"CH3CH2OH": False, "C6H6": True, "H2CO": True, "cut": False}
    said = capsys.readouterr().err
    assert said.count("warning: the model has seen no molecules of this size: C6H6 and 1 more") == 1


@pytest.mark.parametrize("value", ["1", "0", "-3"])
def test_one_seed_has_no_spread(inputs, capsys, value):
    with pytest.raises(SystemExit) as stopped:
        relax(inputs, f"--seeds={value}")
    assert stopped.value.code == 2
    assert "at least 2" in capsys.readouterr().err


def test_a_page_goes_into_a_folder_that_is_there(inputs, tmp_path, weights, capsys):
    assert relax(inputs, "--weights", weights, "--html", tmp_path / "nowhere/page.html") == 2
    assert "no folder" in capsys.readouterr().err


def test_help_teaches_the_spreads_and_the_page(capsys):
    with pytest.raises(SystemExit):
        relax("--help")
    said = " ".join(capsys.readouterr().out.split())
    for words in ("--html PAGE", "seed_spread is the mean RMSD", "time_spread", "Ctrl-C ends the run early"):
        assert words in said
