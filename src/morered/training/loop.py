"""The training loop: batches, validations, limits, and what is kept of them."""

from __future__ import annotations

import time

from morered.training.averaging import WeightAveraging
from morered.training.checkpoints import Checkpoints
from morered.training.logs import Bar, Logs
from morered.training.module import TrainingModule
from morered.training.optimizers import Optimizers
from morered.training.processes import Processes
from morered.training.rate import LearningRate


def fit(
    module: TrainingModule,
    average: WeightAveraging,
    rate: LearningRate,
    logs: Logs,
    checkpoints: Checkpoints,
    processes: Processes,
    progress: bool | None = None,
) -> None:
    """Train, from the checkpoint if there is one, to the first limit or an early stop; the best weights are then the average's.

    Parameters
    ----------
    module
        Network and data.
    average, rate, logs, checkpoints
        What follows the run.
    processes
        Those that train together.
    progress
        Show a bar, see `morered.training.run.train`.

    Raises
    ------
    TrainingInterrupted
        If a signal asked for it.
    Diverged
        If the loss stays unusable.
    """
    config, network = module.config, module.network
    module.begin(processes)
    optimizers = Optimizers(network, config, processes)
    average.start(network)
    checkpoints.resume(module, optimizers)
    module.compile()
    counters, first = module.counters, processes.rank == 0
    ended, clock = False, time.monotonic()
    fraction = processes.largest(module.fraction)  # one for all: each has seconds of its own
    with logs.opened(counters.batches, write=first), Bar(module, progress, first) as bar, checkpoints.listening():
        while not ended:
            for draw in module.round():
                step_rate = rate.at(counters.batches, fraction)
                optimizers.set_rate(step_rate)
                used = module.train_on(draw, optimizers)
                now = time.monotonic()
                counters.seconds += now - clock
                clock = now
                fraction = processes.largest(module.fraction)
                ended = fraction >= 1
                if used:
                    average.update(network)
                    logs.batch(module, step_rate)
                bar.show()
                if ended:
                    break
                if counters.batches % module.round_length:  # where a validation comes next, the checkpoint would miss it
                    checkpoints.save_if_due(module, optimizers)
            with average.standing_in(network):
                module.validate()
                if counters.validated(module.metrics):
                    average.keep(network)
            rate.validated(module.metrics["loss"])
            logs.validation(module, step_rate)
            ended = ended or (config.early_stopping is not None and counters.waited >= config.early_stopping)
            checkpoints.save_if_due(module, optimizers)
        if average.best is None:  # no validation loss was finite
            with average.standing_in(network):
                average.keep(network)
        checkpoints.save(module, optimizers)
