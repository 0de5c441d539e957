"""Train a network: one call from structures to a weights file."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from morered.code_digest import code_digest
from morered.diffusion.random_numbers import stream
from morered.files import sha256
from morered.models import weights
from morered.models.networks import DiffusionNetwork, Potential, build
from morered.settings.networks import ModelConfig
from morered.settings.training import TrainingConfig
from morered.structures import Structures
from morered.training import data as training_data
from morered.training.averaging import State, WeightAveraging
from morered.training.checkpoints import LAST, Checkpoints, Part, TrainingInterrupted
from morered.training.counters import Counters
from morered.training.diffusion_module import DiffusionModule
from morered.training.logs import Logs
from morered.training.loop import fit
from morered.training.module import TrainingModule
from morered.training.potential_module import PotentialModule
from morered.training.processes import joined, requeue_job
from morered.training.rate import LearningRate

__all__ = ["TrainingInterrupted", "train"]

WEIGHTS = "weights.safetensors"
#: Names in a network's state: a row for each element, and what a network that is told total charges has more than others.
ELEMENTS, CHARGES = "representation.embedding.weight", "representation.charge_embedding.weight"
CHECKPOINTS = "checkpoints"

#: Settings that say where a run goes and when it ends, not what it computes: changing them continues it.
_NOT_IDENTITY = ("early_stopping", "device", "devices", "precision", "compile", "checkpoint_minutes")
#: How far a run goes: part of what it computes where its stages or its rate are measured by that.
_LENGTH = ("max_steps", "max_time")


def train(
    model: ModelConfig,
    config: TrainingConfig,
    data: Structures,
    validation: Structures,
    out_dir: str | os.PathLike[str],
    *,
    split_digest: str = "",
    dataset: str = "",
    resume: bool = True,
    progress: bool | None = None,
) -> Path:
    """Train a network and write its weights.

    In ``out_dir``: ``weights.safetensors`` (the averaged weights with the lowest validation loss; the header says what they were
    trained on and how well), ``log.csv`` (`morered.training.logs`), ``tensorboard/``, and ``checkpoints/`` from which an
    interrupted run continues. Two runs with one seed on one kind of device give the same weights, interrupted or not, unless
    ``max_time`` ends them.

    With several devices this process starts the others (`morered.training.processes`), which end here.

    Parameters
    ----------
    model
        The network.
    config
        The training.
    data, validation
        Minima for diffusion models; for the force field structures with the columns ``energy`` (eV) and ``forces`` (eV/Å).
    out_dir
        Where files are written.
    split_digest, dataset
        For the header: the split by graph and the name of the dataset.
    resume
        Continue from a checkpoint of the same model, settings and data, if there is one.
    progress
        Show a bar on the standard error; by default if that is a terminal.

    Returns
    -------
    Path
        The weights file.

    Raises
    ------
    ValueError
        If there are no structures, labels are missing, there are ions that the network does not know, or the devices are not
        there.
    TrainingInterrupted
        If SIGUSR1, SIGTERM or SIGINT stopped it; calling again continues. SIGUSR1 also requeues a Slurm job.
    Diverged
        If the loss stays non-finite or far above its mean.
    """
    for name, structures in (("training", data), ("validation", validation)):
        if not structures.n_atoms:
            raise ValueError(f"there are no {name} structures")
        _refuse_unknown_ions(model, structures, name)
    folder = Path(out_dir)
    (folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    if not resume:
        (folder / CHECKPOINTS / LAST).unlink(missing_ok=True)
    network = _network(model, config, data)
    module = _module(network, config, training_data.repeated(data, config.repeat_small), validation)
    digest = training_data.digest(data, validation)
    about = {"molecules": len(data), "validation_molecules": len(validation), "data_digest": digest}
    if config.init is not None:
        about["before"] = _chain(weights.load(config.init).header)

    def write(path: Path, best: State) -> None:
        final = build(model)
        final.load_state_dict(best)
        weights.save(path, final, _header(module, data, dataset, split_digest, about))

    average, rate, logs = WeightAveraging(config.ema_decay), LearningRate(config), Logs(folder)
    parts: dict[str, Part] = {"average": average, "rate": rate, "logs": logs}
    identity = _identity(model, config, digest)
    checkpoints = Checkpoints(folder / CHECKPOINTS, identity, config.checkpoint_minutes, parts, write, requeue_job)
    state = checkpoints.read()
    if state is not None:
        module.counters = Counters.from_dict(state["counters"])
    if state is None or not _is_done(module, state):
        names: dict[str, Any] = {"split_digest": split_digest, "dataset": dataset, "resume": resume, "progress": False}
        with joined(config, partial(train, model, config, data, validation, folder, **names)) as processes:
            torch.set_float32_matmul_precision("high" if config.precision == "tf32" else "highest")
            fit(module, average, rate, logs, checkpoints, processes, progress)
        if processes.rank:
            sys.exit(0)
        best = average.best
    else:
        best = state["average"]["best"]
        logs.load_state_dict(state["logs"])
        logs.write()
    assert best is not None  # set at the end of a run at the latest
    write(folder / WEIGHTS, best)
    return folder / WEIGHTS


def _refuse_unknown_ions(model: ModelConfig, structures: Structures, name: str) -> None:
    """Refuse ions whose charge the network would not be told."""
    largest = int(np.abs(structures.charges).max(initial=0))
    known = model.charges if model.is_diffusion else 0
    if largest > known:
        way_out = f"set its charges to {largest}" if model.is_diffusion else "leave the ions out"
        raise ValueError(
            f"the {name} structures have total charges up to {largest}, and the network knows "
            f"{f'charges up to {known} only' if known else 'neutral molecules only'}: {way_out}"
        )


def _network(model: ModelConfig, config: TrainingConfig, data: Structures) -> DiffusionNetwork | Potential:
    """A network with initial weights, by the seed or from a file."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(config.seed, "weights") >> 1)
        network = build(model)
    if config.init is not None:
        loaded = weights.load(config.init)
        try:
            network.load_state_dict(_grown(loaded, network, data))
        except RuntimeError as error:
            raise ValueError(f"the weights in {config.init} do not fit the model that is to be trained: {error}") from error
    network.elements = frozenset(np.unique(data.numbers).tolist())
    return network


