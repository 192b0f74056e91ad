"""Several servers with tasks that are split between user and server: the example of a critic that takes long."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError, one_of
from ..limits import Limited
from .costs import Costs
from .optimum import MultiServerOptimum
from .splitting import CRITICS, Split, Worth, split_batched
from .subsets import best_partition, subsets
from .world import MultiServerMEC, Shares

MOST_USERS = 12
"""For which the optimum is found."""


class PartialMEC(MultiServerMEC):
    """As `MultiServerMEC`, but a user that offloads sends a part of its task and computes the rest meanwhile.

    A decision's value is the benefit ``N - C`` with the best splits and shares (`env.multi_server.splitting`), a
    convex program on each server, which general solvers take milliseconds for: with ``critic='scipy'`` this is the
    world to try an agent's `patience`, `max_evaluations` and `workers` in. With 'batched', the default, the same
    values take microseconds.

    Sending takes energy while a user is on the air, ``rho p_u d_u / (B_s r_us)``, not while it waits for its turn,
    as in `MultiServerMEC`.

    Args:
        num_users: N. num_servers: M, both as of `MultiServerMEC`.
        critic: 'batched', or 'scipy' for SciPy's SLSQP, one decision after another (the extra 'sim').
        delay_weight: as there, by default 0.9: with it no user gains by waiting for a server, with 0.5 all do.
        seed: of all random numbers.
        **settings: as of `MultiServerMEC`.

    Attributes:
        gains, task_bits, task_cycles, decisions: as there. worth: `Worth`, of this frame.

    Raises:
        InputError: as there, and for another critic.
    """

    def __init__(
        self,
        num_users: int | None = None,
        num_servers: int | None = None,
        *,
        critic: Literal["batched", "scipy"] = "batched",
        delay_weight: float | Sequence[float] = 0.9,
        seed: int = 0,
        **settings: Any,
    ) -> None:
        one_of("critic", critic, tuple(CRITICS))
        if settings.get("replicas") is not None:
            raise InputError(
                f"replicas must be None, for frames are solved one by one, got {settings['replicas']}"
            )
        self.critic = critic
        super().__init__(num_users, num_servers, delay_weight=delay_weight, seed=seed, **settings)

    def set_frame(
        self, gains: ArrayLike, task_bits: ArrayLike, task_cycles: ArrayLike, up: ArrayLike | None = None
    ) -> None:
        """As of `MultiServerMEC`."""
        super().set_frame(gains, task_bits, task_cycles, up)
        saved = np.maximum(self._saved(self.gains, self.task_bits, self.task_cycles), 0.0)
        saved.setflags(write=False)
        self.worth = Worth(*self.costs, saved)

    def _sending(self, gains: FloatArray, bits: FloatArray) -> FloatArray:
        """Seconds on the air of whole tasks, (N, M)."""
        seconds: FloatArray = bits[:, None] / (self.bandwidth * np.log2(1 + self._snr(gains)))
        return seconds

    def _saved(self, gains: FloatArray, bits: FloatArray, cycles: FloatArray) -> FloatArray:
        """v, (N, M), also where it is below 0."""
        _, energy = self._local(cycles)
        of_a_second = (1 - self.delay_weight) * self.transmit_power / energy
        return 1 - of_a_second[:, None] * self._sending(gains, bits)

    def _costs_of(self, gains: FloatArray, bits: FloatArray, cycles: FloatArray) -> Costs:
        """a and b of `env.multi_server.splitting`; very large where a server saves nothing."""
        delay, _ = self._local(cycles)
        weight = np.maximum(self._saved(gains, bits, cycles), 1e-9) * delay[:, None]
        computing = cycles[:, None] / self.server_frequency
        return Costs(np.sqrt(self._sending(gains, bits) / weight), np.sqrt(computing / weight))

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Benefits of decisions (K, N) in this frame, (K,); raises InputError as `MultiServerMEC`."""
        solved = CRITICS[self.critic](self.worth, self._on(self.decisions.check("decisions", decisions)))
        return solved.value.sum(-1)

    def _on(self, decisions: NDArray[Any]) -> NDArray[np.bool_]:
        """Which server a decision (..., N) has a user on, (..., N, M)."""
        return np.asarray(decisions)[..., None] == np.arange(1, self.num_servers + 1)

    def _solved(self, decisions: ArrayLike) -> Split:
        return split_batched(self.worth, self._on(self.decisions.check("decisions", decisions)))

    def offloaded(self, decisions: ArrayLike) -> FloatArray:
        """The best splits for decisions (..., N): rho, (..., N), the part of its task that a user sends."""
        share: FloatArray = self._solved(decisions).share.sum(-1)
        return share

    def allocate(self, decisions: ArrayLike) -> Shares:
        """The best shares for decisions (..., N) in this frame; raises InputError as `evaluate`."""
        solved = self._solved(decisions)
        share = solved.share.sum(-1)
        delay, energy = self._local(self.task_cycles)
        on_air = (solved.share * self._sending(self.gains, self.task_bits)).sum(-1)
        return Shares(
            solved.bandwidth.sum(-1),
            solved.cpu.sum(-1),
            (1 - share) * delay,
            (1 - share) * energy + self.transmit_power * on_air,
            self.num_users - solved.value.sum(-1),
        )

    def optimum(self, *, tolerance: float = 1e-9, time_limit: float | None = None) -> MultiServerOptimum:
        """The decision of least cost in this frame that keeps the limits, exact, from all subsets of the users.

        Raises InputError for more than 12 users; there is no other tolerance or time.
        """
        if self.num_users > MOST_USERS:
            raise InputError(f"num_users must be at most {MOST_USERS} for the optimum, got {self.num_users}")
        every = subsets(self.num_users)
        values = split_batched(self.worth, np.repeat(every[..., None], self.num_servers, -1)).value
        if isinstance(self.decisions, Limited):
            absent = (every[..., None] & ~self.decisions.mask[:, 1:]).any(1)
            full = every.sum(-1)[:, None] > self.decisions.capacities[1:]
            values = np.where(absent | full, -np.inf, values)
        decision = best_partition(values)
        cost = self.num_users - float(self._solved(decision).value.sum())
        return MultiServerOptimum(decision, cost, cost)

    def frame_optimum(self) -> float | None:
        """The best benefit in this frame; None for more than 12 users."""
        return None if self.num_users > MOST_USERS else self.num_users - self.optimum().cost
