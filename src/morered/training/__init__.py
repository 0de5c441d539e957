"""Training: data on the device, losses of each kind of network, one loop, and one call, `train`.

`train` is in `morered.training.run` and loaded on first use: settings are read without PyTorch's and TensorBoard's imports.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from morered.settings.training import TrainingConfig

if TYPE_CHECKING:
    from morered.training.run import TrainingInterrupted, train

__all__ = ["TrainingConfig", "TrainingInterrupted", "train"]


def __getattr__(name: str) -> Any:
    if name in ("train", "TrainingInterrupted"):
        from morered.extras import needs

        with needs("train"):
            from morered.training import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
