"""Figures 5 and B2: molecules laid over each other."""

import html
import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from morered import storage
from morered.figures import overlay_page, overlays, style
from morered.figures.catalogue.fig5 import drawing as fig5
from morered.figures.catalogue.figB2 import drawing as figB2
from morered.metrics.evaluate import evaluate
from morered.metrics.tables import Run
from morered.structures import Column, Structures, as_names

METHODS = ["MoreRed-AS", "MLFF"]
TESTSETS = ["normal-modes", "diffused-250"]
# What is left of the distortion, per molecule: both succeed, only the first, only the second, neither; twice.
LEFT = {"MoreRed-AS": [0.1, 0.5, 1.5, 2.0, 0.1, 0.5, 1.5, 2.0], "MLFF": [0.2, 1.5, 0.5, 1.5, 0.2, 1.5, 0.5, np.nan]}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Eight chains of three carbons, displaced, and relaxed by keeping a known share of the displacement."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    chain = np.array([[0.0, 0, 0], [1.5, 0, 0], [2.0, 1.4, 0]])
    names = [f"m{k}" for k in range(8)]
    minima = Structures.build([[6, 6, 6]] * 8, [chain] * 8, names)
    storage.write(folder / "minima.h5", minima)
    runs, relaxed, inputs = [], [], {}
    for testset in TESTSETS:
        push = rng.normal(size=(24, 3)) * np.repeat(np.linspace(0.05, 0.12, 8), 3)[:, None]
        given = Structures(
            minima.numbers, minima.positions + push, minima.offsets, as_names([f"{n}-0" for n in names]), minima.ids
        )
        inputs[testset] = folder / f"{testset}.h5"
        storage.write(inputs[testset], given)
        for method in METHODS:
            share = np.repeat(LEFT[method], 3)[:, None]
            verdicts = np.where(np.isnan(LEFT[method]), b"failed", b"converged")
            result = given.with_positions(minima.positions + share * push)
            result = result.with_columns({"verdict": Column(verdicts), "steps": Column(np.arange(8))})
            path = folder / f"{testset}.{method}.h5"
            storage.write(path, result)
            relaxed.append(Run(testset, method, 0, path))
            runs.append(evaluate(result, given, minima).assign(testset=testset, method=method, seed=0))
    return pd.concat(runs, ignore_index=True), relaxed, inputs, dict.fromkeys(TESTSETS, folder / "minima.h5")


def test_figure_5_shows_each_kind_of_outcome(files):
    runs, *_ = files
    ids = fig5.choose(runs, "normal-modes", METHODS, 4)
    table = runs[runs["testset"] == "normal-modes"].pivot(index="id", columns="method", values="ratio").loc[ids] < 1
    assert table[METHODS].to_numpy().tolist() == [[True, True], [True, False], [False, True], [False, False]]
    assert len(fig5.choose(runs, "normal-modes", METHODS, 100)) == 8
    with pytest.raises(ValueError, match="DDPM did not relax"):
        fig5.choose(runs, "normal-modes", ["MoreRed-AS", "DDPM"])


def test_the_choice_takes_the_middle_of_a_group_first_and_each_minimum_once(run):
    before = np.arange(1, 10) / 10
    first, second = run("t", "A", [0.5] * 9, before=before), run("t", "B", [0.5] * 9, before=before)
    runs = pd.concat([first, second], ignore_index=True)
    # Places 4 of 9, then 2 and 6 (quarters).
    assert fig5.choose(runs, "t", ("A", "B"), 3) == ["t/00004", "t/00002", "t/00006"]
    shared = runs.assign(reference=["same"] * 9 + ["same"] * 9)
    assert fig5.choose(shared, "t", ("A", "B"), 3) == ["t/00004"]


def test_figure_5(files, tmp_path, assert_figure):
    runs, relaxed, inputs, minima = files
    testset = "normal-modes"
    table = fig5.make(runs, relaxed, inputs[testset], minima[testset], tmp_path / "fig5", testset, METHODS, 4)
    assert_figure(tmp_path / "fig5", style.PAGE)
    assert table["method"].tolist() == METHODS * 4
    expected = runs[runs["testset"] == testset].set_index(["id", "method"])["rmsd_after"]
    for row in table.itertuples():
        assert row.rmsd_after == pytest.approx(expected[row.id, row.method])
    assert list(pd.read_csv(tmp_path / "fig5.csv")) == [
        "testset",
        "id",
        "method",
        "rmsd_before",
        "rmsd_after",
        "ratio",
        "verdict",
    ]


