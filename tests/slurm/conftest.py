"""Snakemake on a Slurm that the session starts: runs in folders of their own, with the profile that users have."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from node import Node, slurm, wait_until

from morered.study import Study

#: Seconds after which something is taken to hang.
PATIENCE = 900
#: What the profile leaves to wait for on a cluster of many nodes and is not waited for on one; and one process a job.
AT_ONCE = (
    "--set-threads", "displace_minima=1", "relax_structures=1", "train_model=1", "relax_library=1",
    "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "60",
)  # fmt: skip


class Run:
    """A study's folder: a checkout's view with its own results.

    Parameters
    ----------
    repository, folder
        The workflow, and where it runs.
    configfile
        The study.
    """

    def __init__(self, repository: Path, folder: Path, configfile: Path) -> None:
        self.repository, self.folder, self.configfile = repository, folder, configfile
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("slurm", "profiles", "config"):
            if not (folder / name).exists():
                (folder / name).symlink_to(repository / name)
        self._printed = folder / "printed.txt"

    # ----------------------------------------------------------------- running

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake with the profile, as a session of its own."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        command = [
            sys.executable, "-m", "snakemake", "--profile", "slurm", "--snakefile", str(self.repository / "Snakefile"),
            "--configfile", str(self.configfile), *AT_ONCE, *arguments,
        ]  # fmt: skip
        with self._printed.open("wb") as printed:
            return subprocess.Popen(
                ["timeout", "-k", "5", str(PATIENCE), *command], cwd=self.folder, env=environment, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def finish(self, running: subprocess.Popen[bytes], succeed: bool = True) -> str:
        """Wait for its end; what it printed. Fails the test if it did not end as expected."""
        ended = running.wait()
        assert (ended == 0) == succeed, self.printed[-6000:]
        return self.printed

    def run(self, *arguments: str, succeed: bool = True) -> str:
        """`start` and `finish`."""
        return self.finish(self.start(*arguments), succeed)

    def locally(self, *arguments: str) -> None:
        """The same without Slurm."""
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(self.repository / "Snakefile")]
        done = subprocess.run(
            [*snakemake, "--configfile", str(self.configfile), "--cores", "2", *arguments], cwd=self.folder, capture_output=True,
            text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    @property
    def printed(self) -> str:
        """What the last run has printed so far."""
        return self._printed.read_text(encoding="utf-8", errors="replace")

    # ----------------------------------------------------------------- its jobs

    @property
    def name(self) -> str:
        """The name that all jobs of the last run have; empty until it is known."""
        found = re.search(r"SLURM run ID: (\S+)", self.printed)
        return found[1] if found else ""

    def jobs(self, *states: str, of: str = "") -> list[str]:
        """Slurm's numbers of the last run's jobs in some states (all: none given) whose rule and wildcards begin with a text."""
        if not self.name:
            return []
        asked = f"--states={','.join(states) or 'all'}"
        done = slurm("squeue", "--noheader", asked, f"--name={self.name}", "--format=%i|%k", check=False)
        lines = [line.split("|") for line in done.stdout.split()]
        return [number for number, comment in lines if comment.startswith(f"rule_{of}")]

    def wait_for_job(self, running: subprocess.Popen[bytes], *states: str, of: str = "") -> str:
        """The first job that is in one of the states; the run must not end before."""

        seen: list[str] = []

        def there() -> bool:
            assert running.poll() is None, self.printed[-6000:]
            seen.extend(self.jobs(*states, of=of))
            return bool(seen)

        wait_until(there, PATIENCE, f"no job of {of} came to {states}")
        return seen[0]

    # ----------------------------------------------------------------- its results

    @property
    def results(self) -> set[str]:
        """Paths of all results below the folder, without logs and times."""
        aside = {"logs", "benchmarks", "tensorboard", "checkpoints"}
        paths = [path.relative_to(self.folder) for path in (self.folder / "results").rglob("*") if path.is_file()]
        return {str(path) for path in paths if not aside & set(path.parts)}

    def table(self, path: str) -> pd.DataFrame:
        """A table of results, without the seconds that it took."""
        return pd.read_csv(self.folder / path).drop(columns="seconds", errors="ignore")


def assert_same_results(run: Run, reference: Run) -> None:
    """The same files, the same tables, and every molecule once."""
    assert run.results == reference.results
    for path in sorted(name for name in reference.results if name.endswith(".csv") and "/models/" not in name):
        ours, theirs = run.table(path), reference.table(path)
        pd.testing.assert_frame_equal(ours, theirs, check_exact=False, rtol=1e-6)
        if "id" in theirs:
            assert ours.id.is_unique
            assert len(ours) == 7


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """The node, up."""
    node = Node()
    node.up()
    yield node
    node.down()


@pytest.fixture(scope="session")
def in_folder(repository: Path, node: Node) -> Callable[[Path, Path], Run]:
    """Makes a run of a config file in a folder."""
    return lambda folder, configfile: Run(repository, folder, configfile)


@pytest.fixture(scope="session")
def study(repository: Path) -> Study:
    """The study whose jobs are broken."""
    config = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))
    return Study(config, repository / "config/ablations")


@pytest.fixture(scope="session")
def target(study: Study) -> str:
    """What is made of it: the table of one relaxation, in two chunks."""
    return study.metrics("diffused-250", "MoreRed-JT")


@pytest.fixture(scope="session")
def reference(in_folder: Callable[[Path, Path], Run], tmp_path_factory: pytest.TempPathFactory, target: str) -> Run:
    """That study where nothing went wrong, without a scheduler."""
    run = in_folder(tmp_path_factory.mktemp("reference"), Path(__file__).parent / "faults.yaml")
    run.locally("--", target)
    return run


@pytest.fixture
def partly(reference: Run, in_folder: Callable[[Path, Path], Run], study: Study, tmp_path: Path) -> Iterator[Run]:
    """A copy of it in which nothing is relaxed yet; what is left of its jobs when the test ends is cancelled."""
    shutil.copytree(reference.folder, tmp_path / "run", symlinks=True)
    shutil.rmtree(tmp_path / "run" / study.root / "relax")
    run = in_folder(tmp_path / "run", reference.configfile)
    yield run
    if run.name:
        slurm("scancel", f"--name={run.name}", check=False)


def kill(running: subprocess.Popen[bytes]) -> None:
    """SIGKILL to Snakemake and to all that it started here; its Slurm jobs are no part of that."""
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


class Underway(NamedTuple):
    """A run that goes on while tests look at it; ``name`` is that of its Slurm jobs."""

    run: Run
    process: subprocess.Popen[bytes]
    name: str


@pytest.fixture(scope="session")
def small() -> dict:
    """The config that makes one of each kind of job."""
    return yaml.safe_load((Path(__file__).parent / "study.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def underway(in_folder: Callable[[Path, Path], Run], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Underway]:
    """That study, started."""
    run = in_folder(tmp_path_factory.mktemp("study"), Path(__file__).parent / "study.yaml")
    process = run.start("all")
    wait_until(lambda: run.name or process.poll() is not None, PATIENCE, "Snakemake does not start")
    yield Underway(run, process, run.name)
    if process.poll() is None:
        kill(process)
        slurm("scancel", f"--name={run.name}", check=False)
