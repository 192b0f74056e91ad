"""A search for the best settings: Optuna's tree of Parzen estimators, with median pruning on the rate so far."""

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from agent.run.folder import METRICS
from env import InputError

from ..common.settings import dump_yaml
from .plan import Plan, Values, rounded
from .trials import Trial

STARTUP = 4
"""Points drawn at random, and points whose rates are known before one is pruned."""
STEPS = 10
"""How often a run is held against the others, at whole tenths of its frames."""
STUDY = "study.db"


class Search:
    """Points of a plan that are asked for one by one, kept in an SQLite database in the sweep's folder.

    A point that was on its way when the sweep was stopped is taken up first.

    Raises:
        InputError: for a study of another space, or a figure that runs do not have.
        ModuleNotFoundError: without Optuna, naming the extra.
    """

    def __init__(self, plan: Plan, sweep: Path) -> None:
        try:
            import optuna
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "search needs optuna, of the extra 'sweep': pip install 'mec-offloading[sweep]'", name=error.name
            ) from error
        assert plan.search is not None
        self._optuna, self._plan, self._sweep = optuna, plan, sweep
        self._by = plan.search["by"].lstrip("-")
        known = ["normalized_rate", "value", *plan.metrics]
        if self._by not in known:
            raise InputError(
                f"search: by must be one of {', '.join(known)}, or that after a minus, got {self._by!r}"
            )
        self._sign = -1 if plan.search["by"].startswith("-") else 1
        self.count = int(plan.search["trials"])
        self._prunes = plan.search["prune"]
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        state = optuna.trial.TrialState
        space = dump_yaml([plan.over, plan.seeds, plan.search["by"]])
        try:
            self._study = optuna.create_study(
                storage=f"sqlite:///{sweep.absolute() / STUDY}",
                study_name="sweep",
                load_if_exists=True,
                direction="maximize",
                pruner=optuna.pruners.MedianPruner(STARTUP) if self._prunes else optuna.pruners.NopPruner(),
            )
        except Exception as error:  # of Optuna, SQLAlchemy or SQLite
            first = str(error).strip().split("\n")[0]
            raise InputError(
                f"{sweep / STUDY} must be the study of a search, it is torn or changed ({first})"
            ) from error
        if self._study.user_attrs.get("space", space) != space:
            raise InputError(f"output must be of a search over the same settings and seeds, {sweep} is of another")
        self._study.set_user_attr("space", space)
        for frozen in self._study.get_trials(states=[state.RUNNING]):
            self._study.enqueue_trial(frozen.params)
            self._study.tell(frozen.number, state=state.FAIL)
        self._running: dict[str, _Point] = {}
        self._ready: deque[Trial] = deque()
        self._pruned: set[str] = set()
        """Labels of points that were."""
        self.trials: list[Trial] = []
        for frozen in self._study.get_trials(states=[state.COMPLETE, state.PRUNED]):
            trials = plan.trials(self._values(optuna.trial.FixedTrial(frozen.params)), sweep)
            self.trials += [trial for trial in trials if trial not in self.trials]
            if frozen.state == state.PRUNED:
                self._pruned.add(trials[0].label)

    def total(self) -> int:
        """Frames in all, of pruned points as far as they went."""
        known = sum(trial.done() if trial.label in self._pruned else trial.weight for trial in self.trials)
        each = self.trials[0].weight * len(self._plan.seeds) / (self.trials[0].replicas or 1) if self.trials else 0
        return known + int(each * (self.count - len({trial.label for trial in self.trials})))

    def left(self) -> bool:
        """Whether there are points to ask for."""
        return bool(self._ready) or self._asked() < self.count

    def take(self) -> Trial | None:
        """A trial to run, of the point before as long as there is one."""
        while not self._ready and self._asked() < self.count:
            self._ask()
        return self._ready.popleft() if self._ready else None

    def ended(self, trial: Trial, error: str | None) -> None:
        """What became of a trial; the last of a point tells the study."""
        point = self._running[trial.label]
        point.left.discard(trial.name)
        point.error = point.error or error
        if point.left:
            return
        del self._running[trial.label]
        state, trial_of = self._optuna.trial.TrialState, point.trial
        figures = [run.summary().get(self._by) for run in point.trials]
        if point.pruned:
            trial_of.set_user_attr("label", trial.label)
            self._study.tell(trial_of, state=state.PRUNED)
        elif point.error is None and None not in figures:
            trial_of.set_user_attr("label", trial.label)
            self._study.tell(trial_of, self._sign * float(np.mean(figures)))
        else:
            trial_of.set_user_attr("failed", point.error or f"{self._by} is not known")
            self._study.tell(trial_of, state=state.FAIL)

    def hopeless(self) -> Iterable[Trial]:
        """The trials of points whose rate so far is below the median of the others', to be stopped."""
        for point in list(self._running.values()) if self._prunes else ():
            if not point.pruned and point.falls_behind(self._so_far):
                point.pruned = True
                self._pruned.add(point.trials[0].label)
                self._ready = deque(trial for trial in self._ready if trial.name not in point.left)
                for trial in point.trials:
                    if trial.name in point.left:
                        yield trial

    def pruned(self, trial: Trial) -> bool:
        """Whether a trial was stopped for being behind."""
        return trial.label in self._pruned

    def best(self) -> tuple[str, float] | None:
        """The label of the best point, and its figure; None where none is known."""
        done = self._study.get_trials(states=[self._optuna.trial.TrialState.COMPLETE])
        if not done:
            return None
        best = max(done, key=lambda trial: trial.value)
        return best.user_attrs["label"], self._sign * best.value

    def _asked(self) -> int:
        """Points that are done or on their way; one that was stopped with the sweep is asked for again."""
        fail = self._optuna.trial.TrialState.FAIL
        waiting = self._optuna.trial.TrialState.WAITING
        trials = self._study.get_trials(deepcopy=False)
        return sum(
            trial.state not in (fail, waiting) or (trial.state == fail and "failed" in trial.user_attrs)
            for trial in trials
        )

    def _ask(self) -> None:
        number = len(self._study.trials)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._optuna.samplers.TPESampler(
                seed=self._plan.draw + number, n_startup_trials=STARTUP, constant_liar=True
            )
        asked = self._study.ask()
        values = self._values(asked)
        trials = self._plan.trials(values, self._sweep)
        if trials[0].label in self._running or any(trials[0].label == trial.label for trial in self.trials):
            self._again(asked, trials)
            return
        self._plan.write(values, self._sweep)
        self.trials += trials
        self._running[trials[0].label] = _Point(asked, trials)
        self._ready.extend(trials)

    def _values(self, trial: Any) -> Values:
        return {path: _suggested(trial, path, kind) for path, kind in self._plan.over.items()}

    def _again(self, asked: Any, trials: list[Trial]) -> None:
        """A point that was asked for before: what is known of it is its figure, nothing is run."""
        figures = [trial.summary().get(self._by) for trial in trials]
        if trials[0].label in self._running or None in figures or not all(trial.finished() for trial in trials):
            asked.set_user_attr("failed", "asked for before")
            self._study.tell(asked, state=self._optuna.trial.TrialState.FAIL)
            return
        asked.set_user_attr("label", trials[0].label)
        self._study.tell(asked, self._sign * float(np.mean(figures)))

    def _so_far(self, trial: Trial, frames: int) -> float | None:
        """The mean of the figure over the first frames of a run; None as long as it has not come so far."""
        try:
            with (trial.folder / METRICS).open(encoding="utf-8") as file:
                place = file.readline().rstrip("\n").split(",").index(self._by)
                lines = itertools.islice(file, frames)
                cells = [line.split(",")[place] for line in lines if line.endswith("\n")]
        except (FileNotFoundError, ValueError):
            return None
        if len(cells) < frames:
            return None
        known = np.array([float(cell or "nan") for cell in cells])
        known = known[np.isfinite(known)]
        return self._sign * float(known.mean()) if known.size else None


