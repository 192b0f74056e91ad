"""`MUMT` of the published DDLO program: the cost of a decision for the tasks of all users."""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import InputError, not_negative, real_numbers, size
from ..multi_task.world import MultiTaskMEC


class MUMT:
    """Drop-in for the published class of N users with M tasks each; of its attributes only these two.

    As there, its making seeds NumPy's global random state, and draws from it: what a script draws afterwards is
    the same.

    Args:
        N: users.
        M: tasks of each user.
        rand_seed: of NumPy's global random state.

    Raises:
        InputError: when `N` or `M` is below 1.
    """

    def __init__(self, N: int, M: int, rand_seed: int = 1) -> None:
        self.N, self.M = size("N", N), size("M", M)
        self._world = MultiTaskMEC(N, M)
        try:
            np.random.seed(rand_seed)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(f"rand_seed must be a whole number, 0 to 2**32 - 1, got {rand_seed!r}") from error
        np.random.randint(10, 31, size=(N, M))
        np.random.randint(0, 1, size=(N, M))
        np.random.randint(0, 2, size=(N, M))
        np.random.rand(N, 2)

    def compute_Q(self, task_size: ArrayLike, M: ArrayLike) -> float:  # noqa: N802 (the published names)
        """The cost of the decision `M` (N M,) for tasks of `task_size` (N M,), MB, those of the first user first.

        Raises InputError for another number of entries, or sizes that are negative or not finite.
        """
        sizes, decision = not_negative("task_size", task_size), real_numbers("M", M)
        if sizes.size != self.N * self.M or decision.size != self.N * self.M:
            raise InputError(
                f"task_size and M must hold {self.N} x {self.M} entries, got {sizes.shape} and {decision.shape}"
            )
        shape = (self.N, self.M)
        return float(self._world.cost_of(sizes.reshape(shape), decision.reshape(shape)))
