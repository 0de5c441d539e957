"""Benchmarks as modules: they lie outside the package."""

import importlib.util
import sys

import pytest


@pytest.fixture(scope="module")
def benchmark(request, repository):
    """The benchmark that the test's module is named after; what it takes from the benchmark of calculators is found."""

    def module(name):
        spec = importlib.util.spec_from_file_location(name, repository / f"benchmarks/{name}.py")
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "calculators", module("calculators"))
        yield module(request.module.__name__.rpartition("test_")[2])
