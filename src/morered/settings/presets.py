"""Methods by name: what people ask for without writing a config, and what a config's key ``preset`` starts from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from morered.settings.auto import AutoMethod
from morered.settings.base import merged
from morered.settings.reading import ConfigError
from morered.settings.relaxation import (
    DiffusionMethod,
    Method,
    Mmff94Method,
    Overrelaxation,
    PotentialMethod,
    Restarts,
    Settled,
    StopRules,
    XtbMethod,
)

#: A result in which the network sees more noise than this has failed. No result of QM7's validation molecules reaches it. Of
#: molecules unlike them it leaves the fewest that are wrong (`benchmarks/verdicts.py`, docs/benchmarks.md).
CLEAN_BELOW = 0.03

#: Jumps that are mixed, with the network that was trained on elastic noise.
_JUMPS = DiffusionMethod(noise="morered-jt-elastic", time="morered-jt-elastic", move="accelerated", clean_below=CLEAN_BELOW)
_SETTLED = replace(_JUMPS, steps=40, stop=StopRules(settled=Settled(window=2, threshold=3.0e-3)))
_AT_REST = replace(_JUMPS, steps=100, stop=StopRules(settled=Settled(window=3, threshold=2.0e-3)))
_RESTARTS = Restarts(tries=8, width=0.2, distance=0.7, reach=1.35, clean_below=CLEAN_BELOW, steps=10)

#: Name -> method, with the weights that ship. fast, balanced and accurate stay below 20, 40 and 100 evaluations in the mean. They
#: were chosen on validation molecules (docs/training.md, config/engine.yaml), and so were auto and organic (docs/organic.md).
PRESETS: Mapping[str, Method] = {
    "auto": AutoMethod(),
    "fast": replace(_SETTLED, restarts=_RESTARTS),
    "balanced": replace(_SETTLED, restarts=Restarts(tries=12, width=0.2, distance=0.55, reach=1.2, clean_below=0.01, steps=10)),
    "accurate": replace(_AT_REST, restarts=Restarts(tries=12, width=0.2, distance=0.6, reach=1.2)),
    "organic": replace(
        _SETTLED,
        noise="morered-organic-3",
        time="morered-organic-3",
        overrelaxation=Overrelaxation(),
        steps=60,
        restarts=_RESTARTS,
    ),
    "jt": DiffusionMethod(noise="morered-jt", time="morered-jt"),
    "as": DiffusionMethod(noise="morered-noise", time="morered-time"),
    "itp": DiffusionMethod(noise="morered-noise", time="morered-time", schedule="initial"),
    "mlff": PotentialMethod("mlff", "morered-mlff"),
    "aimnet2": PotentialMethod("aimnet2", fmax=1.0e-3, initial_hessian="valence"),
    "so3lr": PotentialMethod("so3lr"),
    "gfn2": XtbMethod("gfn2"),
    "gfn1": XtbMethod("gfn1"),
    "mmff94": Mmff94Method("mmff94", variant="rdkit"),
    "mmff94-openbabel": Mmff94Method("mmff94", variant="tight"),
}
DEFAULT = "auto"
#: The methods that a study can compare: auto takes networks by their names, and a study has its own.
STUDIED = tuple(name for name, method in PRESETS.items() if not isinstance(method, AutoMethod))
#: Keys of a method that name a model.
ROLES = ("model", "noise", "time")


def started(settings: Mapping[str, Any], path: str, *, models: bool = True) -> dict[str, Any]:
    """The settings of a method that may name a preset: those of the preset, with the keys that are given laid over them.

    Parameters
    ----------
    settings
        Plain values, with the key ``preset`` or without.
    path
        What the message puts before a key.
    models
        Whether the weights that ship are taken where no key names a model. Where not, `STUDIED` are all.

    Raises
    ------
    ConfigError
        If there is no such preset.
    """
    if settings.get("preset") is None:
        return dict(settings)
    name, given = settings["preset"], {key: value for key, value in settings.items() if key != "preset"}
    known = tuple(PRESETS) if models else STUDIED
    if not isinstance(name, str) or name not in known:
        close = difflib.get_close_matches(str(name), known, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise ConfigError([f"{path}.preset: {name!r} is not one of {', '.join(known)}{hint}"])
    base = {"relaxer": PRESETS[name].kind, **PRESETS[name].stated()}
    if not models or given.keys() & set(ROLES):
        base = {key: value for key, value in base.items() if key not in ROLES}
    return merged(base, given)
