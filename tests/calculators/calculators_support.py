"""Molecules and weights that the tests of calculators, and of what relaxes with them, share."""

import numpy as np
import torch
from ase.build import molecule as g2

from morered.models.networks import build
from morered.models.weights import WeightsHeader, save
from morered.settings.networks import ModelConfig

FORMAMIDE = (
    [6, 8, 7, 1, 1, 1],
    [
        [0.1625, 0.3890, 0.0000],
        [1.1955, -0.2500, 0.0000],
        [-1.0800, -0.1650, 0.0000],
        [0.1333, 1.4890, 0.0000],
        [-1.1700, -1.1690, 0.0000],
        [-1.9100, 0.4070, 0.0000],
    ],
)


def displaced(numbers, positions, width, seed):
    """A molecule with Gaussian noise of ``width`` Å on its coordinates."""
    positions = np.asarray(positions, dtype=np.float64)
    return np.asarray(numbers, dtype=np.uint8), positions + width * np.random.default_rng(seed).standard_normal(positions.shape)


def three_molecules():
    """Water, ethanol and formamide near their minima, distorted by 0.05 Å: numbers [N] and positions [N, 3] by name."""
    water, ethanol = g2("H2O"), g2("CH3CH2OH")
    return {
        "water": displaced(water.numbers, water.positions, 0.05, 1),
        "ethanol": displaced(ethanol.numbers, ethanol.positions, 0.05, 2),
        "formamide": displaced(*FORMAMIDE, 0.05, 3),
    }


def write_mlff(path):
    """Weights of a small force field that was not trained; gives the path as text."""
    torch.manual_seed(3)
    network = build(ModelConfig(kind="mlff", features=16, interactions=2))
    network.set_references({1: -13.6, 6: -1027.6, 7: -1484.3, 8: -2039.7})
    save(path, network, WeightsHeader(elements=(1, 6, 7, 8)))
    return str(path)
