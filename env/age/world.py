"""Fresh information from sensors that live on harvested energy, by Lyapunov optimisation.

N sensors report to an access point. The age A_i of what is known of sensor i is the number of frames since the
last report that was received began: 1 after a report is delivered, one more in each frame without. In a frame at
most q sensors transmit. A transmission takes the energy e = P T from the sensor's battery B_i, which harvested
energy H_i fills up to its capacity, and only a sensor whose battery holds e can transmit:

    A_i' = 1 if delivered, else A_i + 1            B_i' = min(B_i - e x_i + H_i, B_max)

The m sensors that transmit have equal parts of the bandwidth W, so n = W T / m channel uses each, at the
signal-to-noise ratio g = m P h_i / (N0 W). A short packet of L bits is then received with the probability

    p_i(m) = 1 - Q( sqrt(n / D) (ln(1 + g) - (L / n) ln 2) ),    D = g (g + 2) / (g + 1)^2

the normal approximation of the coding rate at finite blocklength (Polyanskiy, Poor and Verdu, "Channel coding rate
in the finite blocklength regime", IEEE Trans. Inf. Theory 2010) with D the dispersion of the complex Gaussian
channel, two real ones: the more transmit at once, the fewer are received.

A frame's cost is the drift-plus-penalty of the Lyapunov function
1/2 sum_i V w_i A_i^2 + 1/2 sum_i (B_max - B_i)^2, but for what no decision changes:

    cost(x) = sum_i [ V w_i (p_i x_i + (1 - p_i x_i) (A_i + 1)^2) / 2 + (B_max - B_i) e x_i ],    m = sum_i x_i

Its first part, the expected square of the next ages, is that of the Max-Weight policy of Kadota, Sinha,
Uysal-Biyikoglu, Singh and Modiano, "Scheduling policies for minimizing age of information in broadcast wireless
networks", IEEE/ACM Trans. Networking 2018: a delivery replaces (A + 1)^2 by 1, which saves A (A + 2). In its
second part the battery is a queue perturbed as in Huang and Neely, "Utility optimal scheduling in
energy-harvesting networks", IEEE/ACM Trans. Networking 2013, here by the capacity: the emptier a battery, the
dearer its energy (the squares of e and H are bounded by constants, as there). A decision thus saves

    sum_i x_i [ V w_i p_i(m) A_i (A_i + 2) / 2 - (B_max - B_i) e ]

against nobody transmitting: given m, one term a sensor, so that the best decision takes the m largest terms, for
the best m of 0 to q. Best frame by frame is not best in the long run; V, the weight of the ages, is a setting.
"""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import (
    FloatArray,
    InputError,
    frozen,
    not_negative,
    of_frame,
    one_a_user,
    positive,
    positive_number,
    require_positive,
    size,
    whole_number,
)
from ..decisions import Binary
from ..environment import Environment
from ..limits import Limited
from ..machine_code import machine_code
from ..processes.arrivals import Arrivals, ExponentialArrivals, as_arrivals
from ..processes.channel import Channel, PathLoss, Rayleigh
from ..processes.each import of_each
from ..processes.trace import as_channel
from ..state import all_or_nothing, constants, generator_state, restore_generator

_MICRO = 1e6
_erfc = np.frompyfunc(math.erfc, 1, 1)
"""Of each entry; the core has no SciPy."""


def erfc(x: FloatArray) -> FloatArray:
    """Complementary error function of each entry, with and without machine code the same."""
    if (code := machine_code("age.compiled_erfc")) is not None:
        of_all: FloatArray = code.erfc(np.ascontiguousarray(x).ravel()).reshape(x.shape)
        return of_all
    return np.asarray(_erfc(x), dtype=np.float64)


