"""Train one network; a run that was stopped continues from its last checkpoint."""

from pathlib import Path

from morered import storage
from morered.datasets import splits
from morered.datasets.displaced import training_parts
from morered.settings.networks import ModelConfig
from morered.settings.reading import read
from morered.settings.training import training_config
from morered.structures import Structures
from morered.study.script import logged
from morered.training import train

with logged(snakemake):
    settings = dict(snakemake.params.settings)
    training, limit, augment = settings.pop("training"), settings.pop("train_limit", None), settings.pop("augment", None)
    dataset = snakemake.params.dataset
    split = splits.load(snakemake.input.split)
    structures, validation = training_parts(storage.read(snakemake.input.structures), split.limited(limit))
    if init := dict(snakemake.input.items()).get("init"):
        training["init"] = init
    if augment is not None:
        structures = Structures.concatenate([structures.without_columns(), storage.read(snakemake.input.augmentation)])
        dataset += f" and {augment['dataset']}"
    train(
        read(ModelConfig, settings),
        training_config(training, settings["kind"]),
        structures,
        validation,
        Path(snakemake.output.weights).parent,
        split_digest=split.digest,
        dataset=dataset,
        progress=True,
    )
