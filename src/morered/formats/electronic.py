"""Total charge and unpaired electrons as files and ASE's Atoms say them, turned into whole numbers, or into a problem.

charge, total_charge,           total charge in e: 1, -1.0, "+1", "2-", "+1 e"
net_charge
unpaired, uhf                   unpaired electrons
multiplicity, mult, spin        unpaired electrons and one (ORCA, Gaussian, OMol25, AIMNet2); spin 0 is a closed shell
initial_charges (per atom)      ASE's: their sum is the total charge where ``charge`` is not given

Names may be written in small or large letters; in data fields of an SDF, which mean many things, only as above and ``charge``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from morered.electrons import parity_problem

#: Initial charges, which are often rounded, may miss a whole number by this much, in e.
ROUNDING = 0.05

_TOTAL = ("charge", "total_charge", "net_charge")
_UNPAIRED = {"unpaired": 0, "uhf": 0, "multiplicity": 1, "mult": 1, "spin": 1}  # what is to be subtracted
_PROSE = ("uhf", "mult", "spin")  # names that mean other things as well: what is no whole number there says nothing
_WHOLE = re.compile(r"([+-]?\d{1,6})(?:\.0*)?\s*e?")
_TRAILING = re.compile(r"(\d{0,6})\s*(\++|-+)")


class ElectronsProblem(ValueError):
    """A charge or a multiplicity that cannot be; the message is the reason."""


def whole_number(value: Any) -> int | None:
    """A whole number from a value of a file; None for no value (empty, NaN).

    Raises
    ------
    ValueError
        If it is something else.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str):
        text = value.strip().replace("\u2212", "-")
        if not text or text.lower() == "nan":
            return None
        if match := _WHOLE.fullmatch(text):
            return int(match[1])
        if match := _TRAILING.fullmatch(text):
            if match[1] and len(match[2]) > 1:
                raise ValueError(text)
            return int(match[1] or len(match[2])) * (1 if match[2][0] == "+" else -1)
        raise ValueError(text)
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise ValueError(str(value))
    number = float(array.reshape(-1)[0])
    if np.isnan(number):
        return None
    if number != np.round(number) or abs(number) >= 1e6:
        raise ValueError(str(value))
    return int(number)


def charge_of(info: Mapping[str, Any], arrays: Mapping[str, NDArray], other_names: bool = True) -> int | None:
    """The total charge in e that a molecule's values state; None where they do not.

    Without ``other_names`` only ``charge`` counts, as it is written here.

    Raises
    ------
    ElectronsProblem
        If ``charge`` is no whole number, or there are initial charges alone and they do not add up to one.
    """
    found: dict[str, int] = {}
    for name, value in _of_names(info, _TOTAL if other_names else _TOTAL[:1], other_names):
        try:
            number = whole_number(value)
        except ValueError:
            if name != "charge":
                continue  # a word that means something else there
            raise ElectronsProblem(f"its charge is not a whole number: {_short(value)}") from None
        if number is not None:
            found[name] = number
    if len(set(found.values())) > 1:
        raise ElectronsProblem(
            "its values contradict each other: " + ", ".join(f"{name}={value}" for name, value in found.items())
        )
    stated = next(iter(found.values()), None)
    partial = arrays.get("initial_charges")
    if stated is not None or partial is None or not np.any(partial):
        return stated
    total = float(np.sum(partial)) if np.asarray(partial).dtype.kind in "biuf" else np.nan
    if not abs(total - np.round(total)) <= ROUNDING:
        raise ElectronsProblem(
            f"its initial charges add up to {total:+.3g} e, which is not a whole number: give the total charge as charge="
        )
    return round(total)


def unpaired_of(info: Mapping[str, Any], other_names: bool = True) -> int | None:
    """The unpaired electrons that a molecule's values state; None where they do not.

    Without ``other_names`` only names that are written as here count.

    Raises
    ------
    ElectronsProblem
        If a value is no number of electrons, or two of them contradict each other.
    """
    found: dict[str, int] = {}
    for name, value in _of_names(info, _UNPAIRED, other_names):
        key = name.casefold()
        less = _UNPAIRED[key]
        try:
            number = whole_number(value)
            if number is not None and number < less and not (key == "spin" and number == 0):
                raise ValueError
        except ValueError:
            if key in _PROSE or name != key:
                continue
            raise ElectronsProblem(f"its {name} cannot be read: {_short(value)}") from None
        if number is not None:
            found[name] = max(number - less, 0)
    if len(set(found.values())) > 1:
        raise ElectronsProblem("its values contradict each other: " + ", ".join(f"{name}={info[name]}" for name in found))
    return next(iter(found.values()), None)


def _of_names(info: Mapping[str, Any], names: Collection[str], in_any_letters: bool) -> list[tuple[str, Any]]:
    """The values under these names."""
    texts = [(name, value) for name, value in info.items() if isinstance(name, str)]
    return [(name, value) for name, value in texts if (name.casefold() if in_any_letters else name) in names]


def check(numbers: NDArray[np.integer], charge: int | None, unpaired: int | None) -> None:
    """Refuse what a molecule of these atomic numbers [N] cannot have; None is not stated.

    Raises
    ------
    ElectronsProblem
        With the reason.
    """
    electrons = int(np.sum(numbers, dtype=np.int64)) - (charge or 0)
    lowest = electrons % 2
    problem = parity_problem(electrons, charge or 0, lowest if unpaired is None else unpaired)
    if problem:
        raise ElectronsProblem(problem)


def _short(value: Any) -> str:
    text = repr(str(value))
    return text if len(text) <= 40 else f"{text[:37]}..."
