"""Seconds that Snakemake and Slurm add to a job: `[--jobs N]` jobs that do nothing, on the tests' one-node Slurm (root).

The jobs run one after another. Columns of results/bench/slurm.csv:

    allocated     seconds that Slurm held resources for a job: two starts of Snakemake and the payload, which is nothing
    between       seconds from one job's end to the next one's start
    noticed       seconds from a job's end until Snakemake knew of it: what a job that waits for it loses on top
    minutes_for_5_percent
                  payload at which what is allocated in vain is 5 %
    load          the machine's load average when it ended: measure on a machine that does nothing else
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests/slurm"))
from node import Node, slurm  # noqa: E402

SNAKEFILE = """
rule all:
    input: expand("done/{{job}}", job=range({jobs}))

localrules: all

rule nothing:
    output: "done/{{job}}"
    threads: {threads}
    shell: "touch {{output}}"
"""


def times(name: str) -> pd.DataFrame:
    """Start and end of each of a run's jobs, in the order of their starts."""
    rows = []
    for line in slurm("scontrol", "--oneliner", "show", "job").stdout.splitlines():
        found = dict(word.partition("=")[::2] for word in line.split())
        if found.get("JobName") == name:
            rows.append({"job": found["JobId"], **{key: datetime.fromisoformat(found[f"{key}Time"]) for key in ("Start", "End")}})
    return pd.DataFrame(rows).sort_values("Start")


def noticed(log: str) -> dict[str, datetime]:
    """Slurm's number of a job -> when Snakemake knew of its end, from what it printed."""
    numbers = dict(re.findall(r"Job (\d+) has been submitted with SLURM jobid (\d+)", log))
    ends = re.findall(r"\[(\w+ \w+ +\d+ [\d:]+ \d+)\]\nFinished jobid: (\d+)", log)
    return {numbers[job]: datetime.strptime(when, "%a %b %d %H:%M:%S %Y") for when, job in ends if job in numbers}


def measure(jobs: int) -> pd.DataFrame:
    """One row for the whole run."""
    node = Node()
    node.up()
    try:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "Snakefile").write_text(SNAKEFILE.format(jobs=jobs, threads=node.cpus), encoding="utf-8")
            environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
            (Path(folder) / "slurm").symlink_to(ROOT / "profiles/slurm")
            command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--configfile", str(ROOT / "config/tiny.yaml")]
            plain = ["--set-threads", f"nothing={node.cpus}", "--set-resources", "nothing:mem_mb=1000", "--latency-wait", "5"]
            done = subprocess.run([*command, *plain], cwd=folder, env=environment, capture_output=True, text=True, check=True)
            printed = done.stdout + done.stderr
            found = times(re.search(r"SLURM run ID: (\S+)", printed)[1])
    finally:
        node.down()
    known = noticed(printed)
    allocated = (found.End - found.Start).dt.total_seconds()
    between = (found.Start.iloc[1:].reset_index(drop=True) - found.End.iloc[:-1].reset_index(drop=True)).dt.total_seconds()
    late = pd.Series([(known[job] - end).total_seconds() for job, end in zip(found.job, found.End, strict=True)])
    row = {
        "jobs": len(found),
        "allocated": allocated.mean(),
        "between": between.mean(),
        "noticed": late.mean(),
        "minutes_for_5_percent": allocated.mean() * 0.95 / 0.05 / 60,
        "load": os.getloadavg()[0],
    }
    return pd.DataFrame([row])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=5)
    table = measure(parser.parse_args().jobs)
    out = ROOT / "results/bench/slurm.csv"
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False, float_format="%.2f")
    print(table.to_string(index=False, float_format="%.2f"))
