"""Methods of other packages, found by name: entry points of the group `GROUP`.

A package names them in its ``pyproject.toml``::

    [project.entry-points."morered.methods"]
    mace = "my_package:mace"

Each is a function without arguments that returns what ``morered.relax`` takes as ``method=``: an ASE calculator, a function of
many molecules, a mapping as in a config, or a method. It is imported and called when its method is first asked for.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "morered.methods"


def names() -> list[str]:
    """Names of the methods that other packages bring."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load(name: str) -> Any:
    """What a package gives for this name; None where no package has it.

    Raises
    ------
    ValueError
        If it cannot be imported or called; the message names the package.
    """
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        return None
    try:
        return found[0].load()()
    except Exception as error:  # whatever another package's code runs into
        raise ValueError(
            f"the method {name!r} of the package {_package(found[0])} cannot be had: {type(error).__name__}: {error}"
        ) from error


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.module
