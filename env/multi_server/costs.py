"""What a decision costs where several servers share their bandwidth and CPU among the users that they serve.

User u computes c_u cycles on d_u bits locally in t_u = c_u / f_u seconds with e_u = k f_u^2 c_u J; or on server s,
with the shares beta of its bandwidth B_s and gamma of its CPU F_s, in ``d_u / (beta B_s r_us) + c_u / (gamma
F_s)`` seconds with ``p_u d_u / (beta B_s r_us)`` J, r_us = log2(1 + p_u h_us / N0) being the spectral efficiency.
Delay and energy are held against the local ones and weighted, w_t + w_e = 1 (after Tran and Pompili, IEEE Trans.
Vehicular Tech. 2019, section III, whose uplink has sub-bands with interference instead). So local computing costs
1, and offloading, with

    a_us^2 = (w_t / t_u + w_e p_u / e_u) d_u / (B_s r_us),   b_us^2 = (w_t / t_u) c_u / F_s,

costs ``a_us^2 / beta + b_us^2 / gamma``. By the Cauchy-Schwarz inequality the best shares of a server go as a_us
and b_us, and the least cost of a decision is

    C(x) = #{u: x_u = 0} + sum_s [(sum_{u on s} a_us)^2 + (sum_{u on s} b_us)^2].
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray


class Costs(NamedTuple):
    """What offloading costs in a frame of N users and M servers."""

    bandwidth: FloatArray
    """a, (..., N, M)."""
    cpu: FloatArray
    """b, (..., N, M)."""


def loads(costs: Costs, decisions: NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """The sums of a and of b over the users on each server, (..., M), for decisions (..., N)."""
    on = (decisions[..., None] == np.arange(1, costs.cpu.shape[-1] + 1)).astype(np.float64)
    return np.einsum("...us,...us->...s", on, costs.bandwidth), np.einsum("...us,...us->...s", on, costs.cpu)


def cost_of(costs: Costs, decisions: NDArray[np.int64]) -> FloatArray:
    """C of decisions (..., N): (...)."""
    bandwidth, cpu = loads(costs, decisions)
    cost: FloatArray = (decisions == 0).sum(-1) + (bandwidth**2).sum(-1) + (cpu**2).sum(-1)
    return cost


def marginal_costs(costs: Costs, decision: NDArray[np.int64]) -> FloatArray:
    """By how much C changes when one user of a decision (N,) takes another choice, (N, M + 1); 0 for its own."""
    users = np.arange(len(decision))
    here = np.maximum(decision - 1, 0)
    away = decision > 0
    gain = np.where(away, 0.0, 1.0)
    more = np.zeros((len(decision), costs.cpu.shape[1]))
    for one, load in zip(costs, loads(costs, decision), strict=True):
        own = one[users, here]
        gain += np.where(away, (2 * load[here] - own) * own, 0.0)
        more += (2 * load + one) * one
    change = np.concatenate([np.ones((len(decision), 1)), more], -1) - gain[:, None]
    change[users, decision] = 0
    return change
