"""AIMNet2: a pretrained network for fourteen elements and charged molecules, at the level of wB97M-D3/def2-TZVPP.

Anstine, Zubatyuk, Isayev, Chem. Sci. 2025. It was fitted to closed shells of H, B, C, N, O, F, Si, P, S, Cl, As, Se, Br and I.
The parameters come with the package `auto3d` 2.3.1 (MIT; see `weights`); the network is written anew (`network`, `dispersion`)
and equals the original to rounding.
"""

from morered.calculators.aimnet2.calculator import Aimnet2
from morered.calculators.aimnet2.weights import WeightsError

__all__ = ["Aimnet2", "WeightsError"]
