"""Convert a model that SchNetPack saved, as those that the paper's authors published, into a weights file. Noise, time, joint and
energy models with PaiNN are read, from a state dict, a Lightning checkpoint or a whole module; nothing that is pickled is run.
"""

from __future__ import annotations

import argparse
import sys

from morered.commands.arguments import positive, usage
from morered.commands.outputs import problem_of

EXAMPLES = """examples:
  morered convert qm9_morered_jt.pt -o jt.safetensors --elements H C N O F --dataset qm9
  morered convert qm7x_ddpm.pt -o noise.safetensors --elements H C N O S Cl --dataset qm7x --sizes 4 23
  morered relax in.xyz -o out.xyz --method jt --weights jt.safetensors

A force field's energies must be in eV and its lengths in Å. The converted file does not say which molecules it was trained on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("source", metavar="MODEL", help="file that torch.save wrote")
    parser.add_argument("-o", "--output", required=True, metavar="WEIGHTS", help="weights file to write (.safetensors)")
    parser.add_argument(
        "--elements", nargs="+", required=True, metavar="SYMBOL", help="elements it was trained on, which it is used for"
    )
    parser.add_argument("--dataset", default="", metavar="NAME", help="what it was trained on, for the file's header")
    parser.add_argument(
        "--sizes",
        nargs=2,
        type=positive,
        default=(0, 0),
        metavar=("MIN", "MAX"),
        help="atoms of a molecule there, for the header",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the weights file and print what it is; 1 if the model cannot be read."""
    from ase.data import atomic_numbers

    from morered.models import schnetpack_weights, shipped, weights

    unknown = [symbol for symbol in arguments.elements if symbol == "X" or symbol not in atomic_numbers]
    if unknown:
        return usage("convert", f"--elements: {unknown[0]!r} is no chemical symbol")
    if not arguments.output.endswith(shipped.SUFFIX):
        return usage("convert", f"{arguments.output}: the name of a weights file ends in {shipped.SUFFIX}")
    if sentence := problem_of(others=[arguments.output]):
        return usage("convert", sentence)
    numbers = [atomic_numbers[symbol] for symbol in arguments.elements]
    try:
        schnetpack_weights.convert(
            arguments.source, arguments.output, elements=numbers, dataset=arguments.dataset, sizes=tuple(arguments.sizes)
        )
    except (weights.WeightsError, OSError) as error:
        print(f"morered convert: {error}", file=sys.stderr)
        return 1
    print(weights.describe(arguments.output))
    return 0
