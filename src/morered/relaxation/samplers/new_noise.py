"""The new noise of each reverse step: eps' of Algorithm 2, lines 5 and 6.

A draw costs as much for one step as for several, so each row has the noise of some coming steps in its scratch.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import torch
from torch import Tensor

from morered.batching import Batch
from morered.diffusion.random_numbers import centre, normal
from morered.relaxation.engine.state import State

#: Steps whose noise is drawn at once.
STEPS_AHEAD = 16


class NewNoise:
    """Centred Gaussian noise, numbered by each molecule's own steps: it does not depend on the batch.

    All rows are at the same place of what was drawn, though not at the same step.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._place = 0

    def begin(self) -> None:
        """Noise is drawn afresh at the first step."""
        self._place = 0

    def init(self, batch: Batch) -> Tensor:
        """Scratch rows [B, STEPS_AHEAD, N, 3] of molecules that begin."""
        if self._place == 0:  # the next step draws for every row
            return batch.positions.new_zeros(len(batch), STEPS_AHEAD, batch.n_padded, 3)
        return self._draw(batch, torch.zeros_like(batch.keys), self._place)  # what lies before is not used

    def next(self, state: State) -> Tensor:
        """The noise [B, N, 3] of each row's own next step."""
        if self._place == 0:
            state.scratch["noise"].copy_(self._draw(state.batch, state.taken, 0))
        noise = state.scratch["noise"][:, self._place]
        self._place = (self._place + 1) % STEPS_AHEAD
        return noise

    def _draw(self, batch: Batch, taken: Tensor, place: int) -> Tensor:
        """Noise of coming steps [B, STEPS_AHEAD, N, 3]: the one at ``place`` is for step ``taken`` [B] of each row."""
        n = STEPS_AHEAD
        steps = (taken[:, None] - place + torch.arange(n, device=taken.device)).clamp(min=0)
        drawn = normal(self._seed, batch.keys.repeat_interleave(n), steps.flatten(), batch.n_padded)
        return centre(drawn, batch.mask.repeat_interleave(n, dim=0)).unflatten(0, (len(batch), n))
