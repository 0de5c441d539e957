"""Lists results that other code than today's made: `python -m morered.stale results`.

Editing the library reruns nothing by itself; every result records the sources that could have had a part in it, and the weights
it was made with (`morered.storage.provenance`). A file of weights says by which training it was made.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from morered.code_digest import changes, code_digest
from morered.files import sha256
from morered.storage import StorageError, read_provenance

#: Changed sources that a line names.
NAMED = 5


def stale(folder: Path) -> Iterator[tuple[Path, str]]:
    """(file, why) of each HDF5 result and weights file below ``folder`` that this code did not make, in the order of the names.

    A parent's path is looked up from the working folder, as it was written; what is no longer there is not compared.
    """
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".h5", ".safetensors") and p.is_file()):
        why = _result(path) if path.suffix == ".h5" else _weights(path)
        if why is not None:
            yield path, why


def _result(path: Path) -> str | None:
    try:
        made = read_provenance(path)
    except StorageError as error:
        return str(error)
    code = made.get("code")
    if not isinstance(code, dict):
        return "made by an earlier version, which named no sources" if code else "does not say what code made it"
    if changed := changes(code):
        more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
        return f"made by other code: {', '.join(changed[:NAMED])}{more}"
    for parent in made.get("parents", []):
        weights = Path(parent["file"])
        if weights.suffix == ".safetensors" and weights.is_file() and sha256(weights) != parent["sha256"]:
            return f"made with other weights: {weights}"
    return None


def _weights(path: Path) -> str | None:
    try:
        with safe_open(path, framework="numpy") as file:
            header: dict[str, Any] = json.loads((file.metadata() or {}).get("header", "{}"))
    except (SafetensorError, ValueError) as error:
        return f"{path}: cannot be read: {error}"
    code = header.get("training", {}).get("code")  # absent in weights of other origin, and of earlier versions
    return None if code in (None, code_digest("morered.training.run")) else "trained by other code"


def main() -> int:
    """Print the stale results below the folders named; 0 whatever there is."""
    parser = argparse.ArgumentParser(prog="python -m morered.stale", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results")], help="where to look (default: results)")
    count = 0
    for folder in parser.parse_args().folders:
        for path, why in stale(folder):
            print(f"{path}: {why}")
            count += 1
    print(f"{count} results are stale")
    if count:
        print("snakemake --forcerun RULE makes a rule's results again, with all that follows from them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
