"""How long a browser takes to open the page of a relaxation, by the number of molecules.

    results/bench/page.csv   molecules, megabytes, milliseconds until the page can be used, and CPU seconds of the browser with
                             its start (least of `--repeats N`)

The molecules are those of the embedded QM7, over and over, moved a little as inputs; every fifth is said to have failed. Needs
Chromium.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from morered.datasets import qm7
from morered.metrics.tables import write_table
from morered.pages import write_page
from morered.relaxation.codes import Code
from morered.relaxation.result import Result
from morered.relaxation.verdicts.judge import judge
from morered.structures import Structures

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def write(path: Path, count: int) -> None:
    """The page of so many molecules."""
    minima = qm7.load().without_columns()
    after = minima[np.arange(count) % len(minima)]
    names = np.array([b"m%d" % k for k in range(count)])
    after = Structures(after.numbers, after.positions, after.offsets, names, names)
    before = after.with_positions(after.positions + 0.05 * np.random.default_rng(0).normal(size=after.positions.shape))
    result = Result.begin(before)
    result.positions = np.array(after.positions, np.float64)
    result.code[:] = int(Code.CONVERGED)
    result.code[::5] = int(Code.EXPLODED)
    write_page(path, before, judge(before, result, checked=False).structures)


def opened(browser: str, path: Path, folder: str) -> tuple[float, float]:
    """Milliseconds until the page can be used, and CPU seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,900", f"--user-data-dir={folder}", "--dump-dom"]
    dom = subprocess.run([browser, *flags, path.as_uri()], capture_output=True, text=True, check=True).stdout
    found = re.search(r'data-ready="(\d+)"', dom)
    if found is None:
        raise SystemExit("the page did not become ready")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return float(found[1]), used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="100,1000,10000", help="numbers of molecules (default: 100,1000,10000)")
    parser.add_argument("--repeats", type=int, default=3, help="times that each page is opened (default: 3)")
    parser.add_argument("--out", type=Path, default=Path("results/bench"), help="where the table goes")
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser: {', '.join(BROWSERS)}")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, arguments.counts.split(",")):
            path = Path(folder, f"{count}.html")
            write(path, count)
            times, seconds = zip(*(opened(browser, path, f"{folder}/profile") for _ in range(arguments.repeats)), strict=True)
            size = round(path.stat().st_size / 1e6, 1)
            rows.append({"molecules": count, "MB": size, "ready_ms": min(times), "cpu_s": round(min(seconds), 2)})
            print(rows[-1], flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_table(pd.DataFrame(rows), arguments.out / "page.csv")


if __name__ == "__main__":
    main()
