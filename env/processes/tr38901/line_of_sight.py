"""Probability of a line of sight of 3GPP TR 38.901 V16.1, section 7.4.2, Table 7.4.2-1.

`d`, m, is the horizontal distance, outdoors (d_2D-out) where the user is indoors: a number or an array.
"""

from typing import Any

import numpy as np

from ...arrays import FloatArray
from .path_loss import uma_distance_factor, uma_height_factor


def umi(d: Any) -> FloatArray:
    """UMi street canyon."""
    return _urban(d, 36.0)


def uma(d: Any, h_u: Any) -> FloatArray:
    """UMa, of users at the height h_u, m."""
    return np.minimum(_urban(d, 63.0) * (1 + uma_height_factor(h_u) * uma_distance_factor(d)), 1.0)


def rma(d: Any) -> FloatArray:
    """RMa."""
    return np.exp(-np.maximum(np.asarray(d) - 10, 0) / 1000)


def inh_mixed(d: Any) -> FloatArray:
    """InH, mixed office."""
    d = np.asarray(d)
    near = np.exp(-np.maximum(d - 1.2, 0) / 4.7)
    return np.where(d < 6.5, near, 0.32 * np.exp(-(d - 6.5) / 32.6))


def inh_open(d: Any) -> FloatArray:
    """InH, open office."""
    d = np.asarray(d)
    near = np.exp(-np.maximum(d - 5, 0) / 70.8)
    return np.where(d <= 49, near, 0.54 * np.exp(-(d - 49) / 211.7))


def inf(d: Any, clutter_density: float, clutter_size: float, heights: Any = 1.0) -> FloatArray:
    """InF: ``exp(-d / k)``, ``k = -d_clutter heights / ln(1 - r)``.

    Args:
        d: m.
        clutter_density: r, the share of the floor that clutter covers.
        clutter_size: d_clutter, m.
        heights: ``(h_b - h_u) / (h_c - h_u)`` of SH and DH, 1 of SL and DL.
    """
    return np.exp(np.asarray(d) * np.log1p(-clutter_density) / (clutter_size * heights))


def _urban(d: Any, decay: float) -> FloatArray:
    near = 18 / np.maximum(d, 18.0)
    return np.asarray(near + np.exp(-np.asarray(d) / decay) * (1 - near))
