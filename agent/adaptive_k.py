"""Adaptive K: propose as many candidates as lately have been of use (DROO, section V-D)."""

from collections.abc import Mapping
from typing import Any

from .arrays import Array, namespace
from .checks import whole_number


class AdaptiveK:
    """Every `interval` frames K becomes one more than the highest place (from 1) that was best since then.

    K_t = min(max(k*_{t-1}, ..., k*_{t-interval}) + 1, maximum), eq. 11 of the DROO paper.

    Args:
        start: K of the first frames and its maximum.
        interval: frames between changes (Delta in the paper); None keeps K fixed.
        skip_last: leave the frame just before a change out, as the published code does.
        lists: of how many lists of equal length the candidates consist, one after another; what counts is a place
            in its own list, and K grows and shrinks by whole rows of them.

    Attributes:
        k: K of the next frame; of replicas, after the first change, an array (R,).

    Raises:
        InputError: when `start` or `interval` is below 1.
    """

    def __init__(self, start: int, interval: int | None = 32, *, skip_last: bool = False, lists: int = 1) -> None:
        whole_number("num_candidates", start)
        if interval is not None:
            whole_number("adaptive_interval", interval)
        self.k: Any = start
        self.maximum = start
        self.interval = interval
        self._lists = lists
        self._last = interval if interval is None or not skip_last else max(interval - 1, 1)
        self._frames = 0
        self._highest: Any = 0

    def update(self, best: Array) -> None:
        """Count a frame in which candidate `best` (from 0) was the best: a number, or (R,) for replicas."""
        if self.interval is None or self._last is None:
            return
        if self._lists > 1:
            best = best % -(-self.k // self._lists)
        if self._frames < self._last:
            self._highest = _larger(best, self._highest) if self._frames else best
        self._frames += 1
        if self._frames == self.interval:
            self.k = -_larger(-self._lists * (self._highest + 2), -self.maximum)
            self._frames = 0

    def own(self, count: int) -> Any:
        """Which of `count` candidates, as many as the largest K is, are each replica's own, (R, count)."""
        lengths, length = self._lengths(count)
        places = namespace(self.k).arange(count, device=self.k.device)
        return places % length < lengths[:, None]

    def own_place(self, best: Array, count: int) -> Array:
        """Where the candidates (R,) of `count` are among each replica's own K."""
        if isinstance(self.k, int) or self._lists == 1:
            return best
        lengths, length = self._lengths(count)
        return best // length * lengths + best % length

    def _lengths(self, count: int) -> tuple[Array, int]:
        """Of a list of each replica's own candidates, (R,), and of one of `count`."""
        return -(-self.k // self._lists), -(-count // self._lists)

    def limit(self, maximum: int, lists: int = 1) -> None:
        """Let K be at most `maximum`, in so many lists, from now on."""
        self.maximum, self._lists = maximum, lists
        self.k = -_larger(-self.k, -maximum)

    def state_dict(self) -> dict[str, Any]:
        """K and what was counted since its last change."""
        return {"k": self.k, "frames": self._frames, "highest": self._highest}

    def load_state_dict(self, state: Mapping[str, Any], like: Any = int) -> None:
        """Continue from what `state_dict` returned; `like` makes numbers or arrays of this agent's kind."""
        self.k, self._highest = like(state["k"]), like(state["highest"])
        self._frames = int(state["frames"])


def _larger(first: Array, second: Array) -> Array:
    if isinstance(first, int):
        return max(first, second)
    return first.clip(min=second) if isinstance(second, int) else namespace(first).maximum(first, second)
