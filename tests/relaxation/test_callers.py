"""Where `morered.relax` is called from: plain scripts, threads, and forks of a process that has relaxed already."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.slow

MOLECULE = textwrap.dedent(
    """
    import os
    import ase.build
    import morered

    print("begins", flush=True)

    def rattled(seed, name="CH3CH2OH"):
        atoms = ase.build.molecule(name)
        atoms.rattle(0.05, seed=seed)
        return atoms

    def verdicts(method, *seeds, **options):
        done = morered.relax([rattled(seed) for seed in seeds], method, **options)
        words = [method, *[atoms.info["verdict"] for atoms in done]]
        os.write(1, (" ".join(words) + "\\n").encode())  # at once: several threads and processes write
    """
)


def run(folder, text, **environment) -> list[str]:
    """The lines that a script prints."""
    script = folder / "script.py"
    script.write_text(MOLECULE + textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=240, env={**os.environ, **environment}, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr  # a thread's exception ends no program
    return done.stdout.splitlines()


def test_a_plain_script_relaxes_by_a_program_in_this_process_and_in_workers(tmp_path):
    text = """
    verdicts("gfn2", 1)
    verdicts("gfn2", 1, 2, workers=2)
    verdicts("fast", 1, finish="gfn2")
    """
    assert run(tmp_path, text) == ["begins", "gfn2 converged", "gfn2 converged converged", "fast converged"]


def test_a_thread_relaxes(tmp_path):
    text = """
    import threading
    threads = [threading.Thread(target=verdicts, args=("mmff94", seed, seed + 1), kwargs={"workers": 1}) for seed in (1, 3)]
    threads.append(threading.Thread(target=verdicts, args=("gfn2", 1, 2), kwargs={"workers": 2}))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    """
    assert sorted(run(tmp_path, text)) == [
        "begins", "gfn2 converged converged", "mmff94 converged converged", "mmff94 converged converged",
    ]  # fmt: skip


@pytest.mark.parametrize("method", ["fast", "gfn2"])
def test_a_fork_of_a_process_that_has_relaxed_relaxes(tmp_path, method):
    text = f"""
    import multiprocessing
    import torch
    torch.set_num_threads(2)

    # large enough for PyTorch and the kernels to divide the work among threads
    morered.relax([rattled(seed) for seed in range(60)], "fast")
    verdicts("{method}", 1)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        work = pool.starmap_async(verdicts, [("{method}", 1), ("{method}", 2)])
        work.get(timeout=120)
    """
    assert run(tmp_path, text, OMP_NUM_THREADS="2") == ["begins", *[f"{method} converged"] * 3]
