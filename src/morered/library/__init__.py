"""Libraries of molecules: read, relaxed and written one batch after another, so that they may have any number of molecules.

batch     what becomes of one batch, here or in a worker process
outputs   files that grow by batches, and go on after the program was killed
journal   what an unfinished run has done
run       all of it: `relax_library`
"""
