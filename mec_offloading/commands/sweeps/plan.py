"""What a sweep runs: its YAML, checked, as points of settings and the trials of each."""

import hashlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from agent.run.folder import CONFIG, RunFolder
from env import InputError

from .. import simulate
from ..common import hooking
from ..common.errors import reading
from ..common.running import Single, check_same_run, config_text, of_this_version
from ..common.settings import dump_yaml, load_environment, load_yaml, read_yaml
from .trials import CONFIGS, TRIALS, Trial

ENTRIES = ("config", "settings", "over", "seeds", "samples", "search", "replicas", "draw")
"""Of the YAML."""
KINDS = ("choices", "uniform", "log", "integers")
MOST = 1_000_000
"""Seeds, and points of a sweep."""
NOT_VARIED = ("config", "allow", "output", "resume", "seed", "replicas")
DIGITS = 6
"""Significant ones of a number that is drawn."""
Values = dict[str, Any]
"""What is varied, by the paths of the settings: {'agent.learning_rate': 0.01}."""


class Plan:
    """A sweep's YAML, checked as far as it can be before there is a first trial.

    Args:
        content: `config`, the base, a file or the name of one that ships; `settings`, what is changed of it for
            all; `over`, {path of a setting: list of its values, or one of {choices: [..]}, {uniform: [low, high]},
            {log: [low, high]}, {integers: [low, high]}}; `seeds`, a list, or how many from 0 on; `samples`, how
            many draws from what is no list for each point of the grid of the lists, or `search`, {trials, by,
            prune}; `replicas`, true, false or auto; `draw`, the seed of samples and search.
        allow: modules of the user's that trials are allowed.

    Raises:
        InputError, ArgumentError: for what is not right, naming it.
    """

    def __init__(self, content: Mapping[str, Any], allow: Sequence[str] = ()) -> None:
        unknown = [str(name) for name in content if name not in ENTRIES]
        if unknown:
            raise InputError(f"a sweep must hold {', '.join(ENTRIES)} only, got {', '.join(unknown)}")
        self.content = dict(content)
        self.metrics: tuple[str, ...] = ()
        """Of the world, known once a trial was made."""
        self._allow = tuple(allow)
        if not isinstance(content.get("config"), str | None):
            raise InputError(f"config must be a file, or the name of one that ships, got {content['config']!r}")
        self._base = read_yaml(content["config"]) if content.get("config") else {}
        for path, value in _mapping(content, "settings").items():
            _set(self._base, str(path), value)
        self.seeds = _seeds(content.get("seeds", [self._base.get("seed", 0)]))
        self.over = {str(path): kind for path, kind in _mapping(content, "over").items()}
        for path, kind in self.over.items():
            _check_kind(path, kind)
        for path in (*self.over, *_mapping(content, "settings")):
            if path in NOT_VARIED:
                raise InputError(f"over and settings must leave out {path}, which is the sweep's own")
        for name in ("seed", "replicas"):
            self._base.pop(name, None)
        self._base.setdefault("threads", 1)
        self.samples = _whole(content, "samples", 1, None)
        self.draw = _whole(content, "draw", 0, 0)
        self.search = _search(content.get("search"), self.samples, self.over)
        self.replicas = content.get("replicas", "auto")
        if self.replicas not in (True, False, "auto"):
            raise InputError(f"replicas must be true, false or auto, got {self.replicas!r}")
        drawn = [path for path, kind in self.over.items() if not isinstance(kind, list)]
        if drawn and self.samples is None and self.search is None:
            raise InputError(f"samples, or search, must say how often {', '.join(drawn)} is drawn")
        count = (self.samples or 1) * math.prod(len(kind) for kind in self.over.values() if isinstance(kind, list))
        if self.search is None and count > MOST:
            raise InputError(f"over and samples must make at most {MOST:,} points, got {count}")
        if self.samples is not None and not drawn:
            raise InputError("samples must be left out where over holds nothing but lists, which are a grid")

    def points(self) -> list[Values]:
        """The grid, with its samples; of a search, points that together hold every end and choice once."""
        if self.search is not None:
            return _corners(self.over)
        grid = {path: kind for path, kind in self.over.items() if isinstance(kind, list)}
        drawn = {path: kind for path, kind in self.over.items() if not isinstance(kind, list)}
        rng = np.random.default_rng(self.draw)
        points = []
        for values in itertools.product(*grid.values()):
            for _ in range(self.samples or 1):
                point = dict(zip(grid, values, strict=True))
                point |= {path: _drawn(rng, kind) for path, kind in drawn.items()}
                points.append({path: point[path] for path in self.over})
        return points

    def settle(self, side_by_side: bool) -> None:
        """Say whether seeds are replicas, where it is left to the sweep."""
        if self.replicas == "auto":
            self.replicas = side_by_side

    def settings_of(self, values: Values) -> dict[str, Any]:
        """The content of a configuration file of one point, without a seed."""
        settings = deepcopy(self._base)
        for path, value in values.items():
            _set(settings, path, value)
        return settings

    def trials(self, values: Values, sweep: Path, make: bool = False) -> list[Trial]:
        """The trials of a point, one a seed, or of consecutive seeds as replicas; `simulate`'s parser checks each.

        With `make` a world and an agent are made too, which check the values. What of them is in the sweep's
        folder already must be of the same settings.

        Raises InputError or ArgumentError naming the setting.
        """
        label, settings = self.label(values), self.settings_of(values)
        runs = _consecutive(self.seeds) if self.replicas is True else [(seed, None) for seed in self.seeds]
        trials = []
        for seed, count in runs:
            content = settings | {"seed": seed} | ({} if count is None else {"replicas": count})
            parsed, parser = simulate.settings_of(content)
            simulate.check(parsed)
            if make and not trials:
                single = parsed.clone()
                single.replicas = single.device = None
                made = Single(hooking.without_callbacks(single), parser, load_environment(parsed.environment))
                self.metrics = tuple(made.world.frame_metrics())
            trial = Trial(
                sweep.absolute(),
                f"{label}_{seed}" if count is None else f"{label}_{seed}to{seed + count - 1}",
                label,
                values,
                seed,
                count,
                parsed.frames,
                1 if count is None or parsed.device is not None else parsed.threads,
                int(str(parsed.device or "").startswith("cuda")),
                self._allow,
            )
            if (trial.folder / CONFIG).is_file():
                with reading(trial.folder / CONFIG):
                    saved = of_this_version(load_yaml(RunFolder(trial.folder).read_config()))
                before = config_text(parser.parse_object(saved), parser)
                check_same_run(config_text(parsed, parser), before, trial.folder)
            trials.append(trial)
        return trials

    def write(self, values: Values, sweep: Path) -> None:
        """The configuration of a point, which `simulate --config` takes, into the sweep's folder."""
        path = sweep / CONFIGS / f"{self.label(values)}.yaml"
        path.write_text(dump_yaml(self.settings_of(values)), encoding="utf-8")

    def label(self, values: Values) -> str:
        """The name of a point, from its values, so that it is the same in whatever grid it stands."""
        if not values:
            return Path(str(self.content.get("config") or "run")).stem
        short = [path.rpartition(".")[2] for path in values]
        names = short if len(set(short)) == len(short) else list(values)
        text = ",".join(f"{name}={_slug(value)}" for name, value in zip(names, values.values(), strict=True))
        return text if len(text) <= 120 else f"{text[:100]}-{_digest(values)}"


