"""Train one network; a run that was stopped continues from its last checkpoint."""

from pathlib import Path

from morered import storage
from morered.datasets import splits
from morered.datasets.displaced import training_parts
from morered.models.config import ModelConfig
from morered.study.script import logged
from morered.training import TrainingConfig, train

with logged(snakemake):
    settings = dict(snakemake.params.settings)
    training, limit = settings.pop("training"), settings.pop("train_limit", None)
    split = splits.load(snakemake.input.split)
    structures, validation = training_parts(storage.read(snakemake.input.structures), split.limited(limit))
    train(
        ModelConfig.from_dict(settings),
        TrainingConfig.from_dict(training, settings["kind"]),
        structures,
        validation,
        Path(snakemake.output.weights).parent,
        split_digest=split.digest,
        dataset=snakemake.params.dataset,
        progress=True,
    )
