"""Reads plain values into settings, with pydantic, and tells its complaints in this project's words.

Every complaint begins with the path of its key and says what is allowed; all of them are told at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin

from morered.settings.base import LIMITS, TYPES, Kinds, Settings, config_name, hints_of, name_of_type, options_of, short

S = TypeVar("S", bound=Settings)
Path = tuple[str, ...]

#: pydantic's names of the limits.
_LIMITS = {
    "greater_than_equal": "ge",
    "greater_than": "gt",
    "less_than_equal": "le",
    "less_than": "lt",
}
#: pydantic's errors for values of the wrong type.
_TYPES = {
    "int_type": int,
    "int_from_float": int,
    "int_parsing": int,
    "float_type": float,
    "float_parsing": float,
    "bool_type": bool,
    "bool_parsing": bool,
    "string_type": str,
}


class ConfigError(ValueError):
    """Settings that cannot be; the message lists every fault with the path of its key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems[0] if len(self.problems) == 1 else "\n  ".join(["several faults:", *self.problems]))


def read(kind: type[S], values: Mapping[str, Any], path: str = "") -> S:
    """An instance of a settings class from plain values.

    Parameters
    ----------
    kind
        The class.
    values
        A mapping as a config has it; values that are settings already are taken as they are.
    path
        What the messages put before a key.

    Raises
    ------
    ConfigError
        For unknown keys, wrong types and impossible values, all of them at once.
    """
    from pydantic import ValidationError

    plain = _plain(values)
    before = tuple(path.split(".")) if path else ()
    try:
        return _adapter(kind).validate_python(plain)
    except ValidationError as error:
        faults = sorted(error.errors(include_url=False), key=lambda fault: list(map(str, fault["loc"])))
        raise ConfigError(_explain(fault, kind, plain, before) for fault in faults) from None


def schema(kind: type[Settings]) -> dict[str, Any]:
    """The JSON schema of a settings class."""
    return _adapter(kind).json_schema()


