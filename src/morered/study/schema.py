"""Checks a config against the JSON schema and fills in the defaults that stand there.

Two annotations go beyond JSON Schema: `x-for` lists the kinds (or relaxers) of entry that a key belongs to, `x-required` marks
a key that those kinds need. Every refusal names the key's path and what is allowed.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from morered.extras import needs

with needs("workflow"):
    import yaml
    from jsonschema import Draft202012Validator

Schema = dict[str, Any]


class ConfigError(ValueError):
    """A config that cannot be run; the message lists every fault with the path of its key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("the config has a fault:\n  " + "\n  ".join(problems) if problems else "the config has a fault")


def load_schema(path: str | Path) -> Schema:
    """The schema in a YAML file, its own soundness checked."""
    schema = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return schema


def check(config: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """A copy of ``config`` with the defaults filled in.

    Raises
    ------
    ConfigError
        For unknown keys, wrong types and impossible values, all of them at once.
    """
    plain = _plain(config)
    errors = sorted(Draft202012Validator(schema).iter_errors(plain), key=lambda error: list(map(str, error.absolute_path)))
    problems = [text for error in errors for text in _explain(error)]
    if not problems:
        problems = list(_misplaced(plain, schema, schema, ()))
    if problems:
        raise ConfigError(problems)
    return _fill(plain, schema, schema)


def stated(settings: Mapping[str, Any], schema: Schema, definition: str) -> dict[str, Any]:
    """``settings``, an instance of a definition of the schema such as "model", without all that is at its default."""
    return _strip(_plain(settings), schema["$defs"][definition], schema)


# --------------------------------------------------------------------- messages


def _explain(error: Any) -> Iterator[str]:
    path = _path(error.absolute_path)
    wanted, offending = error.validator_value, error.instance
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        for key in error.instance:
            if key not in known:
                yield f"{_path([*error.absolute_path, key])}: unknown key{_nearest(key, known)}"
    elif error.validator == "required":
        missing = [key for key in wanted if key not in error.instance]
        yield f"{path}: needs the key {missing[0]!r}: {_describe(error.schema['properties'][missing[0]])}"
    elif error.validator == "enum":
        allowed = ", ".join(map(str, wanted))
        yield f"{path}: {offending!r} is not one of {allowed}"
    elif error.validator == "type":
        hint = ""
        if isinstance(error.instance, str) and _is_number(error.instance):
            hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if "e" in error.instance.lower() else " (remove the quotes)"
        yield f"{path}: {offending!r} is not of type {_types(wanted)}{hint}"
    elif error.validator in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most", "exclusiveMaximum": "less than"}
        yield f"{path}: {offending!r} is impossible: it must be {words[error.validator]} {wanted}"
    elif error.validator == "pattern":
        yield f"{path}: {offending!r} is no name: letters, digits and . _ - only, no space or slash"
    elif error.validator == "anyOf":
        allowed = ", ".join(
            sorted({str(v) for sub in error.context for v in (sub.validator_value if sub.validator == "enum" else [])})
        )
        yield f"{path}: {offending!r} is not allowed{': one of ' + allowed + ', or null' if allowed else ''}"
    else:
        yield f"{path}: {error.message}"


def _path(keys: Any) -> str:
    return ".".join(map(str, keys)) or "(top level)"


def _nearest(key: str, known: list[str]) -> str:
    close = difflib.get_close_matches(str(key), known, n=1)
    return f" (did you mean {close[0]!r}?)" if close else f"; known: {', '.join(known)}"


def _describe(schema: Schema) -> str:
    return schema.get("description") or schema.get("$ref", "see the schema")


def _types(types: str | list[str]) -> str:
    return types if isinstance(types, str) else " or ".join(types)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


# --------------------------------------------------------------------- walking schema and config together


def _resolve(schema: Schema, root: Schema) -> Schema:
    if "$ref" in schema:
        target = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _children(config: Mapping[str, Any], schema: Schema, root: Schema) -> Iterator[tuple[str, Schema]]:
    properties = schema.get("properties", {})
    extra = schema.get("additionalProperties")
    for key in config:
        if key in properties:
            yield key, _resolve(properties[key], root)
        elif isinstance(extra, dict):
            yield key, _resolve(extra, root)


def _kind(config: Mapping[str, Any], schema: Schema) -> str | None:
    """What `x-for` speaks of: the entry's kind or relaxer, by default that of the schema."""
    default = schema.get("properties", {}).get("kind", {}).get("default")
    return config.get("kind", config.get("relaxer", default))


def _misplaced(config: Any, schema: Schema, root: Schema, path: tuple[str, ...]) -> Iterator[str]:
    """Keys that do not belong to this kind of entry, and keys that this kind needs."""
    if not isinstance(config, Mapping):
        return
    kind = _kind(config, schema)
    for key, sub in schema.get("properties", {}).items():
        belongs = "x-for" not in sub or kind in sub["x-for"]
        if key in config and not belongs:
            yield f"{_path((*path, key))}: goes with {' and '.join(sub['x-for'])} only, not with {kind}"
        if key not in config and belongs and sub.get("x-required"):
            yield f"{_path(path)}: {kind} needs the key {key!r}: {_describe(sub)}"
    for key, sub in _children(config, schema, root):
        yield from _misplaced(config[key], sub, root, (*path, key))


def _fill(config: Any, schema: Schema, root: Schema) -> Any:
    schema = _resolve(schema, root)
    if not isinstance(config, Mapping):
        return config
    kind = _kind(config, schema)
    filled = dict(config)
    for key, sub in schema.get("properties", {}).items():
        if key not in filled and "default" in sub and ("x-for" not in sub or kind in sub["x-for"]):
            filled[key] = copy.deepcopy(sub["default"])
    for key, sub in _children(filled, schema, root):
        filled[key] = _fill(filled[key], sub, root)
    return filled


def _strip(config: Any, schema: Schema, root: Schema) -> Any:
    stripped = {}
    children = dict(_children(config, schema, root))
    for key, value in config.items():
        sub = children.get(key, {})
        if "default" in sub and _fill(value, sub, root) == _fill(copy.deepcopy(sub["default"]), sub, root):
            continue
        stripped[key] = _strip(value, sub, root) if isinstance(value, Mapping) else value
    return stripped


def _plain(value: Any) -> Any:
    """Plain dicts and lists of whatever mapping Snakemake hands over."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
