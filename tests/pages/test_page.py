"""A page holds everything that it shows, shows it rightly, and refers to nothing else."""

import hashlib
import json
import re
import tomllib
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from pages_support import joined, read

from morered.metrics.rmsd import rmsd
from morered.pages import Stage, write_page
from morered.pages.curves import POINTS, thinned
from morered.pages.page import contents, page
from morered.relaxation.methods import preset
from morered.trajectories import Recorder

#: Attributes by which an element of HTML or SVG loads or sends something.
LOADING = {"src", "srcset", "href", "xlink:href", "action", "formaction", "data", "poster", "background", "manifest", "ping"}


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of its scripts, styles and licence."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.texts.append("")

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] in ("script", "style"):
            self.texts[-1] += data


@pytest.fixture(scope="module")
def text(shown):
    return page(*shown, title="A <title>", method="jump")


@pytest.fixture(scope="module")
def parsed(text):
    return Elements(text)


@pytest.fixture(scope="module")
def data(text):
    return read(text)


def own(name):
    return resources.files("morered").joinpath(f"pages/{name}").read_text(encoding="utf-8")


def test_no_element_refers_to_anything_outside_the_page(parsed):
    references = [(tag, name, value) for tag, attrs in parsed.elements for name, value in attrs.items() if name in LOADING]
    assert references == [("link", "href", "data:,")]  # the icon, which a browser would ask the server for
    assert {tag for tag, _ in parsed.elements} & {"iframe", "object", "embed", "base", "form"} == set()


def test_its_policy_forbids_the_browser_to_load_anything(parsed):
    (policy,) = [attrs["content"] for tag, attrs in parsed.elements if attrs.get("http-equiv") == "Content-Security-Policy"]
    rules = {rule.split()[0]: rule.split()[1:] for rule in policy.split(";")}
    assert rules.pop("default-src") == ["'none'"]
    assert {source for sources in rules.values() for source in sources} == {"'unsafe-inline'", "data:", "blob:"}
    assert "connect-src" not in rules  # so that the default holds
    first = next(k for k, (tag, _) in enumerate(parsed.elements) if tag in ("script", "style", "link"))
    assert any("http-equiv" in attrs for _, attrs in parsed.elements[:first])  # a policy holds for what follows it


@pytest.mark.parametrize("name", ["page.html", "page.css", "page.js"])
def test_our_own_parts_name_no_address(name):
    found = re.findall(
        r"(?:https?:)?//[\w.]+|url\([^)]*\)|@import|fetch\(|XMLHttpRequest|WebSocket",
        re.sub(r"^\s*//.*", "", own(name), flags=re.M),
    )
    assert set(found) <= {"http://www.w3.org"}  # the name of SVG's elements, which nothing is loaded from


def test_the_viewer_is_the_one_that_its_version_file_names_and_its_licence_is_in_the_page(text):
    viewer = resources.files("morered").joinpath("viewer")
    stated = json.loads(viewer.joinpath("VERSION.json").read_text())
    source = viewer.joinpath(stated["file"]).read_bytes()
    assert hashlib.sha256(source).hexdigest() == stated["sha256"]
    assert source.decode() in text
    assert viewer.joinpath("LICENSE.txt").read_text().strip() in text
    assert f"3Dmol.js {stated['version']}" in text


def test_names_from_files_stay_names(parsed, data, shown):
    assert [molecule["values"]["name"] for molecule in data["molecules"]] == shown.results.names
    assert [tag for tag, _ in parsed.elements].count("script") == 4
    assert not any(tag == "img" for tag, _ in parsed.elements)


def test_the_data_are_those_of_the_relaxation(data, shown):
    expected = json.loads(json.dumps(contents(*shown)))
    assert data["molecules"] == joined(expected, expected["details"])
    assert [c["key"] for c in data["columns"]] == [c["key"] for c in expected["columns"]]
    verdicts = [molecule["values"]["verdict"] for molecule in data["molecules"]]
    assert verdicts == ["converged", "step-cap", "converged", "failed", "refused"]
    assert data["molecules"][4]["values"]["reason"] == "a coordinate is infinite or no number"
    assert [m["values"]["formula"] for m in data["molecules"]] == ["C2H6O", "C6H6", "CH2O", "CH4", "H2O"]


