"""Estimates the GPU- and CPU-hours of a run, by stage.

The rates are measured or published ones, named with their origins in docs/cluster.md, good to a factor of two or three: they tell
an afternoon from a week. A job that asks for a GPU is reckoned at the rates of the P100 of the paper, any other at
those of one CPU core, whatever number of them shares it. A rule without a rate is named, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from morered.datasets import sources
from morered.energies import cost
from morered.figures.declaration import figures_of
from morered.settings.datasets import Conformers, Displaceable, NormalModes, OrganicDataset
from morered.settings.study import DiffusionEntry, Energies
from morered.study import generation
from morered.study.study import Purpose, Study

#: Minima of a molecular graph of QM7-X: 6 504 of the 1 200 graphs in the paper's test split.
_MINIMA_PER_GRAPH = 6504 / 1200
#: Molecular graphs of each kind of dataset.
_GRAPHS = {"qm7-pbe0": 7101, "qm7x": 6950, "qm9": 130831}
#: Mean steps of a relaxation, at most 1000: the paper's, but for JT the 989 that our networks take on QM7 (the paper's took 489).
_STEPS = {"initial": 64, "adaptive, joint": 989, "adaptive": 992, "mlff": 122, "so3lr": 122, "aimnet2": 122}
#: Seconds of one step of one molecule in a batch on a P100 (paper; MoreRed's networks have 256 features, the MLFF's 128).
_GPU_STEP = {"morered": 0.05 / 128, "mlff": 0.03 / 128}
#: The same on one core, for (features / 256)^2.
_CPU_STEP = {"morered": 3.5e-4, "mlff": 1.4e-2}
#: Seconds of a whole relaxation on one core.
_CPU_WHOLE = {"gfn2": 0.45, "gfn1": 0.45, "mmff94": 0.022, "so3lr": 122 * 0.006, "aimnet2": 122 * 0.004}
#: Seconds of a training step for each molecule of the batch: on a P100 three times a step without gradients, on a core measured.
_GPU_TRAINING_STEP = {kind: 3 * seconds for kind, seconds in _GPU_STEP.items()}
_CPU_TRAINING_STEP = {"morered": 1.8 / 128, "mlff": 4.1e-2}
#: Features of the networks that these hold for, and the times that the paper's trainings took, where the config sets no limit.
_FEATURES = {"morered": 256, "mlff": 128}
_TRAINING = {"morered": 1.45 * 86400, "mlff": 7 * 86400}
#: Seconds on one core for each structure displaced: its Hessian's share and its energy.
_DISPLACED = {"mmff94": 0.001, "gfn1": 0.02, "gfn2": 0.02, "so3lr": 0.02, "aimnet2": 0.02, "pbe0": 60.0}
#: Bytes of a packed file's content that a second unpacks, and turns into structures.
_UNPACKED_BYTES, _PARSED_BYTES = 80e6, 10e6
#: Evaluations of an optimisation with PBE0, steps of an adaptive sampler, seconds to perceive the bonds of one molecule.
_EVALUATIONS, _SAMPLER_CAP, _EXAMINED = 20, 2000, 0.02
#: Seconds of a core to choose the molecules of an organic dataset, and to make the minima of one chunk of tests.
_CHOSEN, _TESTS_AT_REFERENCE = 140.0, 75.0
#: Molecules of an organic dataset, and seconds of a core to make all of their minima.
_AT_REFERENCE = {"lists": (34_139, 27_000.0), "qm7": (6_404, 1_500.0)}
#: Of one input of a test or validation molecule; inputs of the frozen test sets by their names.
_AT_CONFORMER = 1.4
_CONFORMERS = {"drugs": 1848, "scaffolds": 500, "qm9": 300}
#: Atoms of the molecules of these test sets in the median; None: of the validation molecules.
_ATOMS = {"drugs": 47, "scaffolds": 40, "qm9": 18, None: 35}
#: Seconds of the jobs that read, join and draw.
_SHORT = 30.0

#: Stage -> its rules, in the order of the table.
STAGES: dict[str, tuple[str, ...]] = {
    "data": (
        "download_file", "unpack_file", "parse_qm7x", "join_qm7x", "prepare_qm7", "download_qm9", "prepare_qm9", "prepare_custom",
        "augment_minima", "select_published", "diffuse_minima", "displace_minima", "gather_testset", "displace_for_training",
        "gather_displaced", "describe_dataset", "fetch_packages", "choose_molecules", "relax_at_reference",
        "relax_tests_at_reference", "relax_validation_at_reference", "gather_tests", "pack_tests", "pack_minima",
        "prepare_organic", "take_shipped", "take_shipped_tests", "select_conformers",
    ),
    "training": ("train_model", "use_weights", "predict_image_times", "predict_molecule_times", "calibrate_model"),
    "relaxation": (
        "relax_structures", "evaluate_relaxation", "end_at_reference", "record_trajectories", "time_steps",
    ),
    "energies": (
        "sample_energies", "compute_energies", "gather_energies", "sample_savings", "optimise_geometries", "gather_savings",
    ),
    "generation": (
        "draw_compositions", "generate_structures", "examine_samples", "generate_to_caps", "examine_capped", "record_sampling",
        "record_reverse_process",
    ),
    # and those of the catalogue
    "figures": ("compare_with_paper", "measure_labels", "results_page", "model_card", "organic_page"),
}  # fmt: skip
#: Rules that do nothing themselves.
_TARGETS = ("all", "figures", "tables", "data_cards", "minima", "models", "choices", "sweeps")


class Job(NamedTuple):
    """A job that a run would do: its rule, its wildcards, what it asks for."""

    rule: str
    wildcards: Mapping[str, str]
    gpus: int = 0


class Stage(NamedTuple):
    """Jobs of a stage and their hours."""

    jobs: int
    gpu_hours: float
    cpu_hours: float


def stages(study: Study, jobs: Iterable[Job]) -> tuple[dict[str, Stage], dict[str, int]]:
    """Hours of each stage that has jobs, and the number of jobs of each rule without a rate."""
    stage_of = {rule: stage for stage, rules in STAGES.items() for rule in rules}
    stage_of |= dict.fromkeys(figures_of(study), "figures")
    found: dict[str, Stage] = {}
    unknown: Counter[str] = Counter()
    for job in jobs:
        if job.rule in _TARGETS:
            continue
        stage = stage_of.get(job.rule)
        seconds = None if stage is None else seconds_on_one(study, job)
        if stage is None or seconds is None:
            unknown[job.rule] += 1
            continue
        so_far = found.get(stage, Stage(0, 0.0, 0.0))
        gpu_hours = seconds * job.gpus / 3600
        found[stage] = Stage(so_far.jobs + 1, so_far.gpu_hours + gpu_hours, so_far.cpu_hours + seconds / 3600)
    return {stage: found[stage] for stage in STAGES if stage in found}, dict(unknown)


def table(study: Study, jobs: Iterable[Job]) -> str:
    """`stages` as text; empty where there is no job."""
    found, unknown = stages(study, jobs)
    if not (found or unknown):
        return ""
    lines = ["Estimate of what this takes, to a factor of 2 or 3 (P100 GPUs; rates: docs/cluster.md)"]
    lines.append(f"  {'stage':<12}{'jobs':>6}{'GPU-hours':>12}{'CPU-hours':>12}")
    total = Stage(*(sum(column) for column in zip(*found.values(), strict=True))) if found else Stage(0, 0.0, 0.0)
    for name, stage in [*found.items(), ("together", total)]:
        lines.append(f"  {name:<12}{stage.jobs:>6}{stage.gpu_hours:>12.1f}{stage.cpu_hours:>12.1f}")
    if unknown:
        lines.append("  without a rate: " + ", ".join(f"{number} jobs of {rule}" for rule, number in sorted(unknown.items())))
    return "\n".join(lines)


def seconds_on_one(study: Study, job: Job) -> float | None:
    """Seconds of a job on one GPU, or one core where it asks for none; None where nothing is known of it."""
    wildcards = job.wildcards
    if job.rule == "train_model":
        return _training(study, wildcards["model"], job.gpus > 0)
    if job.rule == "relax_structures":
        return _relaxation(study, wildcards["method"], wildcards["testset"], int(wildcards["seed"]), job.gpus > 0)
    if job.rule == "record_trajectories":
        return study.settings.trajectories.molecules * 1000 * 0.03
    if job.rule == "predict_image_times":
        return study.settings.images.training_steps * 0.02
    if job.rule == "displace_minima":
        minima, settings = molecules(study, wildcards["testset"]), study.settings.testsets[wildcards["testset"]]
        if minima is None or not isinstance(settings, NormalModes):
            return None
        return minima / 3 * settings.displacements * _DISPLACED[settings.calculator] / settings.chunks
    if job.rule == "displace_for_training":
        return _displacing(study, wildcards["data"])
    if job.rule in ("unpack_file", "parse_qm7x"):
        return _file_bytes(wildcards["archive"]) / (_UNPACKED_BYTES if job.rule == "unpack_file" else _PARSED_BYTES)
    if job.rule == "choose_molecules":
        return _CHOSEN
    if job.rule == "relax_at_reference":
        organic = [dataset for dataset in study.settings.datasets.values() if isinstance(dataset, OrganicDataset)]
        return max(map(_seconds_of_chunk, organic))
    if job.rule == "relax_tests_at_reference":
        return _TESTS_AT_REFERENCE
    if job.rule == "relax_validation_at_reference":
        return _AT_CONFORMER * 600
    if job.rule == "end_at_reference":
        return _SHORT + _AT_CONFORMER * (molecules(study, wildcards["testset"]) or 0) / 2  # they begin near their minima
    if job.rule == "join_qm7x":
        return sum(map(_file_bytes, _archives())) / (10 * _PARSED_BYTES)
    if job.rule == "evaluate_relaxation":
        number = molecules(study, wildcards["testset"])
        return None if number is None else _SHORT + 0.005 * number
    if job.rule == "compute_energies":
        return _points(study, "energies", 1)
    if job.rule == "optimise_geometries":
        if wildcards["calculator"] == "pbe0":
            evaluations = min(_EVALUATIONS, study.settings.savings.steps + 1)
            return _points(study, "savings", 2 * evaluations)  # forces cost as much again
        number = study.sources_at_most("savings")
        calculator = wildcards["calculator"]
        return None if number is None else number * _CPU_WHOLE[calculator] / study.chunks_of_savings(calculator)
    if job.rule in ("generate_structures", "generate_to_caps", "record_sampling"):
        return _generation(study, job.rule, wildcards["sampler"], job.gpus > 0)
    if job.rule == "examine_samples":
        return _SHORT + _EXAMINED * study.settings.generation.molecules
    if job.rule == "examine_capped":
        caps = study.settings.generation.caps
        return _SHORT + _EXAMINED * _capped(study) * len(caps.steps)
    return _SHORT


def molecules(study: Study, testset: str) -> int | None:
    """Structures of a test set; None for molecules of one's own, which nobody has counted yet."""
    settings = study.settings.testsets[testset]
    dataset = study.settings.datasets[settings.dataset]
    if isinstance(settings, Conformers):
        whole = 300 if settings.split == "validation" else sum(_CONFORMERS.values())
        return min(settings.molecules or whole, _CONFORMERS[settings.of] if settings.of else whole)
    if dataset.kind not in _GRAPHS:
        return None
    split = dataset.split
    tests = _GRAPHS[dataset.kind] - split.train - split.validation
    graphs = tests if settings.split == "test" else split.validation
    minima = (settings.molecules or graphs) * (_MINIMA_PER_GRAPH if dataset.kind == "qm7x" else 1)
    return round(minima * (1 if settings.kind == "diffused" else 3))


