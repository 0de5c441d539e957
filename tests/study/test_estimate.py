"""The estimate of a run's hours."""

import re
from pathlib import Path

import pytest
import yaml
import yte

from morered.study import Study, estimate
from morered.study.estimate import Job


@pytest.fixture
def study_of(repository: Path):
    def make(name: str, **changes: object) -> Study:
        config = yaml.safe_load((repository / f"config/{name}.yaml").read_text(encoding="utf-8"))
        return Study({**config, **changes}, repository / "config/ablations")

    return make


def hours(study: Study, rule: str, gpus: int = 0, **wildcards: str) -> float:
    return estimate.seconds_on_one(study, Job(rule, wildcards, gpus)) / 3600


def test_the_paper_s_trainings_take_the_paper_s_days(study_of) -> None:
    paper = study_of("paper")
    assert hours(paper, "train_model", 1, model="jt") == pytest.approx(1.45 * 24)
    assert hours(paper, "train_model", 1, model="mlff") == pytest.approx(7 * 24)
    assert hours(paper, "train_model", 1, model="jt-so3net") == pytest.approx(1.45 * 24 / 4)  # half the features


def test_the_paper_s_relaxations_take_the_paper_s_steps(study_of) -> None:
    paper = study_of("paper")
    number = estimate.molecules(paper, "normal-modes")
    assert number == 3 * 6504
    for method, steps in (("MoreRed-AS", 992), ("MoreRed-ITP", 64), ("MoreRed-JT", 989)):
        one = hours(paper, "relax_structures", 1, method=method, testset="normal-modes", seed="0", chunk="0")
        assert one * 3600 * len(paper.chunks(method)) == pytest.approx(number * steps * 0.05 / 128)


def test_a_further_seed_of_a_sample_takes_its_share(study_of) -> None:
    small = study_of("small")
    first, second = (
        hours(small, "relax_structures", method="MoreRed-JT", testset="normal-modes", seed=seed, chunk="0") for seed in "01"
    )
    assert (len(small.chunks("MoreRed-JT")), len(small.chunks("MoreRed-JT", 1))) == (8, 1)
    sample = small.settings.methods["MoreRed-JT"].seeds_sample
    assert second == pytest.approx(8 * first * sample / estimate.molecules(small, "normal-modes"))


def test_energies_and_samples_are_split_into_jobs(study_of) -> None:
    level = {"molecules": 10, "methods": ["MMFF94"]}
    one, two = (study_of("tiny", energies={**level, "chunks": n}) for n in (1, 2))
    assert hours(one, "compute_energies", chunk="0") == pytest.approx(2 * hours(two, "compute_energies", chunk="0"))
    assert estimate.seconds_on_one(study_of("tiny", energies={"molecules": None}), Job("compute_energies", {})) is None
    paper = study_of("paper")
    ddpm, jt = (hours(paper, "generate_structures", 1, sampler=name, chunk="0") for name in ("DDPM", "MoreRed"))
    assert ddpm * 2 == pytest.approx(10_000 * 1000 * 0.05 / 128 / 3600)
    assert jt * 4 == pytest.approx(10_000 * 2000 * 0.05 / 128 / 3600)


def test_single_points_are_of_molecules_as_large_as_their_test_set_has(study_of) -> None:
    assert estimate.typical_atoms(study_of("paper"), "energies") == 16
    assert estimate.typical_atoms(study_of("organic"), "energies") == 35  # drugs, and a limit
    assert estimate.typical_atoms(study_of("organic"), "savings") == 32  # drugs and QM9, from two starts each
    assert estimate.typical_atoms(study_of("library"), "energies") == 16  # no test set


def test_no_job_on_a_gpu_takes_longer_than_the_profile_lets_it(study_of, repository: Path) -> None:
    """By these rates, at the first attempt; a training may: it is queued again and goes on."""
    paper = study_of("paper")
    given = yte.process_yaml((repository / "profiles/slurm/config.yaml").read_text(encoding="utf-8"), require_use_yte=True)
    generation = paper.settings.generation
    jobs = [
        *(Job("generate_to_caps", {"sampler": name, "chunk": "0"}, 1) for name in ("MoreRed-large", "DDPM-large")),
        *(Job("generate_structures", {"sampler": name, "chunk": "0"}, 1) for name in generation.methods),
        *(
            Job("relax_structures", {"method": name, "testset": testset, "seed": "0", "chunk": "0"}, int("MoreRed" in name))
            for name in paper.settings.methods
            for testset in paper.settings.testsets
        ),
    ]
    for job in jobs:
        limit = int(re.findall(r"\d+", str(given["set-resources"][job.rule]["runtime"]))[0]) * 60  # min(240 * attempt, ...)
        assert estimate.seconds_on_one(paper, job) < 0.75 * limit, job


def test_a_limit_of_the_config_is_what_counts(study_of, repository: Path) -> None:
    def training(**limits: float) -> float:
        models = yaml.safe_load((repository / "config/networks.yaml").read_text(encoding="utf-8"))["models"]
        models["jt"]["training"] |= limits
        return hours(study_of("networks", models=models), "train_model", model="jt")

    assert training(max_steps=2000) == pytest.approx(2 * training(max_steps=1000))
    assert training(max_steps=2000, max_time=7200.0) == pytest.approx(2)


def test_a_sample_and_chunks_make_jobs_shorter(study_of) -> None:
    tiny, small = study_of("tiny"), study_of("small")
    assert estimate.molecules(tiny, "normal-modes") == 9
    assert estimate.molecules(tiny, "diffused-250") == 3
    assert estimate.molecules(small, "diffused-250") == 7101 - 4500 - 1250


def test_hours_add_up_by_stage_and_what_has_no_rate_is_named(study_of) -> None:
    paper = study_of("paper")
    jobs = [Job("train_model", {"model": "jt"}, 1), Job("train_model", {"model": "noise"}, 1), Job("fig4", {})]
    found, unknown = estimate.stages(paper, [*jobs, Job("all", {}), Job("brew_tea", {}), Job("brew_tea", {})])
    assert list(found) == ["training", "figures"]
    assert (found["training"].jobs, found["figures"].jobs) == (2, 1)
    assert found["training"].gpu_hours == pytest.approx(2 * 1.45 * 24)
    assert found["figures"].gpu_hours == 0
    assert unknown == {"brew_tea": 2}
    assert "without a rate: 2 jobs of brew_tea" in estimate.table(paper, [*jobs, Job("brew_tea", {}), Job("brew_tea", {})])
    assert estimate.table(paper, [Job("all", {})]) == ""


def test_rates_are_for_rules_that_there_are(repository: Path) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (repository / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    rated = {rule for rules in estimate.STAGES.values() for rule in rules}
    assert rated <= rules
