"""PBE0+MBD: PySCF's PBE0, Hirshfeld volumes of its density, and many-body dispersion from them."""
