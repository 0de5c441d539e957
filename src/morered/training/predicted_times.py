"""Predicted against true time steps of one molecule and of one image, each diffused to every step: figure A1, right.

Shapes: T steps of the schedule, I images.
"""

from __future__ import annotations

from os import PathLike

import numpy as np
import pandas as pd
import torch

from morered import storage
from morered.batching import pad
from morered.datasets import cifar10, splits
from morered.datasets.testsets import sample
from morered.diffusion.forward import diffuse
from morered.diffusion.random_numbers import centre, normal, stream
from morered.diffusion.schedule import NoiseSchedule
from morered.models import image_time
from morered.models.weights import LoadedModel, load
from morered.structures import Structures

#: Atoms of the molecule that is shown: D = 42.
ATOMS = 14
#: Images of the photographs that are kept from training.
HELD_OUT = 20

_AT_ONCE = 250  # noisy copies in one batch


def of_test_molecule(
    weights: str | PathLike[str],
    minima: str | PathLike[str],
    split: str | PathLike[str],
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """Predicted times of a test minimum (`choose`), from files.

    Parameters
    ----------
    weights, minima, split
        A model that predicts times, minima and their split.
    seed
        Of the molecule's noise.
    device
        Where the model runs.

    Returns
    -------
    DataFrame
        As of `of_molecule`, with the column atoms, how many the molecule has.
    """
    model = load(weights, device=device)
    minimum = choose(sample(storage.read(minima), splits.load(split)), model.network.elements)
    return of_molecule(model, minimum, seed=seed, device=device).assign(atoms=minimum.n_atoms)


def choose(minima: Structures, elements: frozenset[int] = frozenset(), atoms: int = ATOMS) -> Structures:
    """The molecule that is shown: the first of those with ``atoms`` atoms, or as near to that as there are.

    Parameters
    ----------
    minima
        Test minima.
    elements
        Atomic numbers that the network knows; molecules with others are passed over. Empty: any.
    atoms
        Number of atoms.

    Raises
    ------
    ValueError
        If no molecule consists of those elements.
    """
    known = np.array([not elements or set(minima.molecule(m).numbers.tolist()) <= elements for m in range(len(minima))])
    if not known.any():
        raise ValueError("no test minimum consists of the elements that the network was trained on")
    away = np.where(known, np.abs(minima.sizes - atoms), np.iinfo(np.int64).max)
    return minima[[int(away.argmin())]].without_columns()


@torch.no_grad()
def of_molecule(
    model: LoadedModel, minimum: Structures, *, repeats: int = 1, seed: int = 0, device: torch.device | str = "cpu"
) -> pd.DataFrame:
    """Diffuse one molecule to every step and predict the step from the result.

    Parameters
    ----------
    model
        Of kind time or morered-jt, on ``device``.
    minimum
        One molecule.
    repeats
        Draws of noise for each step.
    seed
        With the molecule's id it decides the noise; every draw has noise of its own.
    device
        Where it is computed.

    Returns
    -------
    DataFrame
        t and predicted_t (1..T), ``repeats`` rows for each t.

    Raises
    ------
    ValueError
        If there is not exactly one molecule, or the model predicts no time.
    """
    if len(minimum) != 1:
        raise ValueError(f"one molecule is shown, not {len(minimum)}")
    if not model.config.predicts_time:
        raise ValueError(f"a model of kind {model.config.kind} predicts no time")
    d = model.config.diffusion
    schedule = NoiseSchedule(d.schedule, d.T, d.s, d.time_scale).to(device)
    one = pad(minimum, device=device)
    steps = torch.arange(d.T, device=device).repeat_interleave(repeats)
    draws = torch.arange(len(steps), device=device)
    predicted = []
    for chunk in torch.split(draws, _AT_ONCE):
        copies = one[torch.zeros_like(chunk)]
        noise = normal(stream(seed, "figure A1"), copies.keys, chunk, one.n_padded)
        x = diffuse(centre(copies.positions, copies.mask), steps[chunk], centre(noise, copies.mask), schedule)
        time = model.network(copies.numbers, x.to(model.network.dtype), copies.mask, **copies.stated).time
        predicted.append(schedule.step(torch.nan_to_num(time, nan=1.0)))
    return _table(steps, torch.cat(predicted))


@torch.no_grad()
def of_image(
    network: image_time.ImageTimePredictor,
    image: torch.Tensor,
    schedule: NoiseSchedule,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> pd.DataFrame:
    """The same for one image [3, 32, 32], entries from -1 to 1; one draw for each step."""
    schedule, steps = schedule.to(device), torch.arange(schedule.T, device=device)
    key = torch.zeros(1, dtype=torch.int64, device=device)
    predicted = []
    for chunk in torch.split(steps, _AT_ONCE):
        noise = normal(stream(seed, "figure A1", "image"), key.expand(len(chunk)), chunk, image[0].numel(), dtype=torch.float32)
        copies = image.to(device).expand(len(chunk), *image.shape)
        time = network(image_time.noisy(copies, chunk, noise.reshape(copies.shape), schedule))
        predicted.append(schedule.step(time))
    return _table(steps, torch.cat(predicted))


def train_on_images(
    archive: str | PathLike[str] | None,
    training_steps: int,
    *,
    features: int = 16,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> pd.DataFrame:
    """Train the image predictor and let it predict the steps of a test image.

    Parameters
    ----------
    archive
        CIFAR-10 as published, whose first test image is shown; None takes patches of two photographs that do not overlap, of
        which the first of `HELD_OUT` random ones is shown and none of those is trained on.
    training_steps, features
        See `morered.models.image_time.train`.
    seed
        Of all that is random.
    device
        Where it is computed.
    progress
        Show a bar.

    Returns
    -------
    DataFrame
        As of `of_image`, with the column images, the name of where they come from.
    """
    if archive is None:
        images = cifar10.from_photographs(stride=cifar10.SIDE)
        order = np.random.default_rng(seed).permutation(len(images.pixels))
        training, shown = _tensor(images)[order[HELD_OUT:]], _tensor(images)[order[0]]
    else:
        images = cifar10.from_archive(archive)
        training, shown = _tensor(images), _tensor(cifar10.from_archive(archive, "test"))[0]
    schedule = NoiseSchedule()
    network = image_time.train(training, schedule, training_steps, features=features, seed=seed, device=device, progress=progress)
    return of_image(network, shown, schedule, seed=seed, device=device).assign(images=images.name)


def _tensor(images: cifar10.Images) -> torch.Tensor:
    """Images as [I, 3, 32, 32] float32, entries from -1 to 1."""
    side = cifar10.SIDE
    return torch.from_numpy(images.vectors()).reshape(-1, side, side, 3).permute(0, 3, 1, 2).contiguous()


def _table(steps: torch.Tensor, predicted: torch.Tensor) -> pd.DataFrame:
    """Array indices as the paper's steps 1..T."""
    return pd.DataFrame({"t": steps.cpu().numpy() + 1, "predicted_t": predicted.cpu().numpy() + 1})
