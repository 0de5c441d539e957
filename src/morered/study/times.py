"""How long the jobs of a run took, by rule, from the last line of each job's log.

A job's script ends its log with the line of `taken` (`morered.study.script.logged` writes it). Times count from the start of the
job's process: what Python and its imports take is part of the job. (Only Linux tells when a process started; elsewhere seconds
count from the import of this module.)
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"\n(\w+) took ([\d.]+) s, ([\d.]+) s of CPU\n")
_IMPORTED = time.monotonic()
_LINE_BYTES = 200  # a log may be long: its last line is within so many bytes


@dataclass
class Times:
    """Jobs of one rule: how many, the sum of their seconds, and seconds of CPU with those of their worker processes."""

    rule: str
    jobs: int = 0
    wall: float = 0.0
    cpu: float = 0.0


def taken(rule: str) -> str:
    """What this process, a job of ``rule``, took until now: the last line of its log, whatever the text before it ended with."""
    used = os.times()
    cpu = used.user + used.system + used.children_user + used.children_system
    return f"\n{rule} took {_since_start():.1f} s, {cpu:.1f} s of CPU\n"


def _since_start() -> float:
    """Seconds since this process started."""
    stat = Path("/proc/self/stat")
    if not stat.is_file():
        return time.monotonic() - _IMPORTED
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])  # field 22, starttime; the name before may have spaces
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def by_rule(folder: Path, since: float) -> list[Times]:
    """Times of the jobs whose logs below ``folder`` were written after ``since`` (seconds since the epoch), the longest first."""
    found: dict[str, Times] = {}
    for rule, wall, cpu in _lines(folder, since):
        times = found.setdefault(rule, Times(rule))
        times.jobs, times.wall, times.cpu = times.jobs + 1, times.wall + wall, times.cpu + cpu
    return sorted(found.values(), key=lambda times: -times.wall)


def table(times: list[Times], elapsed: float) -> str:
    """The times as lines for people, and what passed from the start of the run, in seconds."""
    width = max([len(part.rule) for part in times], default=4)
    lines = [f"{'rule':{width}}  jobs  seconds  of CPU"]
    lines += [f"{part.rule:{width}}  {part.jobs:4d}  {part.wall:7.1f}  {part.cpu:6.1f}" for part in times]
    total = Times("all", sum(t.jobs for t in times), sum(t.wall for t in times), sum(t.cpu for t in times))
    lines.append(f"{total.rule:{width}}  {total.jobs:4d}  {total.wall:7.1f}  {total.cpu:6.1f}")
    minutes, seconds = divmod(round(elapsed), 60)
    return "\n".join([*lines, f"the run: {minutes} min {seconds:02d} s"])


def _lines(folder: Path, since: float) -> Iterator[tuple[str, float, float]]:
    for path in folder.rglob("*.log"):
        if "logs" not in path.parts or path.stat().st_mtime < since:
            continue
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - _LINE_BYTES))
            if found := _LINE.search(log.read().decode(errors="replace")):
                yield found[1], float(found[2]), float(found[3])