# --------------------------------------------------------------------- one rate for each kind of work


def _training(study: Study, name: str, on_gpu: bool) -> float:
    model = study.settings.models[name]
    kind = "mlff" if model.kind == "mlff" else "morered"
    training, width = model.training, model.features
    if training.max_time:
        return float(training.max_time)
    batch: float = training.batch_size
    if training.batch_atoms:
        batch = training.batch_atoms / 16  # the rates are those of molecules of 16 atoms
    steps: float | None = training.max_steps
    if steps is None:  # it ends by itself, as the paper's did
        batch = 10 if kind == "mlff" else 128
        steps = _TRAINING[kind] / (batch * _GPU_TRAINING_STEP[kind])
    if on_gpu:
        return steps * batch * _GPU_TRAINING_STEP[kind] * (width / _FEATURES[kind]) ** 2
    return steps * batch * _CPU_TRAINING_STEP[kind] * (width / 256) ** 2


def _relaxation(study: Study, name: str, testset: str, seed: int, on_gpu: bool) -> float | None:
    method, whole = study.settings.methods[name], molecules(study, testset)
    if whole is None:
        return None
    number = min(whole, study.sampled_for(name, seed) or whole) / len(study.chunks(name, seed))
    if method.relaxer in _CPU_WHOLE:
        return number * _CPU_WHOLE[method.relaxer]
    if isinstance(method, DiffusionEntry):
        kind, width = "morered", study.settings.models[method.noise].features
        joint = method.schedule == "adaptive" and method.time == method.noise
        steps = _STEPS.get("adaptive, joint" if joint else method.schedule, 1000)
    else:
        kind, width = "mlff", study.settings.models[study.models_of(name)["model"]].features
        steps = _STEPS["mlff"]
    steps = min(steps, method.steps)
    if on_gpu:
        return number * steps * _GPU_STEP[kind] * (width / _FEATURES[kind]) ** 2
    return number * steps * _CPU_STEP[kind] * (width / 256) ** 2


