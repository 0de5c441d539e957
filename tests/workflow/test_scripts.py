"""Every name that a script of the workflow imports from the package is there: scripts run only where their rules do."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest


def imported(path: Path) -> list[tuple[str, str]]:
    """Modules of the package and the names that a script imports from them."""
    found = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom)]
    return [(n.module, alias.name) for n in found if n.module and n.module.startswith("morered") for alias in n.names]


def test_scripts_import_what_is_there(repository: Path) -> None:
    scripts = sorted((repository / "workflow/scripts").glob("*.py"))
    assert len(scripts) > 40
    for module, name in sorted({pair for script in scripts for pair in imported(script)}):
        if not hasattr(importlib.import_module(module), name):
            importlib.import_module(f"{module}.{name}")


def test_a_name_that_is_gone_is_noticed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("from morered.structures import Nothing\n", encoding="utf-8")
    ((module, name),) = imported(script)
    assert not hasattr(importlib.import_module(module), name)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{module}.{name}")
