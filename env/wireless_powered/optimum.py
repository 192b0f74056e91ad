"""The optimum of the wireless powered problem over all 2^N decisions, with a certificate, for any N.

In the symbols of `allocation` (L_i a user's local rate at a = 1, H_i its signal-to-noise ratio, W_i its rate
slope), relax the time budget with a price v. At a fixed charging time a the users then decouple, each takes the
better of L_i a^(1/3) and O_i(v) a, with O_i(v) = max over y of (H_i / y) (W_i ln(1 + y) - v), and

    G(v) = max over a of  v (1 - a) + sum_i max(L_i a^(1/3), O_i(v) a)

bounds every decision, for any v > 0. The users that offload at a given a are those of the largest O_i / L_i, so G
is the largest of N + 1 concave functions of a, one for each prefix of that order, with closed-form maxima. G is
convex; its minimum over v is the bound. Where it leaves a gap, the two decisions that are optimal just left and
just right of the minimum differ in some users, and fixing one of them, local or offloading, gives two problems of
the same form (H_i = 0 or L_i = 0): a branch and bound, whose open nodes are solved together as rows of one array.
Users that are equal in L, H and W are interchangeable: of these the first ones offload, so that fixing one to
offload fixes those before it, and fixing one to compute locally those after it.

Where CPUs have a cap, kinks k_i in the functions below, the local rates and G at a price are those of `capped`.
"""

import time
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..arrays import FloatArray
from ..lambert_w import log_snr
from ..machine_code import machine_code
from .allocation import split_time
from .capped import capped_bound_at, split_capped

PIECE = 2**14
"""Users of all the nodes together that are solved between two looks at the clock."""
MAX_CUTS = 60
"""Steps to the minimum of G; each gives a valid bound, so running out of them costs tightness only."""


class Optimum(NamedTuple):
    """The best decision found and how good any decision could be."""

    decision: FloatArray
    """(..., N), 0 or 1."""
    rate: FloatArray
    """(...), bit/s, of `decision`."""
    upper_bound: FloatArray
    """(...), bit/s: no decision has a higher rate."""

    @property
    def gap(self) -> FloatArray:
        """(...), how much higher the bound is than the rate, as a share of the rate.

        Above the tolerance where the time limit ended the search, or where very high signal-to-noise ratios
        hide the rest in rounding.
        """
        rate = np.asarray(self.rate)
        return (self.upper_bound - rate) / np.where(rate > 0, rate, 1.0)


class _Relaxation(NamedTuple):
    """Of M problems: `bound` (M,) and the decisions (M, N) that are optimal left and right of its price (M,)."""

    bound: FloatArray
    price: FloatArray
    either_side: tuple[FloatArray, FloatArray]
    """Prices (M,) between which it lies, those of the two decisions."""
    left: NDArray[np.bool_]
    right: NDArray[np.bool_]


class _Nodes(NamedTuple):
    """Open nodes: of each its frame, what it leaves to its users, and the bound of the node that it came from."""

    frame: NDArray[np.intp]
    """(M,)"""
    local: FloatArray
    """(M, N)"""
    snr: FloatArray
    """(M, N)"""
    parent_bound: FloatArray
    """(M,)"""

    def pieces(self, rows: int) -> "Iterator[_Nodes]":
        """The same in parts of so many."""
        for first in range(0, len(self.frame), rows):
            part = slice(first, first + rows)
            yield _Nodes(self.frame[part], self.local[part], self.snr[part], self.parent_bound[part])


class _Groups(NamedTuple):
    """Users of one weight, whose ratios enter an allocation by their sum."""

    slope: FloatArray
    """(G,), bit/s."""
    members: FloatArray
    """(N, G), 1 where a user is in a group."""


