"""Path loss of 3GPP TR 38.901 V16.1, section 7.4.1, Table 7.4.1-1, in dB.

Symbols as in the table: `d2` and `d3`, m, are the horizontal distance and the one between the antennas; `f`, GHz,
the carrier; `h_b` and `h_u`, m, the heights of base station and user. All are numbers or arrays that broadcast.
Ranges are those of the scenarios (`env.processes.tr38901.scenarios`), which check them; nothing is checked here.
"""

from typing import Any

import numpy as np

from ...arrays import FloatArray
from ..channel import SPEED_OF_LIGHT


def break_point(f: Any, h_b: Any, h_u: Any, h_e: Any) -> FloatArray:
    """d'_BP, m, of UMi and UMa: ``4 (h_b - h_e) (h_u - h_e) f / c``, h_e the environment's height (note 1)."""
    return np.asarray(4 * (h_b - h_e) * (h_u - h_e) * f * 1e9 / SPEED_OF_LIGHT)


def umi_los(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any) -> FloatArray:
    """UMi street canyon in line of sight: PL1 up to the break point, PL2 beyond; h_e = 1 m."""
    return _two_slopes(d2, d3, f, h_b, h_u, 1.0, (32.4, 21.0, 9.5))


def umi_nlos(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any) -> FloatArray:
    """UMi street canyon without line of sight: the larger of PL_UMi-LOS and PL'_UMi-NLOS."""
    beyond = 35.3 * np.log10(d3) + 22.4 + 21.3 * np.log10(f) - 0.3 * (h_u - 1.5)
    return np.maximum(umi_los(d2, d3, f, h_b, h_u), beyond)


def uma_los(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any, h_e: Any) -> FloatArray:
    """UMa in line of sight: PL1 up to the break point, PL2 beyond."""
    return _two_slopes(d2, d3, f, h_b, h_u, h_e, (28.0, 22.0, 9.0))


def uma_nlos(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any, h_e: Any) -> FloatArray:
    """UMa without line of sight: the larger of PL_UMa-LOS and PL'_UMa-NLOS."""
    beyond = 13.54 + 39.08 * np.log10(d3) + 20 * np.log10(f) - 0.6 * (h_u - 1.5)
    return np.maximum(uma_los(d2, d3, f, h_b, h_u, h_e), beyond)


def uma_environment_height(d2: Any, h_u: Any, draw: Any) -> FloatArray:
    """h_e of UMa, m (note 1), from `draw`, uniform in [0, 1).

    1 m with the probability ``1 / (1 + C(d2, h_u))``, else 12, 15, ... or h_u - 1.5, all equally likely.
    """
    c = uma_height_factor(h_u) * uma_distance_factor(d2)
    likely = 1 / (1 + c)
    steps = np.maximum(np.floor((h_u - 1.5 - 12) / 3) + 1, 1)
    again = np.clip((draw - likely) / np.maximum(1 - likely, 1e-300), 0, 1)  # uniform, of those that are not 1 m
    return np.where(draw < likely, 1.0, 12 + 3 * np.minimum(np.floor(again * steps), steps - 1))


def uma_height_factor(h_u: Any) -> FloatArray:
    """``((h_u - 13) / 10)^1.5``, 0 up to 13 m: C'(h_u) of Table 7.4.2-1, and its part in C of Table 7.4.1-1."""
    return np.asarray((np.maximum(np.asarray(h_u) - 13, 0) / 10) ** 1.5)


def uma_distance_factor(d2: Any) -> FloatArray:
    """g(d2) of note 1: ``5/4 (d2 / 100)^3 exp(-d2 / 150)``, 0 up to 18 m."""
    d2 = np.asarray(d2)
    return np.where(d2 > 18, 1.25 * (d2 / 100) ** 3 * np.exp(-d2 / 150), 0.0)


def rma_break_point(f: Any, h_b: Any, h_u: Any) -> FloatArray:
    """d_BP, m, of RMa: ``2 pi h_b h_u f / c`` (note 5)."""
    return np.asarray(2 * np.pi * h_b * h_u * f * 1e9 / SPEED_OF_LIGHT)


def rma_los(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any, h: Any) -> FloatArray:
    """RMa in line of sight, h the average height of buildings, m: PL1 up to the break point, PL2 beyond."""
    far = rma_break_point(f, h_b, h_u)
    near = np.where(d2 <= far, d3, far)  # PL2 is PL1 at the break point and 40 dB a decade after it
    power = np.asarray(h, dtype=np.float64) ** 1.72
    loss = 20 * np.log10(40 * np.pi * near * f / 3)
    loss = loss + np.minimum(0.03 * power, 10) * np.log10(near)
    loss = loss - np.minimum(0.044 * power, 14.77) + 0.002 * np.log10(h) * near
    return np.asarray(loss + np.where(d2 <= far, 0.0, 40 * np.log10(d3 / far)))


def rma_nlos(d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any, h: Any, w: Any) -> FloatArray:
    """RMa without line of sight, w the average width of streets, m: the larger of PL_RMa-LOS and PL'_RMa-NLOS."""
    beyond = 161.04 - 7.1 * np.log10(w) + 7.5 * np.log10(h)
    beyond = beyond - (24.37 - 3.7 * (h / h_b) ** 2) * np.log10(h_b)
    beyond = beyond + (43.42 - 3.1 * np.log10(h_b)) * (np.log10(d3) - 3)
    beyond = beyond + 20 * np.log10(f) - (3.2 * np.log10(11.75 * h_u) ** 2 - 4.97)
    return np.maximum(rma_los(d2, d3, f, h_b, h_u, h), beyond)


def inh_los(d3: Any, f: Any) -> FloatArray:
    """InH office in line of sight."""
    return np.asarray(32.4 + 17.3 * np.log10(d3) + 20 * np.log10(f))


def inh_nlos(d3: Any, f: Any) -> FloatArray:
    """InH office without line of sight: the larger of PL_InH-LOS and PL'_InH-NLOS."""
    return np.maximum(inh_los(d3, f), 38.3 * np.log10(d3) + 17.3 + 24.9 * np.log10(f))


def inf_los(d3: Any, f: Any) -> FloatArray:
    """InF in line of sight."""
    return np.asarray(31.84 + 21.5 * np.log10(d3) + 19 * np.log10(f))


INF_NLOS = {"SL": (33.0, 25.5), "DL": (18.6, 35.7), "SH": (32.4, 23.0), "DH": (33.63, 21.9)}
"""Of each InF scenario without line of sight: the loss at 1 m and 1 GHz, dB, and the slope, dB a decade."""


def inf_nlos(d3: Any, f: Any, kind: str) -> FloatArray:
    """InF without line of sight, of a `kind` of `INF_NLOS`: the larger of its loss, PL_LOS and, for DL, PL_SL."""
    kinds = ("DL", "SL") if kind == "DL" else (kind,)
    loss = inf_los(d3, f)
    for one in kinds:
        constant, slope = INF_NLOS[one]
        loss = np.maximum(loss, constant + slope * np.log10(d3) + 20 * np.log10(f))
    return loss


def _two_slopes(
    d2: Any, d3: Any, f: Any, h_b: Any, h_u: Any, h_e: Any, constants: tuple[float, float, float]
) -> FloatArray:
    at_one, slope, correction = constants
    far = break_point(f, h_b, h_u, h_e)
    decades = np.log10(d3)
    beyond = 40 * decades - correction * np.log10(far**2 + (h_b - h_u) ** 2)
    return np.asarray(at_one + 20 * np.log10(f) + np.where(d2 <= far, slope * decades, beyond))
