"""The profiles: what they ask of Snakemake and of a cluster."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
import yte
from snakemake.cli import get_argument_parser

pytestmark = pytest.mark.slow

PROFILES = ["slurm", "local", "lsf"]
MOST_JOBS = 500
MOST_SECONDS = 30  # of a processor, for two seconds on one that has nothing else to do


def profile(repository: Path, name: str, **changes: object) -> dict:
    """A profile as Snakemake reads it, with other values of its variables."""
    text = (repository / "profiles" / name / "config.yaml").read_text(encoding="utf-8")
    for key, value in changes.items():
        text, count = re.subn(rf"^(  {key}:) \S+", rf"\1 {value}", text, flags=re.MULTILINE)
        assert count == 1, key
    return yte.process_yaml(text, require_use_yte=True)


def planned(repository: Path, folder: Path, *arguments: str) -> str:
    """What a dry run prints in a fresh folder, with no file in the home directory."""
    (folder / "home").mkdir(exist_ok=True)
    for name in ("profiles", "slurm", "config"):
        if not (folder / name).exists():
            (folder / name).symlink_to(repository / name)
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "XDG_CONFIG_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile"), "--dry-run", *arguments],
        cwd=folder, env={**environment, "HOME": str(folder / "home")}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def jobs_of(printed: str) -> dict[str, int]:
    """Rule -> jobs in what a dry run prints."""
    return {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", printed.split("Job stats:")[-1], re.MULTILINE)}


def asked_for(printed: str) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Rule, wildcards and resources of each job in what a dry run prints."""
    blocks = re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", printed, re.MULTILINE)
    return [
        (rule, *(dict(re.findall(r"(\w+)=([^,\n]+)", line[1]) if (line := re.search(rf"    {of}: (.*)", block)) else ())
                 for of in ("wildcards", "resources")))
        for rule, block in blocks
    ]  # fmt: skip


