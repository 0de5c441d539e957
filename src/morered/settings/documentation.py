"""What `config/README.md` and editors are told: a table of every key, and the JSON schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Literal, NamedTuple, get_args, get_origin

from morered.settings.base import Kinds, Settings, config_name, hints_of, options_of
from morered.settings.reading import schema
from morered.settings.study import StudySettings

#: Signs of the limits.
_SIGNS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}

#: Classes, and for each the values of a key that choose it.
Classes = dict[type[Settings], tuple[str, ...]]


class Row(NamedTuple):
    """A key: its path, what is allowed, its default, its meaning."""

    path: str
    allowed: str
    default: str
    meaning: str


def json_schema() -> str:
    """The JSON schema of a config, as text.

    A method may name a preset in the place of its relaxer, and an ablation a file: both are looked up before pydantic reads.
    """
    whole = schema(StudySettings)
    definitions = [whole, *whole["$defs"].values()]
    for definition in definitions:
        properties = definition.get("properties", {})
        if "preset" in properties:
            definition["required"] = [name for name in definition["required"] if name != "relaxer"]
            definition["anyOf"] = [{"required": ["relaxer"]}, {"required": ["preset"]}]
        for entry in properties.values():
            if "patternProperties" in entry:
                entry["additionalProperties"] = False  # a name that does not match is none
    _each(whole, "methods", lambda method: {"anyOf": method["oneOf"]})
    _each(whole, "ablations", lambda ablation: {"anyOf": [ablation, {"type": "string"}]})
    return (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **whole, "title": "morered study"}, indent=1)
        + "\n"
    )


def _each(whole: dict[str, Any], key: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change what the schema says of the things that a key names."""
    entry = whole["properties"][key]
    entry["patternProperties"] = {pattern: change(thing) for pattern, thing in entry["patternProperties"].items()}


def tables() -> str:
    """Every key of a config as Markdown: one table for the top level, and one for each sort of named thing."""
    text = ""
    for title, rows in _tables():
        text += f"\n### {title}\n\n| key | allowed | default | meaning |\n|---|---|---|---|\n"
        for row in rows:
            cells = (f"`{row.path}`", *row[1:])
            text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return text + "\n"


def _tables() -> Iterator[tuple[str, list[Row]]]:
    named: list[tuple[str, Any]] = []
    yield "Top level", list(_rows({StudySettings: ()}, "", named))
    for path, hint in named:
        yield f"{path}.NAME", list(_rows(_classes(hint, ()), "", []))


def _rows(classes: Classes, path: str, named: list[tuple[str, Any]], chosen: str | None = None) -> Iterator[Row]:
    """Keys of some classes, one of which is meant; mappings of names to settings are put into ``named``.

    ``chosen`` is the default of the key that chooses among them.
    """
    order: dict[str, list[tuple[type[Settings], Field[Any]]]] = {}
    for cls in classes:
        for f in fields(cls):
            order.setdefault(config_name(f), []).append((cls, f))
    chooser = next((name for name in ("kind", "relaxer") if name in order), None)
    for name in sorted(order, key=lambda name: (name != chooser, list(order).index(name))):
        owners = order[name]
        cls, f = owners[0]
        kinds = "" if len(owners) == len(classes) else f" ({_names(classes, [owner for owner, _ in owners])})"
        meaning = f"{f.metadata['description']}{kinds}"
        hint = hints_of(cls)[f.name]
        inner: Classes = {}
        for owner, own in owners:
            inner |= _classes(hints_of(owner)[own.name], classes[owner])
        if _is_mapping(hint):
            if inner:
                named.append((f"{path}{name}", _mapped(hint)))
            yield Row(f"{path}{name}", "mapping", _default(f), meaning)
        elif inner and _is_list(hint):
            yield Row(f"{path}{name}", "list of mappings", _default(f), meaning)
            yield from _rows(inner, f"{path}{name}[].", named)
        elif inner:
            yield Row(f"{path}{name}", "mapping or null" if type(None) in options_of(hint) else "mapping", "", meaning)
            yield from _rows(inner, f"{path}{name}.", named, _default_kind(hint))
        elif name == chooser and len(owners) > 1:
            yield Row(f"{path}{name}", _names(classes, [owner for owner, _ in owners]), chosen or "required", meaning)
        else:
            yield Row(f"{path}{name}", _allowed(hint, f.metadata), _defaults(classes, owners), meaning)


def _classes(hint: Any, kinds: tuple[str, ...]) -> Classes:
    """The settings classes that a type, or what it maps names to, may be, and the kinds that choose each."""
    options = options_of(_mapped(hint) if _is_mapping(hint) else get_args(hint)[0] if _is_list(hint) else hint)
    return {option: option.KINDS or kinds for option in options if isinstance(option, type) and issubclass(option, Settings)}


def _names(classes: Classes, some: list[type[Settings]]) -> str:
    return ", ".join(kind for cls in some for kind in classes[cls])


def _default_kind(hint: Any) -> str | None:
    return next((extra.default for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Kinds)), None)


def _is_mapping(hint: Any) -> bool:
    return any(get_origin(option) is Mapping for option in options_of(hint))


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _mapped(hint: Any) -> Any:
    return next(get_args(option)[1] for option in options_of(hint) if get_origin(option) is Mapping)


def _allowed(hint: Any, limits: Mapping[str, Any]) -> str:
    options = options_of(hint)
    words = []
    for option in options:
        if option is type(None):
            words.append("null")
        elif get_origin(option) is Literal:
            words.append(", ".join(map(str, get_args(option))))
        elif get_origin(option) is tuple:
            words.append(f"list of {_allowed(get_args(option)[0], {})}")
        else:
            words.append(_TYPES.get(option, "any"))
    return " ".join([" or ".join(words), *(f"{sign} {limits[limit]:g}" for limit, sign in _SIGNS.items() if limit in limits)])


def _defaults(classes: Classes, owners: list[tuple[type[Settings], Field[Any]]]) -> str:
    """The default; where it differs those of the later kinds, named."""
    first = _default(owners[0][1])
    others = [(_default(f), _names(classes, [cls])) for cls, f in owners[1:] if _default(f) != first]
    return "; ".join([first, *(f"{kinds}: {default}" for default, kinds in others)])


def _default(f: Field[Any]) -> str:
    if f.default is MISSING and f.default_factory is MISSING:
        return "required"
    value = f.default_factory() if f.default_factory is not MISSING else f.default
    if value == "":
        return "empty"
    if isinstance(value, float) and 0 < abs(value) < 1e-2:
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa)}e{int(exponent)}"
    if isinstance(value, float):
        return f"{value:g}"
    return json.dumps(list(value) if isinstance(value, tuple) else value).replace('"', "")
