"""Train one network; a run that was stopped continues from its last checkpoint."""

from pathlib import Path

from morered import storage
from morered.datasets import splits
from morered.models.config import ModelConfig
from morered.study.script import logged
from morered.training import TrainingConfig, train

with logged(snakemake):
    settings = dict(snakemake.params.settings)
    training, limit = settings.pop("training"), settings.pop("train_limit", None)
    split = splits.load(snakemake.input.split)
    used = split.limited(limit)
    minima = storage.read(snakemake.input.minima)
    train(
        ModelConfig.from_dict(settings),
        TrainingConfig.from_dict(training, settings["kind"]),
        minima[used.select(minima, "train")],
        minima[used.select(minima, "validation")],
        Path(snakemake.output.weights).parent,
        split_digest=split.digest,
        dataset=snakemake.params.dataset,
        progress=True,
    )
