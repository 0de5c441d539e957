"""Methods by name: what people ask for without writing a config."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from morered import plugins
from morered.calculators.given import is_potential
from morered.models.weights import names
from morered.relaxation.methods import Method, Model, PhysicalMethod, from_config

#: Names of the weights that ship with the package, by what a method needs them for.
SHIPPED = {
    "jt": "morered-jt",
    "elastic": "morered-jt-elastic",
    "noise": "morered-noise",
    "time": "morered-time",
    "mlff": "morered-mlff",
}

#: A result in which the network sees more noise than this has failed. No result of QM7's validation molecules reaches it, and
#: of molecules unlike them it leaves the fewest that are wrong (`benchmarks/verdicts.py`, docs/benchmarks.md).
CLEAN_BELOW = 0.03

_JUMPS: dict[str, Any] = {"relaxer": "morered", "model": "elastic", "move": "accelerated", "clean_below": CLEAN_BELOW}
_SETTLED: dict[str, Any] = {**_JUMPS, "steps": 40, "stop": {"settled": {"window": 2, "threshold": 0.003}}}
_AT_REST: dict[str, Any] = {**_JUMPS, "steps": 100, "stop": {"settled": {"window": 3, "threshold": 0.002}}}

_BRIEF: dict[str, Any] = {"width": 0.2, "steps": 10}

#: Name -> config; models are named by their part in `SHIPPED`. fast, balanced and accurate stay below 20, 40 and 100 evaluations
#: in the mean and were chosen on validation molecules (docs/training.md); in `config/engine.yaml` they are
#: brief-8, brief-12 and restarts-100-more.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fast": {**_SETTLED, "restarts": {**_BRIEF, "tries": 8, "distance": 0.7, "reach": 1.35, "clean_below": CLEAN_BELOW}},
    "balanced": {**_SETTLED, "restarts": {**_BRIEF, "tries": 12, "distance": 0.55, "reach": 1.2, "clean_below": 0.01}},
    "accurate": {**_AT_REST, "restarts": {"tries": 12, "width": 0.2, "distance": 0.6, "reach": 1.2}},
    "jt": {"relaxer": "morered", "model": "jt"},
    "as": {"relaxer": "morered", "noise": "noise", "time": "time"},
    "itp": {"relaxer": "morered", "noise": "noise", "time": "time", "schedule": "initial"},
    "mlff": {"relaxer": "mlff", "model": "mlff"},
    "aimnet2": {"relaxer": "aimnet2", "fmax": 1.0e-3, "initial_hessian": "valence"},
    "so3lr": {"relaxer": "so3lr"},
    "gfn2": {"relaxer": "gfn2"},
    "gfn1": {"relaxer": "gfn1"},
    "mmff94": {"relaxer": "mmff94", "variant": "rdkit"},
    "mmff94-openbabel": {"relaxer": "mmff94", "variant": "tight"},
}
DEFAULT = "fast"
_ROLES = ("model", "noise", "time")


def preset(name: str, weights: Model | Mapping[str, Model] | None = None, **changes: Any) -> Method:
    """A method by its name in `PRESETS` ("MoreRed-JT" and "jt" are the same), or by one that another package brings.

    Parameters
    ----------
    name : str
        Which.
    weights
        In place of the shipped ones: one model, or a mapping of its parts (noise, time).
    **changes
        Further settings, as in a config.

    Raises
    ------
    ValueError
        If there is no such name, or a setting is wrong.
    """
    key = name.lower().removeprefix("morered-")
    if key not in PRESETS:
        if (brought := plugins.load(name)) is None:
            raise ValueError(f"no method {name!r}; there are: {', '.join([*PRESETS, *plugins.names()])}")
        if weights is not None:
            raise ValueError(f"the method {name!r} has no weights")
        return resolve(brought, changes, path=name)
    config = dict(PRESETS[key])
    for role in _ROLES:
        if role in config:
            config[role] = SHIPPED[config[role]] if weights is None else _part(weights, role)
    if weights is not None and not {"model", "noise"} & config.keys():
        raise ValueError(f"the method {name!r} has no weights")
    method = from_config({**config, **changes}, path=name)
    if isinstance(method, PhysicalMethod) and "timeout" not in changes:
        method = replace(method, timeout=None)  # a config's default is for jobs that nobody watches
    return method


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
    config = PRESETS.get(name, {})
    return [SHIPPED[config[role]] for role in _ROLES if role in config and SHIPPED[config[role]] not in there]


def _part(weights: Model | Mapping[str, Model], role: str) -> Model:
    if not isinstance(weights, Mapping):
        return os.fspath(weights) if isinstance(weights, os.PathLike) else weights
    if role == "model":
        return dict(weights)
    if role not in weights:
        raise ValueError(f"weights: needs the key {role!r}")
    return weights[role]
