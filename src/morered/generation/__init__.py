"""Generation: a composition and pure noise become molecules (Appendix B.5), and what they are worth."""

from morered.generation.formula import FormulaError, numbers_of
from morered.generation.sampling import compositions, draw, from_settings, generate, preset

__all__ = ["FormulaError", "compositions", "draw", "from_settings", "generate", "numbers_of", "preset"]
