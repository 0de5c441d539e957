"""The predictor of image times of figure A1."""

import pytest
import torch

from morered.diffusion.schedule import NoiseSchedule
from morered.models import image_time


@pytest.fixture(scope="module")
def images():
    """Smooth pictures: colours that change along one direction."""
    ramp = torch.linspace(-1, 1, 32)
    return torch.stack([ramp.roll(k).expand(3, 32, 32) for k in range(8)]).contiguous()


def test_the_noise_is_that_of_the_schedule(images):
    schedule = NoiseSchedule()
    noise = torch.ones_like(images)
    step = torch.tensor([0, 249, 499, 749, 899, 949, 979, 999])
    noisy = image_time.noisy(images, step, noise, schedule)
    for k, i in enumerate(step.tolist()):
        alpha_bar = float(schedule.alpha_bar[i])
        torch.testing.assert_close(noisy[k], alpha_bar**0.5 * images[k] + (1 - alpha_bar) ** 0.5)


def test_training_teaches_it_times(images):
    schedule = NoiseSchedule()
    network = image_time.train(images, schedule, 80, features=4)
    step = torch.arange(0, 1000, 5)
    noise = torch.randn(len(step), 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        predicted = network(image_time.noisy(images[[0]].expand_as(noise), step, noise, schedule))
    # 80 batches: far better than a constant, whose correlation is 0 and whose error is 0.25.
    assert torch.corrcoef(torch.stack([predicted, schedule.time(step).float()]))[0, 1] > 0.9
    assert (predicted - schedule.time(step)).abs().mean() < 0.15


def test_the_seed_decides_all(images):
    state = [image_time.train(images, NoiseSchedule(), 2, features=2, seed=seed).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(state[0][name], state[1][name]) for name in state[0])
    assert not all(torch.equal(state[0][name], state[2][name]) for name in state[0])


@pytest.mark.parametrize("shape", [(0, 3, 32, 32), (4, 3, 32, 16), (4, 32, 32, 3)])
def test_images_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"must be \[I, 3, 32, 32\]"):
        image_time.train(torch.zeros(shape), NoiseSchedule(), 1)
