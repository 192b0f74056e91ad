"""The multi-slot MEC network of the LyDROO paper (Bi, Huang, Wang, Zhang, IEEE Trans. Wireless Comm. 2021).

Each user keeps a queue of data that waits to be processed, and a virtual queue of the energy that it spent beyond
its threshold. Lyapunov optimisation turns the long-term problem (serve as much weighted data as possible, with
stable data queues and an average energy of at most the threshold) into one problem a frame: maximise the
drift-plus-penalty objective (P3 of the paper)

    sum_i (Q_i + V w_i) r_i - F Y_i e_i

over the decision and its resource allocation, with Q the data queue (Mbit), Y the energy queue, r the data
processed (Mbit) and e the energy spent (J) in this frame. A frame lasts one second.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import (
    FloatArray,
    InputError,
    binary,
    frozen,
    last_dimension,
    not_negative,
    of_frame,
    one_a_user,
    one_of,
    positive,
    positive_number,
    size,
)
from ..environment import Environment
from ..processes.arrivals import Arrivals, ExponentialArrivals, as_arrivals
from ..processes.channel import Channel, PathLoss, Rician
from ..processes.each import of_each
from ..processes.trace import RecordedTrace, as_channel
from ..state import all_or_nothing, constants, generator_state, restore_generator
from .allocation import (
    ENERGY_WEIGHT,
    LARGEST_EXPONENT,
    Answers,
    TimeSplit,
    answers,
    break_even,
    compiled_for,
    rows_of,
    split_time,
    tables_of,
)

_MBIT = 1e6
_OBSERVED = {"log_gain": (1e11, 0.1, 0.1), "gain": (1e10, 1e-4, 1e-4)}
"""Factors of gains, data queues and energy queues in an observation; those of 'gain' are the published ones."""
_LEAST, _MOST = -5.0, 5.0
"""Logarithms of prices and times end there in the observation 'price'."""
_UNDERFLOW = 1e-290
"""J below which a product loses digits."""
EXHAUSTIVE_USERS = 12
"""Up to here `frame_optimum` tries all 2^N decisions."""


class Allocation(NamedTuple):
    """What each user does in a frame, and what the frame is then worth."""

    objective: FloatArray
    """(...) the frame's objective, in the units of Mbit times Mbit."""
    rate: FloatArray
    """(..., N) data processed in the frame, Mbit."""
    energy: FloatArray
    """(..., N) energy spent, J."""
    transmit_time: FloatArray
    """(..., N) fraction of the frame in which each user transmits; 0 for local users."""


