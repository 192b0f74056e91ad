"""Outdoor-to-indoor penetration loss of 3GPP TR 38.901 V16.1, section 7.4.3.1, in dB."""

from typing import Any, Literal

import numpy as np

from ...arrays import FloatArray

Building = Literal["low", "high"]
SPREAD = {"low": 4.4, "high": 6.5}
"""sigma_P, dB, of each model (Table 7.4.3-2)."""
_GLASS = {"low": (2.0, 0.2), "high": (23.0, 0.3)}  # Table 7.4.3-1: standard glass, IRR glass; dB, dB a GHz
_SHARE_OF_GLASS = {"low": 0.3, "high": 0.7}


def through_walls(carrier: float, building: Building) -> float:
    """PL_tw, dB, of a carrier in GHz: 5 dB and the loss of a wall of glass and concrete (Table 7.4.3-2).

    ``5 - 10 log10(s 10^(-L_glass / 10) + (1 - s) 10^(-L_concrete / 10))``: 'low' has 0.3 of standard glass, 'high'
    0.7 of infrared-reflecting glass; L of Table 7.4.3-1.
    """
    constant, slope = _GLASS[building]
    glass, concrete, share = constant + slope * carrier, 5 + 4 * carrier, _SHARE_OF_GLASS[building]
    return float(5 - 10 * np.log10(share * 10 ** (-glass / 10) + (1 - share) * 10 ** (-concrete / 10)))


def inside(distance: Any) -> FloatArray:
    """PL_in, dB: 0.5 dB a metre of d_2D-in."""
    return np.asarray(0.5 * np.asarray(distance))
