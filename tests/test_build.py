"""What building the package does without a compiler, and that its source archive holds what building takes."""

import importlib.util
import os
import re
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from types import ModuleType

import pytest
from setuptools.errors import CompileError


@pytest.fixture
def setup(repository: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.chdir(repository)
    spec = importlib.util.spec_from_file_location("setup", repository / "setup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def build(repository: Path, out: Path, compiler: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "setup.py", "build_ext", "--build-lib", str(out / "lib"), "--build-temp", str(out / "temp")]
    environment = {**os.environ, "CXX": compiler}
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def test_without_a_compiler_the_installation_goes_on(repository: Path, tmp_path: Path) -> None:
    done = build(repository, tmp_path, "/nonexistent/c++")
    assert done.returncode == 0, done.stderr
    assert re.search(r'building extension "morered.models.native.kernels_baseline" failed: .*/nonexistent/c\+\+', done.stderr)
    assert list(tmp_path.rglob("*.so")) == []


def test_a_compiler_of_two_words_is_called_with_both(repository: Path, tmp_path: Path) -> None:
    """As `ccache g++`."""
    wrapper = tmp_path / "wrapper"
    wrapper.write_text(f'#!/bin/sh\necho "$1" >> "{tmp_path}/called"\nexit 1\n')
    wrapper.chmod(0o755)
    assert build(repository, tmp_path, f"{wrapper} g++").returncode == 0
    assert set((tmp_path / "called").read_text().split()) == {"g++"}


def test_a_compiler_that_hangs_is_stopped(setup: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "PATIENCE", 0.2)
    begin = time.monotonic()
    with pytest.raises(CompileError, match="timed out after"):
        setup.spawn(["sleep", "60"])
    assert time.monotonic() - begin < 30


def test_a_compiler_that_writes_nothing_is_no_success(repository: Path, tmp_path: Path) -> None:
    assert build(repository, tmp_path, "true").returncode == 0
    assert list(tmp_path.rglob("*.so")) == []


def test_one_library_for_each_instruction_set_is_built(setup: ModuleType) -> None:
    names = [extension.name.rpartition(".")[2] for extension in setup.extensions()]
    assert names == [*(f"kernels_{name}" for name in setup.SETS), "binding"]
    assert all(extension.optional for extension in setup.extensions())


def test_the_source_archive_holds_what_building_takes(repository: Path, tmp_path: Path) -> None:
    code = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=repository, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as archived:
        names = {name.partition("/")[2] for name in archived.getnames()}
    native = repository / "src/morered/models/native"
    sources = {str(path.relative_to(repository)) for path in native.iterdir() if path.suffix in (".cpp", ".h", ".py")}
    assert {"setup.py", "pyproject.toml", *sources} <= names
    assert not [name for name in names if name.endswith(".so")]