class AgeMEC(Environment):
    """An environment with memory: N sensors, each with an age and a battery, of which at most q transmit.

    Choice 1 is to transmit; `decisions` is a `Limited` whose mask has no 1 for a sensor without the energy for it.
    Values are negated costs (above), so that larger is better. Ages start at 1, batteries full.

    Args:
        num_users: N; by default the channel's number where it fixes one, else 10.
        places: q, sensors that may transmit in a frame.
        channel: a `Channel`, or the path of a recorded trace; by default `Rayleigh` with sensors at 150 to 400 m
            evenly spaced, path loss exponent 3. Gains are known at the start of the frame.
        harvest: the energy of each sensor and frame, in microjoules where `Arrivals` says Mbit; by default
            ``ExponentialArrivals(3.0)``, a transmission in three frames or four.
        weights: w_i of each sensor's age; 1 by default.
        age_weight: V, microjoules^2.
        battery_capacity: B_max, microjoules, at least e.
        transmit_power: P, W.
        frame_length: T, s.
        bandwidth: W, Hz, of all that transmit together.
        packet_bits: L.
        noise_density: N0, W/Hz; the default is -174 dBm/Hz.
        seed: of the channel, the harvest and the deliveries.
        replicas: R worlds of seeds `seed` on, or of R seeds, side by side as one: see `docs/replicas.md`.

    Attributes:
        gains, age (frames), battery (microjoules): (..., N), of this frame. delivered: likewise, of the last, true
            where a report was received. transmit_energy: e, microjoules.

    Raises:
        InputError: for any setting out of range, naming it; FileNotFoundError for a missing trace.
    """

    decisions: Limited
    value_is_cost = True
    decisions_matter_later = True
    """Ages and batteries remember: other decisions, other frames."""
    metric_labels: ClassVar[Mapping[str, str]] = {
        "value": "Value (negated drift plus penalty, µJ²)",
        "age": "Age of information (frames)",
        "delivery_rate": "Reports delivered\na sensor and frame",
        "outage": "Share of sensors\nwithout energy to transmit",
        "battery": "Battery (µJ)",
    }
    bar_labels: ClassVar[Mapping[str, str]] = {"age": "Age (frames)", "battery": "Battery (µJ)"}
    choice_labels = ("silent", "transmitting")

    def __init__(
        self,
        num_users: int | None = None,
        *,
        places: int = 4,
        channel: Channel | str | None = None,
        harvest: Arrivals | str | None = None,
        weights: Sequence[float] | None = None,
        age_weight: float = 30.0,
        battery_capacity: float = 50.0,
        transmit_power: float = 1e-3,
        frame_length: float = 0.01,
        bandwidth: float = 20e3,
        packet_bits: float = 256.0,
        noise_density: float = 10**-20.4,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
    ) -> None:
        channel = as_channel(channel)
        if num_users is None:
            num_users = (None if channel is None else channel.num_users) or 10
        self.num_users = size("num_users", num_users)
        self.decisions = Limited(Binary(self.num_users), whole_number("places", places))
        if channel is None:
            channel = Rayleigh(PathLoss(np.linspace(150, 400, self.num_users).tolist(), exponent=3.0))
        self.channel = of_each(deepcopy(channel), replicas)
        harvest = as_arrivals("harvest", harvest)
        self.harvest = of_each(ExponentialArrivals(3.0) if harvest is None else deepcopy(harvest), replicas)
        self.weights = frozen(positive("weights", np.ones(self.num_users) if weights is None else weights))
        one_a_user("weights", self.weights, self.num_users)

        self._age_value = positive_number("age_weight", age_weight) * self.weights / 2
        self.battery_capacity = positive_number("battery_capacity", battery_capacity)
        power = positive_number("transmit_power", transmit_power)
        length = positive_number("frame_length", frame_length)
        self.transmit_energy = _MICRO * power * length
        if self.battery_capacity < self.transmit_energy:
            raise InputError(
                f"battery_capacity must hold the energy of a transmission, {self.transmit_energy} microjoules, "
                f"got {self.battery_capacity}"
            )
        bandwidth = positive_number("bandwidth", bandwidth)
        self._snr_of_gain = power / (positive_number("noise_density", noise_density) * bandwidth)
        most = min(places, self.num_users)
        self._sharing = np.arange(1, most + 1)[:, None]  # m
        self._channel_uses = bandwidth * length / self._sharing
        self._nats = positive_number("packet_bits", packet_bits) * np.log(2)
        self.constants = constants(
            weights=self.weights,
            places=places,
            age_weight=age_weight,
            battery_capacity=battery_capacity,
            transmit_power=transmit_power,
            frame_length=frame_length,
            bandwidth=bandwidth,
            packet_bits=packet_bits,
            noise_density=noise_density,
        )
        super().__init__(seed, replicas)

    def start(self) -> None:
        """Ages are 1, batteries full, channel and harvest start over."""
        users = (*self._lead, self.num_users)
        self.delivered = np.zeros(users, dtype=bool)
        self._left = np.ones(users), np.full(users, self.battery_capacity)
        self.channel.reset(self.num_users, self.rng)
        self.harvest.reset(self.num_users, self.rng)

    def begin_frame(self) -> None:
        """New gains, and who has the energy to transmit."""
        self._receive(np.broadcast_to(self.channel.sample(self.rng), self._left[0].shape), *self._left)

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (..., N, 3).

        log10 of each sensor's signal-to-noise ratio with all the bandwidth, ln of its age, and the share of its
        battery that is full.
        """
        snr = np.log10(self._snr_of_gain * self.gains)
        return np.stack([snr, np.log(self.age), self.battery / self.battery_capacity], -1)

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Negated costs of decisions (..., K, N) in this frame, (..., K), microjoules^2.

        Raises InputError when a decision is not 0 or 1, more than q transmit, or one without the energy for it.
        """
        decisions = self.decisions.check("decisions", decisions)
        return (self._worth_of(decisions) * decisions).sum(-1) - self._beside(self._idle_cost)

    def _worth_of(self, decisions: FloatArray) -> FloatArray:
        """What each sensor saves that transmits when so many do, (..., K, N), of decisions (..., K, N)."""
        transmitting = decisions.sum(-1).astype(np.int64)
        if not self._lead:
            return self._worth[transmitting]
        return self._worth[np.arange(*self._lead)[:, None], transmitting]

    def carry_out(self, decision: FloatArray) -> None:
        """Who transmits may be received: their ages begin anew, batteries lose energy and take up the harvest."""
        row = np.maximum(decision.sum(-1).astype(np.int64), 1) - 1
        chance = np.take_along_axis(self._chance, row[..., None, None], -2)[..., 0, :]
        self.delivered = (decision > 0) & (self.rng.random(self.num_users) < chance)
        battery = self.battery - self.transmit_energy * decision + self.harvest.sample(self.rng)
        self._left = np.where(self.delivered, 1.0, self.age + 1), np.minimum(battery, self.battery_capacity)

    def success_probability(self) -> FloatArray:
        """p_i(m) of each sensor in this frame, (..., min(q, N), N), row m - 1 where m transmit."""
        return self._chance.copy()

    def _success_probability(self) -> FloatArray:
        snr = self._sharing * (self._snr_of_gain * self.gains)[..., None, :]
        dispersion = snr / (snr + 1) * ((snr + 2) / (snr + 1))
        spare = np.log1p(snr) - self._nats / self._channel_uses
        return erfc(-np.sqrt(self._channel_uses / (2 * dispersion)) * spare) / 2

    def worth(self) -> FloatArray:
        """What each sensor saves that transmits in this frame, (..., min(q, N) + 1, N): row m where
        m transmit, row 0 is 0."""
        return self._worth.copy()

    def frame_optimum(self) -> Any:
        """The negated least cost of this frame: the m largest terms, for the best m, in O(q N log N)."""
        able = np.where(self.decisions.mask[..., None, :, 1], self._worth, -np.inf)
        sums = np.sort(able, -1)[..., ::-1].cumsum(-1)
        places = np.arange(self._worth.shape[-2] - 1)
        return sums[..., places + 1, places].max(-1, initial=0.0) - self._idle_cost

    def frame_metrics(self) -> dict[str, Any]:
        """At this frame's start the mean age (frames), the mean battery (microjoules) and, as `outage`, the share
        of sensors without energy to transmit; the share of which the last frame delivered a report.
        """
        return {
            "age": self.age.mean(-1),
            "delivery_rate": self.delivered.mean(-1),
            "outage": 1.0 - self.decisions.mask[..., 1].mean(-1),
            "battery": self.battery.mean(-1),
        }

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {
            "frame": self.frame,
            "constants": dict(self.constants),
            "gains": self.gains.copy(),
            "age": self.age.copy(),
            "battery": self.battery.copy(),
            "delivered": self.delivered.copy(),
            "rng": generator_state(self.rng),
            "channel": self.channel.state_dict(),
            "harvest": self.harvest.state_dict(),
            **self._added(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises InputError when it is of another number of sensors."""
        gains = positive("gains", np.asarray(state["gains"]))
        age, battery = (not_negative(name, np.asarray(state[name])) for name in ("age", "battery"))
        for name, array in (("gains", gains), ("age", age), ("battery", battery)):
            of_frame(name, array, self.gains.shape)
        self._frame = int(state["frame"])
        self.delivered = np.array(state["delivered"], dtype=bool)
        restore_generator(self.rng, state["rng"])
        self.channel.load_state_dict(state["channel"])
        self.harvest.load_state_dict(state["harvest"])
        self._receive(gains, age, battery)
        self._load_added(state)

    def _receive(self, gains: FloatArray, age: FloatArray, battery: FloatArray) -> None:
        require_positive("signal-to-noise ratios", self._snr_of_gain * gains)
        self.gains, self.age, self.battery = np.array(gains), age, battery
        for array in (self.gains, age, battery):
            array.setflags(write=False)  # evaluate and observe must not come to differ
        able = battery >= self.transmit_energy
        self.decisions = self.decisions.masked(np.stack([np.ones_like(able), able], -1))
        nobody = (age + 1) ** 2
        rows = nobody.reshape(-1, self.num_users)  # a dot product each: those of a matrix round otherwise
        self._idle_cost = np.array([self._age_value @ row for row in rows]).reshape(self._lead)[()]
        delivery = self._age_value * age * (age + 2)
        energy = (self.battery_capacity - battery) * self.transmit_energy
        self._chance = self._success_probability()
        self._worth = np.zeros((*self._lead, len(self._sharing) + 1, self.num_users))
        self._worth[..., 1:, :] = self._chance * delivery[..., None, :] - energy[..., None, :]
