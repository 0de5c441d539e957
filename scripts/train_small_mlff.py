"""Train the small force field of the tests: `python scripts/train_small_mlff.py FOLDER`, some minutes on one core.

160 training graphs of the embedded QM7 with 20 structures each, displaced along normal modes and labelled by SO3LR. Its weights,
FOLDER/weights.safetensors, are tests/data/mlff-small.safetensors: enough for smooth surfaces with minima, and for no more.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from morered.datasets import qm7
from morered.datasets.builder import Displacing
from morered.datasets.displaced import chosen_minima, displaced_structures, training_parts
from morered.settings.networks import ModelConfig
from morered.settings.training import TrainingConfig
from morered.training.run import train

GRAPHS, VALIDATION_GRAPHS, PER_MINIMUM = 160, 16, 20


def main() -> None:
    """Label, train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="for labels, checkpoints and weights")
    parser.add_argument("--features", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4000)
    arguments = parser.parse_args()
    split = qm7.default_split()
    minima = chosen_minima(qm7.load(), split, GRAPHS, VALIDATION_GRAPHS)
    settings = Displacing(per_minimum=PER_MINIMUM, calculator="so3lr", labels="so3lr", forces=True)
    built = displaced_structures(minima, settings, folder=arguments.folder / "labels", timeout=120)
    data, validation = training_parts(built.structures, split.limited(GRAPHS))
    training = TrainingConfig(
        batch_size=16, learning_rate=2e-3, schedule="cosine", warmup_steps=100, max_steps=arguments.steps, validate_every=250,
        clip=None, skip_factor=1000.0, early_stopping=None, ema_decay=0.995,
    )  # fmt: skip
    model = ModelConfig(kind="mlff", features=arguments.features)
    print(train(model, training, data, validation, arguments.folder, split_digest=split.digest, dataset="qm7"))


if __name__ == "__main__":
    main()