def _new_adapter(kind: type[Settings]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


_adapter: Callable[[Any], Any] = cache(_new_adapter)


# --------------------------------------------------------------------- messages


def _explain(fault: Any, kind: type[Settings], plain: Any, before: Path) -> str:
    """A sentence for one of pydantic's errors."""
    path, cls, field = _located(fault["loc"], kind, plain)
    told, value, context = _path((*before, *path)), fault["input"], fault.get("ctx", {})
    problem = fault["type"]
    if problem == "unexpected_keyword_argument":
        return f"{told}: {_unknown(path[-1], *_owner(path[:-1], kind, plain))}"
    if problem in ("missing", "missing_argument", "missing_keyword_only_argument"):
        assert cls is not None
        return f"{_path((*before, *path[:-1]))}: needs the key {path[-1]!r}: {_field(cls, path[-1]).metadata['description']}"
    if problem == "union_tag_not_found":
        of = _tag(kind, plain, path)
        return f"{told}: needs the key {of.key!r}, one of {', '.join(_kinds(kind, plain, path))}"
    if problem == "union_tag_invalid":
        of = _tag(kind, plain, path)
        allowed = _kinds(kind, plain, path)
        return f"{_path((*before, *path, of.key))}: {short(value[of.key])} is not one of {', '.join(allowed)}"
    if problem == "literal_error":
        choices = [choice for option in options_of(field) for choice in _choices(option)]
        return f"{told}: {short(value)} is not one of {', '.join(map(str, choices))}"
    if problem in _TYPES:
        return f"{told}: {short(value)} is not {TYPES[_TYPES[problem]]}{_hint(value)}"
    if problem in _LIMITS:
        limit = _LIMITS[problem]
        return f"{told}: {short(value)} is impossible: it must be {LIMITS[limit]} {_number(context[limit])}"
    if problem == "string_pattern_mismatch":
        return f"{told}: {short(value)} is no name: letters, digits and . _ - only, no space or slash"
    if problem in ("dataclass_type", "dataclass_exact_type", "mapping_type", "dict_type"):
        return f"{told}: {short(value)} is not {name_of_type(cls) if cls is not None else 'a mapping'}"
    if problem == "value_error":
        return _told_by_class(str(context["error"]), path, cls, before)
    if problem in ("too_short", "too_long"):
        words = "at least" if problem == "too_short" else "at most"
        return f"{told}: {short(value)} must have {words} {context.get('min_length', context.get('max_length'))} entries"
    return f"{told}: {fault['msg']}"


def _told_by_class(text: str, path: Path, cls: Any, before: Path) -> str:
    """A complaint of a class itself, "key: what is wrong" or a sentence, with the path."""
    name, colon, rest = text.partition(": ")
    if colon and cls is not None and name in {f.name for f in fields(cls)}:
        return f"{_path((*before, *path, config_name(_field(cls, name))))}: {rest}"
    return f"{_path((*before, *path))}: {text}"


def _unknown(key: str, cls: Any, siblings: dict[str, Any], chosen: str | None) -> str:
    """What is wrong with a key that ``cls`` does not have."""
    others = [kind for kind, sibling in siblings.items() if key in map(config_name, fields(sibling))]
    if others:
        return f"goes with {' and '.join(others)} only, not with {chosen}"
    if cls is not None and key in cls.FORMER:
        return f"unknown key: it is called {cls.FORMER[key]!r} now"
    known = [config_name(f) for f in fields(cls)] if cls is not None else []
    close = difflib.get_close_matches(key, known, n=1)
    return f"unknown key (did you mean {close[0]!r}?)" if close else f"unknown key; known: {', '.join(known)}"


def _hint(value: Any) -> str:
    if isinstance(value, str) and _is_number(value):
        return " (YAML reads 1e-4 as text: write 1.0e-4)" if "e" in value.lower() else " (remove the quotes)"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _path(keys: Path) -> str:
    return ".".join(keys) or "(top level)"


# --------------------------------------------------------------------- where an error is


def _located(loc: tuple[Any, ...], kind: type[Settings], plain: Any) -> tuple[Path, Any, Any]:
    """The keys of pydantic's ``loc`` without its own additions, the class whose key it is (or that it is), and the key's type."""
    path: list[str] = []
    hint: Any = kind
    owner: Any = kind
    value = plain
    for place, step in enumerate(loc):
        if step == "[key]":
            continue
        key = str(step)
        tags = _tags(hint)
        if key in tags and not (isinstance(value, Mapping) and key in value and place == len(loc) - 1):
            hint = owner = tags[key]
            continue
        path.append(key)
        hint = _child(hint, key)
        value = value.get(key) if isinstance(value, Mapping) else None
        if _class_of(hint) is not None:
            owner = _class_of(hint)
    return tuple(path), owner, hint


def _owner(path: Path, kind: type[Settings], plain: Any) -> tuple[Any, dict[str, Any], str | None]:
    """The class that reads what is at a path; where a key chooses among several, all of them and the one chosen."""
    hint, value = _at(path, kind, plain)
    tags = _tags(hint)
    if not tags:
        return _class_of(hint), {}, None
    chosen = _marker(hint).kind_of(value)
    return tags.get(chosen), tags, chosen


def _at(path: Path, kind: type[Settings], plain: Any) -> tuple[Any, Any]:
    hint: Any = kind
    value = plain
    for key in path:
        tags = _tags(hint)
        if tags:
            hint = tags[_marker(hint).kind_of(value)]
        hint, value = _child(hint, key), value.get(key) if isinstance(value, Mapping) else None
    return hint, value


def _tag(kind: type[Settings], plain: Any, path: Path) -> Kinds:
    return _marker(_at(path, kind, plain)[0])


def _kinds(kind: type[Settings], plain: Any, path: Path) -> list[str]:
    return list(_tags(_at(path, kind, plain)[0]))


def _marker(hint: Any) -> Any:
    """The `Kinds` of a union, or None."""
    if get_origin(hint) is Annotated:
        return next((extra for extra in hint.__metadata__ if isinstance(extra, Kinds)), None)
    return None


def _tags(hint: Any) -> dict[str, Any]:
    """Kind -> class of a union that a key chooses from; nothing for any other type."""
    if _marker(hint) is None:
        return {}
    return {kind: option for option in options_of(hint) for kind in option.KINDS}


def _child(hint: Any, key: str) -> Any:
    """The type of a key of what has a type."""
    for option in options_of(hint):
        if is_dataclass(option):
            found = next((f for f in fields(option) if config_name(f) == key), None)
            if found is not None:
                return hints_of(option)[found.name]
        elif get_args(option):
            return get_args(option)[-1 if get_origin(option) is Mapping else 0]
    return Any


def _class_of(hint: Any) -> Any:
    """The settings class of a type, None where there is none or a key chooses it."""
    if _marker(hint) is not None:
        return None
    return next((option for option in options_of(hint) if is_dataclass(option)), None)


def _field(cls: Any, name: str) -> Field[Any]:
    return next(f for f in fields(cls) if name in (f.name, config_name(f)))


def _choices(option: Any) -> tuple[Any, ...]:
    return get_args(option) if not isinstance(option, type) else ()


def _plain(value: Any) -> Any:
    """Plain dicts and lists of whatever mapping Snakemake hands over."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return [_plain(item) for item in value]
    return value
