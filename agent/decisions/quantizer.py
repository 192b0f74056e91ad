"""Quantizers of bits: from one relaxed decision in (0,1)^N to K binary candidates, the likeliest first.

The first candidate of each is the relaxed decision rounded (DROO, eq. 8). Relaxed decisions may have any
leading batch dimensions where a docstring says (..., N). Of choices: `agent.decisions.most_probable`.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, namespace, take
from ..checks import FLOAT32, FLOAT64, InputError, positive_number, size
from ..machine_code import machine_code
from .asked import count_of, draws, relaxed_of
from .limits import Limited, cheapest_within
from .nested import Nested

FEW = 64
"""Users up to which machine code sorts them faster than NumPy does."""
_UNSORTED = np.empty(0, dtype=np.int64)
LISTED = 2**16
"""Entries of a table of K decisions and N users up to which machine code lists the nearest."""
COMPILED = "decisions.compiled_quantizer"
"""Machine code of the quantizers of bits for one relaxed decision; for many `_of_each` is added."""
_OF_EACH = f"{COMPILED}_of_each"
Random = Any
"""A `numpy.random.Generator`, or for replicas `agent.generators.Generators`."""


class Quantizer(Protocol):
    """What the agent asks of a quantizer; any object with these two methods will do.

    Five things it may have besides: `within(relaxed, k, rng, limits)`, `k` candidates or fewer that keep limits,
    for one relaxed decision, without which it cannot propose where places are limited; `nested(relaxed, k)`, the
    same candidates for critics that take those (it is then `Nesting`); `lists`, where its k candidates are so many
    lists of equal length one after another, by the places in which K is to adapt; a true `prefix` when its k
    candidates are the first of more, or of each list of more, without which replicas cannot adapt K; and a true
    `distinct` when its candidates always differ, which is then not looked for. For replicas it is called with
    relaxed decisions (R, N), on a device as tensors.
    """

    def max_candidates(self, num_users: int) -> int:
        """The most distinct candidates there are for `num_users` users."""

    def __call__(self, relaxed: Array, k: int, rng: Random) -> Array:
        """`k` candidates, (k, N), for a relaxed decision: (N,) of bits, (N, C) of choices."""


def propose_within(quantizer: Quantizer, relaxed: Array, k: int, rng: Random, limits: Limited) -> Array:
    """`k` candidates or fewer that keep limits, for one relaxed decision; raises InputError where it cannot."""
    if not hasattr(quantizer, "within"):
        raise InputError(
            "quantizer must have within(relaxed, k, rng, limits) where places are limited, got "
            f"{type(quantizer).__name__}"
        )
    return quantizer.within(relaxed, k, rng, limits)


def is_prefix(quantizer: Quantizer) -> bool:
    """Whether its k candidates are the first of more, in each of its lists."""
    return bool(getattr(quantizer, "prefix", False))


def always_differ(quantizer: Quantizer) -> bool:
    """Whether no two of its candidates are the same."""
    return bool(getattr(quantizer, "distinct", False))


def lists_of(quantizer: Quantizer) -> int:
    """How many lists of equal length its candidates are."""
    return int(getattr(quantizer, "lists", 1))


@runtime_checkable
class Nesting(Protocol):
    """A quantizer that has its candidates as `Nested` too."""

    def nested(self, relaxed: Array, k: int) -> Nested:
        """The `k` candidates that a call gives, for relaxed decisions (..., N)."""


@dataclass(frozen=True)
class OrderPreserving:
    """OP: move the threshold from 1/2 to the entries closest to 1/2, one after another (DROO, eqs. 8 and 9).

    Candidate j flips the j entries closest to 1/2 as far as they round to the same side as the j-th: the users
    above the threshold are always the first of one order.

    Args:
        distinct: where entries are equal, as saturated outputs of a network in single precision are, put them in
            some order, so that all candidates differ (the default). False as in the published code: equal entries
            change sides together, and candidates repeat.
    """

    distinct: bool = True
    prefix: ClassVar[bool] = True

    def max_candidates(self, num_users: int) -> int:
        """N + 1: one for each gap between sorted entries."""
        return size("num_users", num_users) + 1

    def __call__(self, relaxed: Array, k: int, rng: Random | None = None) -> Array:
        """`k` candidates, (..., k, N), for relaxed decisions (..., N)."""
        return self.nested(relaxed, k).expand()

    def nested(self, relaxed: Array, k: int) -> Nested:
        """The same candidates as thresholds on the relaxed decision."""
        relaxed = relaxed_of(relaxed)
        k = count_of(k, relaxed.shape[-1] + 1)
        if self.distinct and (code := _for_one(relaxed)) is not None and len(relaxed) <= FEW:
            return Nested(*code.order_preserving(relaxed, k))
        if self.distinct and (code := _for_each(relaxed)) is not None and relaxed.shape[1] <= FEW:
            return Nested(*code.order_preserving_of_each(relaxed, k))
        xp = namespace(relaxed)
        if not self.distinct and (code := _for_one(relaxed, single=True)) is not None and len(relaxed) <= FEW:
            return Nested(*code.tied(relaxed.astype(np.float64), abs(relaxed - 0.5).argsort()[: k - 1]))
        order = (-relaxed).argsort(stable=True)
        if self.distinct:
            margin = take(relaxed, order) - 0.5
            offloading = (margin > 0).sum(-1)[..., None]
            nearest = abs(margin).argsort(stable=True)[..., : k - 1]
            # A user that offloads stays at home with all that follow it; one at home offloads with all before it.
            counts = nearest + (nearest >= offloading)
        else:
            threshold = take(relaxed, abs(relaxed - 0.5).argsort(-1)[..., : k - 1])
            offloading, counts = _above(relaxed, order, threshold)
        return Nested(order, xp.concatenate([offloading, counts], -1))

    def within(self, relaxed: NDArray[np.floating], k: int, rng: Random | None, limits: Limited) -> Array:
        """The first `k` of all its candidates, for one relaxed decision (N,), that keep the limits.

        A user that cannot offload is the last in the order.
        """
        thresholds = self(np.where(limits.mask[:, 1], relaxed, 0.0), relaxed.size + 1)
        kept: Array = thresholds[limits.feasible(thresholds)][:k]
        return kept


def _above(relaxed: Array, order: Array, threshold: Array) -> tuple[Array, Array]:
    """How many entries of relaxed decisions (..., N), falling in their order, lie above 1/2, and each threshold.

    Those that equal a threshold are above it where it is at most 1/2. Returns counts (..., 1) and (..., k).
    """
    if isinstance(relaxed, np.ndarray) and relaxed.ndim == 1:  # in N log N steps instead of N k
        rising = relaxed[order[::-1]]
        below = rising.searchsorted(threshold, "left"), rising.searchsorted(threshold, "right")
        half = rising.searchsorted(rising.dtype.type(0.5), "right")
        return np.array([rising.size - half]), rising.size - np.where(threshold > 0.5, below[1], below[0])
    others, threshold = relaxed[..., None, :], threshold[..., None]
    counts = namespace(relaxed).where(threshold > 0.5, others > threshold, others >= threshold).sum(-1)
    return (relaxed > 0.5).sum(-1)[..., None], counts


@dataclass(frozen=True)
class KNearest:
    """KNN: the K binary decisions nearest to the relaxed one in Euclidean distance (DROO, section V-B).

    Against the rounded decision, flipping entry i adds ``|1 - 2 x_i|`` to the squared distance. The K nearest
    decisions are therefore the K smallest subset sums of these costs, found best first in O(N log N + K log K)
    without listing 2^N decisions.
    """

    prefix: ClassVar[bool] = True
    distinct: ClassVar[bool] = True

    def max_candidates(self, num_users: int) -> int:
        """2^N."""
        return 2 ** size("num_users", num_users)

    def __call__(
        self, relaxed: NDArray[np.floating], k: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        """`k` candidates, (..., k, N), for relaxed decisions (..., N), nearest first."""
        listed: NDArray[np.int64]
        relaxed = relaxed_of(relaxed)
        k = count_of(k, self.max_candidates(relaxed.shape[-1]))
        if not isinstance(relaxed, np.ndarray):
            return _row_by_row(self, relaxed, k)
        double = np.ascontiguousarray(relaxed, dtype=np.float64)
        if (code := _for_each(double)) is not None and k * double.shape[1] <= LISTED:
            listed = code.nearest_of_each(double, np.ascontiguousarray(self._costs(double)), k)
            return listed
        if double.ndim > 1:
            return _row_by_row(self, double, k)
        costs = self._costs(double)
        if (code := _for_one(double)) is not None and k * double.size <= LISTED:
            listed = code.nearest(double, costs, k)
            return listed
        rounded = (double > 0.5).astype(np.int64)
        order = np.argsort(costs, kind="stable").tolist()
        sorted_costs = costs[order].tolist()
        candidates = np.tile(rounded, (k, 1))
        # A subset is the tuple of its places in `order`; its two successors add the place after its last, or
        # put that place instead of the last. So every subset is reached once, from one that costs no more.
        heap: list[tuple[float, tuple[int, ...]]] = [(sorted_costs[0], (0,))]
        for row in range(1, k):
            cost, places = heapq.heappop(heap)
            candidates[row, [order[place] for place in places]] ^= 1
            following = places[-1] + 1
            if following < len(order):
                added = cost + sorted_costs[following]
                heapq.heappush(heap, (added, (*places, following)))
                heapq.heappush(heap, (added - sorted_costs[places[-1]], (*places[:-1], following)))
        return candidates

    def within(self, relaxed: NDArray[np.floating], k: int, rng: Random | None, limits: Limited) -> Array:
        """The first `k` of those that keep the limits, or all there are, for one relaxed decision (N,)."""
        return cheapest_within(self._choice_costs(np.asarray(relaxed, dtype=np.float64)), k, limits)

    def _costs(self, relaxed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of flipping each entry, (N,)."""
        return np.abs(1 - 2 * relaxed)

    def _choice_costs(self, relaxed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of 0 and of 1 in each entry, (N, 2): they differ by what a flip costs."""
        return np.stack([relaxed**2, (1 - relaxed) ** 2], -1)


@dataclass(frozen=True)
class MostProbableBits(KNearest):
    """MP of bits: the K decisions of the largest product of the users' probabilities, the likeliest first.

    Flipping entry i costs its ``|logit|``, ``|ln(x_i / (1 - x_i))|``, in place of KNN's ``|1 - 2 x_i|``. Among
    users whose choice is all but certain, which to KNN are equal, the least certain still comes first; so do two
    doubtful users' flips before that of one certain user. (Not in the papers;
    `agent.decisions.most_probable` for choices.)
    """

    def _costs(self, relaxed: NDArray[np.float64]) -> NDArray[np.float64]:
        costs = self._choice_costs(relaxed)
        return np.abs(costs[..., 0] - costs[..., 1])

    def _choice_costs(self, relaxed: NDArray[np.float64]) -> NDArray[np.float64]:
        inside = relaxed.clip(1e-300, 1 - 1e-16)
        return -np.log(np.stack([1 - inside, inside], -1))


@dataclass(frozen=True)
class NoisyOrderPreserving:
    """OPN: half of the candidates by OP, the rest by OP of a noisy relaxed decision (LyDROO, section IV-B).

    The noise is Gaussian with standard deviation `noise` on the logits, so that the noisy decision stays
    within (0,1). Candidates of the two halves may coincide. The published code does otherwise, and reaches less:
    `NoisyProbabilities`.

    Raises:
        InputError: when `noise` is not positive.
    """

    noise: float = 1.0

    def __post_init__(self) -> None:
        positive_number("noise", self.noise)

    def max_candidates(self, num_users: int) -> int:
        """2 (N + 1): as many of each half as OP has."""
        return 2 * (size("num_users", num_users) + 1)

    def __call__(self, relaxed: Array, k: int, rng: Random) -> Array:
        """`k` candidates, (..., k, N), for relaxed decisions (..., N)."""
        return _halves(OrderPreserving(), relaxed, k, self._noisy, rng)

    def within(self, relaxed: NDArray[np.floating], k: int, rng: Random, limits: Limited) -> Array:
        """The same of candidates that keep the limits, for one relaxed decision (N,)."""
        exact = OrderPreserving()
        clean = exact.within(relaxed, (k + 1) // 2, None, limits)
        if k == 1:
            return clean
        return np.concatenate([clean, exact.within(self._noisy(relaxed, rng), k // 2, None, limits)])

    def _noisy(self, relaxed: Array, rng: Random) -> Array:
        return shift_logits(relaxed, self.noise * _beside(relaxed, rng.normal(size=relaxed.shape)))


@dataclass(frozen=True)
class NoisyProbabilities:
    """OPN as in the published LyDROO code: noise, N(0, 1), on the relaxed decision, and a sigmoid after it.

    Half of the candidates are OP's of the relaxed decision, the rest OP's of the noisy one, which is nearly
    random; equal entries change sides together. K adapts by the place of the best candidate in its own half.
    """

    lists: ClassVar[int] = 2
    prefix: ClassVar[bool] = True

    def max_candidates(self, num_users: int) -> int:
        """2 (N + 1): as many of each half as OP has."""
        return 2 * (size("num_users", num_users) + 1)

    def __call__(self, relaxed: Array, k: int, rng: Random) -> Array:
        """`k` candidates, (..., k, N), for relaxed decisions (..., N)."""
        return _halves(OrderPreserving(distinct=False), relaxed, k, self._noisy, rng)

    def _noisy(self, relaxed: Array, rng: Random) -> Array:
        return 1 / (1 + namespace(relaxed).exp(-(relaxed + _beside(relaxed, rng.normal(size=relaxed.shape)))))


@dataclass(frozen=True)
class OrderPreservingAndNearest:
    """OP+KNN: up to half of the candidates by OP, the rest the nearest decisions that OP left out.

    OP reaches far along the order of the entries, KNN changes the doubtful ones in any combination; for tens
    of users, together they find better decisions than as many of either. All candidates are distinct.
    """

    distinct: ClassVar[bool] = True

    def max_candidates(self, num_users: int) -> int:
        """2^N."""
        return 2 ** size("num_users", num_users)

    def __call__(
        self, relaxed: NDArray[np.floating], k: int, rng: np.random.Generator | None = None
    ) -> NDArray[np.int64]:
        """`k` candidates, (..., k, N), for relaxed decisions (..., N)."""
        listed: NDArray[np.int64]
        relaxed = relaxed_of(relaxed)
        k = count_of(k, 2 ** relaxed.shape[-1])
        if (code := _for_one(relaxed, single=True)) is not None and k * relaxed.size <= LISTED:
            single = relaxed.dtype == FLOAT32
            listed = code.order_preserving_and_nearest(
                np.ascontiguousarray(relaxed, FLOAT64), order_for(relaxed), k, single
            )
            return listed
        if (code := _for_each(relaxed, single=True)) is not None and k * relaxed.shape[1] <= LISTED:
            few = relaxed.shape[1] <= FEW
            orders = np.empty((len(relaxed), 0), np.int64) if few else (-relaxed).argsort(stable=True)
            single = relaxed.dtype == FLOAT32
            listed = code.order_preserving_and_nearest_of_each(
                np.ascontiguousarray(relaxed, FLOAT64), orders, k, single
            )
            return listed
        if relaxed.ndim > 1 or not isinstance(relaxed, np.ndarray):
            return _row_by_row(self, relaxed, k)
        return _joined(OrderPreserving()(relaxed, min((k + 1) // 2, relaxed.size + 1)), KNearest()(relaxed, k), k)

    def within(self, relaxed: NDArray[np.floating], k: int, rng: Random | None, limits: Limited) -> Array:
        """The same of candidates that keep the limits, or all there are, for one relaxed decision (N,)."""
        kept = OrderPreserving().within(relaxed, (k + 1) // 2, None, limits)
        return _joined(kept, KNearest().within(relaxed, k, None, limits), k)


def order_for(relaxed: NDArray[np.floating]) -> NDArray[np.int64]:
    """The falling order (N,) of one relaxed decision, as machine code takes it: empty for few users."""
    return _UNSORTED if relaxed.size <= FEW else (-relaxed).argsort(stable=True)


def _for_one(relaxed: Array, single: bool = False) -> Any:
    """The machine code that takes this relaxed decision (N,), in `single` precision too; None for none."""
    return _code_for(relaxed, COMPILED, 1, single)


def _for_each(relaxed: Array, single: bool = False) -> Any:
    """The machine code that takes these relaxed decisions (R, N), R from 1; None where there is none."""
    return _code_for(relaxed, _OF_EACH, 2, single) if len(relaxed) else None


def _code_for(relaxed: Array, module: str, dimensions: int, single: bool) -> Any:
    if not isinstance(relaxed, np.ndarray) or relaxed.ndim != dimensions:
        return None
    if relaxed.dtype != FLOAT64 and not (single and relaxed.dtype == FLOAT32):
        return None
    return machine_code(module) if relaxed.flags.carray else None


def _joined(kept: NDArray[np.int64], others: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Candidates, and of others those that are not among them, up to `k`."""
    known = {candidate.tobytes() for candidate in kept}
    added = [candidate for candidate in others if candidate.tobytes() not in known][: k - len(kept)]
    return np.concatenate([kept, added]) if added else kept


