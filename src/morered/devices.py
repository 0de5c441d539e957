"""Where networks run."""

from __future__ import annotations

import torch


def choose(device: str = "auto") -> torch.device:
    """The device of this name; "auto" is the first GPU if there is one, else the processor.

    Raises
    ------
    ValueError
        If there is no such device; the message says what there is.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda" if gpus else "cpu")
    try:
        chosen = torch.device("cuda" if device == "gpu" else device)
    except RuntimeError:
        raise ValueError(f"no device {device!r}: auto, cpu, cuda or cuda:N") from None
    if chosen.type == "cuda" and (chosen.index or 0) >= gpus:
        raise ValueError(f"no device {device!r}: there are {gpus} GPUs here")
    return chosen
