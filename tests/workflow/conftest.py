"""Runs Snakemake as a user would, in a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml


class Workflow:
    """The workflow with a config, run in ``folder``."""

    def __init__(self, repository: Path, folder: Path, config: dict) -> None:
        self.repository, self.folder = repository, folder
        self.configfile = folder / "study.yaml"
        self.write(config)

    def write(self, config: dict) -> None:
        """Put ``config`` in the place of the study's config file."""
        self.config = config
        self.configfile.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    def run(self, *arguments: str, succeed: bool = True) -> str:
        """What Snakemake printed; fails the test if it did not end as expected."""
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(self.repository / "Snakefile")]
        options = ["--directory", str(self.folder), "--configfile", str(self.configfile), "--cores", "2"]
        done = subprocess.run(
            [*snakemake, *options, *arguments],
            capture_output=True,
            text=True,
            timeout=1800,
            env=environment,
            cwd=self.folder,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) == succeed, printed[-6000:]
        return printed

    def planned(self, *targets: str) -> dict[str, int]:
        """Rule -> number of jobs that a run of the targets would do."""
        printed = self.run("--dry-run", "--quiet", "reason", "--", *targets)
        jobs: dict[str, int] = {}
        for block in printed.split("Job stats:")[-1:]:
            for line in block.splitlines():
                words = line.split()
                if len(words) == 2 and words[1].isdigit() and words[0] != "total":
                    jobs[words[0]] = int(words[1])
        return jobs

    @property
    def results(self) -> Path:
        """Folder of the study's results."""
        return self.folder / "results" / self.config["study"]


@pytest.fixture(scope="session")
def tiny(repository) -> dict:
    """The config that makes every target at toy size."""
    return yaml.safe_load((repository / "config/tiny.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def workflow_in(repository):
    """Makes a workflow with a config in a folder."""
    return lambda folder, config: Workflow(repository, folder, config)


@pytest.fixture(scope="session")
def finished(workflow_in, tiny, tmp_path_factory) -> Workflow:
    """The tiny study, run to its end; tests that change it copy it first."""
    workflow = workflow_in(tmp_path_factory.mktemp("finished"), tiny)
    workflow.run("all")
    return workflow
