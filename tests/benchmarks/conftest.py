"""Benchmarks as modules: they lie outside the package."""

import importlib.util

import pytest


@pytest.fixture(scope="module")
def benchmark(request, repository):
    """The benchmark that the test's module is named after."""
    name = request.module.__name__.rpartition("test_")[2]
    spec = importlib.util.spec_from_file_location(name, repository / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
