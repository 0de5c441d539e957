"""Energies and optimisations of many geometries: samples of them, batches that survive a kill, and what they cost."""
