"""Configurations in which a setting is another, gone, or of another type: taken, or refused in one line."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from ..common.comparing import Comparison
from ..common.errors import USER_ERRORS
from ..common.settings import Dumper, read_yaml
from ..common.shipped import CONFIGS
from ..common.tuning import Tuning
from ..papers.contents import Paper
from ..simulate import settings_of
from ..sweeps.plan import Plan
from .tally import Tally

BAD: list[Any] = [
    None, True, False, "", "x", "1", "[", "{x}", "'", "null", "env", "env.", ".", "env.WirelessPoweredMEC",
    "agent.SetNetwork", "os.system", "a\nb", "\u03b1", "a" * 300, 0, 1, -1, 2, 3, 0.5, -0.5, 1e300, 1e-300,
    float("nan"), float("inf"), 10**18, 2**63, 10**400, [], [[]], [1], [0, 0], [1, 2, 3], ["x"], [None], [[1]],
    [{"a": 1}], {}, {"a": 1}, {1: 2}, {None: None}, {"class_path": "x"}, {"class_path": 1},
    {"class_path": "env.Rayleigh", "init_args": 3}, {"choices": []}, {"choices": 3}, {"log": [0, 1]},
    {"uniform": [2, 1]}, {"integers": [0.5, 1]}, {"log": [1, 2, 3]}, date(2020, 1, 1), b"x", {1, 2},
]  # fmt: skip
"""What YAML may hold."""


def of_sweep(content: Any) -> None:
    """As `sweep` checks one."""
    plan = Plan(content)
    plan.settle(False)
    for values in plan.points()[:3]:
        plan.trials(values, Path("nowhere"))


READERS: dict[str, Callable[[Any], Any]] = {
    "compare": Comparison,
    "compare_age": Comparison,
    "rivals": Tuning,
    "sweep": of_sweep,
    "paper": Paper,
    "wpmec": lambda content: settings_of(content, []),
    "lydroo_set": lambda content: settings_of(content, []),
    "umi_walking": lambda content: settings_of(content, []),
}
"""What checks the configurations that ship."""


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in nested mappings and lists."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, rng: np.random.Generator) -> tuple[Any, str]:
    """A copy in which one entry is another, is gone, or stands under another name; what was done."""
    tree = deepcopy(tree)
    paths = list(places(tree))
    path = paths[int(rng.integers(len(paths)))]
    holder, bad = tree, BAD[int(rng.integers(len(BAD)))]
    for key in path[:-1]:
        holder = holder[key]
    name, how = ".".join(map(str, path)), int(rng.integers(8))
    if how == 0:
        del holder[path[-1]]
        return tree, f"without {name}"
    if how == 1 and isinstance(holder, dict) and isinstance(bad, str | int | float | None):
        holder[bad] = holder.pop(path[-1])
        return tree, f"{name} called {bad!r:.80}"
    holder[path[-1]] = bad
    return tree, f"{name} = {bad!r:.80}"


def bad_settings(rng: np.random.Generator, tally: Tally) -> None:
    """Some settings of some configurations."""
    for _ in range(20):
        name = list(READERS)[int(rng.integers(len(READERS)))]
        content, done = changed(read_yaml(CONFIGS / f"{name}.yaml"), rng)
        tally.inputs["bad settings"] += 1
        try:
            with TemporaryDirectory() as folder:
                config = Path(folder) / "mine.yaml"
                config.write_text(yaml.dump(content, Dumper=Dumper), encoding="utf-8")
                READERS[name](read_yaml(config))
        except USER_ERRORS:
            pass
        except Exception as error:
            tally.find("undocumented exceptions", name, f"{type(error).__name__}: {str(error)[:150]!r}, {done}")
