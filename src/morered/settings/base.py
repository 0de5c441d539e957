"""What all settings share: keys that are described where they are defined, checked values, and what differs from the defaults."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache, reduce
from operator import or_
from typing import Annotated, Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

#: Limits as pydantic and this module know them, and the words for them.
LIMITS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
#: What a value should have been, in words.
TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def key(default: Any = MISSING, meaning: str = "", *, alias: str | None = None, **limits: float) -> Any:
    """A field for one number, text, choice or switch.

    Parameters
    ----------
    default
        Its default; a key without one must be given.
    meaning
        One sentence for the documentation.
    alias
        The key's name in a config, where Python has another.
    **limits
        ``ge``, ``gt``, ``le``, ``lt``: least and largest values.
    """
    metadata: dict[str, Any] = {"description": meaning, **limits}
    if alias is not None:
        metadata["alias"] = alias
    if limits or isinstance(default, (bool, int, float)):
        metadata["strict"] = True  # pydantic would take the text "3" for a number
    return dataclasses.field(default=default, metadata=metadata)


def several(default: Any = MISSING, meaning: str = "", *, least: int = 0, most: int | None = None) -> Any:
    """A field for a tuple of values, or None: how many there are at least and at most."""
    sizes: dict[str, Any] = {"min_length": least} if least else {}
    if most is not None:
        sizes["max_length"] = most
    return dataclasses.field(default=default, metadata={"description": meaning, **sizes})


def group(default: Any = MISSING, meaning: str = "") -> Any:
    """A field for settings within settings: ``default`` is their class, None, or an instance."""
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata={"description": meaning})
    return dataclasses.field(default=default, metadata={"description": meaning})


class Kinds:
    """Marks a union of settings classes, one of which a key's value chooses: ``Annotated[A | B, Kinds("kind")]``.

    The classes list the values that choose them in ``KINDS``.
    """

    def __init__(self, key: str, default: str | None = None) -> None:
        self.key, self.default = key, default

    def kind_of(self, value: Any) -> Any:
        """What ``value``, plain or a settings class, has for the key."""
        if isinstance(value, Mapping):
            return value.get(self.key, self.default)
        return getattr(value, self.key, None)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The union as pydantic reads it."""
        from pydantic import Discriminator, Tag

        choices = [Annotated[one, Tag(kind)] for one in get_args(source) for kind in one.KINDS]
        return handler.generate_schema(Annotated[reduce(or_, choices), Discriminator(self.kind_of)])


class Matches:
    """Marks text that must match a regular expression: ``Annotated[str, Matches(...)]``."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The text as pydantic reads it."""
        from pydantic import Field

        return handler.generate_schema(Annotated[str, Field(pattern=self.pattern, strict=True)])


@dataclass(frozen=True)
class Settings:
    """Base of all settings: frozen, without unknown keys, and checked however they are built.

    Raises
    ------
    ValueError
        For a value of the wrong type or beyond its limits; the message names the key.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "arbitrary_types_allowed": True}
    KINDS: ClassVar[tuple[str, ...]] = ()
    #: Keys of former versions -> what they are called now.
    FORMER: ClassVar[Mapping[str, str]] = {}

    def __post_init__(self) -> None:
        for name, hint, limits in _checks(type(self)):
            problem = _problem(getattr(self, name), hint, limits)
            if problem is not None:
                raise ValueError(f"{name}: {problem}")

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values, by their names in a config."""
        return {config_name(f): _plain(getattr(self, f.name)) for f in fields(self)}

    def stated(self) -> dict[str, Any]:
        """The settings that are not at their defaults, as plain values: what a new default does not change."""
        found: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            default = f.default_factory() if f.default_factory is not MISSING else f.default
            if (f.default is MISSING and f.default_factory is MISSING) or value != default:
                found[config_name(f)] = _stated(value)
        return found


def config_name(f: dataclasses.Field[Any]) -> str:
    """A field's name in a config."""
    return f.metadata.get("alias", f.name)


def _hints(cls: type[Settings]) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _checked(cls: type[Settings]) -> list[tuple[str, Any, Mapping[str, Any]]]:
    return [(f.name, hints_of(cls)[f.name], f.metadata) for f in fields(cls)]


#: The types of a settings class's fields by their names; and name, type and limits of each field.
hints_of: Callable[[Any], dict[str, Any]] = cache(_hints)
_checks: Callable[[Any], list[tuple[str, Any, Mapping[str, Any]]]] = cache(_checked)


def options_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union; a type that is none is its own only member."""
    if get_origin(hint) is Annotated:
        return options_of(get_args(hint)[0])
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _problem(value: Any, hint: Any, limits: Mapping[str, Any]) -> str | None:
    """What is wrong with a value, or None."""
    options = options_of(hint)
    if value is None and type(None) in options:
        return None
    wanted = [option for option in options if option is not type(None)]
    if Any in wanted:
        return None
    if any(get_origin(option) in (tuple, list, dict) for option in wanted):
        return _problem_of_several(value, wanted[0], limits)
    choices = [choice for option in wanted if get_origin(option) is Literal for choice in get_args(option)]
    if choices and not (isinstance(value, (str, int)) and value in choices):
        return f"{short(value)} is not one of {', '.join(map(str, choices))}"
    if not choices and not any(_is(value, option) for option in wanted):
        return f"{short(value)} is not {name_of_type(wanted[0])}"
    for limit, words in LIMITS.items():
        if limit in limits and not _within(value, limit, limits[limit]):
            return f"{short(value)} is impossible: it must be {words} {limits[limit]}"
    return None


def _problem_of_several(value: Any, hint: Any, limits: Mapping[str, Any]) -> str | None:
    if get_origin(hint) is dict:
        return None if isinstance(value, Mapping) else f"{short(value)} is not a mapping"
    if not isinstance(value, (tuple, list)):
        return f"{short(value)} is not a list"
    if not limits.get("min_length", 0) <= len(value) <= limits.get("max_length", len(value)):
        return f"{short(list(value))} has too {'few' if len(value) < limits.get('min_length', 0) else 'many'} entries"
    return next((problem for entry in value if (problem := _problem(entry, get_args(hint)[0], {})) is not None), None)


def _is(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) and wanted is not bool:
        return False
    if wanted is float:
        return isinstance(value, (int, float))
    return isinstance(value, wanted if isinstance(wanted, type) else object)


def _within(value: float, limit: str, bound: float) -> bool:
    return {"ge": value >= bound, "gt": value > bound, "le": value <= bound, "lt": value < bound}[limit]


def short(value: Any) -> str:
    """A value as a message shows it."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def name_of_type(wanted: Any) -> str:
    """A type in words."""
    if dataclasses.is_dataclass(wanted):
        return f"a mapping of {', '.join(config_name(f) for f in fields(wanted))}"
    return TYPES.get(wanted, getattr(wanted, "__name__", str(wanted)))


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) and not hasattr(value, "_fields") else value


def _stated(value: Any) -> Any:
    return value.stated() if isinstance(value, Settings) else _plain(value)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``changes`` laid over it, mappings merged key by key."""
    result = dict(base)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result
