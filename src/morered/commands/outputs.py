"""Outputs of a command. They are checked before the work; if one fails afterwards, the results are written elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from morered.files import unwritable

if TYPE_CHECKING:  # imported where they are used, so that --help is there at once
    from morered.formats import Carried
    from morered.structures import Structures


def problem_of(molecules: Iterable[str | None] = (), others: Iterable[str | None] = ()) -> str | None:
    """A sentence about the first output that cannot be written; ``-`` (standard output) and None need nothing.

    ``molecules`` are files of structures, whose ending must be that of a format; ``others`` tables and pages.
    """
    molecules, others = list(molecules), list(others)
    paths = [path for path in (*molecules, *others) if path and path != "-"]
    seen: set[str] = set()
    for path in paths:
        place = os.path.realpath(path)
        if place in seen and not (os.path.exists(path) and not os.path.isfile(path)):  # devices take everything
            return f"{path}: two outputs have this name"
        seen.add(place)
        if problem := unwritable(path):
            return problem
    return next((problem for path in molecules if path and path != "-" and (problem := _format_problem(path))), None)


def _format_problem(path: str) -> str | None:
    from morered import formats

    name = formats.format_of(path)
    if name is not None and formats.FORMATS[name].write is not None:
        return None
    known = ", ".join(f".{end}" for entry in formats.FORMATS.values() if entry.write for end in entry.extensions)
    return f"{path}: files of this ending cannot be written; known are {known}"


def write_each(tasks: Mapping[str, Callable[[], None]]) -> list[str]:
    """Run each writer, whatever becomes of the others; a sentence for each that failed, which names its file.

    Raises
    ------
    BrokenPipeError
        If the reader of standard output has gone, after everything else is written.
    """
    failures: list[str] = []
    pipe: BrokenPipeError | None = None
    for path, task in tasks.items():
        try:
            task()
        except BrokenPipeError as error:
            pipe = error
        except Exception as error:  # whatever a writer runs into must not cost the other outputs
            failures.append(f"{path}: {' '.join(str(error).split()) or type(error).__name__}")
    if pipe is not None and not failures:
        raise pipe
    return failures


def rescue(everything: Structures, carried: Mapping[str, Carried] | None = None) -> str:
    """Write results as extended xyz where they can be written: the current folder, or that of temporary files.

    Returns
    -------
    str
        A sentence that says where they are.
    """
    from morered.formats import write_extxyz

    reasons = []
    for folder in (os.curdir, tempfile.gettempdir(), os.path.expanduser("~")):
        path = None
        try:
            handle, path = tempfile.mkstemp(prefix="morered-recovered-", suffix=".xyz", dir=folder)
            os.close(handle)
            try:
                write_extxyz(path, everything, carried=carried)
            except (ValueError, TypeError):  # a value that no writer takes must not cost the coordinates
                write_extxyz(path, everything.without_columns())
            return f"the results are in {os.path.abspath(path)}"
        except OSError as error:
            reasons.append(f"{os.path.abspath(folder)} ({(error.strerror or str(error)).lower()})")
            if path is not None:
                with suppress(OSError):
                    os.unlink(path)
    return f"the results could not be written to {', '.join(reasons)} either"
