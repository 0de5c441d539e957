"""A small convolutional network that predicts the diffusion time of an image, for figure A1.

Plain PyTorch, no more than the figure needs. Eq. 2 makes the noisy images and Eq. 6 the loss, as for molecules, but nothing is
centred: an image has a place of its own.

Shapes: I images, B batch, F features of the first layer, D = 3072.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from tqdm import tqdm

from morered.diffusion.random_numbers import stream
from morered.diffusion.schedule import NoiseSchedule

#: Colours, rows and columns of an image.
SHAPE = (3, 32, 32)
BATCH = 64


class ImageTimePredictor(nn.Module):
    """Three convolutions, the mean over the image, two dense layers.

    Parameters
    ----------
    features
        F; the following layers have twice and four times as many.
    """

    def __init__(self, features: int = 16) -> None:
        super().__init__()
        widths = (features, 2 * features, 4 * features)
        self.layers = nn.Sequential(
            nn.Conv2d(SHAPE[0], widths[0], 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(widths[0], widths[1], 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(widths[1], widths[2], 3, stride=2, padding=1),
            nn.SiLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(widths[2], widths[2]),
            nn.SiLU(),
            nn.Linear(widths[2], 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Times [B], not clamped, of images [B, 3, 32, 32]."""
        return self.layers(images).squeeze(1)


def noisy(images: Tensor, step: Tensor, noise: Tensor, schedule: NoiseSchedule) -> Tensor:
    """Images [B, 3, 32, 32] after the forward process (Eq. 2): steps [B], unit noise of the images' shape."""
    alpha_bar = schedule.alpha_bar[step].to(images.dtype).reshape(-1, 1, 1, 1)
    return alpha_bar.sqrt() * images + (1 - alpha_bar).sqrt() * noise


def train(
    images: Tensor,
    schedule: NoiseSchedule,
    steps: int,
    *,
    features: int = 16,
    learning_rate: float = 1e-2,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> ImageTimePredictor:
    """Train a predictor with AdamW, the learning rate falling to 0 along a cosine.

    Parameters
    ----------
    images
        [I, 3, 32, 32] float32, entries from -1 to 1.
    schedule
        Of the forward process.
    steps
        Batches of `BATCH` images, drawn with replacement and flipped at random.
    features
        F of the network.
    learning_rate
        At the start.
    seed
        Of weights, images, steps and noise.
    device
        Where it is trained.
    progress
        Show a bar.

    Returns
    -------
    ImageTimePredictor
        In evaluation mode, on the device.

    Raises
    ------
    ValueError
        If the images have another shape.
    """
    if not len(images) or images.shape[1:] != SHAPE:
        raise ValueError(f"images must be [I, 3, 32, 32], not {list(images.shape)}")
    schedule = schedule.to(device)
    generator = torch.Generator().manual_seed(stream(seed, "image times") >> 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "image times", "weights") >> 1)
        network = ImageTimePredictor(features).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.0)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in tqdm(range(steps), desc="image times", disable=not progress, mininterval=5.0):
        chosen = images[torch.randint(len(images), (BATCH,), generator=generator)]
        mirrored = torch.rand(BATCH, generator=generator) < 0.5
        chosen = torch.where(mirrored[:, None, None, None], chosen.flip(3), chosen).to(device)
        step = torch.randint(schedule.T, (BATCH,), generator=generator).to(device)
        noise = torch.randn(chosen.shape, generator=generator).to(device)
        loss = mse_loss(network(noisy(chosen, step, noise, schedule)), schedule.time(step).to(torch.float32))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        rate.step()
    return network.eval()
