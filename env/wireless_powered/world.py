"""The wireless powered MEC network of the DROO paper (Huang, Bi, Zhang, IEEE Trans. Mobile Computing 2020).

Per frame of unit length the access point broadcasts energy for a fraction `a`; then every offloading user
transmits for its own fraction, while local users compute on harvested energy. The weighted sum computation
rate is the objective (eqs. 4, 7 and problem P1 of the paper).
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from time import monotonic
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import (
    Array,
    FloatArray,
    InputError,
    are_bits,
    binary,
    frozen,
    last_dimension,
    namespace,
    one_a_user,
    one_of,
    positive,
    positive_number,
    real_numbers,
    require_positive,
    shape_of,
    size,
    whole_number,
)
from ..decisions import Binary
from ..environment import Environment
from ..labels import LabelReport, compare_labels, figures, rows_of
from ..machine_code import machine_code
from ..processes.channel import Channel, Rayleigh
from ..processes.presence import Presence
from ..processes.stream import BLOCK, Stream
from ..processes.trace import RecordedTrace, as_channel
from ..processes.weights import Weights
from ..seeds import PRESENCE, stream
from ..state import all_or_nothing, constants
from .allocation import Allocation, split_time
from .capped import Capped, kinks, split_capped
from .optimum import Optimum, certified_optimum, rounded_relaxation
from .physics import Physics
from .weight_groups import WeightGroups

_SEARCH_BLOCK = 2**17
"""Entries of the arrays that `optimum` works on at a time, few enough to stay in a processor's cache."""


_SAME = 1e-14
"""Relative difference up to which a stored rate is the certified one, rounded otherwise."""


class _OneOrMany(Environment):
    """Where `replicas` is given, what is made is of the subclass for many (`env.wireless_powered.replicas`)."""

    _for_many: ClassVar[type["_OneOrMany"]]

    def __init_subclass__(cls, for_many: bool = False) -> None:
        if for_many:
            _OneOrMany._for_many = cls

    def __new__(cls, *arguments: Any, replicas: int | None = None, **settings: Any) -> "_OneOrMany":
        if replicas is None or issubclass(cls, cls._for_many):
            return super().__new__(cls)
        if issubclass(cls._for_many, cls):
            return super().__new__(cls._for_many)
        return super().__new__(type(cls.__name__, (cls, cls._for_many), {}))


