"""Which kernels are opened, and what is said where there are none."""

import sys
import warnings

import pytest
import torch
from models_support import random_molecules

from morered.batching import pad
from morered.models import compile as compilation
from morered.models.compile import maybe_compile
from morered.models.native import library
from morered.models.networks import build
from morered.settings.networks import ModelConfig


@pytest.fixture(autouse=True)
def _afresh(monkeypatch):
    """Nothing of this process is remembered, before and after."""
    monkeypatch.delenv(library.CHOICE, raising=False)
    cached = (library.load, library.binding, compilation._warn)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.fixture
def not_built(monkeypatch, tmp_path):
    """An installation without a compiler: the package's folder holds no compiled file."""
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "morered.models.native.binding", None)


def small():
    return maybe_compile(build(ModelConfig(features=16, interactions=1)))


def test_the_best_set_of_this_machine_is_taken():
    assert library.load().name == library.available()[0] == library.binding().instruction_sets()[0]


def test_an_empty_choice_is_none(monkeypatch):
    monkeypatch.setenv(library.CHOICE, "")
    assert library.load().name == library.available()[0]


def test_another_set_can_be_chosen(monkeypatch):
    monkeypatch.setenv(library.CHOICE, "baseline")
    assert library.load().name == "baseline"


def test_a_set_that_was_not_built_leaves_the_next(monkeypatch, tmp_path):
    """A compiler may not know the longest registers."""
    best, *others = library.available()
    for name in others:
        (tmp_path / library._file(f"kernels_{name}").name).symlink_to(library._file(f"kernels_{name}"))
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    if others:
        assert library.load().name == others[0]
    with pytest.raises(library.Unavailable, match=f"no kernels for {best}"):
        library.load(best)


@pytest.mark.parametrize("name", ["sse9", "AVX2"])
def test_an_unknown_set_is_refused_with_those_that_are_here(name, monkeypatch):
    monkeypatch.setenv(library.CHOICE, name)
    with pytest.raises(library.Unavailable, match=f"no kernels for {name} .*there are kernels for .*baseline"):
        library.load()


def test_without_kernels_networks_run_plainly_and_say_once_what_to_do(not_built):
    with pytest.warns(UserWarning, match="run uncompiled, several times slower: the compiled kernels are not installed; install"):
        assert small().execution == "plain"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert small().execution == "plain"


def test_kernels_that_cannot_be_opened_are_no_error(monkeypatch, tmp_path):
    for name in library.available():
        (tmp_path / library._file(f"kernels_{name}").name).write_bytes(b"\x7fELF no longer")
    monkeypatch.setattr(library, "FOLDER", tmp_path)
    with pytest.warns(UserWarning, match="the kernels cannot be opened: .*kernels_"):
        assert small().execution == "plain"


def test_a_library_of_something_else_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="morered_kernels"):
        library.binding().Library(library.binding().__file__)


def test_pytorch_computes_the_same_where_it_is_chosen(monkeypatch):
    batch = pad(random_molecules((4, 9)), dtype=torch.float32)
    model = small()
    assert model.execution == "kernels"
    with torch.no_grad():
        expected = model(batch.numbers, batch.positions, batch.mask)
    library.load.cache_clear()
    monkeypatch.setenv(library.CHOICE, "none")
    with pytest.warns(UserWarning, match="MORERED_KERNELS is none"):
        assert maybe_compile(model).execution == "plain"
    with torch.no_grad():
        for ours, theirs in zip(model(batch.numbers, batch.positions, batch.mask), expected, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
