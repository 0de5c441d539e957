"""The command `morered`. Each subcommand is a module of `morered.commands`, imported when it is run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from morered.commands import process
from morered.commands.messages import say
from morered.streams import discard

#: Subcommand -> what it does, for the overview; the module of the same name holds the rest.
COMMANDS = {
    "relax": "relax molecules of a file; each comes back with a verdict",
    "energy": "PBE0+MBD energies of molecules of a file, as they are",
    "generate": "generate molecules of a composition from pure noise",
    "convert": "convert a model that SchNetPack saved, as the paper's authors published, into a weights file",
    "info": "print what a weights file is, what it was trained on, and for which elements",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit code: 0 all fine, 1 something was not, 2 wrong usage."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    named = arguments[0] if arguments and arguments[0] in COMMANDS else None
    if named is None:
        _overview().parse_args(arguments)  # tells of help, version or a mistake, and ends
    module = import_module(f"morered.commands.{named}")  # the chosen one alone: `morered --help` is there at once
    parser = argparse.ArgumentParser(
        prog=f"morered {named}",
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    chosen = parser.parse_intermixed_args(_without_dashes(arguments[1:]))  # inputs may stand on both sides of options
    from morered.extras import MissingExtra

    try:
        code = int(module.run(chosen))
        sys.stdout.flush()
        return code
    except MissingExtra as error:
        say(f"morered {named}: {error}")
        return 2
    except KeyboardInterrupt:
        say("morered: interrupted")
        return 1
    except BrokenPipeError:  # the reader of a pipe has enough
        discard(sys.stdout)
        return 0


def _without_dashes(words: list[str]) -> list[str]:
    """The words without ``--``, of which argparse loses track there: names after it that begin with a dash become ``./-name``."""
    if "--" not in words:
        return words
    end = words.index("--")
    return words[:end] + [f"./{word}" if word.startswith("-") and word != "-" else word for word in words[end + 1 :]]


def _overview() -> argparse.ArgumentParser:
    """What is told where no subcommand is called."""
    parser = argparse.ArgumentParser(
        prog="morered",
        description="Relax and generate molecules by reverse diffusion with time step prediction (MoreRed).",
        epilog="morered COMMAND --help explains each command, with examples.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"morered {version('morered')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        commands.add_parser(name, help=summary)
    return parser


def entry() -> None:
    """The console script."""
    process.set_up()
    sys.exit(main())


if __name__ == "__main__":
    entry()
