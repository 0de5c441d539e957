"""`python -m morered`, the same as the command `morered`."""

import sys

from morered.cli import main

sys.exit(main())
