"""PaiNN's steps as compiled loops for CPUs, on flat batches without padding.

`kernels.cpp` is compiled for each instruction set when the package is built (`setup.py`); `binding.cpp` makes them callable and
checks every argument. `library` opens what this machine runs best.
"""
