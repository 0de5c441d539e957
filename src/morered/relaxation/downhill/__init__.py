"""Relaxation by energies and forces: L-BFGS for many molecules at once, ASE's, and programs that take one molecule."""
