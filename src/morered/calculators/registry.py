"""The calculators by name. Nothing heavy is imported before a calculator is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from morered.calculators.base import Calculator
from morered.extras import require

#: Name -> "module:factory". A factory takes keyword arguments only and returns a `Calculator`.
_FACTORIES: dict[str, str] = {
    "mmff94": "morered.calculators.mmff94:Mmff94",
    "mmff94-openbabel": "morered.calculators.mmff94_openbabel:Mmff94",
    "gfn1": "morered.calculators.xtb:gfn1",
    "gfn2": "morered.calculators.xtb:gfn2",
    "aimnet2": "morered.calculators.aimnet2:Aimnet2",
    "so3lr": "morered.calculators.so3lr:So3lr",
    "mlff": "morered.calculators.mlff:Mlff",
    "pbe0": "morered.energies.calculator:pbe0",
    "pbe0+mbd": "morered.energies.calculator:pbe0_mbd",
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


def register(name: str, factory: str) -> None:
    """Make another calculator known: ``factory`` is ``"module:callable"``, imported when it is first asked for.

    Raises
    ------
    ValueError
        If the name stands for another factory, or ``factory`` is not of that form.
    """
    if factory.count(":") != 1:
        raise ValueError(f"a factory is given as 'module:callable', not {factory!r}")
    if _FACTORIES.setdefault(name, factory) != factory:
        raise ValueError(f"calculator {name!r} is already {_FACTORIES[name]}")


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


def _factory(name: str) -> Callable[..., Calculator]:
    try:
        module, attribute = _FACTORIES[name].split(":")
    except KeyError:
        raise ValueError(f"no calculator {name!r}; there are: {', '.join(_FACTORIES)}") from None
    factory: Callable[..., Calculator] = getattr(import_module(module), attribute)
    return factory
