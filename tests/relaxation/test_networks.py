"""Models of methods: a file is read once, and anew when it changes."""

import os
from pathlib import Path

import torch

from morered.models import weights
from morered.models.networks import build
from morered.models.weights import WeightsHeader
from morered.relaxation.networks import loaded
from morered.settings.networks import ModelConfig


def written(path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    weights.save(path, build(ModelConfig(features=8, interactions=1)), WeightsHeader(elements=(1, 8)))
    return path


def test_a_file_is_read_once_and_anew_when_it_changes(tmp_path: Path) -> None:
    path = written(tmp_path / "model.safetensors", 0)
    first = loaded(path, "cpu", "noise")
    assert loaded(os.path.relpath(path), "cpu", "time").network is first.network
    written(path, 1)
    second = loaded(path, "cpu", "noise")
    assert second.digest != first.digest
    assert second.network is not first.network


def test_another_precision_leaves_the_one_that_is_kept_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "model.safetensors", 0)
    double = loaded(path, "cpu", "noise", torch.float64).network
    assert next(double.parameters()).dtype == torch.float64
    assert next(loaded(path, "cpu", "noise").network.parameters()).dtype == torch.float32
