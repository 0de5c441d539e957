"""The level of theory of a single point, in one place so that a table can say what it was made with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Self

#: Damping parameter of MBD@rsSCS for each functional (Ambrosetti et al. 2014, J. Chem. Phys. 140, 18A508).
MBD_BETA = {"pbe": 0.83, "pbe0": 0.85}


@dataclass(frozen=True)
class Level:
    """What a single point is computed with; the defaults are the paper's PBE0+MBD/def2-TZVP (section 3.2).

    Attributes
    ----------
    functional, basis
        As PySCF names them.
    dispersion
        Whether MBD@rsSCS is added.
    grid, coarse_grid
        PySCF's grid level (0 to 9) of the energy, and of the self-consistent field that leads to it. With both the same there
        is one stage.
    density_fitting
        Coulomb and exchange integrals by density fitting; errs by 0.01 kcal/mol in energy differences.
    convergence
        Change of the energy in hartree at which the field counts as converged.
    max_cycles
        Cycles before the next, slower way to converge is tried.
    max_memory
        PySCF's limit in MB; None leaves PySCF's own.
    threads
        Threads of PySCF; None leaves OpenMP's own number.
    gpu
        Compute on a GPU through gpu4pyscf, which must be installed.

    Raises
    ------
    ValueError
        If a value is impossible; the message names the key.
    """

    functional: str = "pbe0"
    basis: str = "def2-tzvp"
    dispersion: bool = True
    grid: int = 3
    coarse_grid: int = 1
    density_fitting: bool = True
    convergence: float = 1e-7
    max_cycles: int = 50
    max_memory: int | None = None
    threads: int | None = None
    gpu: bool = False

    def __post_init__(self) -> None:
        for name in ("grid", "coarse_grid"):
            if not 0 <= getattr(self, name) <= 9:
                raise ValueError(f"{name} must be one of PySCF's levels 0 to 9, not {getattr(self, name)}")
        if self.coarse_grid > self.grid:
            raise ValueError(f"coarse_grid ({self.coarse_grid}) must not be finer than grid ({self.grid})")
        for name in ("max_memory", "threads"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        if not self.convergence > 0:
            raise ValueError(f"convergence must be positive, not {self.convergence}")
        if self.dispersion and self.functional.lower() not in MBD_BETA:
            raise ValueError(
                f"MBD's damping is known for {', '.join(MBD_BETA)}, not for {self.functional}; set dispersion: false"
            )

    @property
    def beta(self) -> float:
        """MBD's damping parameter for the functional."""
        return MBD_BETA[self.functional.lower()]

    @property
    def name(self) -> str:
        """As a table says it, e.g. "PBE0+MBD/def2-TZVP"."""
        basis = self.basis.replace("tzvp", "TZVP").replace("svp", "SVP").replace("qzvp", "QZVP").replace("sto-3g", "STO-3G")
        return f"{self.functional.upper()}{'+MBD' if self.dispersion else ''}/{basis}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """A level from plain values; unknown keys are refused by name."""
        known = [f.name for f in fields(cls)]
        for key in values:
            if key not in known:
                raise ValueError(f"unknown key {key!r} of a level of theory; there are: {', '.join(known)}")
        return cls(**values)
