"""What it is worth to split tasks between the users and one server each, with the best split and the best shares.

User u on server s computes the share 1 - rho of its task itself, in ``(1 - rho) t_u`` seconds with ``(1 - rho)
e_u`` J, while the share rho is sent, ``rho d_u / (beta B_s r_us)`` seconds, and computed, ``rho c_u / (gamma
F_s)``, with shares beta of the time on the air and gamma of the CPU. A user sends in bursts, at full rate while it
is its turn, and pauses: so sending takes ``rho p_u d_u / (B_s r_us)`` J, whatever beta is. The split is such that
nobody waits for the server: its part comes back before the user's own is done. With

    a_us^2 = d_u / (v_us t_u B_s r_us),   b_us^2 = c_u / (v_us t_u F_s),   v_us = 1 - w_e p_u d_u / (e_u B_s r_us),

w_t + w_e = 1, delay and energy held against the local ones, the cost of a user is ``1 - v rho``, and

    rho <= 1 / (1 + v a^2 / beta + v b^2 / gamma),

a harmonic mean, concave in the shares: what a server can save its users is a convex program,

    maximise sum_u v_u rho_u over rho, beta, gamma >= 0 with sum beta <= 1, sum gamma <= 1.           (1)

With the prices A^2 and G^2 of air and CPU its dual is a piecewise quadratic function of two variables,

    minimise A^2 + G^2 + sum_u v_u max(0, 1 - A a_u - G b_u)^2 over A, G >= 0,                         (2)

the splits being ``rho = max(0, 1 - A a - G b)`` and the shares ``beta = v a rho / A``, ``gamma = v b rho / G``.

Where a user may wait for the server, with rho up to 1, the program is not convex in any of these variables: a user
for whom the energy counts sends its whole task as soon as the server is fast enough, and its value, as a function
of its shares, becomes steeper there.
"""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray, InputError

STEPS = 100
"""Of Newton's method, which mostly takes three to five."""
RESTARTS = 5
"""Of SLSQP at the point where it ended, which now and then is not yet the best."""


class Worth(NamedTuple):
    """What servers may be worth to users in a frame, N users and M servers."""

    bandwidth: FloatArray
    """a, (N, M)."""
    cpu: FloatArray
    """b, (N, M)."""
    saved: FloatArray
    """v, (N, M), of the local cost, 1, in the limit of an idle server of infinite speed; 0 where that is less."""


class Split(NamedTuple):
    """The solution of (1) on each server."""

    value: FloatArray
    """(..., M), what a server saves its users."""
    share: FloatArray
    """rho, (..., N, M), 0 where the user is not on the server."""
    bandwidth: FloatArray
    """beta, likewise."""
    cpu: FloatArray
    """gamma, likewise."""


Critic = Callable[[Worth, NDArray[np.bool_]], Split]


def split_batched(worth: Worth, on: NDArray[np.bool_]) -> Split:
    """The best splits and shares for users on servers (..., N, M), by Newton's method on (2) for all at once.

    Each step solves the quadratic function of the users that send at the point where it is, and goes as far as (2)
    falls.
    """
    a, b = worth.bandwidth, worth.cpu
    v = np.where(on, worth.saved, 0.0)
    price = np.zeros((2, *v.shape[:-2], v.shape[-1]))  # A and G
    left = np.ones_like(v)
    value = v.sum(-2)
    for _ in range(STEPS):
        active = np.where(left > 0, v, 0.0)
        va, vb = active * a, active * b
        aa, ab, bb = 1 + (va * a).sum(-2), (va * b).sum(-2), 1 + (vb * b).sum(-2)
        one, other = va.sum(-2), vb.sum(-2)
        determinant = aa * bb - ab**2
        step = np.stack([one * bb - other * ab, other * aa - one * ab]) / determinant - price
        length = np.ones_like(value)
        while True:
            new = price + length * step
            left = np.maximum(1 - new[0][..., None, :] * a - new[1][..., None, :] * b, 0.0)
            found = (new**2).sum(0) + (v * left**2).sum(-2)
            worse = (found > value * (1 + 1e-15)) & (length > 1e-8)
            if not worse.any():
                break
            length = np.where(worse, length / 2, length)
        moved = np.abs(length * step).max(initial=0.0)
        price, value = new, found
        if moved < 1e-14:
            break
    share = np.where(v > 0, left, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        bandwidth, cpu = (
            np.where(v > 0, v * of * share / of_all[..., None, :], 0.0)
            for of, of_all in ((a, price[0]), (b, price[1]))
        )
    return Split(value, share, bandwidth, cpu)


def split_by_scipy(worth: Worth, on: NDArray[np.bool_]) -> Split:
    """The same by SciPy's SLSQP on (1), one server of one decision after another: milliseconds each.

    Raises InputError without SciPy.
    """
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise InputError("critic must be 'batched' without SciPy: install the 'sim' extra") from error
    shape = on.shape
    flat = on.reshape(-1, *shape[-2:])
    value, shares = np.zeros((len(flat), shape[-1])), np.zeros((3, *flat.shape))
    for row, column in np.ndindex(len(flat), shape[-1]):
        users = np.flatnonzero(flat[row, :, column] & (worth.saved[:, column] > 0))
        if not users.size:
            continue
        v = worth.saved[users, column]
        times = v * np.stack([worth.bandwidth[users, column] ** 2, worth.cpu[users, column] ** 2])

        def negated(point: FloatArray, v: FloatArray = v, times: FloatArray = times) -> tuple[float, FloatArray]:
            part = point.reshape(2, -1)
            rho = 1 / (1 + (times / part).sum(0))
            return -float(v @ rho), -(v * rho**2 * times / part**2).ravel()

        count = len(users)
        rows = np.kron(np.eye(2), np.ones(count))
        within = {
            "type": "ineq",
            "fun": lambda point, rows=rows: 1 - rows @ point,
            "jac": lambda point, rows=rows: -rows,
        }
        point, best = np.full(2 * count, 1 / count), np.inf
        for _ in range(RESTARTS):
            with warnings.catch_warnings():
                # SciPy before 1.16 tells of a last digit beyond a bound
                warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)
                found = minimize(
                    negated,
                    point,
                    jac=True,
                    bounds=[(1e-9, 1)] * (2 * count),
                    constraints=within,
                    method="SLSQP",
                    options={"ftol": 1e-13, "maxiter": 300},
                )
            point = found.x
            if found.fun > best - 1e-9:
                break
            best = found.fun
        value[row, column] = -min(best, found.fun)
        shares[1:, row, users, column] = found.x.reshape(2, -1)
        shares[0, row, users, column] = 1 / (1 + (times / found.x.reshape(2, -1)).sum(0))
    share, bandwidth, cpu = (one.reshape(shape) for one in shares)
    return Split(value.reshape(*shape[:-2], shape[-1]), share, bandwidth, cpu)


CRITICS: dict[str, Critic] = {"scipy": split_by_scipy, "batched": split_batched}
