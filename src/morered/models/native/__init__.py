"""PaiNN's steps as compiled loops for CPUs, on flat batches without padding.

`kernels.cpp` is compiled once per machine with the C++ compiler found there (seconds) and kept in the user's cache folder.
"""
