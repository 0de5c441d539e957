from html import escape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml

from morered.figures import comparison, published, unmeasured
from morered.study import Study


class Page(HTMLParser):
    """Checks that tags are closed and collects the text, and what would be loaded from elsewhere."""

    VOID = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.loads = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.loads += [value for name, value in attributes if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture
def runs(run):
    before = np.array([0.1, 0.2, 0.3, 0.4])
    return pd.concat(
        [
            run("normal-modes", "MoreRed-JT", [0.2, 0.2, 0.4, 0.4], before=before, steps=[1, 2, 3, 10], first_time=before),
            run("normal-modes", "MLFF", [0.5, 2.0, 3.0, 0.5], before=before),
            run("diffused-250", "MoreRed-JT", [0.1, 0.2, 1.0, 0.2], before=0.35, first_time=0.25),
            run("diffused-250", "MLFF", [1.0, 1.0, 3.0, 0.5], before=0.35),
            run("diffused-250", "mine", [0.5] * 4, before=0.35),
        ],
        ignore_index=True,
    )


def value(frame, quantity, method="MoreRed-JT", testset="normal-modes", column="value"):
    rows = frame[(frame["testset"] == testset) & (frame["method"] == method) & (frame["quantity"] == quantity)]
    assert len(rows) == 1
    return rows[column].iloc[0]


def test_published_numbers_are_those_of_the_paper():
    table = published.table()
    assert not table.duplicated(["testset", "method", "quantity"]).any()
    assert set(table["quantity"]) <= set(published.QUANTITIES)
    assert set(table["relation"]) <= {"=", "≈", "<", ">"}
    assert value(table, "pearson_r") == 0.85
    assert value(table, "median_rmsd", "MoreRed-AS") == 0.05
    assert value(table, "failure_percent", "MMFF94", "diffused-250") == 99.6
    assert value(table, "valid_unique_novel_percent", "MoreRed-large", "") == 66.7
    assert value(table, "mean_steps", "MoreRed-AS") == 992


def test_measured_numbers_by_hand(runs):
    measured = comparison.measured_relaxations(runs)
    assert value(measured, "median_ratio") == pytest.approx(0.3)
    assert value(measured, "failure_percent", "MLFF") == 50.0
    assert value(measured, "mean_steps") == 4.0
    assert value(measured, "median_steps") == 2.5
    assert value(measured, "pearson_r") == pytest.approx(1.0)
    assert value(measured, "pearson_moved", "MLFF") == pytest.approx(1.0)
    assert value(measured, "zero") == 0
    assert value(measured, "zero", column="n") == 4
    assert value(measured, "ratio_over_normal_modes", testset="diffused-250") == pytest.approx(0.2 / 0.3)
    assert value(measured, "failures_minus_normal_modes", testset="diffused-250") == 25.0
    assert value(measured, "failures_over_normal_modes", "MLFF", "diffused-250") == 1.5
    assert value(measured, "within_input_range", "", "diffused-250") == 1.0


def test_bounds_hold_or_not_and_nothing_else_is_judged(runs):
    table = comparison.compare(comparison.measured_relaxations(runs))
    label = published.QUANTITIES["failure_percent"][0]
    mlff = table[(table["method"] == "MLFF") & (table["quantity"] == label)].set_index("testset")
    assert mlff.loc["normal-modes", ["paper", "this_run", "holds"]].tolist() == ["> 20", 50.0, "yes"]
    assert mlff.loc["diffused-250", ["paper", "this_run", "holds"]].tolist() == ["≈ 90", 75.0, ""]
    jt = table[(table["method"] == "MoreRed-JT") & (table["testset"] == "diffused-250")].set_index("quantity")
    assert jt.loc[published.QUANTITIES["ratio_over_normal_modes"][0], "holds"] == "yes"
    assert set(table.loc[table["holds"] != "", "paper"].str[0]) == {"<", ">"}


def test_every_statement_is_there_once_and_methods_beyond_the_paper_too(runs):
    table = comparison.compare(comparison.measured_relaxations(runs))
    assert list(table) == comparison.COLUMNS
    assert (table["paper"] != "").sum() == len(published.table())
    mine = table[table["method"] == "mine"]
    assert set(mine["quantity"]) == {published.QUANTITIES[q][0] for q in ("median_ratio", "failure_percent", "median_rmsd")}
    assert (mine["paper"] == "").all()
    assert comparison.compare([])["this_run"].isna().all()


def test_what_is_unknown_or_measured_twice_is_refused():
    row = pd.DataFrame([{"testset": "", "method": "MLFF", "quantity": "energy_error", "value": 0.5, "n": 10}])
    with pytest.raises(ValueError, match=r"twice: +MLFF energy_error"):
        comparison.compare([row, row])
    with pytest.raises(ValueError, match="unknown quantities: beauty"):
        comparison.compare(row.assign(quantity="beauty"))


def test_times_trainings_and_caps_are_read_from_their_tables(run, tmp_path):
    steps = pd.DataFrame({"method": ["MoreRed-JT"], "seconds_per_step": [0.5], "seconds_per_batch_step": [2.0]})
    steps.to_csv(tmp_path / "steps.csv", index=False)
    runs = pd.concat(
        [
            run("normal-modes", "MoreRed-JT", [0.2], seconds=9.0),
            run("normal-modes", "GFN2-xTB", [0.2, 0.3], seconds=5.0, steps=20),
            run("normal-modes", "MMFF94", [0.2, 0.3], seconds=3.0, steps=0),
        ]
    )
    timed = comparison.measured_steps(tmp_path / "steps.csv", runs)
    assert value(timed, "seconds_per_step", testset="") == 0.5
    assert value(timed, "seconds_per_batch_step", testset="") == 2.0
    assert value(timed, "seconds_per_step", "GFN2-xTB", "") == 0.25
    assert value(timed, "seconds_per_relaxation", "MMFF94", "") == 3.0
    assert "MMFF94" not in timed.loc[timed["quantity"] == "seconds_per_step", "method"].tolist()

    trainings = pd.DataFrame({"model": ["noise", "time"], "parameters": [2_000_000, 500_000], "seconds": [86400.0, 43200.0]})
    trainings.to_csv(tmp_path / "training.csv", index=False)
    models = {"MoreRed-AS": ["noise", "time"], "DDPM": ["noise"], "mine": ["other"]}
    trained = comparison.measured_trainings(tmp_path / "training.csv", models)
    assert value(trained, "training_days", "MoreRed-AS", "") == 1.5
    assert value(trained, "parameters", "MoreRed-AS", "") == 2.5
    assert value(trained, "training_days", "DDPM", "") == 1.0
    assert "mine" not in trained["method"].tolist()

    caps = pd.DataFrame(
        {"method": ["M", "M", "M", "D"], "cap": [500, 800, 900, 500], "quantity": "unique", "percent": 7.0, "n": 9}
    )
    caps.to_csv(tmp_path / "caps.csv", index=False)
    found = comparison.measured_caps(tmp_path / "caps.csv", "M")
    assert found["quantity"].tolist() == ["valid_unique_500_percent", "valid_unique_800_percent"]
    assert set(found["method"]) == {"M"}
    table = comparison.compare([timed, trained, found])
    assert table.loc[table["method"] == "GFN2-xTB", "this_run"].notna().sum() == 1


@pytest.mark.parametrize("name", ["small", "paper", "config"])
def test_what_a_study_does_not_measure_has_a_reason(name, runs, repository):
    study = Study(
        yaml.safe_load((repository / f"config/{name}.yaml").read_text(encoding="utf-8")), repository / "config/ablations"
    )
    reasons = unmeasured.reasons(study)
    table = comparison.compare(comparison.measured_relaxations(runs), reasons)
    assert (table.loc[table["this_run"].isna(), "reason"] != "").all()
    assert (table.loc[table["this_run"].notna(), "reason"] == "").all()
    lacking = {key.rpartition("/")[2] for key in reasons}
    if name == "paper":
        assert reasons == {}
    else:
        assert {"mean_force", "energy_error"} <= lacking  # labels come with QM7-X
        assert "seconds_per_step" not in lacking
        assert "training_days" not in lacking
    page = comparison.page(table, title="t")
    assert all(escape(reason) in page for reason in set(reasons.values()))


def test_a_study_without_table_d_has_no_times_and_says_so(repository):
    config = yaml.safe_load((repository / "config/small.yaml").read_text(encoding="utf-8"))
    config["figures"].remove("tableD")
    reasons = unmeasured.reasons(Study(config, repository / "config/ablations"))
    for key in ("/MoreRed-JT/seconds_per_step", "/GFN2-xTB/seconds_per_step", "/MMFF94/seconds_per_relaxation"):
        assert reasons[key] == "this study does not make tableD"


def test_the_page_stands_alone(runs, tmp_path):
    table = comparison.compare(comparison.measured_relaxations(runs))
    table.loc[table["method"] == "mine", "method"] = "<mine> & yours"
    comparison.write(table, tmp_path / "comparison", note="Small & quick.")
    text = (tmp_path / "comparison.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.loads == []
    assert "http" not in text
    assert "Small & quick." in page.texts
    assert "<mine> & yours" in page.texts
    assert "✓" in page.texts
    untouched = int((table["this_run"].isna()).sum())
    assert f"{untouched} statements that this run does not measure, and why" in page.texts
    csv = pd.read_csv(tmp_path / "comparison.csv")
    assert list(csv) == comparison.COLUMNS
    assert len(csv) == len(table)


def test_an_empty_run_makes_a_page(tmp_path):
    comparison.write(comparison.compare([]), tmp_path / "comparison")
    assert "Nothing was measured." in Page((tmp_path / "comparison.html").read_text(encoding="utf-8")).texts
