"""What jobs took, from their logs to the table at the end of a run."""

import subprocess
import sys
import time

from morered.study import times

SCRIPT = """
import time
from types import SimpleNamespace
begun = time.process_time()
from morered.study.script import logged
with logged(SimpleNamespace(rule="fig9", wildcards={}, log=["logs/fig9.log"], output=["fig9.png", "fig9.csv"])):
    print("working", end="")
    while time.process_time() - begun < 0.5:
        pass
"""


def test_a_jobs_log_ends_with_what_it_took_and_its_picture_is_told(tmp_path):
    begun = time.time()
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=True)
    elapsed = time.time() - begun
    (part,) = times.by_rule(tmp_path, since=begun - 1)
    assert (part.rule, part.jobs) == ("fig9", 1)
    assert part.cpu >= 0.5
    assert 0.5 <= part.wall <= elapsed + 0.1
    assert done.stderr.splitlines() == ["[fig9] picture: fig9.png"]


def test_jobs_of_a_rule_are_added_and_those_of_an_earlier_run_left_out(tmp_path):
    logs = {"a/logs/x/0.log": "\nx took 1.5 s, 1.0 s of CPU\n", "a/logs/x/1.log": "at work: 100%\nx took 2.0 s, 3.0 s of CPU\n"}
    logs |= {"b/logs/y.log": "words" * 100 + "\ny took 9.0 s, 1.0 s of CPU\n", "a/logs/failed.log": "Traceback\n"}
    for name, text in logs.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = times.by_rule(tmp_path, since=time.time() - 60)
    assert [(part.rule, part.jobs, part.wall, part.cpu) for part in found] == [("y", 1, 9.0, 1.0), ("x", 2, 3.5, 4.0)]
    assert times.by_rule(tmp_path, since=time.time() + 60) == []


def test_the_table_has_a_line_for_each_rule_all_of_them_and_the_run():
    lines = times.table([times.Times("relax", 2, 10.0, 12.5), times.Times("fig4", 1, 1.0, 0.5)], elapsed=75.2).splitlines()
    assert [line.split() for line in lines[1:-1]] == [
        ["relax", "2", "10.0", "12.5"],
        ["fig4", "1", "1.0", "0.5"],
        ["all", "3", "11.0", "13.0"],
    ]
    assert lines[-1] == "the run: 1 min 15 s"


def test_a_run_without_jobs_has_a_table(tmp_path):
    assert times.table([], elapsed=0.4).splitlines()[-1] == "the run: 0 min 00 s"
    assert times.by_rule(tmp_path / "no-such-folder", 0) == []
