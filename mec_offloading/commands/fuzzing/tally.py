"""What a search for wrong answers found: inputs, wrong answers, exceptions, warnings, and the worst errors."""

import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

SHOWN = 5
"""Findings of one kind that are printed; all are counted."""


class Tally:
    """Counts, over many batches of one check after another.

    Args:
        command: that repeats a batch but for the check, its number and the seed.
    """

    def __init__(self, command: str, seed: int) -> None:
        self._command, self._seed = command, seed
        self._place = ("", 0)
        self.inputs: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.worst: dict[str, tuple[float, str]] = {}
        self._shown: Counter[tuple[str, str]] = Counter()

    def run(self, name: str, batch: int, check: Callable[[np.random.Generator, "Tally"], None], rng: Any) -> None:
        """One batch of a check; what it raises and warns of is found too."""
        self._place = name, batch
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                check(rng, self)
            except Exception as error:
                self.find("undocumented exceptions", name, f"{type(error).__name__}: {error}")
        for one in said:
            self.find("warnings", name, f"{one.category.__name__}: {one.message} ({one.filename}:{one.lineno})")

    def compare(
        self, solver: str, answer: ArrayLike, right: ArrayLike, tolerance: float, inputs: Any = None
    ) -> None:
        """Hold answers (...) against the right ones (...), by their relative difference."""
        answer, right = np.broadcast_arrays(np.asarray(answer, float), np.asarray(right, float))
        if not answer.size:
            return
        scale = np.maximum(np.abs(right), np.finfo(float).tiny)
        error = np.abs(answer - right) / scale
        error = np.where(answer == right, 0.0, np.where(np.isfinite(answer), error, np.inf)).ravel()
        place = int(error.argmax())
        if error[place] > self.worst.get(solver, (-1.0, ""))[0]:
            self.worst[solver] = float(error[place]), self.repeat()
        if error[place] > tolerance:
            wrong = int((error > tolerance).sum())
            said = f"{answer.ravel()[place]!r} in place of {right.ravel()[place]!r}, off by {error[place]:.1e}"
            self.find("wrong answers", solver, said if inputs is None else f"{said}; {inputs}", wrong)

    def require(self, what: str, true: ArrayLike) -> None:
        """What must hold for all."""
        wrong = int(np.size(true) - np.count_nonzero(true))
        if wrong:
            self.find("wrong answers", what, f"it does not hold for {wrong} of {np.size(true)}", wrong)

    def find(self, kind: str, what: str, said: str, count: int = 1) -> None:
        """Count and print a finding, with what repeats it."""
        self.found[kind] += count
        self._shown[kind, what] += 1
        if self._shown[kind, what] <= SHOWN:
            print(f"{kind}: {what}: {said}\n    {self.repeat()}", flush=True)

    def repeat(self) -> str:
        """The command of this batch alone."""
        name, batch = self._place
        return f"{self._command} --seed {self._seed} --checks {name} --first {batch} --batches 1"

    def report(self) -> str:
        """Counts, and a Markdown table of the worst relative errors."""
        lines = [f"inputs tried: {sum(self.inputs.values()):,}"]
        lines += [f"    {name}: {count:,}" for name, count in sorted(self.inputs.items())]
        lines += [
            f"{kind}: {self.found[kind]:,}" for kind in ("wrong answers", "undocumented exceptions", "warnings")
        ]
        lines += ["", "| solver | worst relative error | repeat |", "| --- | --- | --- |"]
        lines += [f"| {solver} | {error:.1e} | `{how}` |" for solver, (error, how) in sorted(self.worst.items())]
        return "\n".join(lines)
