"""PySCF's settings for the command `morered energy`: its own defaults.

PySCF runs the file that ``PYSCF_CONFIG_FILE`` names, and without one a ``.pyscf_conf.py`` of the current folder.
"""
