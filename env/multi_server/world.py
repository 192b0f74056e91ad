"""Several servers (after Tran and Pompili, IEEE Trans. Vehicular Tech. 2019): who offloads, and where to."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import (
    EXTREME,
    LARGEST,
    TINIEST,
    FloatArray,
    InputError,
    binary,
    frozen,
    not_negative,
    number_between,
    of_frame,
    positive,
    positive_number,
    size,
)
from ..decisions import Categorical
from ..environment import Environment
from ..limits import Limited
from ..processes.cells import Cells
from ..processes.channel import Channel
from ..processes.each import of_each
from ..processes.trace import RecordedTrace, as_channel, servers_of
from ..state import constants
from .costs import Costs, cost_of, loads
from .optimum import MultiServerOptimum, certified_optimum

FARTHEST = 3.0
"""The largest ln a or ln b that is observed, and what is observed of a server that is not there."""


class Shares(NamedTuple):
    """How servers share bandwidth and CPU among the users that they serve, and what comes of it."""

    bandwidth: FloatArray
    """(..., N), of the user's server; 0 for a local user."""
    cpu: FloatArray
    """Likewise."""
    delay: FloatArray
    """(..., N), s."""
    energy: FloatArray
    """(..., N), J, of the user's device."""
    cost: FloatArray
    """(...)."""


