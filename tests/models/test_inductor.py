"""What `torch.compile` is given of the machine."""

import os
import stat
from pathlib import Path

import pytest
import torch
from models_support import random_molecules

from morered.batching import pad
from morered.models import compile as compilation
from morered.models import inductor
from morered.models.compile import maybe_compile
from morered.models.networks import build
from morered.settings.networks import ModelConfig


@pytest.fixture(autouse=True)
def _afresh(monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for function in (inductor.problem, compilation._warn):
        function.cache_clear()
    yield
    for function in (inductor.problem, compilation._warn):
        function.cache_clear()


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def too_narrow_for_kernels():
    return build(ModelConfig(kind="time", features=8, interactions=1, time_layers=1))


def test_a_compiler_that_works_is_no_problem(monkeypatch, tmp_path):
    monkeypatch.setenv(inductor.CACHE, "")  # so that it is put back afterwards
    monkeypatch.delenv(inductor.CACHE)
    assert inductor.problem() is None
    assert os.environ[inductor.CACHE] == str(tmp_path / "cache" / "morered" / "inductor")


@pytest.mark.parametrize("compiler", ["/nonexistent/c++", "ccache g++", "two words", "", "fails", "hangs", "writes nothing"])
def test_a_compiler_that_does_not_work_leaves_pytorch(compiler, monkeypatch, tmp_path):
    monkeypatch.setattr(inductor, "PATIENCE", 0.5)
    scripts = {"fails": "echo broken >&2; exit 3", "hangs": "exec sleep 60", "writes nothing": "exit 0"}
    if compiler in scripts:
        compiler = script(tmp_path / "compiler", scripts[compiler])
    monkeypatch.setenv("CXX", compiler)
    if not compiler:
        monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.warns(UserWarning, match="networks run uncompiled, several times slower: "):
        assert maybe_compile(too_narrow_for_kernels(), "always").execution == "plain"


def test_a_compilation_that_fails_later_leaves_pytorch(monkeypatch):
    """Inductor's own checks, a full disk, an operation that it does not know."""

    def fail(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(compilation, "BACKEND", fail)
    batch = pad(random_molecules((4, 7)), dtype=torch.float32)
    model = maybe_compile(too_narrow_for_kernels(), "always")
    with torch.no_grad(), pytest.warns(UserWarning, match="torch.compile fails: .*the disk is full"):
        time = model(batch.numbers, batch.positions, batch.mask).time
    assert model.execution == "plain"
    assert time.shape == (2,)


def test_the_cache_is_the_users_own(tmp_path):
    folder = inductor.private_folder("inductor")
    assert folder == tmp_path / "cache" / "morered" / "inductor"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("kind", ["open", "link", "parent", "file"])
def test_a_folder_that_others_can_write_is_not_used(kind, tmp_path):
    folder = tmp_path / "cache" / "morered" / "inductor"
    folder.mkdir(parents=True)
    if kind == "open":
        folder.chmod(0o777)
    elif kind == "parent":
        folder.parent.chmod(0o775)
    else:
        folder.rmdir()
        (tmp_path / "elsewhere").mkdir()
        if kind == "link":
            folder.symlink_to(tmp_path / "elsewhere")
        else:
            folder.write_text("")
    found = inductor.private_folder("inductor")
    assert found != folder
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_a_folder_of_another_user_is_not_used(tmp_path, monkeypatch):
    folder = tmp_path / "cache" / "morered" / "inductor"
    folder.mkdir(parents=True)
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    assert inductor.private_folder("inductor") != folder
