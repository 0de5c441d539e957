"""How well kinds of noise describe structures displaced along normal modes: their log density, per degree of freedom.

Each displacement from its minimum, superposed on it, has under a kind of noise the density of N(0, s ((1 - l) I + l C)) with the
best s and l for it (`morered.diffusion.elastic`); the mean over structures is printed, higher is nearer. Inputs:

    snakemake --cores all --configfile config/engine.yaml -- results/engine/testsets/normal-modes.h5
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from numpy.typing import NDArray

from morered import storage
from morered.datasets import qm7
from morered.datasets.modes import internal_basis
from morered.diffusion.elastic import ElasticNetwork
from morered.metrics.rmsd import superpose
from morered.settings.noise import ElasticNoise

#: 1 - l
ISOTROPIC_PARTS = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)


def log_density(covariance: NDArray, displacements: NDArray, basis: NDArray) -> NDArray:
    """Of each displacement [D, 3n], the internal motions being ``basis`` [3n, K]: [D]."""
    values, vectors = np.linalg.eigh(basis.T @ covariance @ basis)
    square = np.square(displacements @ basis @ vectors)
    best = np.full(len(displacements), -np.inf)
    for part in ISOTROPIC_PARTS:
        mixed = part + (1 - part) * values
        best = np.maximum(best, -0.5 * (np.log((square / mixed).mean(1)) + np.log(mixed).mean() + 1))
    return best


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="?", default="results/engine/testsets/normal-modes.h5")
    inputs, minima = storage.read(parser.parse_args().inputs), qm7.load()
    place = {name: m for m, name in enumerate(minima.names)}
    networks = {"springs": ElasticNetwork(), "valence": ElasticNetwork(ElasticNoise(forces="valence"))}
    found: dict[str, list[NDArray]] = {name: [] for name in ("isotropic", *networks)}
    names = np.array([name.rsplit("-d", 1)[0] for name in inputs.names])
    for name in dict.fromkeys(names):
        minimum = minima.molecule(place[name])
        x = np.asarray(minimum.positions, dtype=np.float64)
        displaced = [inputs.molecule(int(m)).positions for m in np.flatnonzero(names == name)]
        moves = np.stack([(superpose(d, x) - x).ravel() for d in displaced])
        basis = internal_basis(np.ones(len(x)), x)
        numbers, positions = torch.from_numpy(minimum.numbers.astype(np.int64))[None], torch.from_numpy(x)[None]
        found["isotropic"].append(log_density(np.eye(x.size), moves, basis))
        for kind, network in networks.items():
            root = network.factor(numbers, positions, numbers > 0)[0].double().numpy()
            found[kind].append(log_density(root @ root, moves, basis))
    print(f"{len(inputs)} structures of {len(found['isotropic'])} molecules")
    for kind, values in found.items():
        print(f"{kind:10s} {np.concatenate(values).mean():.3f}")


if __name__ == "__main__":
    main()
