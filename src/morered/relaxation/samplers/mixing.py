"""Anderson mixing of a fixed-point map, molecule by molecule (Anderson, J. ACM 12, 547, 1965; type II).

A jump maps a structure to the clean structure predicted from it; a relaxed molecule is a fixed point. The last few pairs of
structure and jump show how the jump changes along the path; mixing takes the combination whose jump would be smallest.

Shapes: B batch, N padded atoms, D = 3N coordinates, H history.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.relaxation.engine.state import Rows, shortened
from morered.relaxation.kernels import mix
from morered.settings.relaxation import Mixing


def init(mixing: Mixing, positions: Tensor) -> Rows:
    """Scratch rows of molecules that begin at positions [B, N, 3]."""
    batch, dimensions = len(positions), positions[0].numel()
    history = positions.new_zeros(batch, mixing.memory, dimensions)
    last = positions.new_zeros(batch, dimensions)
    return {"mixing_dg": history, "mixing_df": history.clone(), "mixing_g": last, "mixing_f": last.clone()}


def step(
    mixing: Mixing, positions: Tensor, target: Tensor, taken: Tensor, scratch: Rows, place: int, kernels: bool = False
) -> Tensor:
    """Where to go from positions [B, N, 3] whose jump ends at ``target`` [B, N, 3].

    Parameters
    ----------
    mixing : Mixing
        Settings.
    positions, target : Tensor
        Å, 0 on padding.
    taken : Tensor
        [B] steps taken before this one.
    scratch : Rows
        As `init` gave them; changed in place.
    place : int
        Where in the history this step's differences go, in place of the oldest: 0, 1, ... and round again.
    kernels : bool
        Whether the compiled kernels do it: on a CPU, where they are there.

    Returns
    -------
    Tensor
        [B, N, 3]: the target itself during the warm-up, then the mixed one, no further than ``max_move``.
    """
    if kernels:
        history = (scratch["mixing_dg"], scratch["mixing_df"], scratch["mixing_g"], scratch["mixing_f"])
        settings = {"warmup": mixing.warmup, "regularisation": mixing.regularisation, "longest": mixing.max_move}
        return mix(positions, target, taken, history, place, **settings)  # type: ignore[arg-type]
    g = target.flatten(1)
    f = g - positions.flatten(1)
    dg, df = scratch["mixing_dg"], scratch["mixing_df"]
    known = (taken > 0).to(g.dtype)[:, None]  # a first step has no difference, and its row of zeros changes nothing below
    torch.mul(g - scratch["mixing_g"], known, out=dg[:, place])
    torch.mul(f - scratch["mixing_f"], known, out=df[:, place])
    scratch["mixing_g"], scratch["mixing_f"] = g, f
    normal = df @ df.transpose(1, 2)
    diagonal = normal.diagonal(dim1=1, dim2=2)
    scale = diagonal.mean(dim=1, keepdim=True).clamp(min=torch.finfo(g.dtype).tiny)
    diagonal += mixing.regularisation * scale
    weights = torch.linalg.solve_ex(normal, df @ f[:, :, None])[0]  # no check, which would make the host wait
    mixed = (f - (dg.transpose(1, 2) @ weights)[..., 0]).reshape(positions.shape)
    return positions + torch.where((taken < mixing.warmup)[:, None, None], target - positions, shortened(mixed, mixing.max_move))
