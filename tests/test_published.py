"""The numbers in README, in docs and on the card of the shipped network are those of the committed tables."""

import pandas as pd
import pytest

from morered.figures import model_card, results_page
from morered.figures.html import short
from morered.models import shipped
from morered.settings.presets import PRESETS

#: Folder of docs/data -> the page that shows its tables.
PAGES = {"organic": "organic.md", "fresh": "training.md", "small": "results.md", "moves": "ablations.md"}
#: Method of config/organic.yaml -> its name on the command line.
COMMANDS = {"MMFF94": "mmff94", "organic": "organic", "GFN2-xTB": "gfn2"}
#: Method on the command line -> its name in config/small.yaml.
QM7 = {
    "fast": "MoreRed-fast",
    "balanced": "MoreRed-balanced",
    "accurate": "MoreRed-accurate",
    "jt": "MoreRed-JT",
    "gfn2": "GFN2-xTB",
}


@pytest.fixture
def endings(repository):
    return repository / "docs/data/organic/endings.csv"


def test_the_card_is_that_of_the_weights_and_the_table(endings):
    name = PRESETS["organic"].noise
    written = (shipped.folder() / f"{name}.md").read_text(encoding="utf-8")
    assert written == model_card.card(name, name, endings, "docs/organic.md")


def test_a_page_holds_every_table_that_is_committed(repository, endings):
    tables = sorted((repository / "docs/data").glob("*/*.csv"))
    assert endings in tables
    for path in tables:
        page = (repository / "docs" / PAGES[path.parent.name]).read_text(encoding="utf-8")
        table = pd.read_csv(path)
        assert results_page.source(path) in page, path
        if len(table) <= results_page.LONGEST:
            assert results_page.markdown(table) in page, path


def test_the_table_of_readme_is_from_that_file(repository, endings):
    readme = (repository / "README.md").read_text(encoding="utf-8").splitlines()
    table = pd.read_csv(endings).set_index(["testset", "method"])
    for method, command in COMMANDS.items():
        row = table.loc[("sample-mmff94", method)]
        cells = [f"{row['converged_percent']:.0f} %", f"{short(row['median_energy_left'])} kcal/mol"]
        cells += [f"{short(row['median_rmsd_left'])} Å", f"{short(row['median_ms'])} ms"]
        assert f"| `{command}` | {' | '.join(cells)} |" in readme, method


@pytest.fixture
def qm7(repository):
    """Nearness and cost of each method on each set of test inputs."""
    folder = repository / "docs/data/small"
    return [pd.read_csv(folder / f"{name}.csv").set_index(["testset", "method"]) for name in ("fig4", "tableD")]


def test_the_card_of_the_qm7_network_is_from_the_tables_of_the_study(qm7):
    card = (shipped.folder() / "morered-jt-elastic.md").read_text(encoding="utf-8")
    nearness, costs = qm7
    for command in ("fast", "balanced", "accurate"):
        cells = []
        for testset in ("normal-modes", "diffused-250"):
            row, cost = nearness.loc[(testset, QM7[command])], costs.loc[(testset, QM7[command])]
            cells.append(f"{row['median_ratio']:.3f}, {short(row['failure_percent'])} %, {cost['mean_steps']:.0f}")
        assert f"`{command}` {' and '.join(cells)};" in card, command


def test_the_table_of_qm7_in_readme_is_from_the_tables_of_the_study(repository, qm7):
    readme = (repository / "README.md").read_text(encoding="utf-8").splitlines()
    nearness, costs = qm7
    for command, method in QM7.items():
        cells, times = [], []
        for testset in ("normal-modes", "diffused-250"):
            row, cost = nearness.loc[(testset, method)], costs.loc[(testset, method)]
            rmsd = f"{row['median_rmsd_before']:.2f} → {row['median_rmsd']:.3f} Å"
            cells.append(f"{rmsd}, {short(row['failure_percent'])} %, {cost['mean_steps']:.0f}")
            times.append(f"{short(1e3 * cost['median_seconds'])}")
        assert f"| `{command}` | {' | '.join(cells)} | {' and '.join(times)} ms |" in readme, method
