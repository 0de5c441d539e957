"""Relaxations for pages to show."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for pages_support: pytest's importlib mode leaves the path alone

from pages_support import Shown, made_up


@pytest.fixture(scope="session")
def shown() -> Shown:
    """Five molecules."""
    return made_up()


@pytest.fixture(scope="session")
def many() -> Shown:
    """Five hundred."""
    return made_up(repeats=100)
