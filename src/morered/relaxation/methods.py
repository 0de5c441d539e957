"""Relaxation methods from plain values, checked before any model is loaded; their settings are `morered.settings.relaxation`."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from morered import plugins
from morered.calculators import check_installed
from morered.calculators.given import is_potential
from morered.models.shipped import names
from morered.settings.auto import AutoMethod
from morered.settings.base import merged
from morered.settings.presets import PRESETS, ROLES, started
from morered.settings.reading import ConfigError, read
from morered.settings.relaxation import (
    TIMEOUT,
    DiffusionMethod,
    Method,
    Mmff94Method,
    Model,
    PhysicalMethod,
    PotentialMethod,
    XtbMethod,
)

#: Relaxer -> the class of its settings.
_CLASSES: dict[str, type[DiffusionMethod] | type[PotentialMethod] | type[PhysicalMethod] | type[AutoMethod]] = {
    kind: cls for cls in (DiffusionMethod, PotentialMethod, XtbMethod, Mmff94Method, AutoMethod) for kind in cls.KINDS
}


#: What holds for a potential that the user brings, where nothing else is said: single precision reaches these forces, and nearly
#: every molecule has bonds that the valence force field knows.
_BROUGHT = {"fmax": 1.0e-3, "initial_hessian": "valence"}


def from_config(config: Mapping[str, Any], path: str = "method") -> Method:
    """Read a method from plain values.

    >>> from_config({"preset": "fast", "steps": 50}).steps
    50
    >>> from_config({"preset": "fast", "stepz": 50})
    Traceback (most recent call last):
    ...
    morered.settings.reading.ConfigError: method.stepz: unknown key (did you mean 'steps'?)

    Parameters
    ----------
    config : mapping
        ``relaxer``, or ``preset`` to start from, and settings: the keys that the study's config has under ``methods``, and the
        further ones of `morered.settings.relaxation`. For morered ``model`` may stand for both ``noise`` and ``time``, or be a
        mapping of the two. The relaxer may be a potential itself (`morered.calculators.given`), with the settings of
        `PotentialMethod`.
    path : str
        What the messages put before a key.

    Raises
    ------
    ConfigError
        With the paths of the keys, what is wrong there and what is allowed.
    morered.extras.MissingExtra
        If a package that the relaxer needs is not installed.
    """
    settings = started(config, path)
    if "relaxer" not in settings:
        raise ConfigError([f"{path}: needs the key 'relaxer', one of {', '.join(_CLASSES)}"])
    relaxer = settings["relaxer"]
    if not isinstance(relaxer, str) and is_potential(relaxer):
        defaults = {} if settings.get("optimizer") == "ase" else _BROUGHT
        # the reader of plain values takes a name in its place
        return replace(read(PotentialMethod, {**defaults, **settings, "relaxer": "potential"}, path), potential=relaxer)
    if relaxer not in _CLASSES:
        raise ConfigError([f"{path}.relaxer: {relaxer!r} is not one of {', '.join(_CLASSES)}"])
    check_installed(relaxer)
    cls = _CLASSES[relaxer]
    if cls is DiffusionMethod:
        settings = _split_model(settings, path)
    if issubclass(cls, PhysicalMethod):
        timeout = settings.get("timeout", TIMEOUT)
        settings["timeout"] = math.inf if timeout is None else timeout  # jobs that nobody watches have one
    method = read(cls, settings, path)
    _check_open_babel(method, path)
    return method


def _check_open_babel(method: Method, path: str) -> None:
    if isinstance(method, Mmff94Method) and method.variant != "rdkit" and find_spec("openbabel") is None:
        way_out = "python -m pip install 'morered[mmff]' brings it, and variant rdkit (mmff94 by name) does without"
        raise ConfigError([f"{path}.variant: Open Babel is not installed: {way_out}"])


def preset(name: str, weights: Model | Mapping[str, Model] | None = None, **changes: Any) -> Method:
    """A method by its name in `PRESETS` ("MoreRed-JT" and "jt" are the same), or by one that another package brings.

    >>> preset("jt", steps=100).steps
    100

    Parameters
    ----------
    name : str
        Which.
    weights
        In place of the shipped ones: one model, or a mapping of its parts (noise, time). The method "auto" is then the one that
        it takes for small molecules.
    **changes
        Further settings, as in a config.

    Raises
    ------
    ValueError
        If there is no such name, or a setting is wrong.
    morered.extras.MissingExtra
        If a package that the method needs is not installed.
    """
    key = name.lower().removeprefix("morered-")
    if key not in PRESETS:
        if (brought := plugins.load(name)) is None:
            raise ValueError(f"no method {name!r}; there are: {', '.join([*PRESETS, *plugins.names()])}")
        if weights is not None:
            raise ValueError(f"the method {name!r} has no weights")
        return resolve(brought, changes, path=name)
    method = PRESETS[key]
    if weights is not None and isinstance(method, AutoMethod):
        method = PRESETS[key := method.small]
    if not changes:
        check_installed(method.kind)
        _check_open_babel(method, name)
    else:
        method = from_config(merged({"preset": key}, changes), path=name)
        if isinstance(method, PhysicalMethod) and "timeout" not in changes:
            method = replace(method, timeout=None)  # the limit of `from_config` is for jobs that nobody watches
    if weights is None:
        return method
    roles = [role for role in ROLES if getattr(method, role, None) is not None]
    if not roles:
        raise ValueError(f"the method {name!r} has no weights")
    return replace(method, **{role: _part(weights, role) for role in roles})


def resolve(given: Any, changes: Mapping[str, Any] | None = None, path: str = "method") -> Method:
    """A method from a mapping as in a config, a potential (`morered.calculators.given`), or a method itself.

    Parameters
    ----------
    given
        What is asked for.
    changes
        Further settings, as in a config; none for a method, which is complete.
    path
        What the messages put before a key.

    Raises
    ------
    ValueError
        If it is none of these, or a setting is wrong.
    """
    if isinstance(given, Mapping):
        return from_config({**given, **(changes or {})}, path)
    if is_potential(given):
        return from_config({"relaxer": given, **(changes or {})}, path)
    if not isinstance(given, Method):
        raise ValueError(f"{path}: {given!r} is no method: give a name, a mapping, a method or a potential")
    if changes:
        raise ValueError(f"{', '.join(changes)}: set in the method itself, which is given complete")
    return given


def missing(name: str) -> list[str]:
    """Names of the weights that a method of `PRESETS` needs and that do not ship with this version of the package."""
    there = names()
    needed = dict.fromkeys(getattr(PRESETS.get(name), role, None) for role in ROLES)
    return [model for model in needed if model is not None and model not in there]


def _part(weights: Model | Mapping[str, Model], role: str) -> Model:
    """The model for a role: the one that there is, or its part of a mapping."""
    if not isinstance(weights, Mapping):
        return os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    if role not in weights:
        raise ValueError(f"weights: needs the key {role!r}")
    return weights[role]


def _split_model(settings: dict[str, Any], path: str) -> dict[str, Any]:
    """``model`` as ``noise`` and ``time``."""
    if "model" not in settings:
        if "noise" not in settings:
            raise ConfigError([f"{path}: needs the key 'model' (or 'noise' and 'time')"])
        return settings
    if clash := [key for key in ("noise", "time") if key in settings]:
        raise ConfigError([f"{path}.{clash[0]}: give 'model' or 'noise' and 'time', not both"])
    model = settings.pop("model")
    if not isinstance(model, Mapping):
        return {**settings, "noise": model, "time": model}
    for key in model:
        if key not in ("noise", "time"):
            raise ConfigError([f"{path}.model.{key}: unknown key; known: noise, time"])
    if "noise" not in model:
        raise ConfigError([f"{path}.model: needs the key 'noise'"])
    return {**settings, **model}
