"""The scenarios of 3GPP TR 38.901 V16.1: what Tables 7.4.1-1, 7.4.2-1, 7.5-6 and 7.6.3.1-2 say of each.

`UMi`, `UMa`, `RMa`, `InH` and `InF` each answer for links of any shape: `line_of_sight_probability`, `path_loss`,
`shadowing`. Distances are horizontal, in m.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...arrays import FloatArray, InputError, not_negative, one_of, positive, positive_number
from ..channel import SPEED_OF_LIGHT
from . import line_of_sight, path_loss


@dataclass(frozen=True)
class LargeScale:
    """Rows of Table 7.5-6 for one scenario, and of Table 7.6.3.1-2; distances in m, spreads in dB."""

    shadowing: tuple[float, float, float]
    """Standard deviations: in line of sight, without, and of users indoors (Table 7.4.1-1 for the first two)."""
    shadowing_distance: tuple[float, float, float]
    """Correlation distances, likewise."""
    k_factor: tuple[float, float]
    """Mean and standard deviation of the Rician K in line of sight."""
    k_distance: float
    """Its correlation distance."""
    shadowing_and_k: float
    """Correlation of shadowing and K."""
    state_distance: float
    """Correlation distance of the line-of-sight state (Table 7.6.3.1-2)."""


class Scenario:
    """What the scenarios have in common: the geometry of a link, and the standard's ranges.

    Args:
        carrier_frequency: Hz, 0.5 to 100 GHz (RMa: to 30 GHz).
        base_height: h_BS, m.
        user_height: h_UT, m; one number, or an array that broadcasts against distances.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    large_scale: LargeScale
    least_distance: float = 10.0
    """m, horizontal."""
    most_distance: float = 5000.0
    """m, horizontal."""
    user_heights = (1.5, 22.5)
    base_heights = (0.0, 1000.0)
    most_carrier = 100.0
    most_inside: float | None = 25.0
    """The largest d_2D-in of users indoors, m; None where the scenario is itself indoors."""
    walls: tuple[str, ...] = ("low", "high")
    """Losses of buildings that there are (section 7.4.3.1)."""

    def __init__(self, carrier_frequency: float, base_height: float, user_height: float | Sequence[float]) -> None:
        hertz = positive_number("carrier_frequency", carrier_frequency)
        self.carrier = _between("carrier_frequency", hertz / 1e9, (0.5, self.most_carrier), "GHz")
        self.base_height = _between("base_height", base_height, self.base_heights, "m")
        heights = positive("user_height", user_height)
        if not heights.size:
            raise InputError("user_height must hold a number or more, got none")
        _in_range("user_height", heights, self.user_heights, "m", type(self).__name__)
        self.user_height: Any = float(heights) if heights.ndim == 0 else heights

    @property
    def wavelength(self) -> float:
        """m."""
        return SPEED_OF_LIGHT / (1e9 * self.carrier)

    def distance_3d(self, distance: Any) -> FloatArray:
        """Between the antennas, m (eq. 7.4-1 and Figure 7.4.1-1)."""
        return np.sqrt(np.square(distance) + (self.base_height - self.user_height) ** 2)

    def line_of_sight_probability(self, distance: ArrayLike) -> FloatArray:
        """Of links (...) (Table 7.4.2-1); raises InputError for a negative distance."""
        return self._probability(not_negative("distance", distance))

    def path_loss(self, distance: ArrayLike, in_sight: ArrayLike, draw: ArrayLike = 0.0) -> FloatArray:
        """Of links (...), dB (Table 7.4.1-1).

        Args:
            distance: (...), m.
            in_sight: (...), whether there is a line of sight.
            draw: (...), uniform in [0, 1): of the effective environment height of `UMa`; by default it is 1 m.

        Raises:
            InputError: for a distance outside the standard's range.
        """
        distance, in_sight = np.asarray(distance, dtype=np.float64), np.asarray(in_sight, dtype=bool)
        self.check_distance(distance, in_sight)
        return self._path_loss(distance, in_sight, draw)

    def shadowing(self, distance: ArrayLike, in_sight: ArrayLike) -> FloatArray:
        """Standard deviation of the shadowing of links (...), dB (Table 7.4.1-1)."""
        return np.where(in_sight, self.large_scale.shadowing[0], self.large_scale.shadowing[1])

    def check_distance(self, distance: FloatArray, in_sight: NDArray[np.bool_]) -> None:
        """Raise InputError where a distance (...) is outside the standard's range."""
        _in_range("distance", distance, (self.least_distance, self.most_distance), "m", type(self).__name__)

    @abstractmethod
    def _probability(self, distance: FloatArray) -> FloatArray:
        """Table 7.4.2-1."""

    @abstractmethod
    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        """Table 7.4.1-1."""