@pytest.fixture(scope="module")
def paper(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, float]:
    """What the whole reproduction would do, and the seconds of a processor that it took to find out."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    printed = planned(repository, tmp_path_factory.mktemp("paper"), "--profile", "slurm")
    return printed, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def test_the_profile_alone_is_the_full_reproduction(paper: tuple[str, float]) -> None:
    jobs = jobs_of(paper[0])
    assert "results/paper/figures/fig4" in paper[0]
    assert jobs["train_model"] == 12  # eight on QM7-X, four on QM9
    assert jobs["all"] == 1


def test_a_full_run_is_few_jobs(paper: tuple[str, float]) -> None:
    jobs = jobs_of(paper[0])
    assert sum(number for rule, number in jobs.items() if rule != "total") == jobs["total"] < MOST_JOBS


@pytest.mark.benchmark
def test_the_jobs_of_a_full_run_are_found_in_seconds(paper: tuple[str, float]) -> None:
    assert paper[1] < MOST_SECONDS


def test_networks_ask_for_a_gpu_and_nothing_else_does(paper: tuple[str, float]) -> None:
    gpus: dict[str, set[str]] = {}
    for rule, wildcards, resources in asked_for(paper[0]):
        network = "MoreRed" in wildcards.get("method", "") or "MLFF" in wildcards.get("method", "")
        name = f"{rule} by a network" if rule == "relax_structures" and network else rule
        gpus.setdefault(name, set()).add(resources.get("gpu", "0"))
    assert {rule for rule, numbers in gpus.items() if numbers == {"1"}} == {
        "train_model", "relax_structures by a network", "record_trajectories", "record_reverse_process", "time_steps",
        "predict_image_times", "predict_molecule_times", "measure_labels", "generate_structures", "generate_to_caps",
        "record_sampling",
    }  # fmt: skip
    assert {number for numbers in gpus.values() for number in numbers} == {"0", "1"}


def test_the_estimate_tells_every_stage(paper: tuple[str, float]) -> None:
    table = paper[0].split("Estimate of what this takes")[1]
    assert "without a rate" not in table
    rows = {words[0]: words[1:] for line in table.splitlines()[2:] if (words := line.split())}
    assert list(rows) == ["data", "training", "relaxation", "energies", "generation", "figures", "together"]
    assert int(rows["together"][0]) == jobs_of(paper[0])["total"] - 1  # all but `all`
    assert sum(float(rows[stage][1]) for stage in list(rows)[:-1]) == pytest.approx(float(rows["together"][1]), abs=0.3)
    assert float(rows["training"][1]) > 8 * 24  # the paper's: three of 1.45 days and a week, and four more


def test_another_study_takes_the_place_of_the_paper(repository: Path, tmp_path: Path) -> None:
    printed = planned(repository, tmp_path, "--profile", "slurm", "--configfile", "config/tiny.yaml", "--", "fig4")
    assert "results/tiny/figures/fig4" in printed
    assert "results/paper" not in printed


@pytest.mark.parametrize("target", ["fig1", "ablation_eta"])
def test_single_targets_go_through_the_profile(repository: Path, tmp_path: Path, target: str) -> None:
    jobs = jobs_of(planned(repository, tmp_path, "--profile", "slurm", "--", target))
    assert jobs[target] == 1
    assert jobs.get("train_model", 0) == {"fig1": 0, "ablation_eta": 3}[target]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_says_what_snakemake_knows(repository: Path, name: str) -> None:
    settings = profile(repository, name)
    options = {option.lstrip("-") for action in get_argument_parser()._actions for option in action.option_strings}
    known = options | {
        f"{settings['executor']}-{key}" for key in ("status-command", "init-seconds-before-status-checks", "requeue")
    }
    assert set(settings) <= known
    assert not any("~" in str(value) or "$HOME" in str(value) for value in settings.values())


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_rules_that_there_are(repository: Path, name: str) -> None:
    there = {
        found
        for path in (repository / "workflow/rules").glob("*.smk")
        for found in re.findall(r"^rule (\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    settings = profile(repository, name)
    assert {*settings["set-threads"], *settings["set-resources"]} <= there


def test_profiles_know_the_same_rules(repository: Path) -> None:
    slurm, local, lsf = (profile(repository, name) for name in PROFILES)
    assert slurm["set-threads"] == lsf["set-threads"]
    asked, elsewhere = slurm["set-resources"], lsf["set-resources"]
    assert set(asked) == set(elsewhere)
    rules = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow/rules").glob("*.smk"))
    scripts = re.findall(r"^rule (\w+):\n(?:(?!rule ).*\n)*?.*scripts/(\w+)\.py", rules, re.MULTILINE)
    texts = {rule: (repository / f"workflow/scripts/{name}.py").read_text(encoding="utf-8") for rule, name in scripts}
    networks = {rule for rule, text in texts.items() if "devices.choose" in text} | {"train_model"}
    for resources in (asked, elsewhere, local["set-resources"]):
        assert {rule for rule, wanted in resources.items() if "gpu" in wanted} == networks
    first = {"attempt": 1, "input": type("Input", (), {"size_mb": 5000, "__str__": lambda self: "a.h5"})()}
    for rule, wanted in asked.items():
        for key in ("mem_mb", "runtime"):
            if key in wanted:
                assert eval(str(wanted[key]), first) == eval(str(elsewhere[rule][key]), first), (rule, key)


@pytest.mark.parametrize("name", ["slurm", "lsf"])
def test_memory_grows_with_the_attempt(repository: Path, name: str) -> None:
    settings = profile(repository, name)
    assert settings["retries"] >= 1
    input_files = type("Input", (), {"size_mb": 5000, "__str__": lambda self: "a.h5"})()
    for rule, asked in {"any other": settings["default-resources"], **settings["set-resources"]}.items():
        first, second = (eval(str(asked["mem_mb"]), {"attempt": attempt, "input": input_files}) for attempt in (1, 2))
        assert 0 < first < second, rule


def test_no_job_asks_for_more_than_the_cluster_has(repository: Path) -> None:
    settings = profile(repository, "slurm", max_mem_mb=4000, max_hours=3, max_cpus=1)
    assert set(settings["set-threads"].values()) == {1}
    input_files = type("Input", (), {"size_mb": 5000, "__str__": lambda self: "a.h5"})()
    for asked in (settings["default-resources"], *settings["set-resources"].values()):
        assert eval(str(asked["mem_mb"]), {"attempt": 3, "input": input_files}) <= 4000
        assert eval(str(asked.get("runtime", 0)), {"attempt": 3}) <= 180


def test_a_cluster_is_described_in_one_place(repository: Path) -> None:
    plain = profile(repository, "slurm")
    assert not {"slurm_account", "slurm_partition"} & set(plain["default-resources"])
    own = profile(repository, "slurm", account="chem", partition="long", gpu_partition="gpus", gpu_model="a100")
    assert own["default-resources"]["slurm_account"] == "'chem'"
    assert own["default-resources"]["slurm_partition"] == "'long'"
    on_gpu = {rule for rule, asked in own["set-resources"].items() if "gpu" in asked}
    for rule in on_gpu:
        asked = own["set-resources"][rule]
        for files, partition, model in (("a.safetensors", "gpus", "a100"), ("a.h5", "long", "")):
            if rule == "relax_structures" or model:
                assert eval(asked["slurm_partition"], {"input": files}) == partition
                assert eval(asked["gpu_model"], {"input": files}) == model


def test_this_machine_and_another_scheduler_plan_the_same_jobs(repository: Path, tmp_path: Path) -> None:
    """LSF's executor is not installed, so its profile is read with the dry run's own."""
    tiny = ("--configfile", "config/tiny.yaml")
    local = jobs_of(planned(repository, tmp_path, "--profile", "profiles/local", *tiny))
    settings = profile(repository, "lsf")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.yaml").write_text(yaml.safe_dump({**settings, "executor": "dryrun"}), encoding="utf-8")
    assert jobs_of(planned(repository, tmp_path, "--profile", "other", *tiny)) == local
