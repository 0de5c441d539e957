"""Effective core potentials: of heavy atoms a basis such as def2-TZVP describes the outer electrons alone."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from functools import cache


def core_potentials(basis: str, symbols: Iterable[str]) -> dict[str, str]:
    """PySCF's argument ``ecp``: element -> name, for those of the elements to which the basis belongs with such a potential.

    PySCF leaves it to its caller to name the potential. Without it all electrons would crowd into functions made for the outer
    ones, and the energy would be wrong by thousands of hartree, without a word.
    """
    return {symbol: basis for symbol in sorted(set(symbols)) if _has(basis.lower(), symbol)}


@cache
def _has(basis: str, symbol: str) -> bool:
    from pyscf.gto.basis import load_ecp
    from pyscf.lib.exceptions import BasisNotFoundError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PySCF recommends a package where its own files know no such basis
        try:
            return bool(load_ecp(basis, symbol))
        except (BasisNotFoundError, RuntimeError, KeyError, OSError):
            return False
