"""What a channel gain is worth to a user that computes and to one that sends (DROO, section III)."""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, FloatArray, InputError, positive_number


@dataclass(frozen=True)
class Physics:
    """The constants of the wireless powered problem, folded into three numbers.

    Raises:
        InputError: when one overflows.
    """

    local_scale: float
    """Local rate at a = 1 of unit weight and gain, bit/s (eq. 4): eta1 / k^(1/3)."""
    snr_scale: float
    """Signal-to-noise ratio at a = tau = 1 of unit gain: eta2 (eq. 7)."""
    rate_scale: float
    """Offloaded bit/s of unit weight per unit of ln(1 + y): epsilon (eq. 7)."""

    def __post_init__(self) -> None:
        for scale in (self.local_scale, self.snr_scale, self.rate_scale):
            if not (np.isfinite(scale) and scale > 0):
                raise InputError("the constants of the problem must give finite rates, these overflow")

    @classmethod
    def of(
        cls,
        transmit_power: float,
        harvesting_efficiency: float,
        cycles_per_bit: float,
        energy_coefficient: float,
        bandwidth: float,
        overhead: float,
        noise_power: float,
    ) -> "Physics":
        """Fold the constants, all as `WirelessPoweredMEC` takes them; raises InputError naming a bad one."""
        power = positive_number("transmit_power", transmit_power)
        efficiency = positive_number("harvesting_efficiency", harvesting_efficiency)
        if efficiency > 1:
            raise InputError(f"harvesting_efficiency must be at most 1, got {harvesting_efficiency}")
        eta1 = np.cbrt(efficiency * power) / positive_number("cycles_per_bit", cycles_per_bit)
        return cls(
            local_scale=eta1 / np.cbrt(positive_number("energy_coefficient", energy_coefficient)),
            snr_scale=efficiency * power / positive_number("noise_power", noise_power),
            rate_scale=positive_number("bandwidth", bandwidth)
            / (positive_number("overhead", overhead) * np.log(2)),
        )

    def fold(self, gains: Array, weights: Array) -> tuple[Array, Array]:
        """Each user's local rate at a = 1, bit/s, and signal-to-noise ratio at a = tau = 1, both (..., N)."""
        root = np.cbrt(gains) if isinstance(gains, np.ndarray) else gains ** (1 / 3)
        return weights * self.local_scale * root, self.snr_scale * gains * gains

    def check(self, gains: FloatArray, weights: FloatArray) -> None:
        """Raise InputError where gains and weights (..., N) would give rates that are not finite."""
        largest = np.max(gains, initial=0.0)
        with np.errstate(over="ignore"):
            worth = self.fold(largest, np.max(weights, initial=0.0))
        if not np.isfinite(worth).all():  # both grow with the gain
            raise InputError(f"gains and weights must give finite rates, got gains up to {largest}")
