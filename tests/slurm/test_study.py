"""A small study, whole, through Slurm, with what `test_cluster.py` did to the cluster meanwhile."""

from collections import Counter

import h5py
import pandas as pd
import pytest
from node import slurm

from conftest import Underway

pytestmark = pytest.mark.slurm


def test_every_figure_and_table_is_there(underway: Underway, small: dict) -> None:
    underway.run.finish(underway.process)
    for name in small["figures"]:
        folder, endings = ("tables", ("html", "csv")) if name.startswith("table") else ("figures", ("png", "pdf", "csv"))
        for ending in endings:
            assert (underway.run.folder / f"results/slurm/{folder}/{name}.{ending}").stat().st_size > 100
    assert "Nothing to be done" in underway.run.run("all")


def test_no_job_was_done_twice(underway: Underway) -> None:
    listed = slurm("squeue", "--noheader", "--states=all", f"--name={underway.name}", "--format=%T|%k").stdout.split()
    states, jobs = zip(*(line.split("|") for line in listed), strict=True)
    assert set(states) == {"COMPLETED"}
    assert set(Counter(jobs).values()) == {1}
    assert len(jobs) == 22


def test_every_molecule_is_in_every_table_once(underway: Underway, small: dict) -> None:
    results = underway.run.folder / "results/slurm"
    for testset in small["testsets"]:
        with h5py.File(results / f"testsets/{testset}.h5") as file:
            inputs = sorted(file["ids"][:].astype(str))
        tables = sorted((results / "relax" / testset).glob("*/seed*.csv"))
        assert len(tables) == 2
        for path in tables:
            assert sorted(pd.read_csv(path).id) == inputs, path


def test_a_gpu_was_given_to_networks_alone(underway: Underway) -> None:
    printed = slurm("scontrol", "--oneliner", "show", "job").stdout
    asked = {
        "train_model": set(),
        "GFN2": set(),
        "relax_structures_wildcards_normal-modes_MoreRed": set(),
        "gather": set(),
        "generate_structures": set(),
        "compute_energies": set(),
    }
    for line in printed.splitlines():
        if f"JobName={underway.name}" in line:
            for of, gpus in asked.items():
                if of in line.partition("Comment=")[2].split()[0]:
                    gpus.add("TresPerJob=gres:gpu:1" in line)
    assert asked == {
        "train_model": {True}, "GFN2": {False}, "relax_structures_wildcards_normal-modes_MoreRed": {True}, "gather": {False},
        "generate_structures": {True}, "compute_energies": {False},
    }  # fmt: skip