def _halves(
    quantizer: OrderPreserving, relaxed: Array, k: int, noisy: Callable[[Array, Random], Array], rng: Random
) -> Array:
    """`k` candidates, the first half of the relaxed decisions (..., N), the second of noisy ones."""
    relaxed = relaxed_of(relaxed)
    k = count_of(k, 2 * (relaxed.shape[-1] + 1))
    clean = quantizer(relaxed, (k + 1) // 2)
    if k == 1:
        return clean
    return namespace(relaxed).concatenate([clean, quantizer(noisy(relaxed, draws(rng)), k // 2)], -2)


def _beside(relaxed: Array, noise: Array) -> Array:
    """Random numbers where the relaxed decisions are, whatever drew them."""
    if isinstance(relaxed, np.ndarray):
        return noise
    from torch import as_tensor

    return as_tensor(noise, device=relaxed.device)


def shift_logits(relaxed: Array, shift: Array) -> Array:
    """Relaxed decisions (..., N) with `shift` (..., N) added to their logits; within [0, 1] as before."""
    inside = relaxed.clip(1e-300, 1 - 1e-16)
    return 1 / (1 + (1 - inside) / inside * namespace(relaxed).exp(-shift))


def _row_by_row(quantizer: Quantizer, relaxed: NDArray[np.floating], k: int) -> NDArray[np.int64]:
    if not isinstance(relaxed, np.ndarray):
        raise InputError(f"quantizer must be 'OP' or 'OPN' on a device, got {type(quantizer).__name__}")
    rows = [quantizer(row, k, None) for row in relaxed.reshape(-1, relaxed.shape[-1])]
    if not rows:
        return np.empty((*relaxed.shape[:-1], k, relaxed.shape[-1]), dtype=np.int64)
    return np.stack(rows).reshape(*relaxed.shape[:-1], k, -1)


CLASSES: tuple[type, ...] = (
    OrderPreserving,
    KNearest,
    MostProbableBits,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OrderPreservingAndNearest,
)
QUANTIZERS: dict[str, type] = {
    "OP": OrderPreserving,
    "KNN": KNearest,
    "OPN": NoisyOrderPreserving,
    "OP+KNN": OrderPreservingAndNearest,
    "MP": MostProbableBits,
}
"""Short names, the first three the papers'."""
PUBLISHED_QUANTIZERS: dict[str, Callable[[], Quantizer]] = {
    **QUANTIZERS,
    "OP": partial(OrderPreserving, distinct=False),
    "OPN": NoisyProbabilities,
}
"""What the names stand for in the published code."""