def test_figure_b2_shows_a_large_and_a_small_distortion_of_both_kinds(files, tmp_path, assert_figure):
    runs, relaxed, inputs, minima = files
    ids = figB2.choose(runs)
    for testset in TESTSETS:
        order = runs[(runs["testset"] == testset) & (runs["method"] == "MLFF")].sort_values("rmsd_before")["id"].tolist()
        assert ids[testset] == [order[7], order[0]]  # places 0.9 x 8 and 0.1 x 8
    table = figB2.make(runs, relaxed, inputs, minima, tmp_path / "figB2")
    assert_figure(tmp_path / "figB2", style.PAGE)
    assert table["testset"].tolist() == ["normal-modes"] * 4 + ["diffused-250"] * 4
    with pytest.raises(ValueError, match="same methods"):
        figB2.make(runs, relaxed[:3], inputs, minima, tmp_path / "figB2")


def test_colours_tell_success_from_failure_and_a_missing_structure_is_said(files):
    _, relaxed, inputs, minima = files
    drawn = overlays.examples(relaxed, inputs, minima, {"normal-modes": ["m1-0", "m7-0"]})
    rows = overlays.rows_for(drawn)
    assert [panel.colour for panel in rows[0].panels[2:]] == [overlays.SUCCESS, overlays.FAILURE]
    assert rows[1].panels[3].colour == overlays.FAILURE  # it failed, whatever its coordinates
    # The last overlay has no third structure: it has no coordinates.
    assert [len(panel.molecules) for panel in rows[1].panels] == [1, 1, 3, 2]
    assert rows[0].panels[0].text == "C$_{3}$"
    before = drawn["rmsd_before"].iloc[0]
    assert rows[0].panels[1].text == f"{before:.2f} Å"


def test_a_formula_in_hills_order():
    assert overlays.formula(np.array([8, 1, 6, 1, 7, 1, 6])) == "C$_{2}$H$_{3}$NO"


def test_the_page_holds_all_layers_laid_over_the_minimum(files):
    _, relaxed, inputs, minima = files
    drawn = overlays.examples(relaxed, inputs, minima, {"normal-modes": ["m1-0", "m7-0"]})
    first, second = overlay_page.contents(drawn)
    assert first["name"] == "m1-0 (normal-modes)"
    assert first["symbols"] == ["C", "C", "C"]
    assert [layer["name"] for layer in first["layers"]] == ["minimum", "input", *METHODS]
    assert [layer["colour"] for layer in first["layers"][2:]] == [overlays.SUCCESS, overlays.FAILURE]
    assert second["layers"][3]["points"] is None  # it failed, and there are no coordinates
    minimum, start = (np.reshape(layer["points"], (3, 3)) for layer in first["layers"][:2])
    assert np.sqrt(((start - minimum) ** 2).sum(axis=1).mean()) == pytest.approx(drawn["rmsd_before"].iloc[0], abs=2e-3)
    text = overlay_page.page(drawn, "A <title>")
    assert "A &lt;title&gt;" in text
    assert "@@" not in text.partition("<script>")[0]


@pytest.mark.browser
def test_a_browser_draws_the_layers_and_switches_them(files, browser, tmp_path):
    _, relaxed, inputs, minima = files
    drawn = overlays.examples(relaxed, inputs, minima, {"normal-modes": ["m1-0", "m7-0"]})
    steps = """<script>
    const said = [], models = () => said.push(at("view").dataset.models ?? at("noview").textContent);
    models();
    document.querySelector("#layers input").click(); models();
    at("molecule").selectedIndex = 1; at("molecule").onchange(); models();
    said.push(viewer !== null && viewer.pngURI().length > 1000, document.querySelectorAll("#layers label").length);
    const left = Object.assign(document.createElement("pre"), {id: "said", textContent: JSON.stringify(said)});
    document.body.append(left);
    </script></body>"""
    path = tmp_path / "page.html"
    path.write_text(overlay_page.page(drawn, "Figure 5").replace("</body>", steps), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--dump-dom"]
    command = [browser, *flags, f"--user-data-dir={tmp_path / 'profile'}", path.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    said = json.loads(html.unescape(dom.rpartition('<pre id="said">')[2].partition("</pre>")[0]))
    assert said == ["4", "3", "2", True, 4]  # the second molecule's last layer has no structure
