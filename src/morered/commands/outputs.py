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


#: Endings of a table, which is CSV whatever it is called.
_TABLES = ("", ".csv", ".txt", ".dat")


def problem_of(
    output: str | None = None,
    *,
    steps: str | None = None,
    table: str | None = None,
    others: Iterable[str | None] = (),
    inputs: Iterable[str] = (),
) -> str | None:
    """A sentence about the first output that cannot be written, or that is one of the inputs; None where all is well.

    ``output`` and ``steps`` are files of structures, whose ending must be that of a format. ``output`` alone may be ``-``, which
    is standard output, or an input: that is read before it is written.
    """
    further = [path for path in (steps, table, *others) if path]
    if "-" in further:
        return "-: only molecules go to standard output: give the name of a file"
    sources = {os.path.realpath(path) for path in inputs if path != "-"}
    seen: set[str] = set()
    for path in (*([output] if output and output != "-" else []), *further):
        place = os.path.realpath(path)
        lasting = not os.path.exists(path) or os.path.isfile(path)  # devices take everything
        if lasting and place in seen:
            return f"{path}: two outputs have this name"
        if lasting and place in sources and path in further:
            return f"{path}: is an input, which would be lost: give another name"
        seen.add(place)
        if problem := unwritable(path):
            return problem
    if table and (not os.path.exists(table) or os.path.isfile(table)) and (ending := _ending(table)) not in _TABLES:
        return f"{table}: a table is written as CSV, whose name does not end with {ending}"
    return next((problem for path in (output, steps) if path and path != "-" and (problem := _format_problem(path))), None)


def _ending(path: str) -> str:
    name, ending = os.path.splitext(path.lower())
    return os.path.splitext(name)[1] if ending in (".gz", ".bz2", ".xz") else ending


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
