"""A page as a browser shows it: drawn, sorted, switched by clicks, and loading nothing."""

import base64
import io
import json
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.image import imread
from pages_support import HOSTILE

from morered.pages.page import page

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,900",
    "--virtual-time-budget=8000",
    "--dump-dom",
]

#: Before anything else: note errors, and everything that the page's policy had to forbid.
WATCH = """<script>
window.troubles = [];
window.addEventListener("error", (event) => troubles.push(String(event.message)));
window.addEventListener("securitypolicyviolation", (event) => troubles.push(event.violatedDirective + " " + event.blockedURI));
</script>"""

#: After everything else: run the test's steps and leave what they return in the page.
PROBE = """<script>
{
  const said = {};
  const rows = () => [...document.querySelectorAll("#rows tr")].map((row) => D.molecules[row.dataset.m].values.name);
  const sort = (key) => document.querySelector(`th[data-key=${key}] button`).click();
  const click = (id) => document.getElementById(id).click();
  try { %s } catch (error) { troubles.push(String(error)); }
  setTimeout(() => {  // what was forbidden is told a little later
    said.loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
    said.troubles = troubles;
    const left = document.createElement("pre");
    left.id = "probe";
    left.textContent = JSON.stringify(said);
    document.body.append(left);
  }, 500);
}
</script>"""