def typical_atoms(study: Study, purpose: Purpose) -> int:
    """Atoms of a molecule that ``energies`` or ``savings`` computes."""
    sample, testsets = study.sample(purpose), study.settings.testsets
    named = [sample.testset] if isinstance(sample, Energies) else list(sample.testsets or [None])
    chosen = [testsets.get(name or next(iter(testsets), "")) for name in named]
    sizes = [_ATOMS[settings.of] if isinstance(settings, Conformers) else sum(cost.TYPICAL) for settings in chosen]
    return min(round(sum(sizes) / len(sizes)), sample.max_atoms or max(sizes))


def _points(study: Study, purpose: Purpose, evaluations: int) -> float | None:
    """Of one job of single points, or of optimisations of so many evaluations each."""
    sample = study.sample(purpose)
    number, each = study.sources_at_most(purpose), cost.seconds(study.level(purpose), typical_atoms(study, purpose))
    return None if number is None or each is None else number * evaluations * each / sample.chunks


def _generation(study: Study, rule: str, sampler: str, on_gpu: bool) -> float:
    """Of one job of a sampler; an adaptive one is reckoned to reach its cap."""
    settings, sampled = generation.samplers(study)[sampler], study.settings.generation
    model = study.settings.models[settings.noise]
    steps = settings.steps or (study.steps_of_process(settings.noise) if settings.time is None else _SAMPLER_CAP)
    if rule == "record_sampling":
        return sampled.trajectories * steps * 0.03
    if rule == "generate_to_caps":
        number, steps = _capped(study) / sampled.caps.chunks, max(sampled.caps.steps)
    else:
        number = sampled.molecules / settings.chunks
    if on_gpu:
        return number * steps * _GPU_STEP["morered"] * (model.features / _FEATURES["morered"]) ** 2
    return number * steps * _CPU_STEP["morered"] * (model.features / 256) ** 2