def certified_optimum(
    local: FloatArray,
    snr: FloatArray,
    slope: FloatArray,
    tolerance: float,
    time_limit: float | None = None,
    kink: FloatArray | None = None,
) -> Optimum:
    """Solve M frames of N users by branch and bound.

    Args:
        local: L, (M, N), bit/s. snr: H, (M, N). slope: W, (M, N), bit/s.
        tolerance: a frame is done when its bound is within this share of its rate.
        time_limit: seconds after which open nodes are left open; the bound then says what gap is left. The clock
            is looked at after each `PIECE`; every frame is bounded once, however long that takes.
        kink: k, (M, N), in (0, 1]; None without a cap.

    The bound is computed in floating point and raised by a relative slack of (8 N + 64) roundings, more than its
    sums of N + 1 positive terms (2 N + 1 with a cap) can lose; an inexact y or a only lowers G by the square of
    its error (1e-9).
    """
    frames, num_users = local.shape
    deadline = np.inf if time_limit is None else time.monotonic() + time_limit
    slack = 1 + (8 * num_users + 64) * np.finfo(np.float64).eps
    decision = np.zeros((frames, num_users))
    rate = np.full(frames, -np.inf)
    upper_bound = np.full(frames, -np.inf)
    groups = _groups(slope)
    alike = _alike(local, snr, slope)

    def branched(nodes: _Nodes) -> _Nodes:
        """Bound nodes, keep the best decisions they lead to, and split those that are still open."""
        frame = nodes.frame
        node_kink = None if kink is None else kink[frame]
        enough = rate[frame] / slack  # a node that cannot hold a better decision need not be bounded closer
        relaxed = _relax(nodes.local, nodes.snr, slope[frame], 0.01 * tolerance, node_kink, enough)
        bound = np.minimum(relaxed.bound * slack, nodes.parent_bound)
        differing = relaxed.left != relaxed.right
        hopeful = bound > rate[frame]
        one, two = np.flatnonzero(hopeful), np.flatnonzero(hopeful & differing.any(-1))
        candidates = np.concatenate([relaxed.left[one], relaxed.right[two]])
        of = np.concatenate([frame[one], frame[two]])
        if of.size:
            found = _rates(candidates, local[of], snr[of], slope[of], None if kink is None else kink[of], groups)
            for row in np.flatnonzero(found > rate[of]):
                if found[row] > rate[of[row]]:
                    rate[of[row]] = found[row]
                    decision[of[row]] = candidates[row]
        is_open = (bound > rate[frame] * (1 + tolerance)) & differing.any(-1)
        np.maximum.at(upper_bound, frame[~is_open], bound[~is_open])
        user = _branching_user(differing[is_open], nodes.local[is_open], nodes.snr[is_open])
        fixed_local, fixed_offloading = nodes.snr[is_open], nodes.local[is_open]
        if alike is None:
            rows = np.arange(user.size)
            fixed_local[rows, user] = 0
            fixed_offloading[rows, user] = 0
        else:
            kind = alike[frame[is_open]]
            same, place = kind == np.take_along_axis(kind, user[:, None], 1), np.arange(num_users)
            fixed_local[same & (place >= user[:, None])] = 0
            fixed_offloading[same & (place <= user[:, None])] = 0
        return _Nodes(
            np.tile(frame[is_open], 2),
            np.concatenate([nodes.local[is_open], fixed_offloading]),
            np.concatenate([fixed_local, nodes.snr[is_open]]),
            np.tile(bound[is_open], 2),
        )

    nodes = branched(_Nodes(np.arange(frames), local, snr, np.full(frames, np.inf)))
    at_once = max(1, PIECE // num_users)
    while len(nodes.frame):
        parts = []
        for piece in [nodes] if time_limit is None else nodes.pieces(at_once):
            if time.monotonic() > deadline:
                np.maximum.at(upper_bound, piece.frame, piece.parent_bound)
            else:
                parts.append(branched(piece))
        if not parts:
            break
        nodes = _Nodes(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    return Optimum(decision, rate, np.maximum(upper_bound, rate))


def _rates(
    decision: NDArray[np.bool_],
    local: FloatArray,
    snr: FloatArray,
    slope: FloatArray,
    kink: FloatArray | None,
    groups: _Groups | None,
) -> FloatArray:
    """Of decisions (M, N), with their best allocation, (M,), bit/s."""
    computed, offloaded = np.where(decision, 0.0, local), np.where(decision, snr, 0.0)
    if kink is not None:
        return split_capped(computed, kink, offloaded, slope).rate
    if groups is not None:
        offloaded, slope = offloaded @ groups.members, groups.slope
    return split_time(computed.sum(-1), offloaded, slope).rate


def _groups(slope: FloatArray) -> _Groups | None:
    """Those of slopes (M, N) where all rows have the same few; else None."""
    if len(slope) and (slope == slope[0]).all():
        distinct, group = np.unique(slope[0], return_inverse=True)
        if 2 * len(distinct) <= len(group):
            return _Groups(distinct, (group[:, None] == np.arange(len(distinct))).astype(np.float64))
    return None


def _alike(local: FloatArray, snr: FloatArray, slope: FloatArray) -> NDArray[np.int64] | None:
    """Of users (M, N) of M frames a number, the same for those that are equal; None where no two are."""
    order = np.lexsort((slope, snr, local), axis=-1)
    ordered = [np.take_along_axis(each, order, -1) for each in (local, snr, slope)]
    differ = np.logical_or.reduce([each[:, 1:] != each[:, :-1] for each in ordered])
    if differ.all():
        return None
    kinds = np.zeros(local.shape, dtype=np.int64)
    np.put_along_axis(kinds, order[:, 1:], differ.cumsum(-1), -1)
    return kinds


def rounded_relaxation(
    local: FloatArray, snr: FloatArray, slope: FloatArray, kink: FloatArray | None = None
) -> NDArray[np.bool_]:
    """Decisions (M, N) of the linear relaxation with rounding (LR of the DROO paper, section VI).

    The relaxed problem is solved at the price that minimises G; then each user takes the larger of its own rates
    at the relaxed time split, as in the paper. (The paper relaxes the decisions in P1 itself, which is bilinear in
    decision and rate and not convex; its Lagrangian relaxation, which time sharing attains, is the nearest problem
    that can be solved exactly.)
    """
    relaxed = _relax(local, snr, slope, 1e-9, kink)
    price = relaxed.price
    s = log_snr(price[:, None] / slope)
    time_per_a = snr * np.exp(-s) / -np.expm1(-s)
    if kink is None:
        offload = time_per_a * (slope * s - price[:, None])
        decision = _bound_at(price, local, snr, slope)[2]
        computed = np.where(decision, 0.0, local).sum(-1)
        margin = 3 * np.maximum(price - np.where(decision, offload, 0.0).sum(-1), 0)
        share = np.divide(computed, margin, out=np.ones_like(margin), where=margin > computed)
        a = (share**1.5)[:, None]
        own = local * np.cbrt(a)
    else:
        a = _time_shared(relaxed.either_side, time_per_a, local, snr, slope, kink)[:, None]
        own = local * np.cbrt(np.minimum(a, kink))
    return np.asarray(slope * time_per_a * s * a >= own)


def _time_shared(
    either_side: tuple[FloatArray, FloatArray],
    time_per_a: FloatArray,
    local: FloatArray,
    snr: FloatArray,
    slope: FloatArray,
    kink: FloatArray,
) -> FloatArray:
    """Charging time (M,) of the relaxed problem under a cap: those left and right of its price, in turns.

    One of them takes more time than there is and the other less, by `over`; the shares make that 0.
    """
    over, charging = [], []
    for price in either_side:
        _, free, decision = capped_bound_at(price, local, snr, slope, kink)  # 1 - a - sum tau
        over.append(-free)
        charging.append((1 - free) / (1 + np.where(decision, time_per_a, 0.0).sum(-1)))
    share = (-over[1] / np.maximum(over[0] - over[1], np.finfo(float).tiny)).clip(0, 1)  # of the left one
    return np.asarray(share * charging[0] + (1 - share) * charging[1])


def _branching_user(differing: NDArray[np.bool_], local: FloatArray, snr: FloatArray) -> NDArray[np.intp]:
    """Of the users that differ, (M, N), the one whose offloading weighs in the middle, (M,)."""
    with np.errstate(over="ignore"):
        weight = np.where(differing, snr / np.maximum(local, np.finfo(float).tiny), -1.0)
    order = np.argsort(-weight, axis=-1)
    middle = (differing.sum(-1) - 1) // 2
    return np.take_along_axis(order, middle[:, None], axis=-1)[:, 0]


def _relax(
    local: FloatArray,
    snr: FloatArray,
    slope: FloatArray,
    precision: float,
    kink: FloatArray | None = None,
    enough: FloatArray | None = None,
) -> _Relaxation:
    """Minimise the convex G over v, M problems at a time, between tangents from both sides.

    Where a bound is at most `enough` (M,), it need not be the least one.

    The price lies between a third of the relaxed optimum and all of it, because the optimum grows with the time
    budget with a degree between 1/3 (local computing) and 1 (offloading). With a cap the degree may be less, and
    the lower end is sought: down to a price so small that all the time is worth nothing beside the precision.
    """
    enough = np.full(len(local), -np.inf) if enough is None else enough
    if kink is None:
        if (code := machine_code("wireless_powered.compiled_optimum")) is not None:
            rows = (np.ascontiguousarray(each, dtype=np.float64) for each in (local, snr, slope))
            best, best_price, low, high, left, right = code.relax(*rows, enough, precision, MAX_CUTS)
            return _Relaxation(best, best_price, (low, high), left, right)
        bound_at, computed = _bound_at, local
    else:
        bound_at, computed = partial(capped_bound_at, kink=kink), local * np.cbrt(kink)
    some_rate = np.maximum(
        computed.sum(-1), (slope * np.log1p(snr)).max(-1) / 2
    )  # all local; one user, a = tau = 1/2
    low = 0.3 * some_rate
    low_bound, low_tangent, left = bound_at(low, local, snr, slope)
    high = low_bound.copy()
    high_bound, high_tangent, right = bound_at(high, local, snr, slope)
    if kink is not None:
        nothing = 0.1 * precision * some_rate
        while (above := (low_tangent > 0) & (low > nothing)).any():
            high, high_bound = np.where(above, low, high), np.where(above, low_bound, high_bound)
            high_tangent = np.where(above, low_tangent, high_tangent)
            right = np.where(above[:, None], left, right)
            low = np.where(above, np.maximum(0.1 * low, nothing), low)
            low_bound, low_tangent, left = bound_at(low, local, snr, slope)
        low_tangent = np.minimum(low_tangent, 0)
    best = np.minimum(low_bound, high_bound)
    best_price = np.where(low_bound < high_bound, low, high)
    for cut in range(MAX_CUTS):
        # Where the tangents meet, and how low G could be there.
        run = np.maximum(high_tangent - low_tangent, np.finfo(float).tiny)
        meet = (low_bound - high_bound + high_tangent * high - low_tangent * low) / run
        least = low_bound + low_tangent * (meet - low)
        if np.all((best - least <= precision * best) | (best <= enough)):
            break
        inside = (meet > low) & (meet < high) & (cut % 3 < 2)  # every third step halves, whatever the tangents say
        price = np.where(inside, meet, (low + high) / 2)
        bound, tangent, decision = bound_at(price, local, snr, slope)
        best_price = np.where(bound < best, price, best_price)
        best = np.minimum(best, bound)
        rising = tangent > 0
        high = np.where(rising, price, high)
        high_bound = np.where(rising, bound, high_bound)
        high_tangent = np.where(rising, tangent, high_tangent)
        right = np.where(rising[:, None], decision, right)
        low = np.where(rising, low, price)
        low_bound = np.where(rising, low_bound, bound)
        low_tangent = np.where(rising, low_tangent, tangent)
        left = np.where(rising[:, None], left, decision)
    return _Relaxation(best, best_price, (low, high), left, right)


def _bound_at(
    price: FloatArray, local: FloatArray, snr: FloatArray, slope: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.bool_]]:
    """G (M,), a slope of G (M,), and the decision (M, N) that attains it, at prices v (M,)."""
    v = price[:, None]
    s = log_snr(v / slope)
    time_per_a = snr * np.exp(-s) / -np.expm1(-s)  # tau / a = H / y
    offload = time_per_a * (slope * s - v)
    with np.errstate(over="ignore"):  # a user fixed to offload, L = 0, comes first
        order = np.argsort(-offload / np.maximum(local, np.finfo(float).tiny), axis=-1)
    # Entry j: the first j users of the order offload.
    none = np.zeros_like(v)
    offloaded = np.hstack([none, np.take_along_axis(offload, order, -1).cumsum(-1)])
    busy = np.hstack([none, np.take_along_axis(time_per_a, order, -1).cumsum(-1)])
    computed = np.hstack([np.take_along_axis(local, order, -1)[:, ::-1].cumsum(-1)[:, ::-1], none])
    margin = 3 * np.maximum(v - offloaded, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.where(margin > computed, (computed / margin) ** 1.5, 1.0)
    value = v - (v - offloaded) * a + computed * np.cbrt(a)
    j = value.argmax(-1)
    rows = np.arange(j.size)
    decision = np.zeros(local.shape, dtype=bool)
    np.put_along_axis(decision, order, np.arange(local.shape[1]) < j[:, None], axis=-1)
    return value[rows, j], 1 - a[rows, j] * (1 + busy[rows, j]), decision
