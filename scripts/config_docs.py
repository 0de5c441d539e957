"""Rewrite the keys in config/README.md and the JSON schema from the settings: `python scripts/config_docs.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from morered.settings import documentation

ROOT = Path(__file__).parent.parent
README, SCHEMA = ROOT / "config/README.md", ROOT / "config/schema/config.schema.json"
BEGIN, END = "<!-- keys: written by scripts/config_docs.py -->\n", "<!-- end of keys -->\n"


def main() -> int:
    """Write both files, or tell whether they are up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file is out of date")
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    wanted = {README: before + BEGIN + documentation.tables() + END + rest.split(END)[1], SCHEMA: documentation.json_schema()}
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    if parser.parse_args().check:
        return int(bool(stale))
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
