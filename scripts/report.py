"""Write results/<study>/report.html, one self-contained page of what has been made: `python scripts/report.py [--configfile
FILE]`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--configfile", type=Path, default=Path("config/config.yaml"), help="the study (default: the demo)")
    configfile = parser.parse_args().configfile
    study = yaml.safe_load((ROOT / configfile).read_text(encoding="utf-8"))["study"]
    page = f"results/{study}/report.html"
    command = [sys.executable, "-m", "snakemake", "--configfile", str(configfile), "--quiet", "all", "--report", page]
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode == 0:
        print(f"report: {page}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
