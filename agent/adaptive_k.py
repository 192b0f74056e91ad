"""Adaptive K: propose as many candidates as lately have been of use (DROO, section V-D)."""

from collections.abc import Mapping
from typing import Any

from agent.checks import whole_number


class AdaptiveK:
    """Every `interval` frames K becomes one more than the highest place (from 1) that was best since then.

    K_t = min(max(k*_{t-1}, ..., k*_{t-interval}) + 1, maximum), eq. 11 of the DROO paper.

    Args:
        start: K of the first frames and its maximum.
        interval: frames between changes (Delta in the paper); None keeps K fixed.
        skip_last: leave the frame just before a change out, as the published code does.

    Raises:
        ValueError: when `start` or `interval` is below 1.
    """

    def __init__(self, start: int, interval: int | None = 32, *, skip_last: bool = False) -> None:
        whole_number("num_candidates", start)
        if interval is not None:
            whole_number("adaptive_interval", interval)
        self.k = start
        self.maximum = start
        self.interval = interval
        self.skip_last = skip_last
        self._best: list[int] = []

    def update(self, best: int) -> None:
        """Count a frame in which candidate `best` (from 0) was the best."""
        if self.interval is None:
            return
        self._best.append(best)
        if len(self._best) == self.interval:
            window = self._best[:-1] if self.skip_last and self.interval > 1 else self._best
            self.k = min(max(window) + 2, self.maximum)
            self._best.clear()

    def state_dict(self) -> dict[str, Any]:
        """K and the places counted since its last change."""
        return {"k": self.k, "best": list(self._best)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self.k = int(state["k"])
        self._best = [int(best) for best in state["best"]]
