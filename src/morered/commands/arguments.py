"""What the subcommands share of reading their arguments."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable

from morered.commands.messages import say

#: Exit code of a command that was called in a wrong way.
WRONG_USAGE = 2


def positive(text: str) -> int:
    """A whole number of at least 1, for `argparse`."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def usage(command: str, sentence: str) -> int:
    """Say on standard error what is wrong with a call; returns the exit code."""
    say(f"morered {command}: {sentence}")
    return WRONG_USAGE


def without_folder(paths: Iterable[str | None]) -> str | None:
    """A sentence about the first of these outputs whose folder is not there; ``-`` and None need none."""
    for path in paths:
        if path and path != "-" and not os.path.isdir(os.path.dirname(path) or "."):
            return f"{path}: there is no folder {os.path.dirname(path)!r}"
    return None
