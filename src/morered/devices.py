"""Where networks run."""

from __future__ import annotations

import torch


def choose(device: str = "auto") -> torch.device:
    """The device of this name; "auto" is the first GPU if there is one, else the processor.

    Raises
    ------
    ValueError
        If there is no such device, or networks do not run there; the message says what there is.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return torch.device("cuda" if gpus else "cpu")
    try:
        chosen = torch.device("cuda" if device == "gpu" else device)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda"):
        raise ValueError(f"no device {device!r}: give auto, cpu, cuda or cuda:N")
    if chosen.type == "cuda" and (chosen.index or 0) >= gpus:
        raise ValueError(f"no device {device!r}: PyTorch finds {gpus or 'no'} GPU{'s' * (gpus != 1)} here; give auto or cpu")
    return chosen
