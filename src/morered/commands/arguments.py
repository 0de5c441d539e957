"""What the subcommands share of reading their arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from morered.commands.messages import say

if TYPE_CHECKING:
    from morered.inputs import Supplements

#: Exit code of a command that was called in a wrong way.
WRONG_USAGE = 2


def positive(text: str) -> int:
    """A whole number of at least 1, for `argparse`."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {value}")
    return value


def gigabytes(text: str) -> int:
    """A positive number of GB in bytes, for `argparse`."""
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"must be a positive number of GB, not {text}")
    return int(value * 1e9)


def add_reading(parser: argparse.ArgumentParser) -> None:
    """The options that say how inputs are read."""
    parser.add_argument("--format", metavar="NAME", help="format of the inputs where their ending does not tell it")
    parser.add_argument(
        "--max-unpacked",
        type=gigabytes,
        default="2",
        metavar="GB",
        help="refuse a compressed input that unpacks to more (default: 2)",
    )


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """A method's name, for `argparse`: one of those known, or one that another package brings (`morered.plugins`)."""

    def method(text: str) -> str:
        if text not in known:
            from morered import plugins  # looks at all packages that are installed

            if text not in (others := plugins.names()):
                raise argparse.ArgumentTypeError(f"no method {text!r} here; there are: {', '.join([*known, *others])}")
        return text

    return method


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


def mending(parser: argparse.ArgumentParser) -> None:
    """Arguments for molecules that are not complete."""
    parser.add_argument(
        "--add-hydrogens",
        action="store_true",
        help="add the hydrogens that molecules lack, where their source states bonds (SDF, mol2)",
    )
    parser.add_argument(
        "--embed",
        action="store_true",
        help="make geometries of flat drawings by ETKDGv3, with their hydrogens and the stereochemistry of their wedges",
    )
    parser.add_argument(
        "--freeze",
        metavar="ATOMS",
        help="atoms of every molecule that keep their coordinates exactly, while the rest relaxes around them: numbers from 1, "
        "such as 1-4,7, or a SMARTS pattern where the source states bonds (SDF, SMILES); so do those that ASE's FixAtoms or "
        "move_mask holds in a file",
    )


def supplements(arguments: argparse.Namespace) -> Supplements:
    """What the arguments of `electrons` and `mending` say of all molecules."""
    from morered.inputs import Supplements

    return Supplements(arguments.charge, arguments.unpaired, arguments.freeze, arguments.add_hydrogens, arguments.embed)


def usage(command: str, sentence: str) -> int:
    """Say on standard error what is wrong with a call; returns the exit code."""
    say(f"morered {command}: {sentence}")
    return WRONG_USAGE
