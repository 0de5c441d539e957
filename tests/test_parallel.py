"""Worker processes: results, and every way in which a task can be lost."""

import ctypes
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from functools import partial

import pytest

from morered import parallel
from morered.parallel import TaskFailure, map_processes


def behave(task):
    """What a task may do to its worker."""
    what, *values = task
    if what == "sleep":
        time.sleep(values[0])
    elif what == "wait for":
        while not values[0].exists():
            time.sleep(0.01)
    elif what == "raise":
        raise ValueError("no such\nthing")
    elif what == "segfault":
        ctypes.string_at(0)
    elif what == "exit":
        os._exit(values[0])
    elif what == "sys.exit":
        sys.exit(3)
    elif what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif what == "unpicklable":
        return threading.Lock()
    elif what == "large":
        return bytes(values[0])
    return ("done", *values)


def environment(_):
    import numpy as np  # noqa: F401  (loads a BLAS)
    import torch
    from threadpoolctl import threadpool_info

    return os.getpid(), torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]


def scaled(factor, value):
    return factor * value


def refuse_import():
    raise ImportError("only in the parent")


class OnlyHere:
    """A callable that a worker cannot load."""

    def __call__(self, task):
        return task

    def __reduce__(self):
        return refuse_import, ()


def collect(*args, **options):
    pairs = list(map_processes(*args, **options))
    assert len({index for index, _ in pairs}) == len(pairs), "a task came back twice"
    return dict(pairs)


def test_results_come_with_their_index_and_only_once():
    results = collect(partial(scaled, 3), range(40), workers=2)
    assert results == {i: 3 * i for i in range(40)}


def test_results_are_yielded_as_they_finish(tmp_path):
    results = map_processes(behave, [("wait for", tmp_path / "seen"), ("value", 1)], workers=2)
    assert next(results) == (1, ("done", 1))
    (tmp_path / "seen").touch()
    assert [index for index, _ in results] == [0]


def test_no_tasks_start_no_worker():
    assert collect(behave, [], workers=2) == {}


def test_every_way_to_be_lost_gives_a_reason_and_spares_the_others():
    tasks = [
        ("value", 0),
        ("raise",),
        ("segfault",),
        ("exit", 0),  # what a Fortran STOP does
        ("exit", 7),
        ("sys.exit",),
        ("killed",),
        ("unpicklable",),
        ("value", 8),
        ("large", 3_000_000),
    ]
    results = collect(behave, tasks, workers=2)
    assert results[0] == ("done", 0)
    assert results[8] == ("done", 8)
    assert results[9] == bytes(3_000_000)
    kinds = {index: result.kind for index, result in results.items() if isinstance(result, TaskFailure)}
    assert kinds == {1: "raised", 2: "died", 3: "died", 4: "died", 5: "raised", 6: "killed", 7: "raised"}
    assert results[1].reason == "ValueError: no such thing"
    assert "in behave" in results[1].details
    assert "SIGSEGV" in results[2].reason
    assert "exit status 0" in results[3].reason
    assert "exit status 7" in results[4].reason
    assert "SIGKILL" in results[6].reason


def test_a_task_over_its_time_is_stopped_and_its_worker_replaced():
    tasks = [("sleep", 60), ("value", 1), ("sleep", 60), ("value", 3)]
    start = time.monotonic()
    results = collect(behave, tasks, workers=1, timeout=2)
    assert time.monotonic() - start < 110, "the time limit did not hold"
    assert results[1] == ("done", 1)
    assert results[3] == ("done", 3)
    assert results[0] == TaskFailure("over the time limit of 2 s", "timeout")
    assert results[2].kind == "timeout"


def test_workers_have_one_thread_and_the_parent_keeps_its_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    ((_, (pid, torch_threads, blas_threads)),) = map_processes(environment, [0], workers=1)
    assert pid != os.getpid()
    assert torch_threads == 1
    assert blas_threads
    assert set(blas_threads) == {1}
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "MKL_NUM_THREADS" not in os.environ


def test_tasks_are_taken_only_when_a_worker_is_free():
    taken = []

    def endless():
        index = 0
        while True:
            taken.append(index)
            yield index
            index += 1

    results = map_processes(partial(scaled, 2), endless(), workers=1)
    assert [next(results) for _ in range(3)] == [(0, 0), (1, 2), (2, 4)]
    results.close()
    assert len(taken) <= 4


def test_stopping_early_leaves_no_process_behind(monkeypatch):
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    results = map_processes(behave, [("value", 0), ("sleep", 60), ("sleep", 60)], workers=2)
    next(results)
    assert [process.poll() for process in started] == [None, None]
    results.close()
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