class MultiServerMEC(Environment):
    """N users and M servers; a decision gives each user 0, local computing, or its server, 1 to M.

    The value of a decision is its benefit ``N - C``, C being its cost with the best shares
    (`env.multi_server.costs`): 0 where all compute locally. Users that are `Limited` by places on servers, or out
    of their reach, are so in `decisions`.

    Args:
        num_users: N; by default the recorded trace's number, else 10.
        num_servers: M; by default the number of a trace of gains (rows, N, M), else 3.
        channel: a `Channel` of N M links, user after user, or the path or array of a recorded trace of gains
            (rows, N, M) or (rows, N M); by default `Cells(num_servers)`.
        task_bits: d_u, the least and the most of a uniform draw for each user and frame.
        task_cycles: c_u, CPU cycles, likewise.
        local_frequency: f_u, Hz; one number, or one for each user.
        delay_weight: w_t in [0, 1], of delay against energy; one number, or one for each user.
        bandwidth: B_s, Hz; one number, or one for each server.
        server_frequency: F_s, Hz; likewise.
        transmit_power: p_u, W; one number, or one for each user.
        noise_power: N0, W.
        energy_coefficient: k of the users' CPUs, k f^2 a cycle.
        capacities: q_s, users that server s takes at most; one number, or one for each server; None for any
        number. least_snr: signal-to-noise ratio p h / N0 below which a server is out of a user's reach; 0 for
        none. outage: probability that a server is down in a frame, each on its own. seed: of all random numbers.
        replicas: R worlds of seeds `seed` on, or of R seeds, side by side as one: see `docs/replicas.md`.

    Attributes:
        gains: (..., N, M), power ratios of this frame. task_bits, task_cycles: (..., N), of this frame. costs:
        `Costs`, of this frame. decisions: `Categorical(N, M + 1)`, `Limited` where places or choices are, of
        replicas `LimitedReplicas`.

    Raises:
        InputError: for any setting out of range, naming it; FileNotFoundError for a missing trace.
    """

    metric_labels: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"value": "Benefit over local computing", "offloading": "Users that offload"}
    )

    def __init__(
        self,
        num_users: int | None = None,
        num_servers: int | None = None,
        *,
        channel: Channel | str | None = None,
        task_bits: Sequence[float] = (2e6, 5e6),
        task_cycles: Sequence[float] = (0.5e9, 1.5e9),
        local_frequency: float | Sequence[float] = 1e9,
        delay_weight: float | Sequence[float] = 0.5,
        bandwidth: float | Sequence[float] = 20e6,
        server_frequency: float | Sequence[float] = 20e9,
        transmit_power: float | Sequence[float] = 0.1,
        noise_power: float = 1e-13,
        energy_coefficient: float = 5e-27,
        capacities: int | Sequence[int | None] | None = None,
        least_snr: float = 0.0,
        outage: float = 0.0,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
    ) -> None:
        channel = as_channel(channel, one_server=False)
        if isinstance(channel, RecordedTrace):
            num_users, num_servers = _as_recorded(channel, num_users, num_servers)
        elif channel is not None and (servers := servers_of(channel)) is not None:
            if num_servers not in (None, servers):
                name = type(channel).__name__
                raise InputError(f"num_servers must be {servers}, to which {name} has links, got {num_servers}")
            num_servers = servers
            if num_users is None and channel.num_users is not None:
                num_users = channel.num_users // servers
        self.num_users = size("num_users", 10 if num_users is None else num_users)
        self.num_servers = size("num_servers", 3 if num_servers is None else num_servers)
        self.channel = of_each(Cells(self.num_servers) if channel is None else deepcopy(channel), replicas)
        self._bits_range = _range("task_bits", task_bits)
        self._cycles_range = _range("task_cycles", task_cycles)
        self.local_frequency = _each("local_frequency", local_frequency, self.num_users)
        self.delay_weight = _each("delay_weight", delay_weight, self.num_users, zero=True)
        if self.delay_weight.max() > 1:
            raise InputError(f"delay_weight must be at most 1, got {self.delay_weight.max()}")
        self.bandwidth = _each("bandwidth", bandwidth, self.num_servers)
        self.server_frequency = _each("server_frequency", server_frequency, self.num_servers)
        self.transmit_power = _each("transmit_power", transmit_power, self.num_users)
        self.noise_power = positive_number("noise_power", noise_power)
        self.energy_coefficient = positive_number("energy_coefficient", energy_coefficient)
        self.least_snr = number_between("least_snr", least_snr, 0, LARGEST, "be 0 or more and finite")
        self.outage = number_between("outage", outage, 0, 1)
        kind = Categorical(self.num_users, self.num_servers + 1)
        self._limits = Limited(kind, capacities)
        self._limited = capacities is not None or self.least_snr > 0 or self.outage > 0
        self.decisions = self._limits if self._limited else kind
        self.constants = constants(
            local_frequency=self.local_frequency,
            delay_weight=self.delay_weight,
            bandwidth=self.bandwidth,
            server_frequency=self.server_frequency,
            transmit_power=self.transmit_power,
            noise_power=self.noise_power,
            energy_coefficient=self.energy_coefficient,
            least_snr=self.least_snr,
            outage=self.outage,
        )
        super().__init__(seed, replicas)

    def start(self) -> None:
        """The channel starts over."""
        self._decided = np.zeros((*self._lead, self.num_users), dtype=np.int64)
        self.channel.reset(self.num_users * self.num_servers, self.rng)

    def begin_frame(self) -> None:
        """New gains and tasks, servers that are down."""
        links = np.broadcast_to(self.channel.sample(self.rng), (*self._lead, self.num_users * self.num_servers))
        gains = links.reshape(*self._lead, self.num_users, self.num_servers)
        bits = self.rng.uniform(*self._bits_range, self.num_users)
        cycles = self.rng.uniform(*self._cycles_range, self.num_users)
        up = self.rng.random(self.num_servers) >= self.outage
        self.set_frame(gains, bits, cycles, up)

    def set_frame(
        self, gains: ArrayLike, task_bits: ArrayLike, task_cycles: ArrayLike, up: ArrayLike | None = None
    ) -> None:
        """Make this frame one of gains (..., N, M), tasks (..., N), and servers (..., M) that are up (1) or down.

        Raises InputError, and changes nothing, for a shape that does not fit or numbers that are not positive.
        """
        gains, bits, cycles = (
            positive(name, array)
            for name, array in (("gains", gains), ("task_bits", task_bits), ("task_cycles", task_cycles))
        )
        users = (*self._lead, self.num_users)
        of_frame("gains", gains, (*users, self.num_servers))
        of_frame("task_bits", bits, users)
        of_frame("task_cycles", cycles, users)
        with np.errstate(over="ignore", divide="ignore"):
            costs = self._costs_of(gains, bits, cycles)
        if not np.isfinite(costs.bandwidth).all():
            raise InputError(f"gains must give finite costs, got gains from {gains.min()}")
        mask = np.ones((*users, self.num_servers + 1), dtype=bool)
        mask[..., 1:] = self._snr(gains) >= self.least_snr
        if up is not None:
            there = binary("up", up)
            if there.shape not in ((self.num_servers,), (*self._lead, self.num_servers)):
                raise InputError(f"up must have shape {(*self._lead, self.num_servers)}, got {there.shape}")
            mask[..., 1:] &= there[..., None, :] > 0
        limited = self._limited or not mask.all()
        self.decisions = self._limits.masked(mask) if limited else self._limits.kind
        self.gains, self.task_bits, self.task_cycles, self.costs = gains, bits, cycles, costs
        for array in (gains, bits, cycles, *costs):
            array.setflags(write=False)  # evaluate and observe must not come to differ

    def _snr(self, gains: FloatArray) -> FloatArray:
        snr: FloatArray = self.transmit_power[:, None] * gains / self.noise_power
        return snr

    def _costs_of(self, gains: FloatArray, bits: FloatArray, cycles: FloatArray) -> Costs:
        delay, energy = self._local(cycles)
        rate = self.bandwidth * np.log1p(self._snr(gains)) / np.log(2)
        of_sending = self.delay_weight / delay + (1 - self.delay_weight) * self.transmit_power / energy
        of_computing = np.broadcast_to(self.delay_weight * self.local_frequency, cycles.shape)
        return Costs(
            np.sqrt((of_sending * bits)[..., None] / rate),
            np.sqrt(of_computing[..., None] / self.server_frequency),
        )

    def _local(self, cycles: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Delay t_u, s, and energy e_u, J, of local computing, (..., N)."""
        return cycles / self.local_frequency, self.energy_coefficient * self.local_frequency**2 * cycles

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (..., N, 2 M): each user's ln a_us and ln b_us, s = 1 to M.

        They are at most 3 (a cost of 400 times the local one), and 3 for a server that is not there.
        """
        seen = np.log(np.maximum(np.concatenate(self.costs, -1), np.finfo(np.float64).tiny))
        seen = np.minimum(seen, FARTHEST)
        if isinstance(self.decisions, Limited):
            mask = self.decisions.mask[..., 1:]
            seen = np.where(np.concatenate([mask, mask], -1), seen, FARTHEST)
        return seen

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Benefits of decisions (..., K, N) in this frame, (..., K).

        Raises InputError when a decision is not 0 to M, does not keep the limits, or the shape does not fit.
        """
        costs = Costs(*map(self._beside, self.costs))
        return self.num_users - cost_of(costs, self.decisions.check("decisions", decisions))

    def allocate(self, decisions: ArrayLike) -> Shares:
        """The best shares for decisions (..., N) in this frame; raises InputError as `evaluate`."""
        chosen = np.asarray(self.decisions.check("decisions", decisions), dtype=np.int64)
        away, server = chosen > 0, np.maximum(chosen - 1, 0)
        of_frame = self._beside if chosen.ndim > len(self._lead) + 1 else np.asarray
        costs, cycles = Costs(*map(of_frame, self.costs)), of_frame(self.task_cycles)

        def of_server(array: FloatArray) -> FloatArray:
            """Of the server of each user, (..., N)."""
            every = np.broadcast_to(array, (*server.shape, self.num_servers))
            return np.take_along_axis(every, server[..., None], -1)[..., 0]

        shares = []
        for one, load in zip(costs, loads(costs, chosen), strict=True):
            total = np.take_along_axis(load, server, -1)
            equal = 1 / np.maximum(
                (chosen[..., None] == chosen[..., None, :]).sum(-1), 1
            )  # where delay is nothing
            share = np.where(total > 0, of_server(one) / np.where(total > 0, total, 1.0), equal)
            shares.append(np.where(away, share, 0.0))
        rate = of_server(of_frame(self.bandwidth * np.log1p(self._snr(self.gains)) / np.log(2)))
        delay, energy = self._local(cycles)
        with np.errstate(divide="ignore"):
            sending = of_frame(self.task_bits) / (shares[0] * rate)
            computing = cycles / (shares[1] * self.server_frequency[server])
        return Shares(
            shares[0],
            shares[1],
            np.where(away, sending + computing, delay),
            np.where(away, self.transmit_power * sending, energy),
            cost_of(costs, chosen),
        )

    def optimum(self, *, tolerance: float = 1e-9, time_limit: float | None = None) -> MultiServerOptimum:
        """The decision of least cost in this frame that keeps the limits, with a bound on every one; any N and M.

        Of replicas (R, N) decisions, (R,) costs and bounds.

        Args:
            tolerance: gap between bound and cost, relative to N, at which the search ends.
            time_limit: seconds after which it ends all the same, with the gap that is left.

        Raises:
            InputError: for a tolerance or time limit that is not positive.
        """
        tolerance = positive_number("tolerance", tolerance)
        limit = None if time_limit is None else positive_number("time_limit", time_limit)
        limits = self.decisions if isinstance(self.decisions, Limited) else self._limits
        if not self._lead:
            return certified_optimum(self.costs, limits.capacities, limits.mask, tolerance, limit)
        masks = np.broadcast_to(limits.mask, (*self._lead, *limits.mask.shape[-2:]))
        found = [
            certified_optimum(Costs(*costs), limits.capacities, mask, tolerance, limit)
            for *costs, mask in zip(*self.costs, masks, strict=True)
        ]
        return MultiServerOptimum(*map(np.array, zip(*found, strict=True)))

    def frame_optimum(self) -> Any:
        """The best benefit in this frame: of the decision found where that is certified, else its bound."""
        found = self.optimum()
        closed = found.cost - found.lower_bound <= 1e-9 * self.num_users
        return self.num_users - np.where(closed, found.cost, found.lower_bound)[()]

    def carry_out(self, decision: NDArray[Any]) -> None:
        """Remember how many offload."""
        self._decided = decision

    def frame_metrics(self) -> dict[str, Any]:
        """The users that offloaded in the last frame."""
        return {"offloading": np.count_nonzero(self._decided, axis=-1) * 1.0}


def _as_recorded(trace: RecordedTrace, num_users: int | None, num_servers: int | None) -> tuple[int, int]:
    """N and M of a world with a recorded channel; raises InputError where they are not those of the recording."""
    links = trace.num_users
    if num_servers is None:
        num_servers = trace.num_servers if trace.num_servers > 1 else 3
    servers = size("num_servers", num_servers)
    users = size("num_users", max(links // servers, 1) if num_users is None else num_users)
    if users * servers != links or trace.num_servers not in (1, servers):
        held = (
            f"{links} links"
            if trace.num_servers == 1
            else f"{links // trace.num_servers} x {trace.num_servers} links"
        )
        raise InputError(
            f"num_users and num_servers must be those of {trace.name}, {held} a frame, got {users} and {servers}"
        )
    return users, servers


def _range(name: str, value: Sequence[float]) -> tuple[float, float]:
    pair = positive(name, value)
    if pair.shape != (2,) or pair[0] > pair[1]:
        raise InputError(f"{name} must be the least and the most, got {value}")
    return float(pair[0]), float(pair[1])


def _each(name: str, value: float | Sequence[float], count: int, zero: bool = False) -> FloatArray:
    """One number, or one for each of `count`, as (count,)."""
    array = not_negative(name, value) if zero else positive(name, value)
    if not zero and not ((array >= TINIEST) & (array <= EXTREME)).all():
        raise InputError(f"{name} must be from {TINIEST:g} to {EXTREME:g}, got {value!r}")
    if array.ndim == 0:
        return frozen(np.full(count, float(array)))
    if array.shape != (count,):
        raise InputError(f"{name} must be one number or have shape ({count},), got {array.shape}")
    return frozen(array)
