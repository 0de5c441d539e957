"""Free atoms of Tkatchenko and Scheffler: polarizability, C6 coefficient and van der Waals radius, hydrogen to radon.

The method and the values of the elements of organic molecules: Phys. Rev. Lett. 102, 073005 (2009). The others, as libMBD uses
them, are compiled in table A.1 of V. V. Gobre's thesis (TU Berlin, 2016). libMBD's compilation is in the public domain (CC0-1.0).
"""

from __future__ import annotations

from typing import NamedTuple


class VdwParameters(NamedTuple):
    """Of one free atom, in atomic units: ``alpha`` in bohr³, ``c6`` in hartree bohr⁶, ``radius`` in bohr."""

    alpha: float
    c6: float
    radius: float


#: Atomic number -> values of the free atom.
VDW_PARAMETERS = {
    1: VdwParameters(4.5, 6.5, 3.1),  # H
    2: VdwParameters(1.38, 1.46, 2.65),  # He
    3: VdwParameters(164.2, 1387.0, 4.16),  # Li
    4: VdwParameters(38.0, 214.0, 4.17),  # Be
    5: VdwParameters(21.0, 99.5, 3.89),  # B
    6: VdwParameters(12.0, 46.6, 3.59),  # C
    7: VdwParameters(7.4, 24.2, 3.34),  # N
    8: VdwParameters(5.4, 15.6, 3.19),  # O
    9: VdwParameters(3.8, 9.52, 3.04),  # F
    10: VdwParameters(2.67, 6.38, 2.91),  # Ne
    11: VdwParameters(162.7, 1556.0, 3.73),  # Na
    12: VdwParameters(71.0, 627.0, 4.27),  # Mg
    13: VdwParameters(60.0, 528.0, 4.33),  # Al
    14: VdwParameters(37.0, 305.0, 4.2),  # Si
    15: VdwParameters(25.0, 185.0, 4.01),  # P
    16: VdwParameters(19.6, 134.0, 3.86),  # S
    17: VdwParameters(15.0, 94.6, 3.71),  # Cl
    18: VdwParameters(11.1, 64.3, 3.55),  # Ar
    19: VdwParameters(292.9, 3897.0, 3.71),  # K
    20: VdwParameters(160.0, 2221.0, 4.65),  # Ca
    21: VdwParameters(120.0, 1383.0, 4.59),  # Sc
    22: VdwParameters(98.0, 1044.0, 4.51),  # Ti
    23: VdwParameters(84.0, 832.0, 4.44),  # V
    24: VdwParameters(78.0, 602.0, 3.99),  # Cr
    25: VdwParameters(63.0, 552.0, 3.97),  # Mn
    26: VdwParameters(56.0, 482.0, 4.23),  # Fe
    27: VdwParameters(50.0, 408.0, 4.18),  # Co
    28: VdwParameters(48.0, 373.0, 3.82),  # Ni
    29: VdwParameters(42.0, 253.0, 3.76),  # Cu
    30: VdwParameters(40.0, 284.0, 4.02),  # Zn
    31: VdwParameters(60.0, 498.0, 4.19),  # Ga
    32: VdwParameters(41.0, 354.0, 4.2),  # Ge
    33: VdwParameters(29.0, 246.0, 4.11),  # As
    34: VdwParameters(25.0, 210.0, 4.04),  # Se
    35: VdwParameters(20.0, 162.0, 3.93),  # Br
    36: VdwParameters(16.8, 129.6, 3.82),  # Kr
    37: VdwParameters(319.2, 4691.0, 3.72),  # Rb
    38: VdwParameters(199.0, 3170.0, 4.54),  # Sr
    39: VdwParameters(126.737, 1968.58, 4.8151),  # Y
    40: VdwParameters(119.97, 1677.91, 4.53),  # Zr
    41: VdwParameters(101.603, 1263.61, 4.2365),  # Nb
    42: VdwParameters(88.4225785, 1028.73, 4.099),  # Mo
    43: VdwParameters(80.083, 1390.87, 4.076),  # Tc
    44: VdwParameters(65.895, 609.754, 3.9953),  # Ru
    45: VdwParameters(56.1, 469.0, 3.95),  # Rh
    46: VdwParameters(23.68, 157.5, 3.66),  # Pd
    47: VdwParameters(50.6, 339.0, 3.82),  # Ag
    48: VdwParameters(39.7, 452.0, 3.99),  # Cd
    49: VdwParameters(70.22, 707.046, 4.23198),  # In
    50: VdwParameters(55.95, 587.417, 4.303),  # Sn
    51: VdwParameters(43.67197, 459.322, 4.276),  # Sb
    52: VdwParameters(37.65, 396.0, 4.22),  # Te
    53: VdwParameters(35.0, 385.0, 4.17),  # I
    54: VdwParameters(27.3, 285.9, 4.08),  # Xe
    55: VdwParameters(427.12, 6582.08, 3.78),  # Cs
    56: VdwParameters(275.0, 5727.0, 4.77),  # Ba
    57: VdwParameters(213.7, 3884.5, 3.14),  # La
    58: VdwParameters(204.7, 3708.33, 3.26),  # Ce
    59: VdwParameters(215.8, 3911.84, 3.28),  # Pr
    60: VdwParameters(208.4, 3908.75, 3.3),  # Nd
    61: VdwParameters(200.2, 3847.68, 3.27),  # Pm
    62: VdwParameters(192.1, 3708.69, 3.32),  # Sm
    63: VdwParameters(184.2, 3511.71, 3.4),  # Eu
    64: VdwParameters(158.3, 2781.53, 3.62),  # Gd
    65: VdwParameters(169.5, 3124.41, 3.42),  # Tb
    66: VdwParameters(164.64, 2984.29, 3.26),  # Dy
    67: VdwParameters(156.3, 2839.95, 3.24),  # Ho
    68: VdwParameters(150.2, 2724.12, 3.3),  # Er
    69: VdwParameters(144.3, 2576.78, 3.26),  # Tm
    70: VdwParameters(138.9, 2387.53, 3.22),  # Yb
    71: VdwParameters(137.2, 2371.8, 3.2),  # Lu
    72: VdwParameters(99.52, 1274.8, 4.21),  # Hf
    73: VdwParameters(82.53, 1019.92, 4.15),  # Ta
    74: VdwParameters(71.041, 847.93, 4.08),  # W
    75: VdwParameters(63.04, 710.2, 4.02),  # Re
    76: VdwParameters(55.055, 596.67, 3.84),  # Os
    77: VdwParameters(42.51, 359.1, 4.0),  # Ir
    78: VdwParameters(39.68, 347.1, 3.92),  # Pt
    79: VdwParameters(36.5, 298.0, 3.86),  # Au
    80: VdwParameters(33.9, 392.0, 3.98),  # Hg
    81: VdwParameters(69.92, 717.44, 3.91),  # Tl
    82: VdwParameters(61.8, 697.0, 4.31),  # Pb
    83: VdwParameters(49.02, 571.0, 4.32),  # Bi
    84: VdwParameters(45.013, 530.92, 4.097),  # Po
    85: VdwParameters(38.93, 457.53, 4.07),  # At
    86: VdwParameters(33.54, 390.63, 4.23),  # Rn
}
