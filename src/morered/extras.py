"""Names the extra that brings a missing package, and the command that installs it.

`pyproject.toml` says what each extra installs; README.md what it is for. A module imports such packages in a block of its own,

    with needs("xtb"):
        from tblite.interface import Calculator

and is itself imported only where its method or command is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec


class MissingExtra(ImportError):
    """A package is not installed; the message names it and the command that brings it."""


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around imports of what ``extra`` brings.

    Raises
    ------
    MissingExtra
        In place of ModuleNotFoundError.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise _missing(error.name or "a package", extra) from error


def require(extra: str, package: str) -> None:
    """Refuse at once, without importing it, what will need ``package`` (its name in an import), which ``extra`` brings.

    Raises
    ------
    MissingExtra
        If it is not there.
    """
    if find_spec(package) is None:
        raise _missing(package, extra)


def _missing(module: str, extra: str) -> MissingExtra:
    package = module.partition(".")[0]
    return MissingExtra(f"{package} is not installed: python -m pip install 'morered[{extra}]' brings it", name=module)
