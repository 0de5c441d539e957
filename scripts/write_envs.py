"""Write envs/morered.yaml, the conda environment of `--sdm conda`, with the versions of requirements.lock: `[--check]`."""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
ENVIRONMENT = ROOT / "envs/morered.yaml"


def locked() -> dict[str, str]:
    """Package -> version in the lock."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, flags=re.MULTILINE))


def environment() -> str:
    """The file's content: the project's own dependencies, pinned; what they need follows from them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = locked()
    names = [re.match(r"[A-Za-z0-9_.-]+", requirement)[0] for requirement in project["dependencies"]]
    pins = "".join(f"      - {name}=={versions[name.lower()]}\n" for name in names)
    return (
        "# Written by scripts/write_envs.py from requirements.lock.\n"
        "channels:\n  - conda-forge\n  - nodefaults\n"
        f"dependencies:\n  - python =3.12\n  - pip\n  - pip:\n{pins}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the file is out of date")
    new = environment()
    if parser.parse_args().check:
        return int(not ENVIRONMENT.is_file() or ENVIRONMENT.read_text(encoding="utf-8") != new)
    ENVIRONMENT.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