def test_input_and_result_are_turned_alike(data, shown):
    moved = rmsd(shown.inputs, shown.results)
    for m, molecule in enumerate(data["molecules"][:3]):
        before, after = (np.reshape(molecule[key], (-1, 3)) for key in ("before", "after"))
        wanted = np.linalg.norm(shown.results.molecule(m).positions - shown.inputs.molecule(m).positions, axis=1)
        # Coordinates are rounded to 0.001 Å: a distance is wrong by 0.002 Å at most.
        np.testing.assert_allclose(np.linalg.norm(after - before, axis=1), wanted, atol=2e-3)
        assert molecule["values"]["moved"] == pytest.approx(moved[m], rel=1e-3)
        pairs = np.linalg.norm(before[:, None] - before, axis=2)
        given = shown.inputs.molecule(m).positions
        np.testing.assert_allclose(pairs, np.linalg.norm(given[:, None] - given, axis=2), atol=2e-3)
        mirrored = np.linalg.det(np.linalg.lstsq(given - given.mean(axis=0), before, rcond=None)[0])
        assert mirrored > 0 or len(given) < 4 or np.linalg.matrix_rank(given - given.mean(axis=0), tol=0.2) < 3


def test_a_molecule_that_was_not_relaxed_has_no_result_and_one_that_is_no_number_no_structure(data):
    assert data["molecules"][3]["after"] is None
    assert data["molecules"][3]["before"] is not None
    assert data["molecules"][3]["values"]["moved"] is None
    assert data["molecules"][4]["before"] is None


def test_bonds_are_sorted_into_kept_lost_and_made(data):
    formaldehyde = data["molecules"][2]["bonds"]  # O, C, H, H; the first hydrogen was away
    assert formaldehyde == {"kept": [[0, 1], [1, 3]], "lost": [], "made": [[1, 2]]}
    benzene = data["molecules"][1]["bonds"]
    assert len(benzene["kept"]) == 12
    assert benzene["lost"] == benzene["made"] == []


def test_curves_keep_their_ends_and_say_what_they_are(data):
    time, force = data["molecules"][0]["curves"]
    assert (time["label"], time["log"], time["aim"]) == ("predicted time", False, None)
    assert time["steps"] == [1, 2, 3, 4, 5]
    assert time["values"] == [0.5, 0.25, 0.1667, 0.125, 0.1]
    assert (force["unit"], force["log"], force["aim"]) == ("eV/Å", True, 5e-5)
    assert len(force["steps"]) == POINTS
    assert (force["steps"][0], force["steps"][-1]) == (0, 999)
    assert force["values"][-1] == pytest.approx(10 * 0.99**999, rel=1e-3)
    assert set(data["molecules"][1]["curves"][1]["values"]) == {None}  # JSON knows no NaN
    assert data["molecules"][4]["curves"] == []


@pytest.mark.parametrize("n", [1, 2, POINTS, POINTS + 1, 5000])
def test_thinning_is_even(n):
    places = thinned(n)
    assert len(places) == min(n, POINTS)
    assert (places[0], places[-1]) == (0, n - 1)
    assert np.ptp(np.diff(places)) <= 1 if n > 1 else True


def test_columns_without_a_value_are_left_out(data):
    keys = {column["key"] for column in data["columns"]}
    assert {"name", "verdict", "moved", "last_time", "bonds_kept"} <= keys
    assert not {"last_fmax", "first_fmax", "seed_spread"} & keys


@pytest.mark.parametrize(
    ("name", "label", "column", "aim"),
    [
        ("jt", "predicted time", "time", None),
        ("itp", "diffusion time", "time", None),
        ("gfn2", "gfn2: largest force", "fmax", 5e-5),
        ("so3lr", "so3lr: largest force", "fmax", 5e-5),
    ],
)
def test_a_method_says_what_is_worth_seeing_of_it(name, label, column, aim):
    stage = Stage.of(preset(name), Recorder([]).finish())
    assert (stage.label, stage.column) == (label, column)
    assert stage.aim is None if aim is None else stage.aim == pytest.approx(aim)


def test_none_and_one_molecule_make_a_page_too(shown, tmp_path):
    for count in (0, 1):
        write_page(tmp_path / "page.html", shown.inputs[:count], shown.results[:count])
        assert len(read((tmp_path / "page.html").read_text(encoding="utf-8"))["molecules"]) == count


def test_the_parts_are_installed_with_the_package(repository):
    patterns = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["morered"]
    package = repository / "src/morered"
    installed = {path for pattern in patterns for path in package.glob(pattern)}
    assert {package / f"pages/page.{ending}" for ending in ("html", "css", "js")} <= installed
    assert {package / f"viewer/{name}" for name in ("3Dmol-min.js", "LICENSE.txt", "VERSION.json")} <= installed
