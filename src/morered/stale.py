"""Lists results that other code than today's made: `python -m morered.stale results`.

Editing the library reruns nothing by itself; every result records the digest of the code that made it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from morered.files import code_digest
from morered.storage import StorageError, read_provenance


def stale(folder: Path) -> Iterator[tuple[Path, str]]:
    """(file, why) of each HDF5 result below ``folder`` that this code did not make, in the order of the names."""
    today = code_digest()
    for path in sorted(folder.rglob("*.h5")):
        try:
            made_by = read_provenance(path).get("code")
        except StorageError as error:
            yield path, str(error)
            continue
        if made_by != today:
            yield path, f"made by code {made_by[:12]}" if made_by else "does not say what code made it"


def main() -> int:
    """Print the stale results below the folders named; 0 whatever there is."""
    parser = argparse.ArgumentParser(prog="python -m morered.stale", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("results")], help="where to look (default: results)")
    count = 0
    for folder in parser.parse_args().folders:
        for path, why in stale(folder):
            print(f"{path}: {why}")
            count += 1
    print(f"{count} results are stale; today's code is {code_digest()[:12]}")
    if count:
        print("snakemake --forcerun RULE makes a rule's results again, with all that follows from them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
