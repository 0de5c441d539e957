"""The study's note is text on the report's first page, whatever is written in it."""

from types import SimpleNamespace

import pytest
from docutils.core import publish_parts
from jinja2 import Environment

EVIL = """Toy numbers.</em><script>alert(1)</script>

.. raw:: html

   <img src=x onerror=alert(2)>

.. include:: /etc/passwd

*strong* `link <javascript:alert(3)>`_ {{ 7 * 7 }} |x| back\\slash Å"""


def rendered(repository, page, note):
    """As `snakemake --report` makes it."""
    text = (repository / "workflow/report" / page).read_text(encoding="utf-8")
    snakemake = SimpleNamespace(config={"study": "mine", "note": note})
    filled = Environment(trim_blocks=True, lstrip_blocks=True).from_string(text).render(snakemake=snakemake)
    return publish_parts(filled, writer="html", settings_overrides={"report_level": 2})["html_body"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "results/mine/tables").mkdir(parents=True)
    (tmp_path / "results/mine/tables/comparison.fragment.html").write_text("<p>table</p>")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", ["workflow.rst", "unfinished.rst"])
def test_a_note_is_text(repository, folder, page):
    plain = rendered(repository, page, "")
    html = rendered(repository, page, EVIL)
    for tag in ("<script", "<img", "<a ", "root:", "49"):
        assert html.count(tag) == plain.count(tag), tag
    assert "system-message" not in html
    shown = html.split("<em>")[1].split("</em>")[0]
    assert shown.startswith("Toy numbers.&lt;/em&gt;&lt;script&gt;alert(1)")
    assert shown.endswith("back\\slash Å")
    assert "*strong* `link" in shown


@pytest.mark.parametrize("page", ["workflow.rst", "unfinished.rst"])
def test_a_plain_note_reads_as_it_was_written(repository, folder, page):
    html = rendered(repository, page, "Toy sizes, made by\na test (config/tiny.yaml). They mean nothing.\n")
    assert "<em>Toy sizes, made by a test (config/tiny.yaml). They mean nothing.</em>" in html
