"""The level of theory of a single point, in one place so that a table can say what it was made with."""

from __future__ import annotations

from dataclasses import dataclass

from morered.settings.base import Settings, key

#: Damping parameter of MBD@rsSCS for each functional (Ambrosetti et al. 2014, J. Chem. Phys. 140, 18A508).
MBD_BETA = {"pbe": 0.83, "pbe0": 0.85}


@dataclass(frozen=True)
class LevelSettings(Settings):
    """What a study says of a level; the defaults are the paper's (section 3.2).

    With the same ``grid`` and ``coarse_grid`` there is one stage.
    """

    basis: str = key("def2-tzvp", "Basis set, as PySCF names it.")
    grid: int = key(3, "PySCF's grid level of the energy.", ge=0, le=9)
    coarse_grid: int = key(1, "Grid level of the self-consistent field that leads to it.", ge=0, le=9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.coarse_grid > self.grid:
            raise ValueError(f"coarse_grid: {self.coarse_grid} must not be finer than grid ({self.grid})")


@dataclass(frozen=True)
class Level(LevelSettings):
    """What a single point is computed with; the defaults are the paper's PBE0+MBD/def2-TZVP.

    Density fitting errs by 0.01 kcal/mol in energy differences.
    """

    functional: str = key("pbe0", "Functional, as PySCF names it.")
    dispersion: bool = key(True, "Whether MBD@rsSCS is added.")
    density_fitting: bool = key(True, "Whether integrals are fitted; exact ones take about seven times as long.")
    convergence: float = key(1e-7, "Change of the energy in hartree at which the field counts as converged.", gt=0)
    max_cycles: int = key(50, "Cycles before the next, slower way to converge is tried.", ge=1)
    max_memory: int | None = key(None, "PySCF's limit in MB; null: PySCF's own.", ge=1)
    threads: int | None = key(None, "Threads of PySCF; null: OpenMP's own number.", ge=1)
    gpu: bool = key(False, "Whether gpu4pyscf computes, which must be installed.")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dispersion and self.functional.lower() not in MBD_BETA:
            raise ValueError(
                f"functional: MBD's damping is known for {', '.join(MBD_BETA)}, not for {self.functional}; set dispersion: false"
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
