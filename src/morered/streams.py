"""Writes to standard output and error even if their reader has gone away."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TextIO

from morered.escaping import printable_lines


def write_output(parts: Iterable[str]) -> None:
    """Write text as UTF-8 to standard output; on a terminal without anything that the terminal would obey.

    A reader that has enough (``| head``) or a terminal that was closed is no error: the rest goes nowhere.
    """
    shown = map(printable_lines, parts) if sys.stdout.isatty() else parts
    try:
        sys.stdout.flush()
        sys.stdout.buffer.writelines(part.encode(errors="replace") for part in shown)
        sys.stdout.buffer.flush()
    except OSError as error:
        if not is_gone(error):
            raise
        discard(sys.stdout)


def is_gone(error: OSError) -> bool:
    """Whether a write failed because nobody is left at the other end of a pipe or terminal."""
    return isinstance(error, BrokenPipeError) or error.errno == errno.EIO


def discard(stream: TextIO) -> None:
    """Send a standard stream nowhere from now on; Python would otherwise complain about a lost reader when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
