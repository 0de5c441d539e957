"""Print what a weights file is: kind and size of the network, what it was trained on, its losses, and for which elements it
is.
"""

from __future__ import annotations

import argparse

from morered.commands.messages import say

EXAMPLES = """examples:
  morered info                       the weights that ship with the package
  morered info weights.safetensors   a file
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "weights", nargs="*", metavar="WEIGHTS", help="weights files, or names of shipped weights; all shipped ones by default"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print each file's description; 1 if one cannot be read."""
    from morered.models import shipped, weights

    failed = False
    for k, name in enumerate(arguments.weights or shipped.names()):
        try:
            print(("\n" if k else "") + weights.describe(name))
        except weights.WeightsError as error:
            say(f"morered info: {error}")
            failed = True
    return int(failed)
