"""The calculators by name. Nothing heavy is imported before a calculator is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from morered.calculators.base import Calculator
from morered.extras import require

Factory = Callable[..., Calculator]
"""Takes keyword arguments only and returns a `Calculator`."""


def _mmff94() -> Factory:
    from morered.calculators.mmff94 import Mmff94

    return Mmff94


def _mmff94_openbabel() -> Factory:
    from morered.calculators.mmff94_openbabel import Mmff94

    return Mmff94


def _gfn1() -> Factory:
    from morered.calculators.xtb import gfn1

    return gfn1


def _gfn2() -> Factory:
    from morered.calculators.xtb import gfn2

    return gfn2


def _aimnet2() -> Factory:
    from morered.calculators.aimnet2 import Aimnet2

    return Aimnet2


def _so3lr() -> Factory:
    from morered.calculators.so3lr import So3lr

    return So3lr


def _mlff() -> Factory:
    from morered.calculators.mlff import Mlff

    return Mlff


def _pbe0() -> Factory:
    from morered.calculators.pbe0 import Pbe0

    return partial(Pbe0, False)


def _pbe0_mbd() -> Factory:
    from morered.calculators.pbe0 import Pbe0

    return partial(Pbe0, True)


#: Name -> what imports and gives its factory.
_FACTORIES: dict[str, Callable[[], Factory]] = {
    "mmff94": _mmff94,
    "mmff94-openbabel": _mmff94_openbabel,
    "gfn1": _gfn1,
    "gfn2": _gfn2,
    "aimnet2": _aimnet2,
    "so3lr": _so3lr,
    "mlff": _mlff,
    "pbe0": _pbe0,
    "pbe0+mbd": _pbe0_mbd,
}

#: Name -> the extra that it needs, and the package, as it is imported, that the extra brings.
_PACKAGES: dict[str, tuple[str, str]] = {
    "mmff94-openbabel": ("mmff", "openbabel"),
    "aimnet2": ("aimnet2", "Auto3D"),
    "gfn1": ("xtb", "tblite"),
    "gfn2": ("xtb", "tblite"),
    "so3lr": ("so3lr", "so3krates_torch"),
    "pbe0": ("dft", "pyscf"),
    "pbe0+mbd": ("dft", "pyscf"),
}


def names() -> tuple[str, ...]:
    """Names that `get` knows."""
    return tuple(_FACTORIES)


def check_installed(name: str) -> None:
    """Refuse a calculator whose package is missing, before any work is done.

    Raises
    ------
    morered.extras.MissingExtra
        With the command that brings it.
    """
    if name in _PACKAGES:
        require(*_PACKAGES[name])


def register(name: str, load: Callable[[], Factory]) -> None:
    """Make another calculator known: ``load`` is called when it is asked for, and gives its factory.

    Raises
    ------
    ValueError
        If the name stands for another one.
    """
    if _FACTORIES.setdefault(name, load) is not load:
        raise ValueError(f"there is a calculator {name!r} already")


def options(name: str) -> dict[str, Any]:
    """The options of a calculator and their defaults (`inspect.Parameter.empty` for one that must be given).

    Raises
    ------
    ValueError
        If there is no calculator of this name.
    """
    return {key: parameter.default for key, parameter in inspect.signature(_factory(name)).parameters.items()}


def get(name: str, **given: Any) -> Calculator:
    """A calculator by name, with options.

    >>> get("mmff94").name
    'mmff94'

    Raises
    ------
    ValueError
        If the name or an option is unknown, or a needed option is missing; the message lists what there is.
    morered.extras.MissingExtra
        If a package that it needs is not installed.
    """
    known = options(name)
    listed = ", ".join(known) or "none"
    for option in given:
        if option not in known:
            raise ValueError(f"calculator {name!r} has no option {option!r}; there are: {listed}")
    for option, default in known.items():
        if default is inspect.Parameter.empty and option not in given:
            raise ValueError(f"calculator {name!r} needs option {option!r}; options: {listed}")
    return _factory(name)(**given)


def _factory(name: str) -> Factory:
    if name not in _FACTORIES:
        raise ValueError(f"no calculator {name!r}; there are: {', '.join(_FACTORIES)}")
    return _FACTORIES[name]()
