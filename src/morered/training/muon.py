"""Muon: steps of matrices along their orthogonalised momentum (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon).

The momentum of a matrix gets singular values of about 1 by five iterations of Newton and Schulz. Steps are scaled as in Liu et
al. 2025 (arXiv:2502.16982, section 2.2), so that a learning rate means what it means to AdamW. PyTorch's own takes one matrix
after the other, in bfloat16, which processors without instructions for it are slow at; here all of one shape are taken at once,
in their own precision, and processes that train together share the work.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from morered.training.processes import Processes

_MOMENTUM = 0.95
_ITERATIONS = 5
#: Of the odd polynomial that is iterated: x -> a x + b x³ + c x⁵ takes singular values in (0, 1] to about 1.
_A, _B, _C = 3.4445, -4.7750, 2.0315
#: Root mean square of a step, as a part of the learning rate: what AdamW's has.
_STEP = 0.2


class Muon(torch.optim.Optimizer):
    """Steps of matrices along their orthogonalised momentum.

    Parameters
    ----------
    matrices
        Weights of two dimensions each.
    rate
        Learning rate, on the scale of AdamW's.
    weight_decay
        Matrices shrink by this part of the learning rate at each step: their steps have a size that does not fall with the
        gradients, so that they would grow without end.
    processes
        Those that train together, with the same gradients: each orthogonalises its share of the matrices.

    Raises
    ------
    ValueError
        If a parameter is no matrix.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], rate: float, weight_decay: float, processes: Processes) -> None:
        super().__init__(matrices, {"lr": rate, "weight_decay": weight_decay})
        self._processes = processes
        self._matrices: list[nn.Parameter] = [matrix for group in self.param_groups for matrix in group["params"]]
        for matrix in self._matrices:
            if matrix.ndim != 2:
                raise ValueError(f"Muon takes matrices, not a parameter of shape {tuple(matrix.shape)}")

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Change the matrices that have gradients."""
        rate, decay = self.param_groups[0]["lr"], self.param_groups[0]["weight_decay"]
        moved = [matrix for matrix in self._matrices if matrix.grad is not None]
        for matrix, direction in zip(moved, self._shared([self._momentum(matrix) for matrix in moved]), strict=True):
            matrix.mul_(1 - rate * decay).add_(direction, alpha=-rate * _STEP * math.sqrt(max(matrix.shape)))

    def _momentum(self, matrix: nn.Parameter) -> Tensor:
        """With Nesterov's look ahead."""
        momentum: Tensor = self.state[matrix].setdefault("momentum", torch.zeros_like(matrix))
        assert matrix.grad is not None
        momentum.mul_(_MOMENTUM).add_(matrix.grad)
        return matrix.grad.add(momentum, alpha=_MOMENTUM)

    def _shared(self, momenta: list[Tensor]) -> list[Tensor]:
        """All of them orthogonalised, each by one of the processes."""
        rank, size = self._processes.rank, self._processes.size
        if size == 1:
            return orthogonalised(momenta)
        parts = [torch.zeros_like(momentum) for momentum in momenta]
        parts[rank::size] = orthogonalised(momenta[rank::size])
        together = self._processes.total(torch.cat([part.flatten() for part in parts]))
        return [part.view_as(m) for part, m in zip(together.split([m.numel() for m in momenta]), momenta, strict=True)]


def orthogonalised(matrices: list[Tensor]) -> list[Tensor]:
    """The same with all singular values between 0.7 and 1.2, but those that are near 0; all of one shape at once."""
    found: list[Tensor] = list(matrices)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for i, matrix in enumerate(matrices):
        by_shape.setdefault(tuple(sorted(matrix.shape)), []).append(i)
    for stack in by_shape.values():
        wide = torch.stack([matrices[i] if _is_wide(matrices[i]) else matrices[i].T for i in stack])
        for i, matrix in zip(stack, _newton_schulz(wide), strict=True):
            found[i] = matrix if _is_wide(matrices[i]) else matrix.T
    return found


def _is_wide(matrix: Tensor) -> bool:
    return matrix.shape[0] <= matrix.shape[1]


def _newton_schulz(x: Tensor) -> Tensor:
    """Matrices [n, rows, columns], rows <= columns."""
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    for _ in range(_ITERATIONS):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    return x
