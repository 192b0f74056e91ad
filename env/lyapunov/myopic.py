"""The myopic benchmark of the LyDROO paper: as much data as possible in this frame, whatever the queues.

In frame t (from 1) it maximises the weighted rate ``sum_i w_i r_i`` with ``r_i <= Q_i`` and the energy budget
``e_i <= t gamma_i - (spent before)``, which keeps the average energy within its threshold in every frame. It is a
problem of its own, so it is an environment: the same world with another value, and every baseline decides in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import FloatArray, InputError, not_negative, one_a_user
from ..environment import Environment
from ..lambert_w import log_snr
from ..machine_code import machine_code
from ..state import all_or_nothing
from .world import EXHAUSTIVE_USERS, LyapunovMEC

_MAX_STEPS = 100
_GRID = np.exp(-np.arange(0, 30, 1 / 32))
"""Prices of time tried, over the highest one, so dense that an answer between two of them loses 1e-5 at most."""


class MyopicMEC(Environment):
    """A `LyapunovMEC` world whose value is the weighted rate of this frame alone, Mbit.

    Args:
        num_users: N, as for `LyapunovMEC`.
        settings: all other settings of `LyapunovMEC`.

    Attributes:
        world: the `LyapunovMEC`. budget: (N,), energy that each user may spend in this frame, J.
    """

    decisions_matter_later = True
    metric_labels: ClassVar[dict[str, str]] = {**LyapunovMEC.metric_labels, "value": "Weighted rate (Mbit)"}
    bar_labels = LyapunovMEC.bar_labels

    def __init__(self, num_users: int | None = None, **settings: Any) -> None:
        if settings.get("replicas") is not None:
            raise InputError(
                f"replicas must be None, for frames are solved one by one, got {settings['replicas']}"
            )
        self.world = LyapunovMEC(num_users, **settings)
        self.num_users = self.world.num_users
        self.metric_limits = self.world.metric_limits
        super().__init__(settings.get("seed", 0))

    def reset(self, seed: int | Sequence[int] | None = None) -> FloatArray:
        """Start over at frame 0, with a new seed where one is given; returns the first observation, (N, 3)."""
        self.world.reset(seed)
        return super().reset(seed)

    def start(self) -> None:
        """Nothing is spent yet."""
        self._spent = np.zeros(self.num_users)

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (N, 3), as of the `LyapunovMEC`."""
        return self.world.observe()

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Weighted rates of decisions (K, N) in this frame, (K,), Mbit.

        Raises InputError when a decision is not 0 or 1 or the shape does not fit.
        """
        decisions = self.decisions.check("decisions", decisions)
        return self._allocation(decisions)[1] @ self.world.weights

    def carry_out(self, decision: FloatArray) -> None:
        """Serve the queues with the allocation that `evaluate` found."""
        time, rate = self._allocation(decision)
        # A user spends no more than its data take: over `time`, at the lowest power that carries them.
        exponent = rate / self.world.rate_scale / np.maximum(time, 1e-200)
        sent = np.where(time > 0, self._noise * np.expm1(np.where(time > 0, exponent, 0.0)) * time, 0.0)
        computed = self.world.energy_coefficient * (rate * self.world.cycles_per_mbit) ** 3
        energy = np.minimum(np.where(decision > 0, sent, computed), self.budget)
        self.world.serve(rate, energy)
        self._spent = self._spent + energy

    def frame_optimum(self) -> float | None:
        """The highest value of any decision in this frame, found by trying all; None above 12 users."""
        return self.best_of_all(2**EXHAUSTIVE_USERS)

    def frame_metrics(self) -> dict[str, float]:
        """As of the `LyapunovMEC`."""
        return self.world.frame_metrics()

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {"world": self.world.state_dict(), "spent": self._spent.copy(), **self._added()}

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises InputError when it is of another number of users."""
        spent = not_negative("spent", np.asarray(state["spent"]))
        one_a_user("spent", spent, self.num_users)
        self.world.load_state_dict(state["world"])
        self._frame, self._spent = self.world.frame, spent
        self.begin_frame()
        self._load_added(state)

    def begin_frame(self) -> None:
        """Prepare a frame: how long each user would transmit at each price of time, (N, G), and local rates."""
        world = self.world
        self.budget = np.maximum((world.frame + 1) * world.energy_threshold - self._spent, 0.0)
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
        if (code := machine_code("lyapunov.compiled_myopic")) is not None:
            energy = self.budget / self._noise
            longest, prices = code.time_to_empty(usable, energy, self._full_power), code.prices_of(_GRID, highest)
            times, known = np.empty((len(prices), self.num_users)), np.zeros(len(prices), dtype=np.bool_)
            self._answers = prices, value, highest, energy, at_full_power, longest, times, known
            return
        longest = self._time_to_empty(usable)

        # Either side of each price at which a user falls silent, so that a mix of neighbours serves it in part.
        prices = np.concatenate([highest.max() * _GRID, highest, highest * (1 - 1e-12)])
        prices = -np.sort(-prices)
        exponent = log_snr(prices / value[:, None])
        stretched = (self.budget / self._noise)[:, None] / np.expm1(np.minimum(exponent, 600.0))
        time = np.minimum(np.maximum(stretched, at_full_power[:, None]), longest[:, None])
        self._times = np.where(prices < highest[:, None], time, 0.0)

    def _allocation(self, decisions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Times and rates (..., N) of decisions (..., N)."""
        if (code := machine_code("lyapunov.compiled_myopic")) is None:
            time = self._transmit_times(decisions)
            return time, self._rates(decisions, time)
        rows = np.ascontiguousarray(decisions, dtype=np.float64).reshape(-1, self.num_users)
        world = self.world
        frame = self._full_power, world.data_queue, self._local_rate, world.rate_scale
        time, rate = code.allocation(rows, *self._answers, *frame)
        return time.reshape(decisions.shape), rate.reshape(decisions.shape)

    def _time_to_empty(self, data: FloatArray) -> FloatArray:
        """The time in which the budget's energy carries all data, (N,); the whole frame where it takes longer.

        What is carried is concave in the time, so Newton's method climbs to it from the time at full power.
        """
        time = np.minimum(data / self._full_power, 1.0)
        for _ in range(_MAX_STEPS):
            snr = self.budget / self._noise / np.maximum(time, 1e-200)
            slope = np.maximum(np.log1p(snr) - snr / (1 + snr), 1e-200)
            later = np.minimum(time + np.maximum(data - self._capacity(time), 0.0) / slope, 1.0)
            if (later - time <= 1e-15 * later).all():
                break
            time = later
        return np.where(data > 0, later, 0.0)

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
