"""What is random is the same whether it is drawn for one batch or for many."""

import pytest
import torch
from training_support import MODEL, QUICK

from morered.diffusion.process import NoiseProcess
from morered.diffusion.random_numbers import random_steps, stream
from morered.models.networks import DiffusionNetwork, build
from morered.settings.training import training_config
from morered.structures import Structures
from morered.training import prefetch
from morered.training.diffusion_module import DiffusionModule


@pytest.mark.parametrize("noise", [{"kind": "isotropic"}, {"kind": "elastic", "decades": 2.0}])
@pytest.mark.parametrize("power", [1, 2])
def test_batches_get_what_they_would_get_alone(
    molecules: Structures, noise: dict, power: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prefetch, "_MOLECULES", 20)  # five batches at once
    config = training_config({**QUICK, "noise": noise, "step_power": power})
    network = build(MODEL)
    assert isinstance(network, DiffusionNetwork)
    module = DiffusionModule(network, config, molecules, molecules)
    module.buckets = module.prepare(molecules, torch.device("cpu"))
    for number in (*range(12), 3):  # and back, as a resumed run may go
        draw = module.plan.draw(number)
        batch = module.buckets[draw.bucket].take(draw.rows)
        drawn = module._ahead.of(number)
        steps = random_steps(stream(config.seed, "steps"), batch.keys, number, 1000, power)
        assert torch.equal(drawn.steps, steps)
        mask = batch.numbers > 0
        factor = batch.extra.get("factor")
        process = NoiseProcess(config.noise)
        alone = process.draw(stream(config.seed, "noise"), batch.keys, number, mask, factor)
        assert torch.equal(process.shape(drawn.deviates, mask, factor), alone)
