"""The Python of the documents runs: the notebook cell by cell, the page for chemists and README block by block."""

import ast
import contextlib
import io
import json
import re

import numpy as np
import pytest
from rdkit import Chem


def executed(blocks):
    """The names that blocks of code leave behind, and the value of each block's last line, as a notebook shows it."""
    names, shown = {"__name__": "document"}, []
    for block in blocks:
        tree = ast.parse(block)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(tree, "document", "exec"), names)
            shown.append(None if last is None else eval(compile(ast.Expression(last.value), "document", "eval"), names))
    return names, shown


def blocks_of(path):
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_notebook_runs_cell_by_cell(repository):
    notebook = json.loads((repository / "docs/notebooks/relax.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    names, shown = executed("".join(cell["source"]) for cell in cells)
    conformers = shown[1]
    assert [verdict for verdict, _, _ in conformers] == ["converged"] * 3
    energies = shown[2]
    assert energies[0] == 0
    assert energies == sorted(energies)
    assert len(energies) >= 2
    assert "iframe" in shown[3]._repr_html_()
    assert names["after"].info["steps"] < names["alone"].info["steps"]
    assert names["alone"].get_potential_energy() == pytest.approx(names["after"].get_potential_energy(), abs=1e-4)
    assert shown[5][:2].tolist() == [0, 0]
    assert shown[5][2:].min() > 0


def test_the_page_for_chemists_runs_block_by_block(repository):
    names, _ = executed(blocks_of(repository / "docs/chemists.md"))
    assert names["pair"].info["verdict"] == "converged"
    assert names["pair"].get_distance(0, 1) == pytest.approx(2 ** (1 / 6) * 3.4, abs=1e-3)
    assert names["butane"].GetNumConformers() == 3
    carbons = [atom.GetIdx() for atom in names["mol"].GetAtoms() if atom.GetAtomicNum() == 6]
    before, after = (names[name].GetConformer().GetPositions() for name in ("mol", "fixed"))
    assert np.array_equal(before[carbons], after[carbons])


def test_the_lines_of_readme_for_chemists_run(repository):
    blocks = blocks_of(repository / "README.md")
    assert len(blocks) == 1
    names, _ = executed(blocks)
    assert isinstance(names["mol"], Chem.Mol)
    assert names["mol"].GetProp("verdict") == "converged"


def test_lines_of_documents_are_short_but_for_rows_of_tables(repository):
    folders = (repository, repository / "docs", repository / "docs/remarks", repository / "config")
    for path in (path for folder in folders for path in folder.glob("*.md")):
        long = [line for line in path.read_text(encoding="utf-8").splitlines() if len(line) > 120 and not line.startswith("|")]
        assert not long, path