class WirelessPoweredMEC(_OneOrMany):
    """An environment: N users, one access point, a decision (0 local, 1 offload) for each user a frame.

    With ``replicas=R`` what is made is R of them side by side, a `WirelessPoweredReplicas`.

    Args:
        num_users: N; by default the channel's number where it fixes one, else 10.
        channel: a `Channel`, or the path or array of a recorded trace; by default `Rayleigh()`.
        weights: w_i of each user's rate; by default 1 for even and 1.5 for odd users, as published.
        presence: users that come and go, a `Presence`; by default all are on in every frame. A user that is off
            computes and sends nothing, whatever is decided for it.
        weight_schedule: weights that change over time; by default they do not.
        observation: what `observe` shows of each user: 'log_gain', ``ln(gain_scale h)``, or 'gain',
            ``gain_scale h`` (F = 1; of a user that is off -12 or 0), or 'user': ``ln(gain_scale h)``, ``ln w``,
            and 1 for a user that is on, all 0 for one that is off (F = 3).
        gain_scale: brings the gains close to 1 (the published code's 1e6).
        transmit_power: P of the access point, W.
        harvesting_efficiency: mu, in (0, 1].
        cycles_per_bit: phi, CPU cycles.
        energy_coefficient: k of the CPU's energy, k f^2 a cycle.
        cpu_frequency: f_max of a user's CPU, Hz; by default there is none. More energy than it takes is of no use
            to a user that computes.
        bandwidth: B, Hz.
        overhead: v_u, bits sent for each bit of data.
        noise_power: N0, W.
        seed: of the channel.
        replicas, device: of `WirelessPoweredReplicas`.

    Raises:
        InputError: for any setting out of range, naming it; FileNotFoundError for a missing trace.
    """

    _lead: tuple[int, ...] = ()
    """Dimensions before those of a frame."""

    metric_labels: ClassVar[Mapping[str, str]] = {"value": "Computation rate (bit/s)"}

    def __init__(
        self,
        num_users: int | None = None,
        *,
        channel: Channel | str | Sequence[Channel | str] | None = None,
        weights: Sequence[float] | None = None,
        presence: Presence | None = None,
        weight_schedule: Weights | None = None,
        observation: Literal["log_gain", "gain", "user"] = "log_gain",
        gain_scale: float = 1e6,
        transmit_power: float = 3.0,
        harvesting_efficiency: float = 0.7,
        cycles_per_bit: float = 100.0,
        energy_coefficient: float = 1e-26,
        cpu_frequency: float | None = None,
        bandwidth: float = 2e6,
        overhead: float = 1.1,
        noise_power: float = 1e-10,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
        device: str | None = None,
    ) -> None:
        if device is not None:
            raise InputError(f"device must be None without replicas, got {device!r}")
        self.channels = self._channels_of(channel)
        if num_users is None:
            num_users = self.channels[0].num_users or 10
        num_users = size("num_users", num_users)
        self.num_users = num_users
        self.decisions = Binary(num_users)
        if weights is None:
            weights = np.where(np.arange(num_users) % 2, 1.5, 1.0)  # type: ignore[assignment]
        self.weights = positive("weights", weights)  # type: ignore[arg-type]
        one_a_user("weights", self.weights, num_users)
        one_of("observation", observation, ("log_gain", "gain", "user"))
        if not isinstance(presence, Presence | None):
            raise InputError(f"presence must be a Presence, got {presence!r}")
        if not isinstance(weight_schedule, Weights | None):
            raise InputError(f"weight_schedule must be a Weights, got {weight_schedule!r}")
        self._observation = observation
        self._presences = [deepcopy(presence) for _ in self.channels if presence is not None]
        self._given_schedule = deepcopy(weight_schedule)
        self._weight_schedule: Weights | None = None
        self._own_weights = self.weights
        self._gain_scale = positive_number("gain_scale", gain_scale)

        self.physics = Physics.of(
            transmit_power=transmit_power,
            harvesting_efficiency=harvesting_efficiency,
            cycles_per_bit=cycles_per_bit,
            energy_coefficient=energy_coefficient,
            bandwidth=bandwidth,
            overhead=overhead,
            noise_power=noise_power,
        )
        self._most: float | None = None  # bit/s of a CPU at its cap
        if cpu_frequency is not None:
            self._most = positive_number("cpu_frequency", cpu_frequency) / cycles_per_bit
        self.constants = constants(
            transmit_power=transmit_power,
            harvesting_efficiency=harvesting_efficiency,
            cycles_per_bit=cycles_per_bit,
            energy_coefficient=energy_coefficient,
            cpu_frequency=cpu_frequency,
            bandwidth=bandwidth,
            overhead=overhead,
            noise_power=noise_power,
        )
        self._context: Any = None
        self._optima: FloatArray | None = None
        self._switched_on = np.ones(num_users, dtype=bool)
        self._weigh(self.weights)
        self._seed = seed
        for module in ("compiled_optimum", "compiled_critic"):
            machine_code(f"wireless_powered.{module}")  # what must be compiled is so before the first frame
        self.reset()

    def reset(self, seed: int | Sequence[int] | None = None) -> Array:
        """Start over at frame 0, with a new seed where one is given; returns the first observation, (..., N, F).

        Weights and active users that were set stay.
        """
        self._seed = self._seed if seed is None else seed
        seeds = self._seeds_of(self._seed)
        self._stream = Stream(self.channels, self.num_users, seeds)
        self._presence_stream = None
        if self._presences:
            apart = [stream(seed, PRESENCE) for seed in seeds]
            self._presence_stream = Stream(self._presences, self.num_users, apart)
        if self._given_schedule is not None:
            self._weight_schedule = deepcopy(self._given_schedule)
            self._weigh(self._weight_schedule.at(0, self._own_weights))
        self._first_frame = 0
        self._look_ahead(place=0)
        return self.observe()

    @property
    def frame(self) -> int:
        """Number of the current frame, from 0."""
        return self._first_frame + self._place

    @property
    def gains(self) -> FloatArray:
        """Power ratios in this frame, (..., N), as a read-only NumPy array."""
        gains: FloatArray = self._gains[self._place]
        gains.setflags(write=False)  # evaluate and observe must not come to differ
        return gains

    def observe(self) -> Array:
        """What the agent sees of this frame, (..., N, F), as the setting `observation` says."""
        return self._seen[self._place].copy()

    def evaluate(self, decisions: Any) -> Array:
        """Rates of decisions (..., K, N) in this frame, (..., K), bit/s, each with its best allocation.

        Args:
            decisions: 0 local, 1 offload; or an object with `order` (..., N) and `counts` (..., K), decision k
                of which offloads the first ``counts[k]`` users of the order, and with `expand()` to (..., K, N).

        Raises InputError when a decision is not 0 or 1 or the shape does not fit.
        """
        groups, columns = self._groups, None if self._columns is None else self._columns[self._place]
        if columns is not None and hasattr(groups.curve, "decided_rate"):
            rates = groups.curve.decided_rate(columns, decisions)
            if rates is not None:
                return rates
        nested = hasattr(decisions, "counts")
        if nested and columns is not None:
            last_dimension("decisions.order", decisions.order, self.num_users)
            return groups.curve.nested_rate(columns, decisions.order, decisions.counts)
        decisions = self._checked(decisions.expand() if nested else decisions)
        if self._capped is not None:
            return self._capped.rates(self._place, groups, decisions)
        return groups.rates(*groups.sums(*self._beside(decisions), decisions))

    evaluate.takes_nested = True  # type: ignore[attr-defined]

    def _in_machine_code(self) -> tuple[int, int] | None:
        """`evaluate` as a C function: its address, and that of what it is to be given in this frame."""
        if self._lead or self._columns is None or not hasattr(self._groups.curve, "table"):
            return None
        if self._context is None or self._context.columns is not self._columns:  # new, or a copy's
            if (code := machine_code("wireless_powered.compiled_critic")) is None:
                return None
            self._context = code.Context(self._columns, self._groups.curve)
        return self._context.of_frame(self._place)

    evaluate.in_machine_code = _in_machine_code  # type: ignore[attr-defined]
    _in_machine_code.of = evaluate  # type: ignore[attr-defined]

    def step(self, decision: ArrayLike) -> None:
        """Carry out a decision (..., N) and move to the next frame.

        Raises InputError when the decision is not 0 or 1 or the shape does not fit; the frame is then unchanged.
        """
        shape = (*self._lead, self.num_users)
        if (given := shape_of("decision", decision)) != shape:
            raise InputError(f"decision must have shape {shape}, got {given}")
        self._check_bits(decision)
        self._place += 1
        if self._place == BLOCK:
            self._first_frame += BLOCK
            self._look_ahead(place=0)
        if self._weight_schedule is not None:
            weights = self._weight_schedule.at(self.frame, self._own_weights)
            if not np.array_equal(weights, self.weights):
                self._weigh(weights)
                self._prepare()

    def set_weights(self, weights: ArrayLike) -> None:
        """Weigh the users' rates by `weights` (N,) from this frame on; raises InputError as the constructor."""
        checked = positive("weights", weights)
        one_a_user("weights", checked, self.num_users)
        self._own_weights = checked
        self._weigh(checked)
        self._prepare()

    def set_active(self, active: ArrayLike) -> None:
        """Switch users on (1) and off (0) from this frame on; `active` is (N,).

        Raises InputError when nobody is on, or a `presence` already says who is.
        """
        if self._presences:
            raise InputError("active must be left to the environment's presence")
        checked = binary("active", active)
        if checked.shape != (self.num_users,) or not checked.any():
            raise InputError(f"active must have shape ({self.num_users},) and hold a 1, got {active!r}")
        self._switched_on = checked.astype(bool)
        self._active = np.broadcast_to(self._switched_on, self._gains.shape)
        self._prepare()

    def allocate(self, gains: ArrayLike, decisions: ArrayLike, weights: ArrayLike | None = None) -> Allocation:
        """Optimal time split for given decisions (problem P2), for any leading batch dimensions.

        Args:
            gains: (..., N), positive power ratios.
            decisions: (..., N), 0 local or 1 offload; broadcast against `gains`.
            weights: (N,) or (..., N); the environment's by default.

        Raises:
            InputError: for a shape that does not fit, gains or weights that are not positive and finite, or
                decisions that are not 0 or 1.
        """
        gains = positive("gains", gains)
        last_dimension("gains", gains, self.num_users)
        decisions = self.decisions.check("decisions", decisions)
        groups = self._groups_of(weights)
        try:
            np.broadcast_shapes(gains.shape, decisions.shape, groups.weights.shape)
        except ValueError as error:
            raise InputError(
                f"gains {gains.shape}, decisions {decisions.shape} and weights {groups.weights.shape} "
                "must have leading dimensions that broadcast"
            ) from error
        self.physics.check(gains, groups.weights)
        local, snr = self.physics.fold(gains, groups.weights)
        computed, offloaded = groups.sums(local, snr, decisions)
        if self._most is None:
            split = split_time(computed, offloaded, groups.slope)
        else:
            split = split_capped((1 - decisions) * local, self._kinks(gains), offloaded, groups.slope)
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
            InputError: for a shape that does not fit, gains or weights that are not positive and finite, or a
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
            raise InputError(f"weights {weights.shape} must broadcast against gains {gains.shape}") from error
        return self._search(np.broadcast_to(gains, batch), np.broadcast_to(weights, batch), tolerance, deadline)

    def _search(
        self,
        gains: FloatArray,
        weights: FloatArray,
        tolerance: float,
        deadline: float | None = None,
        active: NDArray[np.bool_] | bool = True,
    ) -> Optimum:
        """`optimum` of gains (..., N), block by block; users that are not active have no rate at all."""
        batch = gains.shape
        shape = (-1, self.num_users)
        row_weights = np.broadcast_to(weights, batch).reshape(shape)
        self.physics.check(gains, weights)
        local, snr = self.physics.fold(gains.reshape(shape), row_weights)
        if not isinstance(active, bool):
            active = active.reshape(shape)
        local, snr = local * active, snr * active
        slope = self.physics.rate_scale * row_weights
        kink = None if self._most is None else self._kinks(gains.reshape(shape))
        block = max(1, _SEARCH_BLOCK // self.num_users)
        parts = []
        for first in range(0, max(len(local), 1), block):
            rows = slice(first, first + block)
            left = None if deadline is None else deadline - monotonic()
            row_kink = None if kink is None else kink[rows]
            parts.append(certified_optimum(local[rows], snr[rows], slope[rows], tolerance, left, row_kink))
        decision, rate, bound = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Optimum(decision.reshape(batch), rate.reshape(batch[:-1]), bound.reshape(batch[:-1]))

    def relaxed_decision(self) -> NDArray[np.int64]:
        """This frame's decision by linear relaxation with rounding (LR of the DROO paper), (..., N)."""
        gains = self.gains.reshape(-1, self.num_users)
        local, snr = self.physics.fold(gains, self.weights)
        slope = np.broadcast_to(self.physics.rate_scale * self.weights, local.shape)
        active = self.active.reshape(local.shape)
        kink = None if self._most is None else self._kinks(gains)
        decision = rounded_relaxation(local * active, snr * active, slope, kink)
        return decision.reshape(self.gains.shape).astype(np.int64)

    def frame_optimum(self) -> Any:
        """The highest rate that any decision has in this frame, bit/s.

        It is certified as by `optimum`, for a block of frames at once, whatever a recording says: a stored rate is
        a label, and stands here only where it equals the certified one to rounding.
        """
        return float(self._best_of_block()[self._place])

    def label_report(self, rows: ArrayLike | None = None) -> LabelReport | None:
        """What the decisions and rates stored in a recorded trace are worth with these weights and constants.

        Args:
            rows: of the trace, from 0; by default all.

        Returns None where the channel is no trace, or it stores neither. All users count as on. Of replicas it is
        the trace of the first.

        Raises InputError for rows that are not in it.
        """
        trace = self.recording
        if trace is None or (trace.decisions is None and trace.rates is None):
            return None
        rows = rows_of(rows, len(trace.gains))
        gains = trace.gains[rows]
        best = self.optimum(gains)
        values = None if trace.decisions is None else self.allocate(gains, trace.decisions[rows]).rate
        stored = None if trace.rates is None else trace.rates[rows]
        return compare_labels(rows, best.rate, best.upper_bound, values, stored)

    def run_figures(self, frames: int) -> dict[str, Any]:
        """Of a run's frames, what the labels of its recorded trace are worth (`label_report`).

        Nothing where users come and go or weights change, for which no trace holds labels.
        """
        trace = self.recording
        if trace is None or self._presences or self._given_schedule is not None:
            return {}
        return figures(self.label_report(trace.rows_of(0, min(frames, len(trace.gains)))))

    @property
    def recording(self) -> RecordedTrace | None:
        """The recorded trace that the gains are from, of replicas that of the first; None for other channels."""
        channel = self.channels[0]
        return channel if isinstance(channel, RecordedTrace) else None

    def _best_of_block(self) -> FloatArray:
        """The highest rate of each frame of the block, (BLOCK, ...); what replicas share is sought once."""
        if self._optima is None:
            gains, active = self._gains, self._active
            if self._lead and all((array == array[:, :1]).all() for array in (gains, active)):
                gains, active = gains[:, :1], active[:, :1]
            optima = self._search(gains, self.weights, 1e-9, None, active).rate
            if (trace := self.recording) is not None and trace.rates is not None and not self._lead:
                stored = trace.rates[trace.rows_of(self._first_frame, BLOCK)]
                optima = np.where(np.abs(stored - optima) <= _SAME * optima, stored, optima)
            self._optima = np.broadcast_to(optima, self._gains.shape[:-1])
        return self._optima

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {
            "frame": self.frame,
            "constants": dict(self.constants),
            "gains": self.gains.copy(),
            "weights": self.weights.copy(),
            "own_weights": self._own_weights.copy(),
            "active": self._switched_on.copy(),
            "stream": self._stream.state_dict(),
            "presence": None if self._presence_stream is None else self._presence_stream.state_dict(),
            "weight_schedule": None if self._weight_schedule is None else self._weight_schedule.state_dict(),
            **self._added(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises InputError when it is of another world."""
        gains = np.asarray(state["gains"])
        if gains.shape != self.gains.shape:
            raise InputError(f"gains must have shape {self.gains.shape}, got {gains.shape}")
        self._stream.load_state_dict(state["stream"])
        if self._presence_stream is not None:
            self._presence_stream.load_state_dict(state["presence"])
        if self._weight_schedule is not None:
            self._weight_schedule.load_state_dict(state.get("weight_schedule", {}))  # 0.1 did not save it
        place = int(state["frame"]) % BLOCK
        self._first_frame = int(state["frame"]) - place
        self._look_ahead(place)
        if not np.array_equal(gains, self.gains):
            raise InputError("the state must be of an environment with the same channel, its gains differ")
        self._own_weights = positive("weights", np.asarray(state["own_weights"]))
        self._weigh(positive("weights", np.asarray(state["weights"])))
        if self._presence_stream is None:
            self._switched_on = np.asarray(state["active"], dtype=bool)
            self._active = np.broadcast_to(self._switched_on, self._gains.shape)
        self._prepare()
        self._load_added(state)

    @property
    def active(self) -> NDArray[np.bool_]:
        """Who is on in this frame, (..., N)."""
        return self._active[self._place]

    def _look_ahead(self, place: int) -> None:
        """Draw the next block of frames; the current one is at `place` in it."""
        gains = real_numbers("gains", self._next_block(self._stream))
        require_positive("gains", gains)
        self._gains = gains
        if self._presence_stream is not None:
            self._active = self._next_block(self._presence_stream)
        else:
            self._active = np.broadcast_to(self._switched_on, self._gains.shape)
        self._place = place
        self._prepare()

    def _weigh(self, weights: FloatArray) -> None:
        self.weights = frozen(weights)
        self._groups = WeightGroups(weights, self.physics.rate_scale)

    def _prepare(self) -> None:
        """What a frame needs, for all frames of the block at once: physics folded, observation scaled."""
        self.physics.check(self._gains, self.weights)
        gains, active, weights = (self._placed(array) for array in (self._gains, self._active, self.weights))
        local, snr = self.physics.fold(gains, weights)
        self._local, self._snr = local * active, snr * active
        self._capped = None if self._most is None else Capped(self._local, self._snr, self._kinks(gains))
        self._columns = None if self._capped else self._groups.columns(self._local, self._snr)
        self._seen = self._shown(gains, active, weights)
        self._optima = None

    def _kinks(self, gains: FloatArray) -> FloatArray:
        assert self._most is not None
        return kinks(gains, self.physics.local_scale, self._most)

    def _shown(self, gains: Array, active: Array, weights: Array) -> Array:
        """The observations of the block, (BLOCK, ..., N, F)."""
        xp, scaled = namespace(gains), self._gain_scale * gains
        if self._observation == "gain":
            return xp.where(active, scaled, 0.0)[..., None]
        if self._observation == "log_gain":
            return xp.where(active, xp.log(scaled), -12.0)[..., None]
        ones = xp.ones_like(scaled)
        return xp.stack([xp.log(scaled), xp.log(weights) * ones, ones], -1) * active[..., None]

    def _channels_of(self, channel: Any) -> list[Channel]:
        """The world's channel, an object of its own, as a list of one."""
        channel = as_channel(channel)
        return [Rayleigh() if channel is None else deepcopy(channel)]

    def _seeds_of(self, seed: Any) -> list[int]:
        return [whole_number("seed", seed, 0, None)]

    def _next_block(self, stream: Stream) -> np.ndarray:
        """(BLOCK, ..., N)."""
        return stream.next_block()[:, 0]

    def _placed(self, array: np.ndarray) -> Array:
        """An array where the world keeps its own."""
        return array

    def _check_bits(self, decision: Any) -> None:
        if not are_bits(decision):
            binary("decision", decision)

    def _beside(self, decisions: Array) -> tuple[Array, Array]:
        """The frame's local rates and ratios, of a shape that broadcasts against decisions (..., K, N)."""
        return self._local[self._place], self._snr[self._place]

    def _checked(self, decisions: Any) -> Array:
        """Decisions as an array of 0.0 and 1.0."""
        return self.decisions.check("decisions", decisions)

    def _groups_of(self, weights: ArrayLike | None) -> WeightGroups:
        """Of `allocate`, on the host; the environment's own by default."""
        if weights is None:
            return self._groups
        checked = positive("weights", weights)
        last_dimension("weights", checked, self.num_users)
        return WeightGroups(checked, self.physics.rate_scale)
