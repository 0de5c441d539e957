"""What belongs to the code of a result: an import closure on the package as it is, and on small packages made here."""

import ast
import functools
import shutil
from pathlib import Path

import pytest

import morered
from morered import code_digest
from morered.code_digest import code_of, sources
from morered.datasets import qm7
from morered.energies.batch import with_energy

PACKAGE = Path(morered.__file__).parent


def digest_of(folder: Path, module: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(code_digest, "__file__", str(folder / "code_digest.py"))
    return code_digest.code_digest(module)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of that name with one module, which imports another where it is called, and a kernel beside it."""
    folder = tmp_path / "morered"
    (folder / "inner").mkdir(parents=True)
    (folder / "__init__.py").write_text('HOMES = {"relax": "morered.unrelated"}\n')
    (folder / "inner/__init__.py").write_text("")
    (folder / "start.py").write_text(
        '"""Doc."""\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import morered.unrelated\n\n\n'
        'def f():\n    """Doc."""\n    from morered.inner import work\n    return work.run("morered.registered:g")\n'
    )
    (folder / "inner/work.py").write_text('x = 1\nDATA = "table.csv"\n')
    (folder / "inner/kernel.h").write_text("int a;\n")
    (folder / "inner/table.csv").write_text("1\n")
    (folder / "inner/other.csv").write_text("1\n")
    for name in ("registered", "unrelated"):
        (folder / f"{name}.py").write_text("y = 1\n")
    monkeypatch.setattr(code_digest, "__file__", str(folder / "code_digest.py"))
    return folder


def test_the_closure_follows_imports_registries_kernels_and_named_data(package: Path) -> None:
    assert set(sources("morered.start")) == {
        "__init__.py", "start.py", "inner/__init__.py", "inner/work.py", "inner/kernel.h", "inner/table.csv", "registered.py",
    }  # fmt: skip


@pytest.mark.parametrize("file", ["start.py", "inner/work.py", "inner/kernel.h", "inner/table.csv", "registered.py"])
def test_the_digest_changes_with_the_code(package: Path, file: str) -> None:
    before = code_digest.code_digest("morered.start")
    with open(package / file, "a") as handle:
        handle.write("z = 3\n")
    assert code_digest.code_digest("morered.start") != before


def test_words_and_what_is_not_reached_change_nothing(package: Path) -> None:
    before = code_digest.code_digest("morered.start")
    (package / "unrelated.py").write_text("y = 2\n")
    (package / "inner/other.csv").write_text("2\n")
    start = (package / "start.py").read_text()
    (package / "start.py").write_text("# new\n\n" + start.replace('"""Doc."""', '"""Other\n    words."""'))
    assert code_digest.code_digest("morered.start") == before
    (package / "inner/work.py").write_text('"""A docstring where there was none."""\n\nx = 1  # why\nDATA = "table.csv"\n')
    assert code_digest.code_digest("morered.start") == before


def test_the_place_of_a_copy_does_not_matter(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_digest.code_digest("morered.start")
    shutil.copytree(package, tmp_path / "elsewhere/morered")
    assert digest_of(tmp_path / "elsewhere/morered", "morered.start", monkeypatch) == before


def test_results_know_what_they_depend_on() -> None:
    energies = code_of(functools.partial(with_energy, level=None))
    assert energies["modules"] == ["morered.energies.batch"]
    assert {"dft/pbe0.py", "dft/mbd.py", "dft/hirshfeld.py"} <= energies["files"].keys()
    assert not [name for name in energies["files"] if name.startswith(("relaxation/", "commands/", "models/", "figures/"))]
    relaxation = sources("morered.relaxation.entry")
    assert {
        "relaxation/engine/loop.py",
        "models/native/kernels.cpp",
        "models/native/optimisers.h",
        "calculators/xtb.py",
    } <= relaxation.keys()
    assert not [name for name in relaxation if name.startswith(("commands/", "training/", "figures/", "datasets/"))]
    assert "datasets/data/qm7.h5" in code_of(qm7.load)["files"]


def test_foreign_functions_are_refused() -> None:
    with pytest.raises(ValueError, match="no function or module of morered"):
        code_of(shutil.copy)
    with pytest.raises(ValueError, match=r"morered\.nowhere"):
        code_of("morered.nowhere")


def test_the_package_has_no_relative_imports_which_the_closure_would_not_see() -> None:
    relative = [
        path
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
