"""One thread for the small arrays of a frame, unless the environment says otherwise; imported before NumPy.

On arrays of this size threads cost more than they save, many times more on a busy machine, and their number
changes the last bits of a product, so that a run would not repeat to the byte.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
