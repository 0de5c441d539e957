r"""Values in the comment lines of extended xyz files, as ASE reads and writes them.

Whole numbers, numbers, T and F, arrays of these, and texts; anything else, and texts that would be read as something else, as
JSON behind ``_JSON``. Numbers are printed with the fewest digits that give them back exactly.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

_TRUTH = {"T": True, "F": False, "true": True, "false": False, "True": True, "False": False, "TRUE": True, "FALSE": False}
_JSON = "_JSON "
_KEY = re.compile(r"""[^\s="']+""")
_EQUALS = re.compile(r"\s*=\s*")
_BARE = re.compile(r"\S*")
_ENCLOSED = {
    '"': re.compile(r'"(?:\\.|[^"\\])*"'),
    "'": re.compile(r"'(?:\\.|[^'\\])*'"),
    "[[": re.compile(r"\[\[.*?\]\]"),
    "{": re.compile(r"\{(?:\\.|[^}\\])*\}"),
    "[": re.compile(r"\[(?:\\.|[^\]\\])*\]"),
}
_SPECIAL = re.compile(r"""[\s"'{}\[\]=\\]""")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def pairs_of(line: str) -> dict[str, str | None]:
    """Keys and unparsed values of a comment line, quotes and escapes resolved; None for a key without a value."""
    pairs: dict[str, str | None] = {}
    open_ended: set[str] = set()  # brackets and quotes that do not end: looked for once, or a long line would take for ever

    def enclosed(at: int, kinds: str) -> str | None:
        """What stands between quotes or brackets of these kinds at a place, with them."""
        for kind, pattern in _ENCLOSED.items():
            if kind in kinds and kind not in open_ended and line.startswith(kind, at):
                if match := pattern.match(line, at):
                    return match[0]
                open_ended.add(kind)
        return None

    at = 0
    while at < len(line):
        key = enclosed(at, "\"'")
        if key is None:
            match = _KEY.match(line, at)
            if match is None:
                at += 1
                continue
            key = match[0]
        at += len(key)
        value = None
        if equals := _EQUALS.match(line, at):
            at = equals.end()
            value = enclosed(at, "\"'[[{")
            if value is None:
                bare = _BARE.match(line, at)
                value = bare[0] if bare else ""
            at += len(value)
        pairs[_unquoted(key)] = value if value is None or value.startswith("[[") else _unquoted(value)
    return pairs


def parse(text: str) -> Any:
    """A value from its text; what is no number, truth value or JSON stays text."""
    if text.startswith(_JSON):
        return _from_json(text.removeprefix(_JSON), text)
    if text.startswith("[["):
        return _from_json(text, text)
    parts = text.replace(",", " ").split()
    if not parts:
        return text
    if all(part in _TRUTH for part in parts):
        truths = np.array([_TRUTH[part] for part in parts])
        return bool(truths[0]) if len(parts) == 1 else truths
    for kind in (np.int64, np.float64) if "_" not in text else ():  # Python would read 1_2 as 12
        try:
            numbers = np.array(parts, dtype=kind)
        except (ValueError, OverflowError):
            continue
        if kind is np.float64 and not _finite_as_written(numbers, parts):
            break  # more digits than a number can have: 1e999 is not infinite
        return numbers[0].item() if len(parts) == 1 else numbers
    return text


def parse_text(text: str) -> str:
    """A value that is a text even where it looks like a number (a name)."""
    value = parse(text) if text.startswith(_JSON) else text
    return value if isinstance(value, str) else text


def text_of(value: Any) -> str:
    """A value's text without quotes; `parse` gives the value back."""
    if isinstance(value, (str, np.str_)):
        text = str(value)
        return _plain_or_json(text) if isinstance(parse(text), str) else _JSON + json.dumps(text)
    if isinstance(value, dict):
        return _JSON + json.dumps(value, ensure_ascii=False)
    array = np.asarray(value)
    if array.ndim == 0 and array.dtype.kind in "biuf":
        return print_number(array.item())
    if array.ndim == 1 and len(array) > 1 and array.dtype.kind in "biuf":
        return " ".join(print_number(x) for x in array.tolist())
    return _JSON + json.dumps(array.tolist())


def print_value(value: Any) -> str:
    """A value's text, quoted where it must be; `parse` of the unquoted text gives the value back."""
    return _quoted(text_of(value))


def print_text(text: str) -> str:
    """A text, quoted where it must be; `parse_text` of the unquoted text gives it back."""
    return _quoted(_plain_or_json(text))


def print_key(key: str) -> str:
    """A key's text, quoted where it must be."""
    return _quoted(key)


def print_number(value: float | bool) -> str:
    """A number with the fewest digits that give it back, or T or F."""
    if isinstance(value, bool):
        return "T" if value else "F"
    return repr(value)


def _plain_or_json(text: str) -> str:
    plain = text.strip() and not _UNPRINTABLE.search(text) and not text.startswith(_JSON)
    return text if plain else _JSON + json.dumps(text)


def _quoted(text: str) -> str:
    if text and not _SPECIAL.search(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _unquoted(text: str) -> str:
    if len(text) > 1 and (text[0], text[-1]) in (('"', '"'), ("'", "'"), ("{", "}"), ("[", "]")):
        text = text[1:-1]
    return re.sub(r"\\(.)", r"\1", text) if "\\" in text else text


def _finite_as_written(numbers: np.ndarray, parts: list[str]) -> bool:
    """Whether only what is written as infinite is so."""
    return all("inf" in part.lower() for part, number in zip(parts, numbers.tolist(), strict=True) if np.isinf(number))


def _from_json(text: str, otherwise: str) -> Any:
    value = None
    try:
        value = json.loads(text)
        if isinstance(value, list):
            array = np.array(value)
            return array if array.dtype.kind in "biuf" else value
    except RecursionError:  # brackets in brackets, too many of them
        return otherwise
    except (ValueError, OverflowError):  # no JSON, or a ragged list
        return value if value is not None else otherwise
    return value