class _Point:
    """A point on its way."""

    def __init__(self, trial: Any, trials: list[Trial]) -> None:
        self.trial, self.trials = trial, trials
        self.left = {one.name for one in trials}
        self.error: str | None = None
        self.pruned = False
        self._step = 0

    def falls_behind(self, so_far: Callable[[Trial, int], float | None]) -> bool:
        """Report the means at the tenths that all of its runs have passed; whether it should be pruned."""
        while self._step < STEPS - 1:
            frames = self.trials[0].frames * (self._step + 1) // STEPS
            if frames and any(trial.done() < frames * (trial.replicas or 1) for trial in self.trials):
                return False
            means = [so_far(trial, frames) for trial in self.trials]
            self._step += 1
            if None in means:
                continue
            self.trial.report(float(np.mean([mean for mean in means if mean is not None])), self._step)
            if self.trial.should_prune():
                return True
        return False


def _suggested(trial: Any, path: str, kind: Any) -> Any:
    """A value of a setting; what Optuna takes no choice of, such as a class, is chosen by its place."""
    name, of = ("choices", kind) if isinstance(kind, list) else next(iter(kind.items()))
    if name == "choices":
        plain = all(value is None or isinstance(value, (bool, int, float, str)) for value in of)
        if plain:
            return trial.suggest_categorical(path, of)
        return of[trial.suggest_categorical(path, list(range(len(of))))]
    if name == "integers":
        return trial.suggest_int(path, *of)
    return rounded(trial.suggest_float(path, *of, log=name == "log"))