class Probe(HTMLParser):
    """What the steps left in the page."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.text = False, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.inside = dict(attrs).get("id") == "probe"

    def handle_data(self, data):
        self.text += data if self.inside else ""


@pytest.fixture
def look(browser, tmp_path):
    """Show a page, take steps (JavaScript that fills ``said``), and return what they said."""

    def look(relaxation, steps, *flags, troubles=()):
        text = page(*relaxation).replace("<style>", f"{WATCH}<style>", 1).replace("</body>", f"{PROBE % steps}</body>")
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        command = [browser, *FLAGS, *flags, f"--user-data-dir={tmp_path / 'profile'}", (tmp_path / "page.html").as_uri()]
        dom = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout
        said = json.loads(Probe(dom).text)
        assert said.pop("troubles") == list(troubles)
        assert [url for url in said.pop("loaded") if not any(trouble.endswith(url) for trouble in troubles)] == []
        return said

    return look


def colours(uri):
    """Share of the pixels that are grey, teal (carbon of a result) and blue (a new bond)."""
    red, green, blue = np.moveaxis(imread(io.BytesIO(base64.b64decode(uri.partition(",")[2])))[..., :3], -1, 0)
    drawn = np.minimum(np.minimum(red, green), blue) < 0.9
    grey = drawn & (np.abs(red - green) < 0.02) & (np.abs(green - blue) < 0.02)
    teal = drawn & (green > 1.5 * red) & (green > blue)
    new = drawn & (blue > 1.3 * green) & (blue > 3 * red)
    return {"grey": grey.mean(), "teal": teal.mean(), "new": new.mean()}


def test_input_and_result_are_drawn_and_switched(look, shown):
    said = look(
        shown,
        """
        const picture = () => viewer.pngURI();
        const state = () => ({...document.getElementById("viewer").dataset});
        select(2);
        said.both = [picture(), state()];
        click("show-after");
        said.input = [picture(), state()];
        click("show-after");
        click("show-before");
        said.result = [picture(), state()];
        """,
    )
    pictures = {name: colours(uri) for name, (uri, _) in said.items()}
    assert {name: state["models"] for name, (_, state) in said.items()} == {"both": "2", "input": "1", "result": "1"}
    assert said["both"][1]["molecule"] == "H2CO-2"
    # Formaldehyde fills a good part of the view: its carbon more than a thousandth of the pixels.
    assert pictures["both"]["teal"] > 1e-3
    assert pictures["result"]["teal"] > 1e-3
    assert pictures["input"]["teal"] == 0
    assert pictures["input"]["grey"] > 1e-3
    assert pictures["both"]["new"] > 1e-4  # the bond that is made is marked, where the result is shown
    assert pictures["input"]["new"] < 1e-5


def test_the_table_sorts_filters_and_selects(look, shown):
    said = look(
        shown,
        """
        said.given = rows();
        sort("moved"); said.up = rows();
        sort("moved"); said.down = rows();
        sort("name"); said.names = rows();
        document.querySelector("#counts button").click(); said.converged = rows();
        document.querySelector("#counts button").click();
        const search = document.getElementById("search");
        search.value = "c6h6"; search.dispatchEvent(new Event("input")); said.found = rows();
        search.value = ""; search.dispatchEvent(new Event("input"));
        document.querySelector("#rows tr:nth-child(2)").click();
        said.selected = document.getElementById("name").textContent;
        document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown" }));
        said.next = document.getElementById("name").textContent;
        said.order = rows();
        said.title = document.title;
        """,
    )
    names = shown.results.names
    assert said["given"] == names
    assert set(said["up"][3:]) == set(names[3:])  # those that have not moved at all come last, both ways
    assert said["up"][3:] == said["down"][3:]
    assert said["up"][:3] == said["down"][:3][::-1]
    assert set(said["up"][:3]) == set(names[:3])
    assert said["up"][2] == "H2CO-2"  # its hydrogen came from far away
    assert sorted(said["names"]) == sorted(names)
    assert said["converged"] == [name for name in said["names"] if name in (names[0], names[2])]
    assert said["found"] == [HOSTILE]
    assert said["selected"] == said["order"][1]
    assert said["next"] == said["order"][2]
    assert said["title"] == "Relaxed molecules"  # the hostile name has done nothing


def test_the_selected_molecule_shows_its_verdict_reason_and_curves(look, shown):
    said = look(
        shown,
        """
        const at = (id) => document.getElementById(id);
        for (let m = 0; m < D.molecules.length; m += 1) {
          select(m);
          const path = at("curves").querySelector(".line")?.getAttribute("d") ?? "";
          said[m] = [at("badge").textContent, at("reason").textContent, at("curves").children.length,
                     (path.match(/[ML]/g) ?? []).length, at("noview").textContent];
        }
        """,
    )
    reasons = [reason.decode() for reason in shown.results.column("reason").tolist()]
    verdicts = [verdict.decode() for verdict in shown.results.column("verdict").tolist()]
    assert [said[str(m)][:2] for m in range(5)] == [[v, r] for v, r in zip(verdicts, reasons, strict=True)]
    assert [said[str(m)][2:4] for m in range(5)] == [[2, 5], [2, 6], [1, 7], [1, 8], [0, 0]]
    assert [bool(said[str(m)][4]) for m in range(5)] == [False, False, False, False, True]


@pytest.mark.slow
def test_of_five_hundred_molecules_those_in_sight_are_there(look, many):
    said = look(
        many,
        """
        const box = document.getElementById("scroll");
        said.all = state.order.length;
        said.first = rows();
        said.height = box.scrollHeight;
        said.each = document.querySelector("#rows tr").getBoundingClientRect().height;
        box.scrollTop = box.scrollHeight; box.dispatchEvent(new Event("scroll"));
        said.end = rows();
        said.viewers = document.querySelectorAll("#viewer canvas").length;
        sort("steps"); sort("steps");
        said.most = rows()[0];
        select(state.order[0]);
        for (let k = 0; k < 30; k += 1) document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown" }));
        said.chosen = D.molecules[state.chosen].values.name;
        const chosen = document.querySelector("#rows tr[aria-selected]").getBoundingClientRect();
        said.insight = chosen.top >= box.getBoundingClientRect().top && chosen.bottom <= box.getBoundingClientRect().bottom;
        document.querySelectorAll("#counts button")[1].click();
        said.capped = state.order.length;
        said.capping = new Set(rows().map((name) => D.molecules.find((one) => one.values.name === name).values.verdict)).size;
        """,
    )
    names = many.results.names
    assert said["all"] == 500
    assert said["first"] == names[: len(said["first"])]
    assert len(said["first"]) < 150
    assert said["end"] == names[-len(said["end"]) :]
    assert len(said["end"]) < 150
    assert 0 <= said["height"] - 500 * said["each"] < 60  # and the head of the table
    assert said["viewers"] == 1
    assert said["most"] == "H2O-499"
    assert said["chosen"] == "H2O-469"
    assert said["insight"]
    verdicts = many.results.column("verdict").tolist()
    assert said["capped"] == verdicts.count(b"step-cap")
    assert said["capping"] == 1


def test_without_webgl_everything_but_the_view_is_there(look, shown):
    said = look(
        shown,
        """
        sort("steps");
        said.rows = rows().length;
        said.view = document.getElementById("noview").textContent;
        said.curves = document.querySelectorAll("#curves svg").length;
        """,
        "--disable-3d-apis",
    )
    assert said == {"rows": 5, "view": "No 3D view: this browser offers no WebGL.", "curves": 2}


def test_a_page_that_tried_to_load_something_would_be_caught(look, shown):
    look(shown, 'new Image().src = "http://example.invalid/x.png";', troubles=["img-src http://example.invalid/x.png"])
    look(shown, 'fetch("http://example.invalid/").catch(() => {});', troubles=["connect-src http://example.invalid/"])


def test_one_molecule_needs_no_table(look, shown):
    one = shown._replace(inputs=shown.inputs[[0]], results=shown.results[[0]])
    said = look(
        one, 'said.table = getComputedStyle(document.getElementById("overview")).display; said.name = $("name").textContent;'
    )
    assert said == {"table": "none", "name": "CH3CH2OH-0"}
