"""Shared by all tests: one thread each, GPU and browser tests where there is one, Slurm tests and timings only if asked for."""

import os
import shutil
import signal
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

# A shell that starts the tests in the background, and nohup, make them deaf to signals, and so the programs that they start and
# interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

REPOSITORY = Path(__file__).parent.parent
sys.path.insert(0, str(REPOSITORY / "tests"))  # for structures_support: pytest's importlib mode leaves the path alone


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


#: Names of the browser that the pages are looked at with.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="session")
def browser() -> str:
    """Path of the browser."""
    return next(filter(None, map(shutil.which, BROWSERS)))


#: Files whose tests take longest, in the order that they are run in.
LONG = (
    "tests/workflow/test_runs.py",
    "tests/models/test_compile.py",
    "tests/workflow/test_dag.py",
    "tests/workflow/test_targets.py",
    "tests/workflow/test_datasets.py",
    "tests/pages/test_browser.py",
    "tests/library/test_run.py",
    "tests/training/test_resume.py",
    "tests/training/test_processes.py",
    "tests/commands/test_process.py",
    "tests/workflow/test_library.py",
    "tests/workflow/test_profiles.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this machine cannot run or nobody asked for, so that it is not counted as passed or skipped."""
    import torch

    missing = set()
    if not torch.cuda.is_available():
        missing.add("gpu")
    if not any(map(shutil.which, BROWSERS)):
        missing.add("browser")
    missing |= {name for name in ("slurm", "benchmark") if name not in config.option.markexpr}
    left_out = [item for item in items if any(map(item.get_closest_marker, missing))]
    config.hook.pytest_deselected(items=left_out)
    unwanted = set(left_out)
    items[:] = sorted((item for item in items if item not in unwanted), key=_place)


def _place(item: pytest.Item) -> int:
    """Files that take minutes come first, so that no worker begins one when the others have ended."""
    name = item.nodeid.partition("::")[0]
    return LONG.index(name) if name in LONG else len(LONG)
