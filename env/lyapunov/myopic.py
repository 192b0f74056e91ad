"""The myopic benchmark of the LyDROO paper: as much data as possible in this frame, whatever the queues.

In frame t (from 1) it maximises the weighted rate ``sum_i w_i r_i`` with ``r_i <= Q_i`` and the energy budget
``e_i <= t gamma_i - (spent before)``, which keeps the average energy within its threshold in every frame. It is a
problem of its own, so it is an environment: the same world with another value, and every baseline decides in it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from env.arrays import FloatArray, binary, last_dimension, not_negative, one_a_user
from env.exhaustive import all_decisions
from env.lambert_w import log_snr
from env.lyapunov.world import EXHAUSTIVE_USERS, LyapunovMEC

_GRID = np.exp(-np.arange(0, 30, 1 / 32))
"""Prices of time tried, over the highest one, so dense that an answer between two of them loses 1e-5 at most."""


class MyopicMEC:
    """A `LyapunovMEC` world whose value is the weighted rate of this frame alone, Mbit.

    Args:
        num_users: N, as for `LyapunovMEC`.
        settings: all other settings of `LyapunovMEC`.

    Attributes:
        world: the `LyapunovMEC`. budget: (N,), energy that each user may spend in this frame, J.
    """

    decisions_matter_later = True
    metric_labels: ClassVar[dict[str, str]] = {**LyapunovMEC.metric_labels, "value": "Weighted rate (Mbit)"}

    def __init__(self, num_users: int | None = None, **settings: Any) -> None:
        self.world = LyapunovMEC(num_users, **settings)
        self.num_users = self.world.num_users
        self._begin(np.zeros(self.num_users))

    def reset(self, seed: int | None = None) -> FloatArray:
        """Start over at frame 0, with a new seed where one is given; returns the first observation, (N, 3)."""
        observation = self.world.reset(seed)
        self._begin(np.zeros(self.num_users))
        return observation

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (N, 3), as of the `LyapunovMEC`."""
        return self.world.observe()

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Weighted rates of decisions (K, N) in this frame, (K,), Mbit.

        Raises ValueError when a decision is not 0 or 1 or the shape does not fit.
        """
        decisions = binary("decisions", decisions)
        last_dimension("decisions", decisions, self.num_users)
        return self._rates(decisions, self._transmit_times(decisions)) @ self.world.weights

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (N,) with the allocation that `evaluate` found, and move to the next frame.

        Raises ValueError when the decision is not 0 or 1 or the shape does not fit; the frame is then unchanged.
        """
        decision = binary("decision", decision)
        one_a_user("decision", decision, self.num_users)
        time = self._transmit_times(decision)
        rate = self._rates(decision, time)
        # A user spends no more than its data take: over `time`, at the lowest power that carries them.
        exponent = rate / self.world.rate_scale / np.maximum(time, 1e-200)
        sent = np.where(time > 0, self._noise * np.expm1(np.where(time > 0, exponent, 0.0)) * time, 0.0)
        computed = self.world.energy_coefficient * (rate * self.world.cycles_per_mbit) ** 3
        energy = np.minimum(np.where(decision > 0, sent, computed), self.budget)
        self.world.serve(rate, energy)
        self._begin(self._spent + energy)

    def frame_optimum(self) -> float | None:
        """The highest value of any decision in this frame, found by trying all; None above 12 users."""
        if self.num_users > EXHAUSTIVE_USERS:
            return None
        return float(self.evaluate(all_decisions(self.num_users)).max())

    def frame_metrics(self) -> dict[str, float]:
        """As of the `LyapunovMEC`."""
        return self.world.frame_metrics()

    @property
    def metric_limits(self) -> dict[str, float]:
        """As of the `LyapunovMEC`."""
        return self.world.metric_limits

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {"world": self.world.state_dict(), "spent": self._spent.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises ValueError when it is of another number of users."""
        spent = not_negative("spent", np.asarray(state["spent"]))
        one_a_user("spent", spent, self.num_users)
        self.world.load_state_dict(state["world"])
        self._begin(spent)

    def _begin(self, spent: FloatArray) -> None:
        """Prepare a frame: how long each user would transmit at each price of time, (N, G), and local rates."""
        world = self.world
        self._spent = spent
        self.budget = np.maximum((world.frame + 1) * world.energy_threshold - spent, 0.0)
        cycles = np.minimum(world.cycles_per_mbit * world.data_queue, world.cpu_frequency)
        cycles = np.minimum(cycles, np.cbrt(self.budget / world.energy_coefficient))
        self._local_rate = cycles / world.cycles_per_mbit

        self._noise = world.noise_power / world.gains
        self._full_power = np.log1p(
            world.transmit_power / self._noise
        )  # exponent, as in `env.lyapunov.allocation`
        value = world.weights * world.rate_scale
        highest = value * self._full_power
        usable = world.data_queue / world.rate_scale
        at_full_power = np.minimum(self.budget / world.transmit_power, usable / self._full_power)
        longest = self._time_to_empty(usable)

        # Either side of each price at which a user falls silent, so that a mix of neighbours serves it in part.
        prices = np.concatenate([highest.max() * _GRID, highest, highest * (1 - 1e-12)])
        prices = -np.sort(-prices)
        exponent = log_snr(prices / value[:, None])
        stretched = (self.budget / self._noise)[:, None] / np.expm1(np.minimum(exponent, 600.0))
        time = np.minimum(np.maximum(stretched, at_full_power[:, None]), longest[:, None])
        self._times = np.where(prices < highest[:, None], time, 0.0)

    def _time_to_empty(self, data: FloatArray) -> FloatArray:
        """The time in which the budget's energy carries all data, (N,); the whole frame where it takes longer."""
        low, high = data / self._full_power, np.ones(self.num_users)
        for _ in range(60):
            middle = (low + high) / 2
            enough = self._capacity(middle) >= data
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.where(data > 0, high, 0.0)

    def _capacity(self, time: FloatArray) -> FloatArray:
        """Data that users could send in `time` (..., N), as an exponent times the time."""
        snr = self.budget / self._noise / np.maximum(time, 1e-200)
        return time * np.minimum(np.log1p(snr), self._full_power)

    def _transmit_times(self, decisions: FloatArray) -> FloatArray:
        """(..., N): between the answers to two prices, one asking for too much time and one for too little."""
        demand = decisions @ self._times
        above = np.argmax(demand >= 1, axis=-1)
        enough = demand.max(-1) < 1
        above = np.where(enough, self._times.shape[1] - 1, np.maximum(above, 1))
        more = decisions * self._times.T[above]
        less = decisions * self._times.T[above - 1]
        over, under = more.sum(-1, keepdims=True), less.sum(-1, keepdims=True)
        share = np.clip((1 - under) / np.maximum(over - under, 1e-200), 0.0, 1.0)
        return less + share * (more - less)

    def _rates(self, decisions: FloatArray, time: FloatArray) -> FloatArray:
        """(..., N), Mbit."""
        sent = np.minimum(self.world.rate_scale * self._capacity(time), self.world.data_queue)
        return np.where(decisions > 0, sent, self._local_rate)
