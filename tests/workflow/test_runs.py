"""What a run leaves behind, and what a second one does."""

import html
import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from morered.stale import stale

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(finished, workflow_in, tmp_path):
    """The finished study in a folder of this test's own."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return workflow_in(tmp_path / "copy", finished.config)


def test_every_figure_is_there_with_its_numbers(finished):
    for name in finished.config["figures"]:
        table = name.startswith("table")
        for ending in ("html", "csv") if table else ("png", "pdf", "csv"):
            path = finished.results / ("tables" if table else "figures") / f"{name}.{ending}"
            assert path.stat().st_size > 100, path


def test_nothing_that_was_just_made_is_stale(finished, monkeypatch):
    monkeypatch.chdir(finished.folder)
    assert list(stale(Path("results"))) == []


def test_fig4_counts_every_input_of_every_method(finished):
    table = pd.read_csv(finished.results / "figures/fig4.csv")
    quantities = ["median_ratio", "failure_percent", "median_rmsd"]
    limits = [f"{quantity}_{end}" for quantity in quantities for end in ("low", "high")]
    assert list(table.columns) == ["testset", "method", "n", *quantities, "median_rmsd_before", *limits]
    for quantity in quantities:
        assert (table[f"{quantity}_low"] <= table[quantity]).all()
        assert (table[quantity] <= table[f"{quantity}_high"]).all()
    assert set(table.method) == {name for name in finished.config["methods"] if "SO3Net" not in name}
    molecules = finished.config["testsets"]["normal-modes"]["molecules"]
    assert (table[table.testset == "normal-modes"].n == 3 * molecules).all()
    assert (table[table.testset == "diffused-250"].n == molecules).all()


def test_further_seeds_relax_their_sample(finished):
    """`seeds_sample` of config/tiny.yaml: the second run of ITP."""
    runs = [pd.read_csv(finished.results / f"relax/normal-modes/MoreRed-ITP/seed{seed}.csv") for seed in (0, 1)]
    assert len(runs[1]) == finished.config["methods"]["MoreRed-ITP"]["seeds_sample"] < len(runs[0])
    both = runs[0].merge(runs[1], on="id")
    assert len(both) == len(runs[1])
    assert (both["rmsd_before_x"] == both["rmsd_before_y"]).all()
    bins = pd.read_csv(finished.results / "figures/figB1.bins.csv")
    assert bins[bins["method"] == "MoreRed-ITP"]["n"].sum() == len(runs[1])


def test_energies_are_of_the_same_sample_for_every_method(finished):
    energies = pd.read_csv(finished.results / "energies/energies.csv")
    methods = [name for name in finished.config["methods"] if "SO3Net" not in name]
    assert list(energies["source"].unique()) == ["reference", "input", *methods]
    assert (energies.groupby("source")["id"].apply(tuple).nunique(), energies["id"].nunique()) == (1, 2)
    reference = energies[energies["source"] == "reference"]
    assert (reference["status"] == "converged").all()
    assert (reference["difference_kcal_mol"] == 0).all()
    inputs = energies[energies["source"] == "input"]
    assert (inputs["difference_kcal_mol"] > 0).all()  # displaced from a minimum
    comparison = pd.read_csv(finished.results / "tables/comparison.csv")
    told = comparison[(comparison["place"] == "Section 3.2, Fig. 6") & comparison["this_run"].notna()]
    assert "GFN2-xTB" in set(told["method"])


def test_optimisations_start_from_the_same_sample(finished):
    runs = pd.read_csv(finished.results / "savings/savings.csv")
    assert set(runs["calculator"]) == {"pbe0", "gfn2"}
    assert set(runs["source"]) == {"reference", "input", "MMFF94"}
    assert runs["gradients"].between(2, finished.config["savings"]["steps"] + 1).all()
    assert (runs.loc[runs["calculator"] == "pbe0", "cycles"] > 2).all()


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run("all")


def test_editing_one_ablation_entry_reruns_only_it(copy):
    entries = {
        "eta=0.5": {"models": {"jt": {"training": {"eta": 0.5}}}},
        "eta=0.7": {"models": {"jt": {"training": {"eta": 0.7}}}},
    }
    sweep = {"methods": ["MoreRed-JT"], "testsets": ["diffused-250"], "entries": entries}
    copy.write({**copy.config, "ablations": {"eta": sweep}})
    copy.run("ablation_eta")
    table = pd.read_csv(copy.results / "figures/ablation_eta.csv")
    assert list(table.entry) == ["eta=0.5", "eta=0.7"]
    assert "Nothing to be done" in copy.run("ablation_eta")

    entries["eta=0.7"]["models"]["jt"]["training"]["eta"] = 0.8
    copy.write(copy.config)
    jobs = copy.planned("ablation_eta")
    assert jobs["train_model"] == jobs["evaluate_relaxation"] == 1
    assert copy.planned("all") == {}


def test_a_second_study_leaves_the_first_alone(copy):
    before = {path: path.stat().st_mtime_ns for path in copy.results.rglob("*") if path.is_file()}
    first = copy.config
    mmff94 = {"methods": {"MMFF94": {"relaxer": "mmff94"}}, "models": {}, "generation": {}, "figures": ["fig4"]}
    copy.write({**first, "study": "other", **mmff94})
    copy.run("fig4")
    assert (copy.results / "figures/fig4.csv").is_file()
    assert {
        path: path.stat().st_mtime_ns for path in (copy.folder / "results" / first["study"]).rglob("*") if path.is_file()
    } == before
    copy.write(first)
    assert "Nothing to be done" in copy.run("all")


def test_the_report_is_one_page_that_opens_with_this_run_and_the_paper(finished):
    page = finished.folder / "report.html"
    finished.run("--report", str(page))
    text = page.read_text(encoding="utf-8")
    assert "This run and the paper" in text
    for name in finished.config["figures"]:
        assert f"{name}.{'html' if name.startswith('table') else 'png'}" in text
    assert "system-message" not in text  # what docutils leaves where a caption or a table is broken


#: Looks at everything in the report as its reader would, and leaves what it saw in the page.
LOOK = """<script>
{
  const said = {pictures: {}, pages: {}, links: [], menu: {}, troubles: []};
  window.addEventListener("error", (event) => said.troubles.push(String(event.message)));
  const loaded = (image, source) => new Promise((done) => {
    image.onload = () => done(image.naturalWidth > 0);
    image.onerror = () => done(false);
    image.src = source;
  });
  const pause = () => new Promise((go) => setTimeout(go, 300));
  const linksOf = (root, where) => [...root.querySelectorAll("[href], [src]")].forEach((element) => {
    const target = element.getAttribute("href") ?? element.getAttribute("src");
    const anchor = target.startsWith("#") && (target === "#" || root.querySelector(CSS.escape(target)));
    if (!anchor && !target.startsWith("data:")) said.links.push([where, target]);
  });
  const parse = (text) => new DOMParser().parseFromString(text, "text/html");
  const text = (uri) => new TextDecoder().decode(Uint8Array.from(atob(uri.split(",")[1]), (c) => c.charCodeAt(0)));
  (async () => {
    await pause();
    for (const entry of Object.values(results)) {
      linksOf(parse(entry.caption), entry.name);
      if (entry.mime_type.startsWith("image/")) {
        said.pictures[entry.name] = await loaded(new Image(), entry.data_uri);
      } else {
        const page = parse(text(entry.data_uri));
        linksOf(page, entry.name);
        said.pages[entry.name] = page.body.innerText.length;
      }
    }
    linksOf(parse(workflow_desc), "first page");
    const menu = [...document.querySelectorAll("a")].map((a) => a.innerText.trim()).filter((name) => name);
    for (const name of menu) {
      [...document.querySelectorAll("a")].find((a) => a.innerText.trim() === name)?.click();
      await pause();
      const shown = [...document.images].every((image) => image.complete && image.naturalWidth > 0);
      said.menu[name] = [document.body.innerText.length, shown];
    }
    said.loaded = performance.getEntriesByType("resource").map((entry) => entry.name).filter((name) => !name.startsWith("data:"));
    const left = document.createElement("pre");
    left.id = "look";
    left.textContent = JSON.stringify(said);
    document.body.append(left);
  })().catch((error) => said.troubles.push(String(error)));
}
</script></body>"""


def in_browser(browser, page, folder):
    """What `LOOK` saw in a report, shown by a headless browser."""
    head, _, tail = page.read_text(encoding="utf-8").rpartition("</body>")
    (folder / "looked_at.html").write_text(head + LOOK + tail, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--virtual-time-budget=60000", "--dump-dom", f"--user-data-dir={folder / 'profile'}"]
    command = [browser, *flags, (folder / "looked_at.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout
    return json.loads(html.unescape(dom.rpartition('<pre id="look">')[2].partition("</pre>")[0]))


@pytest.mark.browser
def test_every_picture_of_the_report_is_shown_and_no_link_is_dead(finished, browser, tmp_path):
    page = tmp_path / "report.html"
    finished.run("--report", str(page))
    seen = in_browser(browser, page, tmp_path)
    assert seen["troubles"] == []
    figures = [name for name in finished.config["figures"] if not name.startswith("table")]
    tables = [name for name in finished.config["figures"] if name.startswith("table")]
    assert {f"{name}.png" for name in figures} <= set(seen["pictures"])
    assert {f"{name}.html" for name in (*tables, "comparison")} <= set(seen["pages"])
    assert [name for name, shown in seen["pictures"].items() if not shown] == []
    assert all(length > 100 for length in seen["pages"].values())
    assert seen["links"] == []
    assert {"Figures", "Tables", "Workflow"} <= set(seen["menu"])
    for name, (length, shown) in seen["menu"].items():
        assert shown, name
        assert length > 50, name
    assert seen["loaded"] == []  # one page, which needs nothing else


@pytest.mark.browser
def test_a_missing_picture_and_a_dead_link_would_be_found(browser, tmp_path):
    picture = {"name": "a.png", "mime_type": "image/png", "data_uri": "data:image/png;base64,AAAA"}
    table = {"name": "b.html", "mime_type": "text/html", "data_uri": "data:text/html;base64,PGltZyBzcmM9eS5wbmc+"}
    entries = {"a": {**picture, "caption": "<a href='x.html'>x</a>"}, "b": {**table, "caption": ""}}
    page = tmp_path / "report.html"
    script = f"var results = {json.dumps(entries)}; var workflow_desc = '';"
    page.write_text(f"<html><body><a href='#'>Figures</a><img src='gone.png'><script>{script}</script></body></html>")
    seen = in_browser(browser, page, tmp_path)
    assert seen["pictures"] == {"a.png": False}
    assert seen["links"] == [["a.png", "x.html"], ["b.html", "y.png"]]
    assert seen["menu"]["Figures"][1] is False


def test_single_figures_are_made_and_reported_of_a_study_that_is_not_finished(copy):
    for path in ("figures", "tables", "relax", "generation/DDPM"):
        shutil.rmtree(copy.results / path)
    assert "relax_structures" not in copy.planned("figD1")
    copy.run("figD1")
    assert (copy.results / "figures/figD1.png").is_file()
    assert not (copy.results / "generation/DDPM").exists()
    page = copy.folder / "part.html"
    copy.run("--report", str(page), "--", "figD1")
    text = page.read_text(encoding="utf-8")
    assert "The study is not finished" in text
    assert "figD1.png" in text


def test_a_lost_result_is_made_again(copy):
    (copy.results / "figures/fig4.png").unlink()
    assert set(copy.planned("all")) <= {"all", "fig4"}
    copy.run("all")
    assert (copy.results / "figures/fig4.png").is_file()


def test_one_config_file_is_one_study(finished):
    assert yaml.safe_load(finished.configfile.read_text(encoding="utf-8"))["study"] == finished.results.name
