"""Counter-based random numbers: each value is a function of (seed, molecule, step, atom) and of nothing else.

So a result does not depend on the batch a molecule is in, its place there, the padding, the chunk or an interruption. The
generator is Philox4x32-10 (Salmon et al., SC'11, doi:10.1145/2063384.2063405). The map to normal deviates uses additions,
multiplications, divisions and square roots alone, which IEEE 754 rounds exactly: library logarithms and cosines differ in their
last bit between vector lanes and devices.

Shapes: B batch, N padded atoms.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10


def philox4x32(counter: Tensor, key: tuple[int, int]) -> Tensor:
    """Philox4x32-10.

    Parameters
    ----------
    counter
        int64 [4, ...], four words from 0 to 2^32 - 1.
    key
        Two words from 0 to 2^32 - 1.

    Returns
    -------
    Tensor
        int64 [4, ...], four random words.
    """
    multipliers, round_keys = _constants(key, counter.device)
    lanes = (2, *[1] * (counter.dim() - 1))
    multipliers = multipliers.reshape(lanes)
    even, odd = counter[0::2], counter[1::2]  # words 0 and 2, words 1 and 3
    for keys in round_keys.reshape(_ROUNDS, *lanes):
        product = even * multipliers  # wraps modulo 2^64: the mask below undoes the arithmetic shift
        high = (product >> 32) & _WORD
        even, odd = high.flip(0) ^ odd ^ keys, (product & _WORD).flip(0)
    return torch.stack([even[0], odd[0], even[1], odd[1]])


def molecule_keys(ids: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """A 64-bit key [M] of each id (bytes [M]): its BLAKE2b digest, the same everywhere and always."""
    digests = b"".join(hashlib.blake2b(name, digest_size=8).digest() for name in ids.tolist())
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)


def stream(seed: int, *names: str | int) -> int:
    """A seed for one purpose, such as ``stream(seed, "training", "steps")``: independent of that of every other purpose."""
    text = "\0".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def uniform(seed: int, keys: Tensor, step: Tensor | int, n: int) -> Tensor:
    """Uniform deviates in (0, 1), float64 [B, n, 4]; parameters as for `normal`, with ``n`` in place of the atoms."""
    return (_words(seed, keys, step, n).movedim(0, -1).to(torch.float64) + 0.5) * 2.0**-32


def random_steps(seed: int, keys: Tensor, count: Tensor | int, T: int, power: int | Tensor = 1) -> Tensor:
    """Diffusion steps from 0..T-1, int64 [B]; ``count`` tells one draw for a molecule from the next.

    They are T u^power rounded down, with u uniform in [0, 1): uniform by default; with power 2, half of them lie below T/4.
    The power may differ from draw to draw, [B].
    """
    if isinstance(power, Tensor):
        steps = torch.zeros_like(keys)
        for one in torch.unique(power).tolist():
            steps = torch.where(power == one, random_steps(seed, keys, count, T, int(one)), steps)
        return steps
    word = _words(seed, keys, count, 1)[0, :, 0]
    if power == 1:
        return (word * T) >> 32
    u = word.to(torch.float64) * 2.0**-32
    product = u
    for _ in range(power - 1):  # products round alike on every device, a library's pow does not
        product = product * u
    return (product * T).to(torch.int64)


def normal(
    seed: int,
    keys: Tensor,
    step: Tensor | int,
    n_atoms: int,
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """Standard normal deviates for the atoms of a batch, [B, N, 3] with N = ``n_atoms``.

    Parameters
    ----------
    seed
        Any integer; its lowest 64 bits count.
    keys
        int64 [B], see `molecule_keys`.
    step
        Integer or int64 [B] from 0 to 2^32 - 1: one draw for each.
    device, dtype
        Of the result; the device is that of ``keys`` by default.
    """
    keys = keys.to(device) if device is not None else keys
    words = (_words(seed, keys, step, n_atoms).to(torch.float64) + 0.5) * 2.0**-32
    radius = (-2 * _log(words[0::2])).sqrt()  # Box and Muller (1958)
    cosine, sine = _cos_sin_turns(words[1::2])
    return torch.stack([radius[0] * cosine[0], radius[0] * sine[0], radius[1] * cosine[1]], -1).to(dtype)


def centre(x: Tensor, mask: Tensor) -> Tensor:
    """Subtract each molecule's mean over its atoms; zero on padding. x [B, N, 3], mask [B, N] bool."""
    weight = mask.unsqueeze(-1).to(x.dtype)
    mean = (x * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=1)
    return (x - mean) * weight


def _words(seed: int, keys: Tensor, step: Tensor | int, n: int) -> Tensor:
    """Random words, int64 [4, B, n]; the counter is (row, step, low word of the key, high word of the key)."""
    counter = torch.empty((4, len(keys), n), dtype=torch.int64, device=keys.device)
    counter[0] = torch.arange(n, device=keys.device)
    counter[1] = step.to(keys.device).unsqueeze(-1) if isinstance(step, Tensor) and step.dim() else step
    counter[2] = (keys & _WORD).unsqueeze(-1)
    counter[3] = ((keys >> 32) & _WORD).unsqueeze(-1)
    return philox4x32(counter, (seed & _WORD, (seed >> 32) & _WORD))


@lru_cache(maxsize=128)
def _constants(key: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Multipliers [2] and the key of each round [10, 2], on the device: sending them for each draw would hold up a GPU."""
    keys = [[(k + r * w) & _WORD for k, w in zip(key, _WEYL, strict=True)] for r in range(_ROUNDS)]
    return torch.tensor(_MULTIPLIERS, device=device), torch.tensor(keys, device=device)


def _log(x: Tensor) -> Tensor:
    """Natural logarithm of float64 in (0, 1), within a few units in the last place."""
    mantissa, exponent = torch.frexp(x)  # mantissa in [1/2, 1)
    low = mantissa < math.sqrt(0.5)
    mantissa = torch.where(low, mantissa * 2, mantissa)
    exponent = exponent.to(x.dtype) - low.to(x.dtype)
    ratio = (mantissa - 1) / (mantissa + 1)  # |ratio| < 0.172: log m = 2 artanh(ratio)
    series = _horner(ratio * ratio, [2 / (2 * k + 1) for k in range(11)])
    return ratio * series + exponent * math.log(2)


def _cos_sin_turns(x: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of x turns (2 pi x) for float64 x in (0, 1)."""
    quarter = torch.floor(x * 4 + 0.5)
    angle = (x - quarter * 0.25) * (2 * math.pi)  # within a quarter of pi of 0; the difference is exact
    square = angle * angle
    cosine = _horner(square, [(-1) ** k / math.factorial(2 * k) for k in range(9)])
    sine = _horner(square, [(-1) ** k / math.factorial(2 * k + 1) for k in range(9)]) * angle
    quarter = quarter.to(torch.int64) & 3
    odd = (quarter & 1).bool()
    cosine, sine = torch.where(odd, sine, cosine), torch.where(odd, cosine, sine)
    return torch.where((quarter == 1) | (quarter == 2), -cosine, cosine), torch.where(quarter >= 2, -sine, sine)


def _horner(x: Tensor, coefficients: list[float]) -> Tensor:
    result = torch.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = result.mul_(x).add_(coefficient)  # two roundings on every device: never fused
    return result
