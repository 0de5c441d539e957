"""`morered.view` shows what `morered.relax` returned, before and after, in the output of a notebook's cell."""

import html
import re

import numpy as np
import pytest
from ase.build import molecule
from pages_support import read

import morered


@pytest.fixture(scope="module")
def given():
    rng = np.random.default_rng(0)
    atoms = [molecule(name) for name in ("CH3CH2OH", "C6H6", "CH3CH2OH")]
    for one in atoms:
        one.positions += 0.1 * rng.normal(size=one.positions.shape)
    return atoms


@pytest.fixture(scope="module")
def relaxed(given):
    return morered.relax(given)


def distances(flat):
    points = np.reshape(flat, (-1, 3))
    return np.linalg.norm(points[:, None] - points, axis=2)


def shown(view):
    """What the frame holds, once its attribute is read as a browser reads it."""
    frame = view._repr_html_()
    text = html.unescape(re.search(r'srcdoc="(.*?)"', frame, re.DOTALL)[1])
    assert text == view.html
    assert 'sandbox="allow-scripts"' in frame
    return read(text)["molecules"]


def test_a_list_of_atoms(given, relaxed, tmp_path):
    view = morered.view(relaxed)
    molecules = shown(view)
    assert [one["values"]["name"] for one in molecules] == ["C2H6O", "C6H6", "C2H6O#2"]
    for one, before, after in zip(molecules, given, relaxed, strict=True):
        assert one["values"]["verdict"] == after.info["verdict"]
        # Coordinates are rounded to 0.001 Å.
        np.testing.assert_allclose(distances(one["before"]), before.get_all_distances(), atol=2e-3)
        np.testing.assert_allclose(distances(one["after"]), after.get_all_distances(), atol=2e-3)
    view.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == view.html
    assert repr(view).startswith("View(3 molecules;")


def test_one_molecule_and_structures(given, relaxed):
    (one,) = shown(morered.view(relaxed[1]))
    assert one["values"]["formula"] == "C6H6"
    structures = morered.Structures.build([a.numbers for a in given], [a.positions for a in given], ["a", "b", "c"])
    molecules = shown(morered.view(morered.relax(structures)))
    assert [one["values"]["name"] for one in molecules] == ["a", "b", "c"]
    np.testing.assert_allclose(distances(molecules[0]["before"]), given[0].get_all_distances(), atol=2e-3)


def test_a_copy_has_forgotten_its_input_and_is_told_it(given, relaxed):
    copy = relaxed[0].copy()
    with pytest.raises(ValueError, match="not known: give them as before="):
        morered.view(copy)
    with pytest.raises(ValueError, match="in the same order"):
        morered.view(copy, before=given[1])
    (one,) = shown(morered.view(copy, before=given[0]))
    np.testing.assert_allclose(distances(one["before"]), given[0].get_all_distances(), atol=2e-3)
    with pytest.raises(ValueError, match=r"molecule 1 is no result of morered\.relax: it has no verdict"):
        morered.view(given[0], before=given[0])
