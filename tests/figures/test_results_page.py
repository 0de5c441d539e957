import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from morered.figures import comparison, results_page
from morered.figures.results_page import Shown
from morered.files import sha256


@pytest.fixture
def made(run, tmp_path):
    runs = run("normal-modes", "MoreRed-JT", [0.2, 0.2, 0.4, 0.4], before=np.array([0.1, 0.2, 0.3, 0.4]), first_time=0.1)
    comparison.write(comparison.compare(comparison.measured_relaxations(runs)), tmp_path / "comparison")
    numbers = tmp_path / "fig4.csv"
    pd.DataFrame({"method": ["a|b", "c"], "value": [0.12345, np.nan]}).to_csv(numbers, index=False)
    picture = tmp_path / "fig4.png"
    shades = np.linspace(0, 255, 300 * 200 * 3).reshape(200, 300, 3).astype(np.uint8)
    Image.fromarray(shades).save(picture)
    return tmp_path, Shown("fig4", picture, numbers)


def test_a_page_shows_figures_and_numbers_and_names_their_files(made):
    folder, shown = made
    text = results_page.page(
        study="mine", note="A note.", commands=["snakemake --cores all"], comparison=folder / "comparison.csv", shown=[shown],
        remarks="Why.", captions={"fig4": "**Ratios** at ten steps, see ``methods``.\n\nThe paper (Fig. 4): 5 > 3.\n"},
    )  # fmt: skip
    pd.DataFrame({"row": range(results_page.KEPT + 1)}).to_csv(folder / "long.csv", index=False)
    results_page.write(folder / "out/results.md", text, [shown, Shown("long", None, folder / "long.csv")], data="data/mine")
    assert [path.name for path in (folder / "out/data/mine").iterdir()] == ["fig4.csv"]
    assert sha256(folder / "out/data/mine/fig4.csv") == sha256(shown.numbers)
    with Image.open(folder / "out/figures/fig4.png") as copy, Image.open(shown.picture) as original:
        assert copy.size == original.size
        difference = np.abs(np.asarray(copy.convert("RGB"), float) - np.asarray(original, float))
        assert copy.mode == "P"
    assert difference.mean() < 4  # of 255
    written = (folder / "out/results.md").read_text(encoding="utf-8")
    caption = "**Ratios** at ten steps, see `methods`.\n\nThe paper (Fig. 4): 5 > 3."
    assert f"## fig4\n\n{caption}\n\n![fig4](figures/fig4.png)" in written
    assert "| a\\|b | 0.123 |" in written
    assert "| c | – |" in written
    for name in ("fig4.csv", "comparison.csv"):
        assert f"`{name}`, SHA-256 {sha256(folder / name)[:12]}" in written
    assert "    snakemake --cores all" in written
    assert written.index("A note.") < written.index("Why.") < written.index("## This run")


def test_what_was_not_measured_says_why(made):
    folder, shown = made
    text = results_page.page(study="s", note="", commands=[], comparison=folder / "comparison.csv", shown=[shown])
    table = pd.read_csv(folder / "comparison.csv")
    rest = results_page.unmeasured(table[table["this_run"].isna()])
    assert rest in text
    assert len(rest.splitlines()) == 2 + table["this_run"].isna().sum()
    assert all(line.rstrip("| ").endswith("no molecule gave a number") for line in rest.splitlines()[2:])


def test_only_what_was_measured_is_compared_with_the_paper(made):
    folder, _ = made
    table = pd.read_csv(folder / "comparison.csv")
    lines = results_page.compared(table[table["this_run"].notna()]).splitlines()
    assert len(lines) == 2 + table["this_run"].notna().sum() < len(table)
    ratio = next(line for line in lines if "MoreRed-JT | median RMSD ratio" in line)
    assert re.search(r"\| 0\.3 \| 4 \|", ratio)


def test_long_tables_are_named_not_shown(made):
    folder, _ = made
    pd.DataFrame({"x": range(results_page.LONGEST + 1)}).to_csv(folder / "long.csv", index=False)
    text = results_page.page(
        study="s", note="", commands=[], comparison=folder / "comparison.csv", shown=[Shown("long", None, folder / "long.csv")]
    )
    assert "61 rows. Numbers: `long.csv`" in text
    assert "| x |" not in text


def test_smiles_are_no_links():
    table = results_page.markdown(pd.DataFrame({"smiles": ["C[C@@H](C=O)OCC", "O/C=C/1\\CNCC1", "CC|x", "CCO"], "n": range(4)}))
    assert "| `C[C@@H](C=O)OCC` | 0 |" in table
    assert "| `O/C=C/1\\CNCC1` | 1 |" in table
    assert "| CC\\|x | 2 |" in table
    assert "| CCO | 3 |" in table
