"""Muon against PyTorch's own, and which weights belong to which optimiser."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from training_support import MODEL, QUICK, ase_molecules, stopped_after

from morered.models import weights
from morered.models.networks import build
from morered.settings.training import training_config
from morered.training import train
from morered.training.muon import Muon, orthogonalised
from morered.training.optimizers import Optimizers
from morered.training.processes import Processes

ALONE = Processes(torch.device("cpu"))
SHAPES = ((6, 6), (18, 6), (6, 12), (6, 6), (12, 6))


def matrices(seed: int = 0) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def test_steps_are_those_of_pytorch():
    ours, theirs, before = matrices(), matrices(), matrices()
    muon = Muon(ours, 1e-2, 0.5, ALONE)
    oracle = torch.optim.Muon(theirs, lr=1e-2, weight_decay=0.5, adjust_lr_fn="match_rms_adamw")
    for step in range(5):
        for mine, its, gradient in zip(ours, theirs, matrices(step + 1), strict=True):
            mine.grad, its.grad = gradient.data.clone(), gradient.data.clone()
        muon.step()
        oracle.step()
    for mine, its, start in zip(ours, theirs, before, strict=True):
        assert (mine - its).norm() < 0.02 * (mine - start).norm()  # theirs is in bfloat16


def test_singular_values_become_about_one():
    given = [matrix.data for matrix in matrices()]
    for matrix, before in zip(orthogonalised(given), given, strict=True):
        assert matrix.shape == before.shape
        u, _, v = torch.linalg.svd(before, full_matrices=False)
        turned = u.T @ matrix @ v.T
        assert 0.6 < turned.diag().min() < turned.diag().max() < 1.3
        assert (turned - torch.diag(turned.diag())).abs().max() < 1e-5  # singular vectors stay


def test_what_has_no_gradient_stays():
    ours, before = matrices(), matrices()
    ours[0].grad = torch.ones(SHAPES[0])
    Muon(ours, 1e-2, 0.5, ALONE).step()
    assert [torch.equal(a, b) for a, b in zip(ours, before, strict=True)] == [False, True, True, True, True]


def test_muon_takes_matrices_alone():
    with pytest.raises(ValueError, match=r"matrices, not a parameter of shape \(3,\)"):
        Muon([nn.Parameter(torch.zeros(3))], 1e-2, 0.0, ALONE)


def test_processes_share_the_work(monkeypatch: pytest.MonkeyPatch):
    """Two threads in place of processes, whose sums are of what both bring."""
    barrier, brought = threading.Barrier(2, timeout=60), {}

    def total(self: Processes, values: torch.Tensor) -> torch.Tensor:
        brought[self.rank] = values
        barrier.wait()
        return brought[0] + brought[1]

    monkeypatch.setattr(Processes, "total", total)
    together = {rank: matrices() for rank in (0, 1)}
    alone = matrices()

    def step(parameters: list[nn.Parameter], processes: Processes) -> None:
        for parameter, gradient in zip(parameters, matrices(1), strict=True):
            parameter.grad = gradient.data
        Muon(parameters, 1e-2, 0.0, processes).step()

    threads = [threading.Thread(target=step, args=(together[rank], Processes(torch.device("cpu"), rank, 2))) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    step(alone, ALONE)
    for one, first, second in zip(alone, together[0], together[1], strict=True):
        assert torch.equal(first, second)
        torch.testing.assert_close(one, first)  # stacks of other sizes are summed in another order


def test_embeddings_biases_and_single_numbers_are_adamws():
    network = build(MODEL)
    config = training_config({**QUICK, "optimizer": "muon"})
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizers = Optimizers(network, config, ALONE)
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizers.set_rate(1e-3)
    optimizers.step()
    # of equal gradients AdamW makes steps of the learning rate, and Muon smaller ones: the direction has one singular value
    steps = {name: (value - before[name]).abs().max().item() for name, value in network.state_dict().items()}
    adams = {name for name, step in steps.items() if step == pytest.approx(1e-3, rel=1e-3)}
    moved = {name for name, _ in network.named_parameters()}
    of_muon = moved - adams
    assert of_muon
    assert all(name.endswith("weight") and "embedding" not in name for name in of_muon)
    assert {name for name in moved if name.endswith("bias") or "embedding" in name} <= adams


def test_a_run_with_muon_is_the_same_if_stopped(tmp_path: Path):
    molecules, held_out = ase_molecules(("CH3CH2OH", "C2H4", "H2O", "CO2"), 3), ase_molecules(("CH3SH",), 2, seed=5)

    def run(folder: str, **changes: object) -> dict[str, np.ndarray]:
        config = training_config({**QUICK, "optimizer": "muon", **changes})
        path = train(MODEL, config, molecules, held_out, tmp_path / folder)
        return {name: value.numpy() for name, value in weights.load(path).network.state_dict().items()}

    whole, adamw = run("whole"), run("adamw", optimizer="adamw")
    with stopped_after(5):
        run("stopped")
    continued = run("stopped")
    assert all(np.array_equal(whole[name], continued[name]) for name in whole)
    assert any(not np.array_equal(whole[name], adamw[name]) for name in whole)