class LyapunovMEC(Environment):
    """An environment with memory: N users, each with a data queue and a virtual energy queue.

    Its value, the frame's objective with the best allocation, is 0 or more, since doing nothing is allowed; the
    best value is 0 only where no user has data. Queues start empty, with the first arrivals in the data queues.

    Args:
        num_users: N; by default the channel's number where it fixes one, else 10.
        channel: a `Channel`, or the path or array of a recorded trace; by default the published one, `Rician`
            with 0.3 of the power in the line of sight, users at 120 to 255 m evenly spaced, path loss exponent 3.
        arrivals: an `Arrivals`, or the path of a recording; by default `ExponentialArrivals()`, 3 Mbit a frame.
        weights: w_i of each user's rate; by default 1.5 for even and 1 for odd users, as published.
        observation: what `observe` shows of a gain h, a data queue Q and an energy queue Y: 'log_gain',
            ``(ln(1e11 h), ln(1 + Q / 10), ln(1 + Y / 10))``, of order one however long the queues, or 'gain',
            ``(1e10 h, Q / 1e4, Y / 1e4)`` as published; or 'price', what follows from them for one user on its
            own, whatever the others do (`observe_price`).
        rate_weight: V, the weight of this frame's rate against the queues.
        energy_threshold: average energy a frame, J, that the energy queues keep each user to.
        energy_queue_factor: nu, growth of the energy queue for each J above the threshold.
        bandwidth: W, Hz.
        overhead: v_u, bits sent for each bit of data.
        noise_density: N0, W/Hz; the default is -174 dBm/Hz.
        transmit_power: P_max, W.
        cpu_frequency: f_max, Hz.
        cycles_per_bit: phi, CPU cycles.
        energy_coefficient: k of the CPU's energy, k f^3 a second.
        seed: of the channel and the arrivals.
        replicas: R worlds of seeds `seed` on, or of R seeds, side by side as one: see `docs/replicas.md`.

    Attributes:
        gains, data_queue (Mbit), energy_queue: (..., N), of this frame. rate (Mbit), energy (J): (..., N), of the
        last.
        rate_scale: W / (v_u ln 2), Mbit/s; noise_power: W N0, W; cycles_per_mbit: of phi; and the settings
        transmit_power, cpu_frequency, energy_coefficient and energy_threshold.

    Raises:
        InputError: for any setting out of range, naming it; FileNotFoundError for a missing trace.
    """

    decisions_matter_later = True
    """Queues remember: other decisions, other frames."""
    metric_labels: ClassVar[dict[str, str]] = {
        "value": "Objective of the frame",
        "data_queue": "Data queue (Mbit)",
        "energy_queue": "Energy queue",
        "rate": "Data processed\na frame (Mbit)",
        "weighted_rate": "Weighted data processed\na frame (Mbit)",
        "energy": "Energy a frame (J)",
    }
    bar_labels: ClassVar[Mapping[str, str]] = {"data_queue": "Data queue (Mbit)", "energy_queue": "Energy queue"}

    def __init__(
        self,
        num_users: int | None = None,
        *,
        channel: Channel | str | None = None,
        arrivals: Arrivals | str | None = None,
        weights: Sequence[float] | None = None,
        observation: Literal["log_gain", "gain", "price"] = "log_gain",
        rate_weight: float = 20.0,
        energy_threshold: float = 0.08,
        energy_queue_factor: float = 1000.0,
        bandwidth: float = 2e6,
        overhead: float = 1.1,
        noise_density: float = 10**-20.4,
        transmit_power: float = 0.1,
        cpu_frequency: float = 300e6,
        cycles_per_bit: float = 100.0,
        energy_coefficient: float = 1e-26,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
    ) -> None:
        channel = as_channel(channel)
        if num_users is None:
            num_users = (None if channel is None else channel.num_users) or 10
        self.num_users = size("num_users", num_users)
        channel = _published_channel(self.num_users) if channel is None else deepcopy(channel)
        self.channel = of_each(channel, replicas)
        arrivals = as_arrivals("arrivals", arrivals)
        self.arrivals = of_each(ExponentialArrivals() if arrivals is None else deepcopy(arrivals), replicas)
        if weights is None:
            weights = np.where(np.arange(num_users) % 2, 1.0, 1.5)  # type: ignore[assignment]
        self.weights = frozen(positive("weights", weights))  # type: ignore[arg-type]
        one_a_user("weights", self.weights, self.num_users)
        one_of("observation", observation, (*_OBSERVED, "price"))
        self._observation = observation

        self._rate_value = positive_number("rate_weight", rate_weight) * self.weights
        self.energy_threshold = positive_number("energy_threshold", energy_threshold)
        self._queue_factor = positive_number("energy_queue_factor", energy_queue_factor)
        rate_scale = positive_number("bandwidth", bandwidth) / positive_number("overhead", overhead) / np.log(2)
        self.rate_scale = rate_scale / _MBIT
        self.noise_power = bandwidth * positive_number("noise_density", noise_density)
        self.transmit_power = positive_number("transmit_power", transmit_power)
        self.cpu_frequency = positive_number("cpu_frequency", cpu_frequency)
        self.cycles_per_mbit = _MBIT * positive_number("cycles_per_bit", cycles_per_bit)
        self.energy_coefficient = positive_number("energy_coefficient", energy_coefficient)
        self._evaluated: tuple[FloatArray, TimeSplit] | None = None
        self.metric_limits = {"energy": self.energy_threshold}
        self.constants = constants(
            weights=self.weights,
            rate_weight=rate_weight,
            energy_threshold=energy_threshold,
            energy_queue_factor=energy_queue_factor,
            bandwidth=bandwidth,
            overhead=overhead,
            noise_density=noise_density,
            transmit_power=transmit_power,
            cpu_frequency=cpu_frequency,
            cycles_per_bit=cycles_per_bit,
            energy_coefficient=energy_coefficient,
        )
        super().__init__(seed, replicas)

    def start(self) -> None:
        """Queues are empty, channel and arrivals start over."""
        nothing = np.zeros((*self._lead, self.num_users))
        self.rate, self.energy = nothing, nothing.copy()
        self._left = nothing, nothing.copy()
        self.channel.reset(self.num_users, self.rng)
        self.arrivals.reset(self.num_users, self.rng)

    def begin_frame(self) -> None:
        """New gains, and data that arrives."""
        gains = np.broadcast_to(self.channel.sample(self.rng), self._left[0].shape)
        data_left, energy_queue = self._left
        self._receive(gains, data_left + self.arrivals.sample(self.rng), energy_queue)

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (..., N, 3): each user's gain, data queue and energy queue, scaled.

        With the setting 'price', (..., N, 4), `observe_price`.
        """
        if self._observation == "price":
            return self.observe_price()
        gain, data, energy = _OBSERVED[self._observation]
        seen = np.empty((*self.gains.shape, 3))
        seen[..., 0] = gain * self.gains
        seen[..., 1] = data * self.data_queue
        seen[..., 2] = energy * self.energy_queue
        if self._observation == "log_gain":
            seen[..., 0] = np.log(seen[..., 0])
            seen[..., 1:] = np.log1p(seen[..., 1:])
        return seen

    def observe_price(self) -> FloatArray:
        """What is known of each user before any decision, from closed forms for it alone, (..., N, 4).

        Of a user that earns l locally and s a unit of time on air with data enough (`env.lyapunov.allocation`):
        the logarithms of the price of time at which sending its queue earns no more than l, of the frames that
        the queue then takes, and of s; and l / s, the time on air that earns l, at most 2. Prices are in units of
        V times the users' mean weight at exponent 1. Logarithms end at -5 and 5. A user that will not offload at
        any price has the lowest one, and the longest time.
        """
        problem, unit = self._problem, self._rate_value.mean() * self.rate_scale
        price, time = break_even(
            problem.value,
            problem.cost,
            self._beside(self.data_queue) / self.rate_scale,
            np.log1p(self.transmit_power / problem.noise),
            problem.local_objective,
        )
        earns = np.exp(problem.answers.log_threshold)
        with np.errstate(divide="ignore"):
            logarithms = np.log([price / unit, time, earns / unit])
        pays = np.minimum(problem.local_objective / np.maximum(earns, 1e-300), 2.0)
        return np.stack([*logarithms.clip(_LEAST, _MOST), pays], -1).reshape(*self.gains.shape, 4)

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Objectives of decisions (..., K, N) in this frame, (..., K), each with its best allocation.

        Raises InputError when a decision is not 0 or 1 or the shape does not fit.
        """
        decisions = self.decisions.check("decisions", decisions)
        split = split_time(self._problem.answers, decisions)
        self._evaluated = decisions.copy(), split
        return self._problem.objective(decisions, split)

    def carry_out(self, decision: FloatArray) -> None:
        """Serve the queues: ``max(Q - r, 0)`` is left, and ``Y' = max(Y + nu (e - threshold), 0)``.

        Data then arrives in `begin_frame` (LyDROO, section III).
        """
        rate, energy = self._problem.service(self._beside(decision), self._split_of(self._beside(decision)))
        self._process(rate.reshape(decision.shape), energy.reshape(decision.shape))

    def serve(self, rate: FloatArray, energy: FloatArray) -> None:
        """Process `rate` (..., N), Mbit, for `energy` (..., N), J, and move to the next frame.

        In place of `step`, for those who allocate by another rule. Raises InputError for another shape, or numbers
        that are negative or not finite.
        """
        served = not_negative("rate", rate), not_negative("energy", energy)
        for name, array in zip(("rate", "energy"), served, strict=True):
            of_frame(name, array, self.gains.shape)
        self._process(*served)
        self.advance()

    def _process(self, rate: FloatArray, energy: FloatArray) -> None:
        self.rate, self.energy = np.array(rate), np.array(energy)
        excess = self._queue_factor * (energy - self.energy_threshold)
        self._left = np.maximum(self.data_queue - rate, 0), np.maximum(self.energy_queue + excess, 0)

    def allocate(
        self, gains: ArrayLike, decisions: ArrayLike, data_queue: ArrayLike, energy_queue: ArrayLike
    ) -> Allocation:
        """Optimal allocation for given decisions (problem P4), for any leading batch dimensions.

        Args:
            gains: (..., N), positive power ratios.
            decisions: (..., N), 0 local or 1 offload.
            data_queue: (..., N), Mbit, 0 or more.
            energy_queue: (..., N), 0 or more; all four broadcast against each other.

        Raises:
            InputError: for a shape that does not fit, gains that are not positive and finite or too large to
                compute with, queues that are negative or not finite, or decisions that are not 0 or 1.
        """
        gains = positive("gains", gains)
        decisions = binary("decisions", decisions)
        data_queue = not_negative("data_queue", data_queue)
        energy_queue = not_negative("energy_queue", energy_queue)
        arrays = {"gains": gains, "decisions": decisions, "data_queue": data_queue, "energy_queue": energy_queue}
        for name, array in arrays.items():
            last_dimension(name, array, self.num_users)
        try:
            np.broadcast_shapes(*(array.shape for array in arrays.values()))
        except ValueError as error:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise InputError(f"leading dimensions must broadcast, got {shapes}") from error
        problem = self.fold(gains, data_queue, energy_queue)
        split = split_time(problem.answers, decisions)
        rate, energy = problem.service(decisions, split)
        return Allocation(problem.objective(decisions, split), rate, energy, split.transmit_time)

    def frame_optimum(self) -> Any:
        """The largest objective of any decision in this frame, found by trying all; None above 12 users."""
        return self.best_of_all(2**EXHAUSTIVE_USERS)

    @property
    def recording(self) -> RecordedTrace | None:
        """The recorded trace that the gains are from; None for other channels."""
        return self.channel if isinstance(self.channel, RecordedTrace) else None

    def frame_metrics(self) -> dict[str, Any]:
        """Means over the users: the queues at this frame's start, and what the last frame did (0 before one).

        `data_queue` and `rate` in Mbit, `energy` in J, `energy_queue` in the units of the recorded data.
        """
        figures = {
            "data_queue": self.data_queue,
            "energy_queue": self.energy_queue,
            "rate": self.rate,
            "weighted_rate": self.weights * self.rate,
            "energy": self.energy,
        }
        return {name: np.add.reduce(of_users, -1) / self.num_users for name, of_users in figures.items()}

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {
            "frame": self.frame,
            "constants": dict(self.constants),
            "gains": self.gains.copy(),
            "data_queue": self.data_queue.copy(),
            "energy_queue": self.energy_queue.copy(),
            "rate": self.rate.copy(),
            "energy": self.energy.copy(),
            "rng": generator_state(self.rng),
            "channel": self.channel.state_dict(),
            "arrivals": self.arrivals.state_dict(),
            **self._added(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises InputError when it is of another number of users."""
        gains = positive("gains", np.asarray(state["gains"]))
        queues = [not_negative(name, np.asarray(state[name])) for name in ("data_queue", "energy_queue")]
        for name, array in zip(("gains", "data_queue", "energy_queue"), (gains, *queues), strict=True):
            of_frame(name, array, self.gains.shape)
        self._frame = int(state["frame"])
        self.rate, self.energy = np.array(state["rate"]), np.array(state["energy"])
        restore_generator(self.rng, state["rng"])
        self.channel.load_state_dict(state["channel"])
        self.arrivals.load_state_dict(state.get("arrivals", {}))  # 0.1 did not save them
        self._receive(gains, *queues)
        self._load_added(state)

    def _split_of(self, decision: FloatArray) -> TimeSplit:
        """Of a decision (N,) or (R, 1, N): the known one where all were among those last evaluated.

        As an agent's choices are.
        """
        if self._evaluated is not None:
            decisions, split = self._evaluated
            decisions = tables_of(decisions, self._problem.value)
            code = compiled_for(self._problem.value)
            if code is not None:
                places = code.place_of(decisions, rows_of(decision))
            else:
                same = (decisions == decision).all(-1)
                places = np.where(same.any(-1), same.argmax(-1), -1)
            if places.min() >= 0:
                found = np.arange(len(places)), places
                return TimeSplit(
                    *(array.reshape(decisions.shape)[found].reshape(decision.shape) for array in split)
                )
        return split_time(self._problem.answers, decision)

    def _receive(self, gains: FloatArray, data_queue: FloatArray, energy_queue: FloatArray) -> None:
        self.gains, self.data_queue, self.energy_queue = np.array(gains), data_queue, energy_queue
        for array in (self.gains, data_queue, energy_queue):
            array.setflags(write=False)  # evaluate and observe must not come to differ
        self._problem = self.fold(*map(self._beside, (self.gains, data_queue, energy_queue)))
        self._evaluated = None

    @np.errstate(over="ignore")  # a frequency beyond all others
    def fold(self, gains: FloatArray, data_queue: FloatArray, energy_queue: FloatArray) -> "Problem":
        """The frames (..., N) with their physics folded in, ready for any decisions."""
        # f_i = min(sqrt(a_i / (3 phi k Y_i)), phi Q_i, f_max), LyDROO section IV-B, in cycles a frame
        scale, steepness = self.rate_scale, 3 * self.cycles_per_mbit * self.energy_coefficient
        if not gains.shape == data_queue.shape == energy_queue.shape:
            gains, data_queue, energy_queue = np.broadcast_arrays(gains, data_queue, energy_queue)
        if (code := compiled_for(gains)) is not None:
            rate_value = np.broadcast_to(self._rate_value, gains.shape)
            folded = code.folded(
                *(np.ascontiguousarray(array).ravel() for array in (gains, data_queue, energy_queue, rate_value)),
                self.noise_power, self.transmit_power, scale, self.cycles_per_mbit, steepness, self.cpu_frequency,
            )  # fmt: skip
            value, energy_price, noise, snr, data_value, power_cost, data, frequency = (
                array.reshape(gains.shape) for array in folded
            )
        else:
            value = data_queue + self._rate_value  # a_i, of a Mbit
            energy_price = ENERGY_WEIGHT * energy_queue  # of a J
            noise = self.noise_power / gains  # W, at the user
            snr = self.transmit_power / noise
            cheapest = np.sqrt(value / np.maximum(steepness * energy_price, 1e-200))
            frequency = np.minimum(np.minimum(cheapest, self.cycles_per_mbit * data_queue), self.cpu_frequency)
            data_value, power_cost, data = value * scale, energy_price * noise, data_queue / scale
        largest_exponent = np.log1p(snr)
        highest, lowest = (np.maximum.reduce, np.minimum.reduce)
        if largest_exponent.size and not (
            highest(largest_exponent, None) <= LARGEST_EXPONENT and lowest(largest_exponent, None) > 0
        ):
            raise InputError(
                f"gains must give signal-to-noise ratios up to 5e21, got gains from {gains.min()} to {gains.max()}"
            )
        local_rate = frequency / self.cycles_per_mbit
        local_energy = self.energy_coefficient * frequency**3
        energy_cost = energy_price * local_energy
        if local_energy.min(initial=1.0) < _UNDERFLOW:  # what it costs need not be as small
            again = energy_price * frequency * self.energy_coefficient * frequency * frequency
            energy_cost = np.where(local_energy < _UNDERFLOW, again, energy_cost)
        return Problem(
            local_rate,
            local_energy,
            value * local_rate - energy_cost,
            data_value,
            power_cost,
            noise,
            self.rate_scale,
            answers(data_value, power_cost, data, largest_exponent),
        )


class Problem(NamedTuple):
    """Frames (..., N) in the symbols of `env.lyapunov.allocation`."""

    local_rate: FloatArray
    """Mbit."""
    local_energy: FloatArray
    """J."""
    local_objective: FloatArray
    value: FloatArray
    """A."""
    cost: FloatArray
    """C."""
    noise: FloatArray
    """c, W."""
    rate_scale: float
    """Mbit a frame at exponent 1."""
    answers: Answers

    def objective(self, decisions: FloatArray, split: TimeSplit) -> FloatArray:
        """(...) of decisions (..., N)."""
        time, x = split
        if decisions.ndim > 1 and (code := compiled_for(self.value)) is not None:
            tables = (tables_of(array, self.value) for array in (decisions, time, x, np.expm1(x)))
            earns = code.earned(*tables, *map(rows_of, (self.value, self.cost, self.local_objective)))
            return np.asarray(np.add.reduce(earns, -1)).reshape(time.shape[:-1])
        offloaded = (self.value * x - self.cost * np.expm1(x)) * time
        return np.where(decisions > 0, offloaded, self.local_objective).sum(-1)

    def service(self, decisions: FloatArray, split: TimeSplit) -> tuple[FloatArray, FloatArray]:
        """Data processed, Mbit, and energy spent, J, by each user, (..., N)."""
        time, x = split
        offload = decisions > 0
        rate = np.where(offload, self.rate_scale * x * time, self.local_rate)
        return rate, np.where(offload, self.noise * np.expm1(x) * time, self.local_energy)


def _published_channel(num_users: int) -> Channel:
    return Rician(PathLoss(np.linspace(120, 255, num_users).tolist(), exponent=3.0), line_of_sight=0.3)
