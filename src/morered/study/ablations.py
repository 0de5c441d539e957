"""Ablations: named sweeps whose entries hold only the keys that differ.

An entry `eta=0.5` that sets a key of the model `jt` adds the model `jt@eta=0.5` and, for each method of the sweep that uses
`jt`, the method `MoreRed-JT@eta=0.5`. What an entry does not touch, directly or through what it uses, keeps its name and is
shared.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from morered.extras import needs
from morered.settings.base import merged
from morered.settings.reading import ConfigError

with needs("workflow"):
    import yaml

Config = dict[str, Any]

# Which keys of a thing name another thing; a changed thing changes what names it.
USES = {"models": {"dataset": "datasets"}, "methods": {"noise": "models", "time": "models", "model": "models"}}
KINDS = ("datasets", "models", "methods")


@dataclass(frozen=True)
class Ablation:
    """One sweep: for each entry the names of its methods; ``methods`` are the names before the sweep."""

    name: str
    description: str
    methods: tuple[str, ...]
    testsets: tuple[str, ...]
    entries: dict[str, tuple[str, ...]]


def load_files(config: Config, folder: str | Path) -> Config:
    """The config with each ablation that is named by a file (`eta: eta.yaml`) read from ``folder``.

    Raises
    ------
    ConfigError
        If there is no such file; the message lists the files there are.
    """
    loaded = copy.deepcopy(config)
    sweeps = loaded.get("ablations")
    for name, sweep in sweeps.items() if isinstance(sweeps, Mapping) else ():
        if isinstance(sweep, str):
            path = Path(folder) / sweep
            if not path.is_file():
                there = ", ".join(sorted(file.name for file in Path(folder).glob("*.yaml")))
                raise ConfigError([f"ablations.{name}: no file {sweep!r} in {folder}; there are: {there or 'none'}"])
            loaded["ablations"][name] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return loaded


def expand(config: Config) -> tuple[Config, dict[str, Ablation]]:
    """The config (as the user wrote it, before defaults) with the things that its ablations add, and the sweeps.

    Raises
    ------
    ConfigError
        If a sweep or an entry names a dataset, model, method or test set that is not there, or changes a model whose weights are
        taken as they are.
    """
    expanded = copy.deepcopy(config)
    for kind in KINDS:
        expanded.setdefault(kind, {})
    sweeps: dict[str, Ablation] = {}
    problems: list[str] = []
    for name, sweep in config.get("ablations", {}).items():
        known = {"methods": config.get("methods", {}), "testsets": config.get("testsets", {})}
        for kind, there in known.items():
            for named in sweep.get(kind) or ():
                if named not in there:
                    problems.append(f"ablations.{name}.{kind}: no such name {named!r}; there are: {', '.join(there) or 'none'}")
        if problems:
            continue
        entries = {}
        for label, changes in sweep["entries"].items():
            entries[label] = _add_entry(
                expanded, config, changes or {}, label, sweep["methods"], f"ablations.{name}.entries.{label}", problems
            )
        sweeps[name] = Ablation(
            name=name,
            description=sweep.get("description", ""),
            methods=tuple(sweep["methods"]),
            testsets=tuple(sweep.get("testsets") or config.get("testsets", {})),
            entries=entries,
        )
    if problems:
        raise ConfigError(problems)
    return expanded, sweeps


def _add_entry(
    expanded: Config, config: Config, changes: Config, label: str, methods: list[str], path: str, problems: list[str]
) -> tuple[str, ...]:
    renamed: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        things = config.get(kind, {})
        for name in changes.get(kind, {}):
            if name not in things:
                problems.append(f"{path}.{kind}.{name}: no such name; there are: {', '.join(things) or 'none'}")
        for name, thing in things.items():
            if kind == "methods" and name not in methods:
                continue
            uses = {key: renamed[used][thing[key]] for key, used in USES.get(kind, {}).items() if thing.get(key) in renamed[used]}
            changed = changes.get(kind, {}).get(name)
            if kind == "models" and changed and "source" not in changed and thing.get("source", "train") != "train":
                problems.append(
                    f"{path}.models.{name}: its weights are not trained here (source: {thing['source']}), so that the sweep "
                    "would change nothing; sweep a model with source: train"
                )
            if uses or changed:
                renamed[kind][name] = new = f"{name}@{label}"
                made = {**merged(thing, changed or {}), **uses}
                if expanded[kind].get(new, made) != made:
                    problems.append(
                        f"{path}: another sweep has an entry {label!r} that changes {kind}.{name} otherwise; rename it"
                    )
                expanded[kind][new] = made
    return tuple(renamed["methods"].get(name, name) for name in methods)
