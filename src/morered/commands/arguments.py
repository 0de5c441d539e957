"""What the subcommands share of reading their arguments."""

from __future__ import annotations

import argparse
import sys

#: Exit code of a command that was called in a wrong way.
WRONG_USAGE = 2


def positive(text: str) -> int:
    """A whole number of at least 1, for `argparse`."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def electrons(parser: argparse.ArgumentParser) -> None:
    """Arguments for what files of coordinates may not say."""
    parser.add_argument(
        "--charge",
        type=int,
        metavar="N",
        help="total charge in e of molecules whose file states none (default: 0)",
    )
    parser.add_argument(
        "--unpaired", type=int, metavar="N", help="unpaired electrons of molecules whose file states none (default: 0 or 1)"
    )


def usage(command: str, sentence: str) -> int:
    """Say on standard error what is wrong with a call; returns the exit code."""
    print(f"morered {command}: {sentence}", file=sys.stderr)
    return WRONG_USAGE