class UMi(Scenario):
    """Urban micro, street canyon: Tables 7.4.1-1 and 7.4.2-1, 10 m to 5 km, 0.5 to 100 GHz.

    Args:
        carrier_frequency: Hz.
        base_height: h_BS, m; the standard's default is 10.
        user_height: h_UT, 1.5 to 22.5 m.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    base_heights = (1.0 + 1e-9, 1000.0)  # above the effective environment height
    large_scale = LargeScale((4.0, 7.82, 7.0), (10.0, 13.0, 7.0), (9.0, 5.0), 15.0, 0.5, 50.0)

    def __init__(
        self,
        carrier_frequency: float = 3.5e9,
        base_height: float = 10.0,
        user_height: float | Sequence[float] = 1.5,
    ) -> None:
        super().__init__(carrier_frequency, base_height, user_height)

    def _probability(self, distance: FloatArray) -> FloatArray:
        return line_of_sight.umi(distance)

    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        link = distance, self.distance_3d(distance), self.carrier, self.base_height, self.user_height
        return np.where(in_sight, path_loss.umi_los(*link), path_loss.umi_nlos(*link))


class UMa(Scenario):
    """Urban macro: Tables 7.4.1-1 and 7.4.2-1, 10 m to 5 km, 0.5 to 100 GHz.

    Args:
        carrier_frequency: Hz.
        base_height: h_BS, m, above the users; the standard's default is 25.
        user_height: h_UT, 1.5 to 22.5 m.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    base_heights = (22.5, 1000.0)
    large_scale = LargeScale((4.0, 6.0, 7.0), (37.0, 50.0, 7.0), (9.0, 3.5), 12.0, 0.0, 50.0)

    def __init__(
        self,
        carrier_frequency: float = 3.5e9,
        base_height: float = 25.0,
        user_height: float | Sequence[float] = 1.5,
    ) -> None:
        super().__init__(carrier_frequency, base_height, user_height)

    def _probability(self, distance: FloatArray) -> FloatArray:
        return line_of_sight.uma(distance, self.user_height)

    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        height = 1.0
        if np.any(draw):
            height = path_loss.uma_environment_height(distance, self.user_height, draw)  # type: ignore[assignment]
        link = distance, self.distance_3d(distance), self.carrier, self.base_height, self.user_height, height
        return np.where(in_sight, path_loss.uma_los(*link), path_loss.uma_nlos(*link))


