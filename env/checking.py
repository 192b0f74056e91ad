"""What is wrong with a world, said before an agent learns in it."""

import copy
import inspect
import time
import warnings
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import FloatArray, InputError, number_between, whole_number
from .decisions import Decisions, decisions_of
from .environment import Environment
from .limits import Limited

METHODS = ("reset", "observe", "evaluate", "step")
OPTIONAL = (
    *("frame_optimum", "frame_metrics", "state_dict", "load_state_dict", "best_of_all", "decisions"),
    "run_figures",
    *(
        "value_is_cost",
        "decisions_matter_later",
        "feasible_only",
        "metric_labels",
        "metric_limits",
        "bar_labels",
        "choice_labels",
        "takes_nested",
        "in_machine_code",
    ),
    *("start", "begin_frame", "carry_out", "advance"),
)
"""What a world may have besides; a name that is all but one of these is probably meant to be it."""
MOST_FRAMES = 10**6
SAMPLED = 8
"""Decisions that are tried in each frame, the one in which nobody offloads among them."""
LISTED = 2**10
"""Up to so many decisions, all are tried in the first frames, to know the optimum."""
ROUNDING = 1e-9
"""Relative difference that rounding explains."""


class EnvironmentWarning(UserWarning):
    """A world that runs, and is probably not what was meant."""


def check_environment(env: Any, frames: int = 20, seconds: float = float("inf")) -> None:
    """Try a world for some frames: raise an error for what is wrong, and warn of what is suspicious.

    It looks at the five members that a world must have (`num_users`, `reset`, `observe`, `evaluate`, `step`) and
    their shapes; that `observe` and `evaluate` change nothing and repeat themselves, and that decisions have the
    values together that they have one by one; that the optimum is never below a decision's value; at signs,
    scales and nan; that a seed fixes all frames, and that a state brings them back. Then the world is reset.

    Args:
        env: the world; bits, or choices where it has `decisions`.
        frames: how many, 2 to a million.
        seconds: after which no further frame is tried.

    Raises:
        InputError: for the first thing that is wrong: the member, what it did and what it must do.

    Warns:
        EnvironmentWarning: a misspelt member, values that are costs, an optimum that belongs to another `evaluate`
            or that no decision reaches, features far from 1, observations that never change.
    """
    whole_number("frames", frames, 2, MOST_FRAMES)
    number_between("seconds", seconds, 0, np.inf, "be 0 or more")
    name = type(env).__name__
    _check_members(env, name)
    _check_names(env, name)
    rng = np.random.default_rng(0)
    sampled: list[NDArray[np.int64]] = []
    end = time.perf_counter() + seconds

    first = list(_watched(env, name, frames, rng, sampled, end))
    again = list(_replayed(env, sampled[: len(first)]))
    _same(first, again, f"{name}.reset(seed=0) must lead to the same frames each time")
    if callable(getattr(env, "state_dict", None)):
        _check_state(env, name, sampled[: len(first)])
    _check_observed(np.array([observation for observation, _ in first]), name)
    _check_signs(env, name, np.array([values for _, values in first]))
    env.reset()


Tried = tuple[FloatArray, FloatArray]
"""An observation (N, F) and the values of the sampled decisions (SAMPLED,) of a frame."""


def _check_members(env: Any, name: str) -> None:
    there = [member for member in dir(env) if not member.startswith("_")]
    for method in METHODS:
        if not callable(getattr(env, method, None)):
            raise InputError(f"{name} must have a method {method}{_meant(method, there)}")
    if not hasattr(env, "num_users"):
        raise InputError(f"{name} must have num_users, the number of users{_meant('num_users', there)}")
    whole_number(f"{name}.num_users", env.num_users)
    if callable(getattr(env, "state_dict", None)) != callable(getattr(env, "load_state_dict", None)):
        raise InputError(f"{name} must have both state_dict and load_state_dict, or neither")


def _meant(member: str, there: Sequence[str]) -> str:
    near = get_close_matches(member, [other for other in there if other != member], 1, 0.75)
    return f"; is {near[0]} meant to be it?" if near else ""


def _check_names(env: Any, name: str) -> None:
    known = {"num_users", *METHODS, *OPTIONAL}
    inherited = set(dir(Environment))
    for member in sorted(set(dir(env)) - known - inherited):
        near = get_close_matches(member, known, 1, 0.85)
        if near and not member.startswith("_") and not (hasattr(env, near[0]) and near[0] not in inherited):
            _warn(f"{name}.{member} is not used; is it meant to be {near[0]}?")