def _capped(study: Study) -> int:
    sampled = study.settings.generation
    return sampled.caps.molecules or sampled.molecules


def _displacing(study: Study, folder: str) -> float | None:
    for name, settings in study.settings.datasets.items():
        if study.data_dir(name).endswith(f"/{folder}") and isinstance(settings, Displaceable) and settings.kind in _GRAPHS:
            displaced, split = settings.displaced, settings.split
            graphs = (displaced.train_graphs or split.train) + (displaced.validation_graphs or split.validation)
            rate = _DISPLACED[displaced.calculator] + _DISPLACED[displaced.labels or displaced.calculator]
            return graphs * displaced.per_minimum * rate / displaced.chunks
    return None


def _archives() -> dict[str, int]:
    """Packed files of QM7-X without their ending -> bytes of what they hold."""
    return {
        source.file.name.removesuffix(".xz"): source.unpacked.bytes
        for source in sources.table()
        if source.unpacked is not None and source.file.name.endswith(".xz")
    }


def _file_bytes(archive: str) -> float:
    return float(_archives().get(archive, 0))


def _seconds_of_chunk(dataset: OrganicDataset) -> float:
    """To make the minima of one chunk at the reference."""
    molecules, seconds = _AT_REFERENCE[dataset.molecules]
    return seconds * (dataset.entries or molecules) / molecules / dataset.chunks
