"""Whole trainings of every kind of network: what they write, what they learn, and that they can be repeated."""

import csv
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from training_support import MODEL, NAMES, QUICK, ase_molecules, with_labels

from morered.models import weights
from morered.models.networks import build
from morered.relaxation import relax
from morered.settings.networks import DiffusionConfig
from morered.settings.relaxation import DiffusionMethod
from morered.settings.training import TrainingConfig, training_config
from morered.structures import Structures
from morered.training import train
from morered.training.diffusion_module import DiffusionModule
from morered.training.processes import Processes

Run = Callable[..., Path]
KINDS = ("morered-jt", "noise", "time", "mlff")


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return dict(weights.load(path).network.state_dict())


def same(a: Path, b: Path) -> bool:
    left, right = tensors(a), tensors(b)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def rows(path: Path) -> list[dict[str, str]]:
    with open(path.parent / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_writes_weights_logs_and_checkpoints(quick: Run, molecules: Structures, kind: str) -> None:
    path = quick(model=replace(MODEL, kind=kind))
    loaded = weights.load(path)
    assert loaded.config == replace(MODEL, kind=kind)
    assert loaded.header.dataset == "ase"
    assert loaded.header.split == "abc"
    assert loaded.header.elements == tuple(np.unique(molecules.numbers).tolist())
    assert loaded.header.sizes == (3, 11)
    summary = loaded.header.training
    assert (summary["steps"], summary["skipped"], summary["molecules"]) == (10, 0, len(molecules))
    assert training_config(summary["settings"], kind) == training_config(QUICK, kind)
    metrics = loaded.header.metrics
    parts = {"morered-jt": ["noise", "time"], "mlff": ["energy", "forces"]}.get(kind, [kind])
    for part in parts:
        assert np.isfinite(metrics[part])
        assert np.isfinite(metrics[f"constant_{part}"])
    log = rows(path)
    assert [int(row["step"]) for row in log] == [4, 8, 10]
    assert min(float(row["val_loss"]) for row in log) == metrics["loss"]
    assert {"epoch", "seconds", "learning_rate", "train_loss", f"val_{parts[0]}"} <= set(log[0])
    assert weights.load(path.parent / "checkpoints" / "best.safetensors").config.kind == kind
    assert (path.parent / "checkpoints" / "last.ckpt").exists()
    assert list((path.parent / "tensorboard").glob("events*"))


def test_two_runs_with_one_seed_agree(quick: Run) -> None:
    first = quick("first")
    assert same(first, quick("second"))
    assert not same(first, quick("third", seed=1))


@pytest.mark.parametrize("kind", ["morered-jt", "mlff"])
def test_losses_beat_a_constant(tmp_path: Path, kind: str) -> None:
    data, validation = ase_molecules(NAMES, copies=8), ase_molecules(NAMES, copies=8, seed=1)
    if kind == "mlff":
        data, validation = with_labels(data), with_labels(validation)
    settings = {"max_steps": 200, "batch_size": 16, "schedule": "cosine", "validate_every": 200, "learning_rate": 2e-2}
    settings |= {"eta": 0.5, "clip": 5.0}
    path = train(replace(MODEL, kind=kind), training_config({**QUICK, **settings}, kind), data, validation, tmp_path)
    metrics = weights.load(path).header.metrics
    # 8 features, 1 block, seconds: no good model, but one that has learnt something of each (0.53 and 0.78 of a constant's loss)
    for part in ("noise", "time") if kind == "morered-jt" else ("forces", "energy"):
        assert metrics[part] < 0.9 * metrics[f"constant_{part}"], part


def test_validation_is_the_same_for_every_run(quick: Run) -> None:
    constants = set()
    for folder, settings in {"a": {}, "b": {"seed": 5, "batch_size": 7}, "c": {"eta": 0.1}}.items():
        metrics = weights.load(quick(folder, max_steps=1, **settings)).header.metrics
        constants.add((round(metrics["constant_noise"], 9), round(metrics["constant_time"], 9)))
    assert len(constants) == 1


def test_steps_lie_below_the_largest_time(molecules: Structures, tmp_path: Path) -> None:
    config = training_config({**QUICK, "largest_time": 0.25, "step_power": 2})
    network = build(MODEL)
    module = DiffusionModule(network, config, molecules, molecules)
    module.begin(Processes(torch.device("cpu")))
    batches = [(module.buckets[draw.bucket].take(draw.rows), draw.number) for draw in islice(module.round(), 4)]
    drawn = torch.cat([module.diffused(*batch).step for batch in batches])
    assert 100 < drawn.max() < 250
    held = torch.cat([noisy.step for noisy in module._noisy])
    assert 200 < held.max() < 250
    module.validate()
    assert [name for name in module.metrics if name.startswith("time_steps_")] == ["time_steps_0-99", "time_steps_100-249"]
    assert np.isfinite(list(module.metrics.values())).all()


def test_bands_of_steps_make_up_the_loss(quick: Run, tmp_path: Path) -> None:
    data = ase_molecules(("CH4",), copies=40)  # molecules of one size: the loss is the mean of the bands by their width
    model = replace(MODEL, diffusion=DiffusionConfig(T=20))
    path = train(model, training_config({**QUICK, "max_steps": 1}), data, data, tmp_path)
    metrics = weights.load(path).header.metrics
    names = sorted((name for name in metrics if name.startswith("noise_steps_")), key=lambda name: int(name[12:].split("-")[0]))
    assert names == ["noise_steps_0-1", "noise_steps_2-4", "noise_steps_5-9", "noise_steps_10-14", "noise_steps_15-19"]
    widths = [2, 3, 5, 5, 5]
    assert metrics["noise"] == pytest.approx(sum(w * metrics[name] for w, name in zip(widths, names, strict=True)) / 20)
    # times 0, 1/19, ..., 1, each for two molecules: their variance; centred noise of 5 atoms has variance 4/5
    assert metrics["constant_time"] == pytest.approx(np.var(np.arange(20) / 19), rel=1e-5)
    assert metrics["constant_noise"] == pytest.approx(0.8, abs=5 * 0.8 * np.sqrt(2 / 600))


@pytest.mark.parametrize("scale", ["noise-level", "log-snr"])
def test_other_time_scales_and_schedules(quick: Run, scale: str) -> None:
    model = replace(MODEL, kind="time", diffusion=DiffusionConfig(schedule="cosine", T=50, time_scale=scale))
    linear = quick("linear", model=replace(MODEL, kind="time", diffusion=DiffusionConfig(schedule="cosine", T=50)))
    other = quick("other", model=model)
    assert weights.load(other).config.diffusion.time_scale == scale
    assert weights.load(other).header.metrics["constant_time"] != weights.load(linear).header.metrics["constant_time"]


def test_elastic_noise_trains(quick: Run) -> None:
    elastic = quick("elastic", noise={"kind": "elastic", "share": 1.0})
    assert np.isfinite(weights.load(elastic).header.metrics["loss"])
    assert not same(elastic, quick("isotropic"))


def test_training_starts_from_weights(quick: Run) -> None:
    first = quick("first")
    second = quick("second", init=str(first), learning_rate=1e-12, max_steps=4)
    loss = float(rows(second)[0]["val_loss"])
    assert loss == pytest.approx(weights.load(first).header.metrics["loss"], rel=1e-4)  # hardly moved
    with pytest.raises(ValueError, match="do not fit"):
        quick("other", init=str(first), model=replace(MODEL, features=16))
    said = [weights.load(path).header.training for path in (first, second, quick("third", init=str(second), max_steps=2))]
    assert "before" not in said[0]
    names = ("molecules", "steps", "epochs", "seconds")
    assert said[2]["before"] == [{name: run[name] for name in names} for run in said[:2]]


def test_a_network_for_ions_starts_from_one_that_knew_none(quick: Run) -> None:
    """What is new begins at zero, so that ions are what neutral molecules were; it then learns."""
    first = quick("first")
    barely = quick("barely", init=str(first), learning_rate=1e-12, max_steps=4, model=replace(MODEL, charges=1))
    loss = float(rows(barely)[0]["val_loss"])
    assert loss == pytest.approx(weights.load(first).header.metrics["loss"], rel=1e-4)
    assert weights.load(barely).config.charges == 1
    new = tensors(barely).keys() - tensors(first).keys()
    assert len(new) == 1
    assert all(float(tensors(barely)[name].abs().max()) < 1e-9 for name in new)
    with pytest.raises(ValueError, match="do not fit"):
        quick("back", init=str(barely))


def test_new_elements_start_from_the_mean_of_the_known_ones(
    quick: Run, molecules: Structures, held_out: Structures, tmp_path: Path
) -> None:
    path = quick("known")
    sulfur_free = molecules[[m for m in range(len(molecules)) if 16 not in molecules.molecule(m).numbers]]
    config = training_config(QUICK, "morered-jt")
    first = train(MODEL, config, sulfur_free, held_out, tmp_path / "first")
    assert set(weights.load(path).header.elements) - set(weights.load(first).header.elements) == {16}
    second = quick("second", init=str(first), learning_rate=1e-12, max_steps=4)
    name = "representation.embedding.weight"
    before, after = tensors(first)[name], tensors(second)[name]
    torch.testing.assert_close(after[16], before[[1, 6, 7, 8]].mean(dim=0))
    torch.testing.assert_close(after[:16], before[:16])


def test_batches_without_a_usable_loss_change_nothing(quick: Run, monkeypatch: pytest.MonkeyPatch, molecules: Structures) -> None:
    from morered.training.diffusion_module import DiffusionModule

    original = DiffusionModule.squared_errors

    def broken(self: DiffusionModule, bucket, number: int):
        errors = original(self, bucket, number)
        return {name: value * torch.nan for name, value in errors.items()} if number in (3, 4, 7) else errors

    monkeypatch.setattr(DiffusionModule, "squared_errors", broken)
    path = quick()
    assert weights.load(path).header.training["skipped"] == 3
    assert all(torch.isfinite(value).all() for value in tensors(path).values())
    assert rows(path)[-1]["skipped"] == "3"


def test_early_stopping_and_the_end_of_time(quick: Run) -> None:
    stopped = quick("stopped", max_steps=500, validate_every=1, early_stopping=3, learning_rate=1e-12)
    log = rows(stopped)
    best = min(range(len(log)), key=lambda k: float(log[k]["val_loss"]))
    assert len(log) == best + 1 + 3
    timed = quick("timed", max_steps=None, max_time=0.5, early_stopping=None, validate_every=1000)
    summary = weights.load(timed).header.training
    assert summary["seconds"] >= 0.5  # nothing else would have ended it
    assert len(rows(timed)) == 1


def test_a_validation_follows_each_epoch_where_nothing_else_is_asked(quick: Run, molecules: Structures) -> None:
    path = quick(max_steps=2 * round(len(molecules) / 4), validate_every=None)
    assert [float(row["epoch"]) for row in rows(path)] == [1, 2]


def test_other_precisions_and_engines(quick: Run) -> None:
    for folder, settings in {
        "bf16": {"precision": "bf16"},
        "tf32": {"precision": "tf32"},
        "schnetpack": {"model": replace(MODEL, engine="schnetpack")},
    }.items():
        path = quick(folder, max_steps=2, **settings)
        assert np.isfinite(weights.load(path).header.metrics["loss"])
    assert torch.get_float32_matmul_precision() == "highest"


def test_the_dense_engine_trains_as_schnetpack_does(quick: Run) -> None:
    dense, reference = quick("dense"), quick("schnetpack", model=replace(MODEL, engine="schnetpack"))
    a, b = weights.load(dense).header.metrics, weights.load(reference).header.metrics
    assert a["loss"] == pytest.approx(b["loss"], rel=1e-3)  # same start, data and noise; float32 rounding grows over 10 steps


def test_nothing_to_train_on_is_refused(molecules: Structures, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no validation structures"):
        train(MODEL, TrainingConfig(), molecules, molecules[:0], tmp_path)
    with pytest.raises(ValueError, match="needs the column 'energy'"):
        train(replace(MODEL, kind="mlff"), TrainingConfig(device="cpu"), molecules, molecules, tmp_path)


def test_more_gpus_than_there_are(molecules: Structures, tmp_path: Path) -> None:
    n = torch.cuda.device_count() + 1
    with pytest.raises(ValueError, match=f"asks for {n} GPU"):
        train(MODEL, TrainingConfig(device="gpu", devices=n), molecules, molecules, tmp_path)


def test_progress_is_one_bar_with_losses(
    quick: Run, capsys: pytest.CaptureFixture[str], molecules: Structures, tmp_path: Path
) -> None:
    train(MODEL, training_config(QUICK), molecules, molecules, tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "loss=" in shown
    assert "val noise=" in shown
    assert "100%" in shown
    quick()  # no terminal: no bar
    assert capsys.readouterr().err == ""


@pytest.mark.gpu
def test_training_on_a_gpu(quick: Run) -> None:
    cpu, gpu = quick("cpu"), quick("gpu", device="gpu")
    a, b = weights.load(cpu).header.metrics, weights.load(gpu).header.metrics
    assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)  # the same noise; other rounding


@pytest.mark.gpu
def test_the_force_field_on_a_gpu(quick: Run) -> None:
    model = replace(MODEL, kind="mlff")
    a, b = (weights.load(quick(device, model=model, device=device)).header.metrics for device in ("cpu", "gpu"))
    assert b["forces"] == pytest.approx(a["forces"], rel=1e-2)


def test_references_take_the_large_part_of_the_energy(molecules: Structures, held_out: Structures, tmp_path: Path) -> None:
    model = replace(MODEL, kind="mlff")
    config = training_config({**QUICK, "max_steps": 1}, "mlff")
    path = train(model, config, with_labels(molecules), with_labels(held_out), tmp_path)
    network = weights.load(path).network
    assert network.references[6].item() == pytest.approx(-600, abs=30)  # -100 eV per proton, springs are some eV


def test_ions_are_learned_by_a_network_for_them_and_refused_by_others(tmp_path: Path) -> None:
    data = ase_molecules(("H2O", "C2H4", "CH3CN"), 2).with_electrons([2, 2, 0, 0, -2, -2])
    config = training_config({**QUICK, "batch_atoms": 20, "max_steps": 6})
    with pytest.raises(ValueError, match="knows neutral molecules only: set its charges to 2"):
        train(MODEL, config, data, data, tmp_path / "refused")
    with pytest.raises(ValueError, match="charges up to 1 only"):
        train(replace(MODEL, charges=1), config, data, data, tmp_path / "refused")
    model = weights.load(train(replace(MODEL, charges=2), config, data, data, tmp_path / "ions"))
    assert model.header.charges == (-2, 0, 2)
    assert (model.network.representation.charge_embedding.weight[[0, 3]].abs().amax(1) > 0).all()
    torch.nn.init.normal_(model.network.representation.charge_embedding.weight)  # six steps move it too little to show
    method = DiffusionMethod(noise=model, time=model, move="jump", steps=3)
    ions = ase_molecules(("H2O",)).with_electrons([2])
    relaxed = [relax(ions.with_electrons([charge]), method, checked=False) for charge in (2, 0, 1)]
    positions = [r.structures.positions for r in relaxed]
    assert not np.array_equal(positions[0], positions[1])
    assert b"knows molecules of charge -2, 0, +2 only" in relaxed[2].structures.column("reason")[0]