def prepare(sweep: Path) -> None:
    """Make the folders of a sweep."""
    for name in (CONFIGS, TRIALS, "logs"):
        (sweep / name).mkdir(parents=True, exist_ok=True)


def rounded(value: float) -> float:
    """A drawn number as it is used and written."""
    return float(f"{value:.{DIGITS}g}")


def _set(settings: dict[str, Any], path: str, value: Any) -> None:
    """Set what a path as `agent.learning_rate` leads to; settings under `env` and `agent` are set one by one."""
    if path in ("env", "agent") and isinstance(value, dict):
        for name, of in value.items():
            _set(settings, f"{path}.{name}", of)
        return
    *parents, last = path.split(".")
    for parent in parents:
        settings[parent] = dict(settings.get(parent) or {})
        settings = settings[parent]
    settings[last] = deepcopy(value)


def _mapping(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name) or {}
    if not isinstance(found, dict):
        raise InputError(f"{name} must hold settings by their paths, got {found!r}")
    return found


def _whole(content: Mapping[str, Any], name: str, least: int, default: Any) -> Any:
    value = content.get(name, default)
    if value is not default and (not isinstance(value, int) or isinstance(value, bool) or value < least):
        raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return value


def _seeds(seeds: Any) -> list[int]:
    if type(seeds) is int and seeds > MOST:
        raise InputError(f"seeds must be at most {MOST:,}, got {seeds}")
    listed = list(range(seeds)) if type(seeds) is int else seeds
    right = isinstance(listed, list) and listed and all(type(seed) is int and seed >= 0 for seed in listed)
    if not right or len(set(listed)) != len(listed):
        raise InputError(f"seeds must be a list of different whole numbers, or how many from 0 on, got {seeds!r}")
    return listed