def test_progress_counts_every_task():
    seen = []
    collect(behave, [("value", 0), ("raise",)], workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
    collect(behave, iter([("value", 0)]), workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (1, None)


def test_bad_arguments_are_refused_before_anything_starts():
    with pytest.raises(ValueError, match="workers must be at least 1"):
        map_processes(behave, [], workers=0)
    with pytest.raises(ValueError, match="timeout must be positive"):
        map_processes(behave, [], timeout=0)
    lock = threading.Lock()
    with pytest.raises((TypeError, pickle.PicklingError), match="lock"):
        map_processes(lambda task: lock, [1])


def test_a_function_that_workers_cannot_load_is_an_error_not_a_lost_task():
    with pytest.raises(RuntimeError, match="only in the parent"):
        list(map_processes(OnlyHere(), [1, 2], workers=1))


def test_available_cores_follow_the_affinity():
    assert 1 <= parallel.available_cores() <= (os.cpu_count() or 1)


SCRIPT = textwrap.dedent(
    """
    import sys, time
    from morered.parallel import map_processes

    def task(seconds):
        time.sleep(seconds)
        return seconds

    if __name__ == "__main__":
        for index, result in map_processes(task, [0.0, 120.0, 120.0], workers=2):
            print(index, result, flush=True)
    """
)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "parent killed"])
def test_the_workers_end_with_the_parent(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout.readline() == "0 0.0\n"
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # a terminal's Ctrl-C reaches the workers as well
    else:
        process.send_signal(how)
    _, errors = process.communicate(timeout=110)  # returns once every holder of the pipes is gone, workers included
    if how == signal.SIGINT:
        assert "KeyboardInterrupt" in errors
        assert errors.count("Traceback") == 1, errors
    assert process.returncode != 0


#: Runs in a worker before anything else of Python's own: the worker is then in the midst of starting, for a while.
SLOW_START = textwrap.dedent(
    """
    import os, sys, time
    if "morered.worker" in " ".join(sys.orig_argv):
        open(os.path.join(os.path.dirname(__file__), f"starting-{os.getpid()}"), "w").close()
        time.sleep(1.5)
    """
)


def test_ctrl_c_does_not_reach_a_worker_that_starts(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(SLOW_START)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("120.0", "0.5"))
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    end = time.monotonic() + 240
    while len(starting := list(tmp_path.glob("starting-*"))) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "the workers do not start"
        time.sleep(0.02)
    for marker in starting:  # to them alone, so that nothing else ends them before they could complain
        os.kill(int(marker.name.removeprefix("starting-")), signal.SIGINT)
    output, errors = process.communicate(timeout=240)
    assert errors == ""
    assert sorted(output.splitlines()) == ["0 0.0", "1 0.5", "2 0.5"]


#: No main guard; what the main module defines is used by tasks and comes back with the results.
PLAIN = textwrap.dedent(
    """
    import dataclasses, sys, threading
    from morered.parallel import map_processes

    print("once", flush=True)
    FACTOR = 3

    @dataclasses.dataclass
    class Task:
        value: int

        def times(self):
            return Task(FACTOR * self.value)

    def run():
        for index, result in map_processes(Task.times, [Task(1), Task(2)], workers=1):
            assert type(result) is Task, result
            print(index, result.value, flush=True)

    if "thread" in sys.argv:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    else:
        run()
    """
)


#: What a notebook does with a cell.
CELL = "import sys; from IPython.core.interactiveshell import InteractiveShell as S; S.instance().run_cell(sys.stdin.read())"


@pytest.mark.parametrize("how", ["script", "thread", "stdin", "-c", "notebook"])
def test_a_caller_needs_no_main_guard(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(PLAIN)
    ways = {"script": [script], "thread": [script, "thread"], "stdin": ["-"], "-c": ["-c", PLAIN], "notebook": ["-c", CELL]}
    environment = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    command = [sys.executable, *ways[how]]
    run = subprocess.run(command, input=PLAIN, capture_output=True, text=True, timeout=240, env=environment)
    assert (run.stdout, run.stderr) == ("once\n0 3\n1 6\n", "")


def test_a_module_of_the_current_folder_is_not_run(tmp_path):
    (tmp_path / "script").mkdir()
    (tmp_path / "script/script.py").write_text(PLAIN)
    for name in ("random", "pickle", "queue", "cloudpickle", "morered"):
        (tmp_path / f"{name}.py").write_text("open('executed', 'a').write(__name__)\n")
    run = subprocess.run(
        [sys.executable, tmp_path / "script/script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240
    )
    assert (run.stdout, run.stderr) == ("once\n0 3\n1 6\n", "")
    assert not (tmp_path / "executed").exists()


def test_a_worker_that_cannot_start_says_why(tmp_path, capfd, monkeypatch):
    (tmp_path / "cloudpickle.py").write_text("raise ImportError('a broken installation')\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(RuntimeError, match="ended while starting"):
        list(map_processes(behave, [("value", 0)], workers=1))
    assert "a broken installation" in capfd.readouterr().err


def test_no_task_is_begun_too_far_before_the_oldest(tmp_path):
    taken = []

    def tasks():
        for k in range(12):
            taken.append(k)
            yield ("wait for", tmp_path / "go", k) if k == 0 else ("quick", k)

    finished = []
    for index, _ in map_processes(behave, tasks(), workers=2, ahead=4):
        finished.append(index)
        if len(finished) == 3:  # all that may be begun while the first one waits
            assert (finished, taken) == ([1, 2, 3], [0, 1, 2, 3])
            (tmp_path / "go").touch()
    assert sorted(finished) == list(range(12))
    with pytest.raises(ValueError, match="ahead must be at least 1"):
        map_processes(behave, [], ahead=0)