def _of_another(env: Any) -> str:
    """Says so where the optimum is that of another class's values."""
    values, optimum = (_maker(env, member) for member in ("evaluate", "frame_optimum"))
    if values is None or optimum in (None, Environment, values) or not issubclass(values, optimum):
        return ""
    return f": evaluate is {values.__name__}'s, frame_optimum still {optimum.__name__}'s"


def _maker(env: Any, member: str) -> type | None:
    """The class in which a method is written."""
    return next((kind for kind in type(env).__mro__ if member in vars(kind)), None)


def _sample(decisions: Decisions, rng: np.random.Generator) -> NDArray[np.int64]:
    if isinstance(decisions, Limited):
        sampled: NDArray[np.int64] = decisions.random(SAMPLED, rng).astype(np.int64)
    else:
        sampled = rng.integers(decisions.num_choices, size=(SAMPLED, decisions.num_users))
    sampled[0] = 0
    return sampled


def _watched(
    env: Any, name: str, frames: int, rng: np.random.Generator, sampled: list[NDArray[np.int64]], end: float
) -> Iterator[Tried]:
    """Frames whose every answer is looked at; the decisions that are tried in each are added to `sampled`."""
    env.reset(seed=0)
    shape: tuple[int, ...] = ()
    for frame in range(frames):
        if frame > 1 and time.perf_counter() > end:
            return
        decisions = decisions_of(env)
        candidates = _sample(decisions, rng)
        sampled.append(candidates)
        observation = _observed(env, name)
        if frame and observation.shape != shape:
            raise InputError(f"{name}.observe must return one shape, got {observation.shape} after {shape}")
        shape = observation.shape
        values = _valued(env, name, candidates)
        _check_values(env, name, candidates, values)
        if not np.array_equal(_observed(env, name), observation):
            raise InputError(f"{name}.evaluate must change nothing, but the observation is another after it")
        _check_optimum(env, name, decisions, candidates, values, frame)
        yield observation, values
        env.step(candidates[frame % SAMPLED].copy())


def _observed(env: Any, name: str) -> FloatArray:
    first, second = (np.array(env.observe(), dtype=np.float64) for _ in range(2))
    if first.ndim != 2 or len(first) != env.num_users or not first.shape[1]:
        raise InputError(
            f"{name}.observe must return shape (N, F), a row for each of {env.num_users} users, got {first.shape}"
        )
    if not np.isfinite(first).all():
        raise InputError(f"{name}.observe must return finite numbers, got {first[~np.isfinite(first)][0]}")
    if not np.array_equal(first, second):
        raise InputError(
            f"{name}.observe must change nothing and repeat itself, but returned two different answers"
        )
    return first


def _valued(env: Any, name: str, candidates: NDArray[np.int64]) -> FloatArray:
    given = candidates.copy()
    values = np.array(env.evaluate(given), dtype=np.float64)
    if values.shape != (len(candidates),):
        raise InputError(
            f"{name}.evaluate must return shape (K,), a value for each decision: got {values.shape} for "
            f"{len(candidates)} decisions"
        )
    if np.isnan(values).any() or (values == np.inf).any():
        raise InputError(f"{name}.evaluate must return numbers, or -inf for what must not be done, got {values}")
    if not np.array_equal(given, candidates):
        raise InputError(f"{name}.evaluate must not write into the decisions that it is given")
    return values


def _check_values(env: Any, name: str, candidates: NDArray[np.int64], values: FloatArray) -> None:
    if not _close(_valued(env, name, candidates), values):
        raise InputError(f"{name}.evaluate must change nothing and repeat itself, but returned other values again")
    one_by_one = np.concatenate([_valued(env, name, candidate[None]) for candidate in candidates])
    if not _close(one_by_one, values):
        raise InputError(
            f"{name}.evaluate must give decisions the same values together and one by one, got {values} and "
            f"{one_by_one}"
        )


