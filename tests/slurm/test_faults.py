"""What goes wrong on a cluster; whatever does, the results are those of a run where nothing did."""

import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import torch
from node import slurm, wait_until

from conftest import PATIENCE, Run, assert_same_results, kill
from morered.models import weights
from morered.study import Study

pytestmark = pytest.mark.slurm


def test_a_killed_snakemake_is_started_again(partly: Run, reference: Run, target: str) -> None:
    running = partly.start("--", target)
    partly.wait_for_job(running, "RUNNING", of="relax_structures")
    kill(running)
    left = partly.jobs("RUNNING", "PENDING")
    assert left  # they run on
    refused = partly.run("--", target, succeed=False)
    assert "Directory cannot be locked" in refused or "LockException" in refused
    wait_until(lambda: not [job for job in left if _state(job) in ("RUNNING", "PENDING", "COMPLETING")], PATIENCE, "jobs run on")
    partly.run("--unlock")
    partly.run("--", target)
    assert_same_results(partly, reference)


def test_a_cancelled_job_is_done_again(partly: Run, reference: Run, target: str) -> None:
    running = partly.start("--", target)
    cancelled = partly.wait_for_job(running, "RUNNING", of="relax_structures")
    slurm("scancel", cancelled)
    printed = partly.finish(running)
    assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in printed
    assert len(partly.jobs("COMPLETED", of="relax_structures")) == 2
    assert_same_results(partly, reference)


def test_a_job_out_of_memory_gets_more(partly: Run, reference: Run, target: str) -> None:
    """The first attempt of one chunk asks for what its scheduler alone takes, each later one for more."""
    asked = "relax_structures:mem_mb=(300 if wildcards.chunk == '0' else 3000) if attempt == 1 else 3000 * attempt"
    printed = partly.run("--set-resources", asked, "--", target)
    (killed,) = partly.jobs("FAILED", "OUT_OF_MEMORY", of="relax_structures")
    assert f"SLURM-job '{killed}' failed" in printed
    chunk = r"wildcards: testset=\S+ method=\S+ seed=0, chunk=0\n(?:.*\n)*?    resources:.* mem_mb=(\d+)"
    assert set(re.findall(chunk, printed)) == {"300", "6000"}
    assert_same_results(partly, reference)


def test_a_training_at_its_time_limit_is_queued_again_and_goes_on(partly: Run, reference: Run, study: Study) -> None:
    """Halted in the middle until Slurm warns it, it writes a checkpoint, is queued again and ends as if nothing had been."""
    weights_file = study.weights("jt")
    folder = partly.folder / Path(weights_file).parent
    shutil.rmtree(folder)
    running = partly.start("--", weights_file)
    job = partly.wait_for_job(running, "RUNNING", of="train_model")
    wait_until(lambda: _processes(partly.folder, "train_model"), PATIENCE, "no training began")
    (training,) = _processes(partly.folder, "train_model")
    wait_until((folder / "checkpoints/last.ckpt").exists, PATIENCE, "no checkpoint was written", every=0.01)
    os.kill(training, signal.SIGSTOP)
    assert not (partly.folder / weights_file).exists()
    slurm("scontrol", "update", f"JobId={job}", "TimeLimit=6")  # the profile asks for a warning 5 minutes ahead
    wait_until(lambda: _shown(job).get("Restarts") == "1", PATIENCE, "the job was not queued again")  # Slurm wakes what it warns
    slurm("scontrol", "update", f"JobId={job}", "TimeLimit=60")
    printed = partly.finish(running)
    assert partly.jobs() == [job]  # Snakemake saw one job that took its time
    assert "failed" not in printed
    ours, theirs = (weights.load(run.folder / weights_file) for run in (partly, reference))
    assert ours.header.metrics == theirs.header.metrics
    for name, tensor in theirs.network.state_dict().items():
        torch.testing.assert_close(ours.network.state_dict()[name], tensor, rtol=0, atol=0)
    log = partly.table(f"{Path(weights_file).parent}/log.csv")
    assert list(log.step) == list(reference.table(f"{Path(weights_file).parent}/log.csv").step)


def _shown(job: str) -> dict[str, str]:
    """What scontrol says of a job."""
    printed = slurm("scontrol", "--oneliner", "show", "job", job, check=False).stdout
    return dict(word.partition("=")[::2] for word in printed.split())


def _state(job: str) -> str:
    return _shown(job).get("JobState", "")


def _processes(folder: Path, script: str) -> list[int]:
    """Processes that run a workflow script in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            here = (process / "cwd").resolve() == folder.resolve()
        except OSError:
            continue
        if here and b"python" in words[0] and any(word.endswith(f"{script}.py".encode()) for word in words):
            found.append(int(process.name))
    return found
