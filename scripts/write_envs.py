"""Write envs/morered.yaml, the conda environment of `--sdm conda`, with the versions of requirements.lock: `[--check]`.

What morered and its extra `all` need is in its pip part; envs/morered.post-deploy.sh installs morered itself.
"""

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


def needed() -> list[str]:
    """Names of the packages that the project and its extra `all` ask for, sorted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["all"]]
    names = set()
    while asked:
        name, chosen = re.match(r"([A-Za-z0-9_.-]+)(?:\[(.*?)\])?", asked.pop()).groups()
        if name == project["name"]:
            asked += [requirement for extra in chosen.split(",") for requirement in extras[extra]]
        else:
            names.add(name)
    return sorted(names, key=str.lower)


def environment() -> str:
    """The file's content: the project's own dependencies, pinned; what they need follows from them."""
    versions = locked()
    pins = "".join(f"      - {name}=={versions[name.lower()]}\n" for name in needed())
    return (
        "# Written by scripts/write_envs.py from requirements.lock; morered.post-deploy.sh adds morered itself.\n"
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
