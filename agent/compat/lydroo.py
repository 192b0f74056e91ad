"""The class of the published LyDROO program (Bi, Huang, Wang, Zhang, IEEE Trans. Wireless Comm. 2021)."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from . import droo


class MemoryDNN(droo.MemoryDNN):
    """Drop-in for `MemoryDNN` of the published LyDROO program: DROO's, with one mode more, 'OPN'.

    Args, attributes and errors: of `agent.compat.droo.MemoryDNN`.
    """

    modes: ClassVar[dict[str, str]] = {**droo.MemoryDNN.modes, "OPN": "opn"}

    def opn(self, m: NDArray[np.floating], k: int = 1) -> list[NDArray[np.int64]]:
        """`k` order-preserving candidates of a relaxed decision (N,), and `k` of a noisy one.

        As in the published program the noise, N(0, 1), is added to the outputs in (0, 1), and a sigmoid follows.
        """
        noisy = 1 / (1 + np.exp(-(m + np.random.normal(0, 1, len(m)))))
        return self.knm(m, k) + self.knm(noisy, k)
