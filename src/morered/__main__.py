"""`python -m morered`, the same as the command `morered`."""

import os
import sys

if not sys.flags.safe_path and sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(os.getcwd()):
    del sys.path[0]  # the current folder, which `python -m` puts there: no file in it is run

from morered.cli import entry

entry()
