"""A whole network in one call: noise, times, energies and forces, without gradients by the weights.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from morered.models.heads import NoiseHead
from morered.models.layers import Linear
from morered.models.native import library
from morered.models.native.library import arrays
from morered.models.native.packing import Packed
from morered.models.painn import PaiNN

#: Atoms that go through the layers together, at least: fewer fit the caches better, more read the weights less often.
_TOGETHER = 48
#: Molecules below which a second thread costs more than it saves.
_MOLECULES = 8

_packed: WeakKeyDictionary[nn.Module, tuple[tuple[object, ...], dict[int, Packed]]] = WeakKeyDictionary()


def packed_weights(
    network: nn.Module, representation: PaiNN, atom_head: Sequence[Linear], noise_head: NoiseHead | None, charge: int = 0
) -> Packed:
    """The weights of a network for molecules of one total charge, packed anew only when they have changed."""
    state = tuple((tensor.data_ptr(), _version(tensor)) for tensor in _tensors(network))
    known = _packed.get(network)
    if known is None or known[0] != state:
        known = _packed[network] = (state, {})
    if charge not in known[1]:
        known[1][charge] = Packed(representation, atom_head, noise_head, charge)
    return known[1][charge]


def infer(
    weights: Packed, numbers: Tensor, positions: Tensor, mask: Tensor, times: Tensor | None = None, gradient: bool = False
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Compute.

    Parameters
    ----------
    weights : Packed
        The network.
    numbers, positions, mask : Tensor
        [B, N] int64, [B, N, 3] in Å, [B, N] bool.
    times : Tensor, optional
        [B] for the noise head; without them, it gets those of the atom head.
    gradient : bool
        Whether the derivatives by the positions are wanted.

    Returns
    -------
    (Tensor or None, Tensor or None, Tensor or None)
        Noise [B, N, 3], not centred; the atom head's values [B, N]; derivatives of their sum by the positions [B, N, 3]. float32,
        0 on padding; None for what the network does not have, or is not wanted.
    """
    numbers, mask, positions = numbers.contiguous(), mask.contiguous(), positions.detach().float().contiguous()
    times = None if times is None else times.detach().float().contiguous()
    noise = positions.new_zeros(positions.shape) if weights.has_noise_head else None
    values = positions.new_zeros(mask.shape) if weights.has_atom_head else None
    g_positions = positions.new_zeros(positions.shape) if gradient else None
    tensors = (numbers, positions, mask, times, noise, values, g_positions)
    kernel = weights.native.infer
    library.parallel(lambda _, start, stop: kernel(start, stop, _TOGETHER, *arrays(*tensors)), len(mask), _MOLECULES)
    return noise, values, g_positions


def _tensors(network: nn.Module) -> list[Tensor]:
    """Parameters and buffers. `nn.Module.parameters` takes as long as a molecule's evaluation: it finds names and doubles."""
    found: list[Tensor] = []
    modules = [network]
    while modules:
        module = modules.pop()
        found += [tensor for tensor in (*module._parameters.values(), *module._buffers.values()) if tensor is not None]
        modules += [child for child in module._modules.values() if child is not None]
    return found


def _version(tensor: Tensor) -> object:
    """Changes whenever the tensor's numbers do; tensors made in inference mode do not count, so theirs are never the same."""
    return object() if tensor.is_inference() else tensor._version