def _grown(loaded: weights.LoadedModel, network: torch.nn.Module, data: Structures) -> State:
    """The state of loaded weights, with a beginning for what they have not learned: elements start from the mean of the known
    ones, and ions as neutral molecules.
    """
    state = dict(loaded.network.state_dict())
    known = list(loaded.header.elements)
    unknown = sorted(set(np.unique(data.numbers).tolist()) - set(known))
    if ELEMENTS in state and known and unknown:
        state[ELEMENTS] = state[ELEMENTS].clone()
        state[ELEMENTS][unknown] = state[ELEMENTS][known].mean(dim=0)
    if CHARGES in network.state_dict() and CHARGES not in state:
        state[CHARGES] = torch.zeros_like(network.state_dict()[CHARGES])
    return state


def _module(
    network: DiffusionNetwork | Potential, config: TrainingConfig, data: Structures, validation: Structures
) -> TrainingModule:
    if isinstance(network, DiffusionNetwork):
        return DiffusionModule(network, config, data, validation)
    return PotentialModule(network, config, data, validation)


def _header(module: TrainingModule, data: Structures, dataset: str, split: str, about: dict[str, Any]) -> weights.WeightsHeader:
    """What the weights file says of the best weights so far."""
    counters = module.counters
    summary = {
        "steps": counters.batches,
        "epochs": round(module.epoch, 3),
        "seconds": round(counters.seconds, 1),
        "skipped": counters.skipped,
        "best_step": counters.best_batch,
        "settings": module.config.to_dict(),
        "code": code_digest(__name__),
        **about,
    }
    sizes = (int(data.sizes.min()), int(data.sizes.max()))
    elements, charges = tuple(sorted(module.network.elements)), tuple(np.unique(data.charges).tolist())
    return weights.WeightsHeader(dataset, split, elements, sizes, summary, counters.best_metrics, charges)


def _chain(header: weights.WeightsHeader) -> list[dict[str, Any]]:
    """The trainings that weights went through, the first one first: molecules, steps, epochs and seconds of each."""
    last = {name: header.training.get(name) for name in ("molecules", "steps", "epochs", "seconds")}
    return [*header.training.get("before", []), last]


def _identity(model: ModelConfig, config: TrainingConfig, digest: str) -> str:
    """Digest of all that makes a run compute what it computes; weights that it begins from count by their content."""
    by_length = bool(config.stages) or config.schedule == "cosine"
    left_out = _NOT_IDENTITY if by_length else (*_NOT_IDENTITY, *_LENGTH)
    settings = {name: value for name, value in config.to_dict().items() if name not in left_out}
    if config.init is not None:
        settings["init"] = sha256(weights.find(config.init))
    return hashlib.sha256(json.dumps([model.to_dict(), settings, digest], sort_keys=True).encode()).hexdigest()


def _is_done(module: TrainingModule, state: dict[str, Any]) -> bool:
    """Whether a checkpoint is the end of a run with these limits."""
    patience = module.config.early_stopping
    stopped = patience is not None and module.counters.waited >= patience
    return state["average"]["best"] is not None and (stopped or module.fraction >= 1)
