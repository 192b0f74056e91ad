"""The commands. Whatever is imported from here first, before NumPy, sets one thread for small arrays.

On arrays of this size threads cost more than they save, many times more on a busy machine, and their number
changes the last bits of a product, so that a run would not repeat to the byte.
"""

import atexit
import gc
import os
import sys

from mec_offloading import PACKAGES, shadow

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

try:
    import jsonargparse  # noqa: F401
except ImportError as missing:
    sys.exit(f"error: the commands need {missing.name}, of the extra 'sim': pip install 'mec-offloading[sim]'")

for name in PACKAGES:
    if (file := shadow(name)) is not None:
        sys.exit(f"error: {file} stands in the place of this project's package {name}: rename it")

atexit.register(gc.freeze)  # what a process leaves is not searched for garbage first, which takes a second