class RMa(Scenario):
    """Rural macro: Tables 7.4.1-1 and 7.4.2-1, 10 m to 10 km, without line of sight to 5 km; 0.5 to 30 GHz.

    Args:
        carrier_frequency: Hz.
        base_height: h_BS, 10 to 150 m.
        user_height: h_UT, 1 to 10 m.
        building_height: h, the average, 5 to 50 m.
        street_width: W, the average, 5 to 50 m.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    user_heights = (1.0, 10.0)
    base_heights = (10.0, 150.0)
    most_carrier = 30.0
    most_distance = 10_000.0
    most_inside = 10.0
    walls = ("low",)
    large_scale = LargeScale((4.0, 8.0, 8.0), (37.0, 120.0, 120.0), (7.0, 4.0), 40.0, 0.0, 60.0)

    def __init__(
        self,
        carrier_frequency: float = 700e6,
        base_height: float = 35.0,
        user_height: float | Sequence[float] = 1.5,
        building_height: float = 5.0,
        street_width: float = 20.0,
    ) -> None:
        super().__init__(carrier_frequency, base_height, user_height)
        self.building_height = _between("building_height", building_height, (5.0, 50.0), "m")
        self.street_width = _between("street_width", street_width, (5.0, 50.0), "m")

    def check_distance(self, distance: FloatArray, in_sight: NDArray[np.bool_]) -> None:
        super().check_distance(distance, in_sight)
        hidden = np.where(in_sight, self.least_distance, distance)
        _in_range("distance", hidden, (self.least_distance, 5000.0), "m", "RMa without line of sight")

    def shadowing(self, distance: ArrayLike, in_sight: ArrayLike) -> FloatArray:
        """4 dB in line of sight up to the break point, 6 dB beyond it; 8 dB without (Table 7.4.1-1)."""
        far = path_loss.rma_break_point(self.carrier, self.base_height, self.user_height)
        return np.where(in_sight, np.where(np.asarray(distance) <= far, 4.0, 6.0), 8.0)

    def _probability(self, distance: FloatArray) -> FloatArray:
        return line_of_sight.rma(distance)

    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        link = distance, self.distance_3d(distance), self.carrier, self.base_height, self.user_height
        hidden = path_loss.rma_nlos(*link, self.building_height, self.street_width)
        return np.where(in_sight, path_loss.rma_los(*link, self.building_height), hidden)


class _Indoors(Scenario):
    """A scenario whose range is one of the distance between antennas, from 1 m."""

    most_inside = None
    user_heights = (0.1, 100.0)
    base_heights = (0.1, 100.0)
    most_distance_3d: float

    @property
    def least_distance(self) -> float:  # type: ignore[override]
        """m, horizontal: where the antennas are 1 m apart."""
        apart = np.min(np.abs(self.base_height - self.user_height))
        return float(np.sqrt(max(1 - apart**2, 0)))

    @property
    def most_distance(self) -> float:  # type: ignore[override]
        """m, horizontal."""
        apart = np.max(np.abs(self.base_height - self.user_height))
        return float(np.sqrt(max(self.most_distance_3d**2 - apart**2, 0)))


class InH(_Indoors):
    """Indoor hotspot, office: Tables 7.4.1-1 and 7.4.2-1, 1 to 150 m between the antennas, 0.5 to 100 GHz.

    Args:
        carrier_frequency: Hz.
        office: 'mixed' or 'open': the probability of a line of sight.
        base_height: h_BS, m, at the ceiling.
        user_height: h_UT, m.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    most_distance_3d = 150.0
    large_scale = LargeScale((3.0, 8.03, 8.03), (10.0, 6.0, 6.0), (7.0, 4.0), 4.0, 0.5, 10.0)

    def __init__(
        self,
        carrier_frequency: float = 3.5e9,
        office: Literal["mixed", "open"] = "mixed",
        base_height: float = 3.0,
        user_height: float | Sequence[float] = 1.0,
    ) -> None:
        super().__init__(carrier_frequency, base_height, user_height)
        one_of("office", office, ("mixed", "open"))
        self.office = office

    def _probability(self, distance: FloatArray) -> FloatArray:
        return (line_of_sight.inh_open if self.office == "open" else line_of_sight.inh_mixed)(distance)

    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        link = self.distance_3d(distance), self.carrier
        return np.where(in_sight, path_loss.inh_los(*link), path_loss.inh_nlos(*link))


