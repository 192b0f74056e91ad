"""Settings of methods found by trial, with as many trials for each (Optuna's tree of Parzen estimators)."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from env import InputError

from .comparing import Comparison
from .progress import tqdm

TUNING = {"trials": int, "seeds": list, "warmup": int, "frames": int, "by": str}
STARTUP = 4
"""Trials drawn at random, before the estimators have enough to go by."""
KINDS = ("choices", "uniform", "log")


class Tuning:
    """The trials of a configuration's `search`, checked before the first.

    Args:
        settings: of a comparison, as in configs/rivals.yaml, with `tuning`: so many `trials` a method, the first
            with the settings as they stand, on `seeds` of their own, of so many `warmup` and measured `frames`;
            `by`, the figure that is the largest, 'normalized_rate', 'value', or one of the world's own metrics, or
            with a minus before it the least; and `search`: {method: {path of a setting: {choices: [..]},
            {uniform: [low, high]} or {log: [low, high]}}}.

    Raises:
        InputError: for settings that are not right, naming them.
        ModuleNotFoundError: without Optuna, naming the extra.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "tuning needs optuna, of the extra 'rl': pip install 'mec-offloading[rl]'", name=error.name
            ) from error
        self._optuna = optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.settings = deepcopy(dict(settings))
        self._tuning, self._search = self.settings.pop("tuning", None), self.settings.pop("search", None)
        _check(self._tuning, self._search, self.settings.get("methods"))
        comparison = Comparison(deepcopy(self.settings))  # before the first trial
        by = self._tuning["by"].lstrip("-")
        for name in self._search:
            known = ["normalized_rate", "value", *comparison.world(name, comparison.sizes[0]).frame_metrics()]
            if by not in known:
                raise InputError(
                    f"tuning: by must be one of {', '.join(known)}, or that after a minus, got {by!r}"
                )
        seeds = set(self.settings["seeds"]) & set(self._tuning["seeds"])
        if seeds:
            raise InputError(
                f"tuning: seeds must be others than those of the comparison, got {sorted(seeds)} in both"
            )

    def run(self, output: Path) -> dict[str, Any]:
        """The comparison's settings with the best ones found; trials are kept in `output` and gone on with."""
        output.mkdir(parents=True, exist_ok=True)
        storage = self._optuna.storages.JournalStorage(
            self._optuna.storages.journal.JournalFileBackend(str(output / "trials.log"))
        )
        found = deepcopy(self.settings)
        with tqdm(total=self._tuning["trials"] * len(self._search), unit="trial") as progress:
            for name, space in self._search.items():
                study = self._optuna.create_study(
                    storage=storage,
                    study_name=name,
                    load_if_exists=True,
                    direction="maximize",
                )
                done = [trial for trial in study.trials if trial.value is not None]
                progress.update(len(done) + ("as they stand" in study.user_attrs))
                if "as they stand" not in study.user_attrs:
                    study.set_user_attr("as they stand", self._score(name, {}))
                    progress.update()
                for _ in range(self._tuning["trials"] - 1 - len(done)):
                    number = len(study.trials)  # a study that goes on draws what it would have drawn
                    study.sampler = self._optuna.samplers.TPESampler(seed=number, n_startup_trials=STARTUP)
                    trial = study.ask()
                    study.tell(
                        trial, self._score(name, {path: _drawn(trial, path, kind) for path, kind in space.items()})
                    )
                    progress.update()
                better = study.trials and study.best_value > study.user_attrs["as they stand"]
                for path, value in (study.best_params if better else {}).items():
                    _set(found["methods"][name], path, value)
        return found

    def _score(self, name: str, changed: Mapping[str, Any]) -> float:
        """What a method reaches on the seeds of the tuning with some settings changed."""
        settings = deepcopy(self.settings)
        method = settings["methods"][name]
        for path, value in changed.items():
            _set(method, path, value)
        settings |= {key: self._tuning[key] for key in ("seeds", "warmup", "frames")}
        settings |= {"methods": {name: method}, "curves": False}
        comparison = Comparison(settings)
        by, reached = self._tuning["by"], []
        for size in comparison.sizes:
            for seed in settings["seeds"]:
                best = comparison.optima(name, size, seed)
                columns, _ = comparison.played(comparison.world(name, size), name, seed, best)
                reached.append(float(np.mean(columns[by.lstrip("-")])))
        return float(np.mean(reached)) * (-1 if by.startswith("-") else 1)


def _drawn(trial: Any, path: str, kind: Mapping[str, Any]) -> Any:
    """A value of a setting."""
    ((how, of),) = kind.items()
    if how == "choices":
        return trial.suggest_categorical(path, of)
    return trial.suggest_float(path, *of, log=how == "log")


def _set(method: dict[str, Any], path: str, value: Any) -> None:
    """Set what a path of names, as in ``rival.settings.learning_rate``, leads to."""
    *parents, last = path.split(".")
    for parent in parents:
        method[parent] = dict(method.get(parent) or {})
        method = method[parent]
    method[last] = value


def _check(tuning: Any, search: Any, methods: Any) -> None:
    if not isinstance(tuning, dict) or tuning.keys() != TUNING.keys():
        raise InputError(f"tuning must hold {', '.join(TUNING)}, got {tuning!r}")
    for name, kind in TUNING.items():
        if not isinstance(tuning[name], kind) or isinstance(tuning[name], bool):
            raise InputError(f"tuning: {name} must be a {kind.__name__}, got {tuning[name]!r}")
    if tuning["trials"] < 1:
        raise InputError(f"tuning: trials must be 1 or more, got {tuning['trials']}")
    if not isinstance(search, dict) or not isinstance(methods, dict):
        raise InputError(f"search must hold a space for some of the methods, got {search!r}")
    for name, space in search.items():
        if name not in methods or not isinstance(space, dict):
            raise InputError(f"search must name methods with a space for each, got {name!r}: {space!r}")
        for path, kind in space.items():
            of = next(iter(kind.values())) if isinstance(kind, dict) and len(kind) == 1 else None
            if not isinstance(of, list) or not of or next(iter(kind)) not in KINDS:
                raise InputError(
                    f"search: {name}: {path} must be one of choices: [..], uniform: [low, high] and "
                    f"log: [low, high], got {kind!r}"
                )
            if next(iter(kind)) != "choices" and len(of) != 2:
                raise InputError(f"search: {name}: {path} must have two ends, got {of}")
