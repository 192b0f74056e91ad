"""The commands. Whatever is imported from here first, before NumPy, sets one thread for small arrays.

On arrays of this size threads cost more than they save, many times more on a busy machine, and their number
changes the last bits of a product, so that a run would not repeat to the byte.
"""

import os
import sys

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

try:
    import jsonargparse  # noqa: F401
except ImportError as missing:
    sys.exit(f"the scripts need {missing.name}: install the 'sim' extra, pip install -e '.[sim]'")
