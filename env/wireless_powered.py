"""The wireless powered MEC network of the DROO paper (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020).

Per frame of unit length the access point broadcasts energy for a fraction `a`; then every offloading user
transmits for its own fraction, while local users compute on harvested energy. The weighted sum computation
rate is the objective (eqs. 4, 7 and problem P1 of the paper).
"""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from time import monotonic
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from env.allocation import Allocation, TimeSplit, split_time
from env.arrays import (
    FloatArray,
    binary,
    last_dimension,
    one_a_user,
    positive,
    positive_number,
    whole_number,
)
from env.channel import Channel, Rayleigh
from env.exhaustive import all_decisions
from env.optimum import Optimum, certified_optimum, rounded_relaxation
from env.trace import RecordedTrace

_BLOCK = 2**17
"""Entries of the arrays that `optimum` works on at a time, few enough to stay in a processor's cache."""
_EXHAUSTIVE_USERS = 10
"""Up to here, trying all 2^N decisions of one single frame takes less time than the certified search."""


class WirelessPoweredMEC:
    """An environment: N users, one access point, a decision (0 local, 1 offload) for each user a frame.

    Args:
        num_users: N; by default the channel's number where it fixes one, else 10.
        channel: a `Channel`, or the path of a recorded trace; by default `Rayleigh()`.
        weights: w_i of each user's rate; by default 1 for even and 1.5 for odd users, as published.
        observation: what `observe` shows: 'log_gain', ``ln(gain_scale h)``, or 'gain', ``gain_scale h``.
        gain_scale: brings the gains close to 1 (the published code's 1e6).
        transmit_power: P of the access point, W.
        harvesting_efficiency: mu, in (0, 1].
        cycles_per_bit: phi, CPU cycles.
        energy_coefficient: k of the CPU's energy, k f^2 a cycle.
        bandwidth: B, Hz.
        overhead: v_u, bits sent for each bit of data.
        noise_power: N0, W.
        seed: of the channel.

    Raises:
        ValueError: for any setting out of range, naming it; FileNotFoundError for a missing trace.
    """

    def __init__(
        self,
        num_users: int | None = None,
        *,
        channel: Channel | str | None = None,
        weights: Sequence[float] | None = None,
        observation: Literal["log_gain", "gain"] = "log_gain",
        gain_scale: float = 1e6,
        transmit_power: float = 3.0,
        harvesting_efficiency: float = 0.7,
        cycles_per_bit: float = 100.0,
        energy_coefficient: float = 1e-26,
        bandwidth: float = 2e6,
        overhead: float = 1.1,
        noise_power: float = 1e-10,
        seed: int = 0,
    ) -> None:
        if isinstance(channel, str | Path):
            channel = RecordedTrace(channel)
        if not isinstance(channel, Channel | None):
            raise ValueError(f"channel must be a Channel or the path of a trace, got {channel!r}")
        self.channel = Rayleigh() if channel is None else deepcopy(channel)  # its state is this environment's own
        if num_users is None:
            num_users = self.channel.num_users or 10
        num_users = whole_number("num_users", num_users)
        self.num_users = num_users
        if weights is None:
            weights = np.where(np.arange(num_users) % 2, 1.5, 1.0)  # type: ignore[assignment]
        self.weights = positive("weights", weights)  # type: ignore[arg-type]
        one_a_user("weights", self.weights, num_users)
        if observation not in ("log_gain", "gain"):
            raise ValueError(f"observation must be 'log_gain' or 'gain', got {observation!r}")
        self._observes_log = observation == "log_gain"
        self._gain_scale = positive_number("gain_scale", gain_scale)

        power = positive_number("transmit_power", transmit_power)
        efficiency = positive_number("harvesting_efficiency", harvesting_efficiency)
        if efficiency > 1:
            raise ValueError(f"harvesting_efficiency must be at most 1, got {harvesting_efficiency}")
        eta1 = np.cbrt(efficiency * power) / positive_number("cycles_per_bit", cycles_per_bit)
        self._local_scale = eta1 / np.cbrt(positive_number("energy_coefficient", energy_coefficient))
        self._snr_scale = efficiency * power / positive_number("noise_power", noise_power)  # eta2
        epsilon = positive_number("bandwidth", bandwidth) / (positive_number("overhead", overhead) * np.log(2))
        self._rate_scale = epsilon

        self.active = np.ones(num_users, dtype=bool)
        self._groups = _WeightGroups(self.weights)
        for scale in (self._local_scale, self._snr_scale, self._rate_scale):
            if not (np.isfinite(scale) and scale > 0):
                raise ValueError("the constants of the problem must give finite rates, these overflow")
        self._seed = whole_number("seed", seed, 0)
        self.reset()

    def reset(self, seed: int | None = None) -> FloatArray:
        """Start over at frame 0, with a new seed where one is given; returns the first observation, (N, 1).

        Weights and active users stay as they are.
        """
        self._seed = self._seed if seed is None else whole_number("seed", seed, 0)
        self._rng = np.random.default_rng(self._seed)
        self.frame = 0
        self.channel.reset(self.num_users, self._rng)
        self._receive(self.channel.sample(self._rng))
        return self.observe()

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (N, 1): each user's scaled gain or its logarithm."""
        scaled = self._gain_scale * self.gains
        seen, off = (np.log(scaled), -12.0) if self._observes_log else (scaled, 0.0)
        return np.where(self.active, seen, off)[:, None]

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Rates of decisions (K, N) in this frame, (K,), bit/s, each with its best allocation.

        Raises ValueError when a decision is not 0 or 1 or the shape does not fit.
        """
        decisions = binary("decisions", decisions)
        last_dimension("decisions", decisions, self.num_users)
        return self._split(self._local, self._snr, decisions, self._groups).rate

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (N,) and move to the next frame.

        Raises ValueError when the decision is not 0 or 1 or the shape does not fit; the frame is then unchanged.
        """
        one_a_user("decision", binary("decision", decision), self.num_users)
        self._receive(self.channel.sample(self._rng))
        self.frame += 1

    def set_weights(self, weights: ArrayLike) -> None:
        """Weigh the users' rates by `weights` (N,) from this frame on; raises ValueError as the constructor."""
        checked = positive("weights", weights)
        one_a_user("weights", checked, self.num_users)
        self.weights = checked
        self._groups = _WeightGroups(self.weights)
        self._receive(self.gains)

    def set_active(self, active: ArrayLike) -> None:
        """Switch users on (1) and off (0) from this frame on; `active` is (N,).

        A user that is off computes and sends nothing, whatever is decided for it, and is observed as a gain of 0
        (its logarithm as -12, below any that occurs). Raises ValueError when nobody is on.
        """
        checked = binary("active", active)
        if checked.shape != (self.num_users,) or not checked.any():
            raise ValueError(f"active must have shape ({self.num_users},) and hold a 1, got {active!r}")
        self.active = checked.astype(bool)
        self._receive(self.gains)

    def allocate(self, gains: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None = None) -> Allocation:
        """Optimal time split for given decisions (problem P2), for any leading batch dimensions.

        Args:
            gains: (..., N), positive power ratios.
            decisions: (..., N), 0 local or 1 offload; broadcast against `gains`.
            weights: (N,) or (..., N); the environment's by default.

        Raises:
            ValueError: for a shape that does not fit, gains or weights that are not positive and finite, or
                decisions that are not 0 or 1.
        """
        gains = positive("gains", gains)
        decisions = binary("decisions", decisions)
        last_dimension("gains", gains, self.num_users)
        last_dimension("decisions", decisions, self.num_users)
        groups = self._groups_of(weights)
        try:
            np.broadcast_shapes(gains.shape, decisions.shape, groups.weights.shape)
        except ValueError as error:
            raise ValueError(
                f"gains {gains.shape}, decisions {decisions.shape} and weights {groups.weights.shape} "
                "must have leading dimensions that broadcast"
            ) from error
        local, snr = self._fold(gains, groups.weights)
        split = self._split(local, snr, decisions, groups)
        a = split.charging_time
        transmit_time = decisions * snr * groups.of_users(split.inverse_snr) * a[..., None]
        return Allocation(split.rate, a, transmit_time)

    def optimum(
        self,
        gains: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        tolerance: float = 1e-9,
        time_limit: float | None = None,
    ) -> Optimum:
        """The best decision for gains (..., N), with a bound on every decision; any N and any weights.

        Args:
            gains: (..., N), positive power ratios.
            weights: (N,) or (..., N); the environment's by default.
            tolerance: relative gap between bound and rate at which the search ends. The default costs hardly more
                than 1e-6 and leaves no better decision unfound within rounding that matters.
            time_limit: seconds after which it ends all the same, with the gap that is left.

        Raises:
            ValueError: for a shape that does not fit, gains or weights that are not positive and finite, or a
                tolerance or time limit that is not positive.
        """
        gains = positive("gains", gains)
        last_dimension("gains", gains, self.num_users)
        weights = self.weights if weights is None else positive("weights", weights)
        last_dimension("weights", weights, self.num_users)
        tolerance = positive_number("tolerance", tolerance)
        deadline = None if time_limit is None else monotonic() + positive_number("time_limit", time_limit)
        try:
            batch = np.broadcast_shapes(gains.shape, weights.shape)
        except ValueError as error:
            raise ValueError(f"weights {weights.shape} must broadcast against gains {gains.shape}") from error
        shape = (-1, self.num_users)
        row_weights = np.broadcast_to(weights, batch).reshape(shape)
        local, snr = self._fold(np.broadcast_to(gains, batch).reshape(shape), row_weights)
        slope = self._rate_scale * row_weights
        block = max(1, _BLOCK // self.num_users)
        parts = []
        for first in range(0, max(len(local), 1), block):
            rows = slice(first, first + block)
            left = None if deadline is None else deadline - monotonic()
            parts.append(certified_optimum(local[rows], snr[rows], slope[rows], tolerance, left))
        decision, rate, bound = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Optimum(decision.reshape(batch), rate.reshape(batch[:-1]), bound.reshape(batch[:-1]))

    def relaxed_decision(self) -> NDArray[np.int64]:
        """This frame's decision by linear relaxation with rounding (LR of the DROO paper), (N,)."""
        slope = self._rate_scale * self.weights[None]
        return rounded_relaxation(self._local[None], self._snr[None], slope)[0].astype(np.int64)

    def frame_optimum(self) -> float:
        """The highest rate that any decision has in this frame, bit/s.

        It is the trace's stored rate when the channel is a recorded trace whose rates belong to this
        environment's weights and constants, and found by `optimum` otherwise.
        """
        channel = self.channel
        if isinstance(channel, RecordedTrace) and channel.rates is not None and channel.decisions is not None:
            stored = float(channel.rates[channel.row])
            if abs(float(self.evaluate(channel.decisions[channel.row])) - stored) <= 1e-6 * stored:
                return stored
        if self.num_users <= _EXHAUSTIVE_USERS:
            return float(self.evaluate(all_decisions(self.num_users)).max())
        slope = self._rate_scale * self.weights[None]
        return float(certified_optimum(self._local[None], self._snr[None], slope, 1e-9).rate[0])

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {
            "frame": self.frame,
            "gains": self.gains.copy(),
            "weights": self.weights.copy(),
            "active": self.active.copy(),
            "rng": json.dumps(self._rng.bit_generator.state),
            "channel": self.channel.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises ValueError when it is of another number of users."""
        gains = positive("gains", np.asarray(state["gains"]))
        one_a_user("gains", gains, self.num_users)
        self.frame = int(state["frame"])
        self.gains = gains
        self.set_weights(np.asarray(state["weights"]))
        self.set_active(np.asarray(state["active"]))
        self._rng.bit_generator.state = json.loads(state["rng"])
        self.channel.load_state_dict(state["channel"])
        self._receive(gains)

    def _receive(self, gains: FloatArray) -> None:
        local, snr = self._fold(gains, self.weights)
        self.gains = np.array(gains)
        self.gains.setflags(write=False)  # evaluate and observe must not come to differ
        self._local, self._snr = local * self.active, snr * self.active

    def _fold(self, gains: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Each user's local rate at a = 1, bit/s, and its signal-to-noise ratio at a = tau = 1; (..., N)."""
        with np.errstate(over="ignore"):
            local, snr = weights * self._local_scale * np.cbrt(gains), self._snr_scale * gains * gains
        if not (np.isfinite(local).all() and np.isfinite(snr).all()):
            raise ValueError(f"gains and weights must give finite rates, got gains up to {np.max(gains)}")
        return local, snr

    def _split(
        self, local: FloatArray, snr: FloatArray, decisions: FloatArray, groups: "_WeightGroups"
    ) -> TimeSplit:
        local_rate = ((1 - decisions) * local).sum(-1)
        return split_time(local_rate, groups.sums(decisions * snr), self._rate_scale * groups.distinct)

    def _groups_of(self, weights: ArrayLike | None) -> "_WeightGroups":
        if weights is None:
            return self._groups
        weights = positive("weights", weights)
        last_dimension("weights", weights, self.num_users)
        return _WeightGroups(weights)


class _WeightGroups:
    """Users of one weight share their signal-to-noise ratio, so the allocation needs only their sums."""

    def __init__(self, weights: FloatArray) -> None:
        self.weights = weights
        self.distinct = weights
        """(G,), or (..., N) where each user is a group of its own."""
        self._group: np.ndarray | None = None
        if weights.ndim == 1:
            distinct, group = np.unique(weights, return_inverse=True)
            if 2 * len(distinct) <= len(weights):  # else the sums cost more than they save
                self.distinct = distinct
                self._group = group
                self._membership = (group[:, None] == np.arange(len(distinct))).astype(np.float64)

    def sums(self, values: FloatArray) -> FloatArray:
        """Add (..., N) up to (..., G)."""
        return values if self._group is None else values @ self._membership

    def of_users(self, values: FloatArray) -> FloatArray:
        """Give each user its group's value, (..., G) to (..., N)."""
        return values if self._group is None else values[..., self._group]