def _check_optimum(
    env: Any,
    name: str,
    decisions: Decisions,
    candidates: NDArray[np.int64],
    values: FloatArray,
    frame: int,
) -> None:
    ask = getattr(env, "frame_optimum", None)
    optimum = None if ask is None else ask()
    if optimum is None:
        return
    if np.ndim(optimum) or np.isnan(optimum):
        raise InputError(f"{name}.frame_optimum must return one number or None, got {optimum!r}")
    all_of_them = frame < 2 and decisions.num_choices**decisions.num_users <= LISTED
    if all_of_them:
        candidates = decisions.all()
        values = _valued(env, name, candidates)
    best = int(values.argmax())
    slack = ROUNDING * abs(float(optimum))
    if values[best] > optimum + slack:
        raise InputError(
            f"{name}.frame_optimum must be the best value of a frame, got {optimum}, but "
            f"{candidates[best].tolist()} is worth {values[best]}{_of_another(env)}"
        )
    if all_of_them and values[best] < optimum - max(slack, 1e-6 * abs(float(optimum))):
        _warn(
            f"{name}.frame_optimum is {optimum}, but of all decisions the best is worth {values[best]}"
            f"{_of_another(env)}"
        )
    elif not all_of_them and frame == 0 and (hint := _of_another(env)):
        _warn(f"{name}'s optimum may not be that of its values{hint}")


def _replayed(env: Any, sampled: Sequence[NDArray[np.int64]]) -> Iterator[Tried]:
    """The same frames, each asked once."""
    env.reset(seed=0)
    yield from _played(env, sampled)


def _played(env: Any, sampled: Sequence[NDArray[np.int64]], first: int = 0) -> Iterator[Tried]:
    for frame, candidates in enumerate(sampled, first):
        yield np.array(env.observe(), dtype=np.float64), np.array(env.evaluate(candidates), dtype=np.float64)
        env.step(candidates[frame % SAMPLED].copy())


def _same(first: Sequence[Tried], second: Sequence[Tried], demand: str) -> None:
    for frame, (one, other) in enumerate(zip(first, second, strict=True)):
        for what, mine, theirs in zip(("observation", "values"), one, other, strict=True):
            if mine.shape != theirs.shape or not _close(mine, theirs):
                raise InputError(f"{demand}, but the {what} of frame {frame} differ")


def _check_state(env: Any, name: str, sampled: Sequence[NDArray[np.int64]]) -> None:
    half = len(sampled) // 2
    env.reset(seed=0)
    list(_played(env, sampled[:half]))
    state = env.state_dict()
    kept = copy.deepcopy(state)
    went = list(_played(env, sampled[half:], half))
    demand = f"{name}.load_state_dict must bring back the frame at which state_dict was asked"
    for saved, meaning in (
        (kept, demand),
        (state, f"{name}.state_dict must return a copy that later frames do not change"),
    ):
        env.load_state_dict(copy.deepcopy(saved))
        _same(went, list(_played(env, sampled[half:], half)), meaning)


def _check_observed(observations: FloatArray, name: str) -> None:
    """Scales of observations (frames, N, F)."""
    if np.array_equal(observations, np.broadcast_to(observations[0], observations.shape)):
        _warn(f"{name}.observe returned the same numbers in all frames: there is nothing to learn from")
        return
    sizes, changes = np.abs(observations).max((0, 1)), np.ptp(observations, (0, 1))
    for feature, (size, change) in enumerate(zip(sizes, changes, strict=True)):
        if 0 < change <= ROUNDING * size:
            _warn(
                f"{name}.observe: feature {feature} changes by {change:.3g} only, at a size of {size:.3g}: what "
                "is in it is nearly lost in rounding; subtract a constant from it"
            )


def _check_signs(env: Any, name: str, values: FloatArray) -> None:
    feasible = values[np.isfinite(values)]
    if not feasible.size:
        _warn(f"{name}.evaluate returned -inf for all {values.size} decisions that were tried")
        return
    has_optimum = getattr(env, "frame_optimum", lambda: None)() is not None
    is_cost = getattr(env, "value_is_cost", False)
    if has_optimum and not is_cost and (feasible < 0).all():
        _warn(
            f"{name}.evaluate returned negative values only: where they are negated costs, set value_is_cost = "
            "True, or the normalised rate is upside down"
        )
    if is_cost and (feasible > 0).any():
        _warn(f"{name}.value_is_cost is True, but evaluate returned {feasible.max()}: values are negated costs")


def _close(one: FloatArray, other: FloatArray) -> bool:
    return bool(np.allclose(one, other, rtol=ROUNDING, atol=0.0) or np.array_equal(one, other))


def _warn(message: str) -> None:
    inside = __file__
    level = next((depth for depth, frame in enumerate(inspect.stack()) if frame.filename != inside), 1)
    warnings.warn(message, EnvironmentWarning, stacklevel=level + 1)