def _search(search: Any, samples: Any, over: Mapping[str, Any]) -> dict[str, Any] | None:
    if search is None:
        return None
    if samples is not None:
        raise InputError("search must be given without samples")
    if not over:
        raise InputError("search must have settings to search over, in over")
    known = {"trials": 0, "by": "normalized_rate", "prune": True}
    if not isinstance(search, dict) or search.keys() - known or "trials" not in search:
        raise InputError(f"search must hold trials, and may hold by and prune, got {search!r}")
    search = known | search
    _whole(search, "trials", 1, None)
    if not isinstance(search["by"], str) or not isinstance(search["prune"], bool):
        raise InputError(f"search: by must be a figure of summary.json and prune true or false, got {search!r}")
    return search


def _check_kind(path: str, kind: Any) -> None:
    name, of = next(iter(kind.items())) if isinstance(kind, dict) and len(kind) == 1 else ("choices", kind)
    if not isinstance(of, list) or not of or name not in KINDS:
        raise InputError(
            f"over: {path} must be a list of values or one of choices: [..], uniform: [low, high], "
            f"log: [low, high] and integers: [low, high], got {kind!r}"
        )
    if len({_slug(value) for value in of}) < len(of):
        raise InputError(f"over: {path} must have each value once, got {of}")
    if name == "choices":
        return
    numbers = (int,) if name == "integers" else (int, float)
    right = len(of) == 2 and all(isinstance(end, numbers) and not isinstance(end, bool) for end in of)
    if not right or not of[0] < of[1] or (name == "log" and of[0] <= 0):
        raise InputError(f"over: {path} must have a low and a higher end in {name}, got {of}")


def _drawn(rng: np.random.Generator, kind: Mapping[str, Any]) -> Any:
    ((name, of),) = kind.items()
    if name == "choices":
        return of[rng.integers(len(of))]
    if name == "integers":
        return int(rng.integers(of[0], of[1], endpoint=True))
    if name == "log":
        return rounded(float(np.exp(rng.uniform(*np.log(of)))))
    return rounded(float(rng.uniform(*of)))


def _corners(over: Mapping[str, Any]) -> list[Values]:
    """The first values of all settings, and every other end or choice of one beside them."""
    ends = {path: kind if isinstance(kind, list) else next(iter(kind.values())) for path, kind in over.items()}
    first = {path: values[0] for path, values in ends.items()}
    return [first, *({**first, path: value} for path, values in ends.items() for value in values[1:])]


def _consecutive(seeds: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of seeds that follow each other: the first, and how many."""
    runs: list[tuple[int, int]] = []
    for seed in sorted(seeds):
        if runs and seed == sum(runs[-1]):
            runs[-1] = runs[-1][0], runs[-1][1] + 1
        else:
            runs.append((seed, 1))
    return runs


def _slug(value: Any) -> str:
    """A value as a part of a file's name."""
    if isinstance(value, (dict, list)):
        kind = str(value.get("class_path", "")).rpartition(".")[2] if isinstance(value, dict) else ""
        return f"{kind}{_digest(value)}"
    text = str(value)
    slug = re.sub(r"[^\w.+-]", "-", text)[:40]
    return slug if slug == text else f"{slug}-{_digest(value)}"


def _digest(value: Any) -> str:
    return hashlib.sha256(dump_yaml(value).encode()).hexdigest()[:6]