class InF(_Indoors):
    """Indoor factory: Tables 7.4.1-1 and 7.4.2-1, 1 to 600 m between the antennas, 0.5 to 100 GHz.

    The kinds are those of Table 7.2-4: clutter that is sparse (S) or dense (D), a base station below (L) or above
    it (H). What is None is as in the calibration (Table 7.8-7).

    Args:
        carrier_frequency: Hz.
        kind: 'SL', 'DL', 'SH' or 'DH'.
        clutter_density: r, the share of the floor under clutter: below 0.4 of 'SL' and 'SH' (by default 0.2), from
            0.4 of 'DL' and 'DH' (0.6).
        clutter_size: d_clutter, m; by default 10 where it is sparse, 2 where it is dense.
        clutter_height: h_c, m, up to 10, above the users; by default 2 where it is sparse, 6 where it is dense.
        base_height: h_BS, m, by default 1.5 of 'SL' and 'DL', 8 of 'SH' and 'DH'.
        user_height: h_UT, m.

    Raises:
        InputError: for a setting outside the standard's range, naming it.
    """

    most_distance_3d = 600.0

    def __init__(
        self,
        carrier_frequency: float = 3.5e9,
        kind: Literal["SL", "DL", "SH", "DH"] = "SL",
        clutter_density: float | None = None,
        clutter_size: float | None = None,
        clutter_height: float | None = None,
        base_height: float | None = None,
        user_height: float | Sequence[float] = 1.5,
    ) -> None:
        one_of("kind", kind, sorted(path_loss.INF_NLOS))
        dense, high = kind[0] == "D", kind[1] == "H"
        super().__init__(
            carrier_frequency, (8.0 if high else 1.5) if base_height is None else base_height, user_height
        )
        self.kind, self._high = kind, high
        density = (0.6 if dense else 0.2) if clutter_density is None else clutter_density
        self.clutter_density = _between("clutter_density", density, (0.4, 0.99) if dense else (0.01, 0.4), "")
        size = (2.0 if dense else 10.0) if clutter_size is None else clutter_size
        self.clutter_size = positive_number("clutter_size", size)
        height = (6.0 if dense else 2.0) if clutter_height is None else clutter_height
        self.clutter_height = _between("clutter_height", height, (0.0, 10.0), "m")
        if self.clutter_height <= np.max(self.user_height):
            raise InputError(f"clutter_height must be above user_height, {np.max(self.user_height)}, got {height}")
        if (self.base_height > self.clutter_height) != high:
            side = "above" if high else "at most"
            raise InputError(
                f"base_height of {kind} must be {side} clutter_height, {height}, got {self.base_height}"
            )
        spread = {"SL": 5.7, "DL": 7.2, "SH": 5.9, "DH": 4.0}[kind]
        self.large_scale = LargeScale(
            (4.3, spread, spread), (10.0, 10.0, 10.0), (7.0, 8.0), 10.0, 0.0, self.clutter_size / 2
        )

    def _probability(self, distance: FloatArray) -> FloatArray:
        heights: Any = 1.0
        if self._high:
            heights = (self.base_height - self.user_height) / (self.clutter_height - self.user_height)
        return line_of_sight.inf(distance, self.clutter_density, self.clutter_size, heights)

    def _path_loss(self, distance: FloatArray, in_sight: NDArray[np.bool_], draw: Any) -> FloatArray:
        link = self.distance_3d(distance), self.carrier
        return np.where(in_sight, path_loss.inf_los(*link), path_loss.inf_nlos(*link, self.kind))


def _between(name: str, value: Any, limits: tuple[float, float], unit: str) -> float:
    number = positive_number(name, value)
    _in_range(name, np.asarray(number), limits, unit, "")
    return number


def _in_range(name: str, value: FloatArray, limits: tuple[float, float], unit: str, of: str) -> None:
    least, most = limits
    if value.size and not (value.min() >= least * (1 - 1e-12) and value.max() <= most * (1 + 1e-12)):
        wrong = value[~((value >= least) & (value <= most))].flat[0]
        raise InputError(
            f"{name} must be {least:g} to {most:g} {unit} {f'in {of}' if of else ''}".strip() + f", got {wrong}"
        )
