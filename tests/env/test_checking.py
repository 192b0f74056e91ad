"""Each row of `check_environment`: a world that is broken in one way, and what is said of it."""

import warnings

import numpy as np
import pytest
from servers import Servers

from env import (
    Categorical,
    Environment,
    EnvironmentWarning,
    LyapunovMEC,
    MultiTaskMEC,
    MyopicMEC,
    WirelessPoweredMEC,
    check_environment,
)


class Prices(Environment):
    """Each user that offloads is worth its price."""

    def __init__(self, num_users=4, seed=0):
        self.num_users = num_users
        super().__init__(seed)

    def begin_frame(self):
        self.price = self.rng.normal(size=self.num_users)

    def observe(self):
        return self.price[:, None].copy()

    def evaluate(self, decisions):
        return np.asarray(decisions) @ self.price

    def frame_optimum(self):
        return self.price.clip(0).sum()


class Plain:
    """The five members and no more."""

    num_users = 3

    def __init__(self):
        self.reset(seed=0)

    def reset(self, seed=None):
        self.rng = np.random.default_rng(seed)
        self.step(None)

    def observe(self):
        return self.price[:, None]

    def evaluate(self, decisions):
        return decisions @ self.price

    def step(self, decision):
        self.price = self.rng.normal(size=3)


@pytest.mark.parametrize(
    "world",
    [
        Prices,
        lambda: Prices(12),
        lambda: Prices(1),
        Plain,
        Servers,
        lambda: WirelessPoweredMEC(10),
        lambda: WirelessPoweredMEC(4, observation="user"),
        lambda: LyapunovMEC(5),
        lambda: MyopicMEC(5),
        MultiTaskMEC,
    ],
)
def test_a_right_world_passes_without_a_word(world):
    env = world()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_environment(env)
    if hasattr(env, "frame"):
        assert env.frame == 0


class WithoutStep(Plain):
    step = None

    def reset(self, seed=None):
        self.price = np.ones(3)


class Misspelt(Prices):
    evaluate = None

    def evaluete(self, decisions):
        return np.asarray(decisions) @ self.price


class HalfAState(Plain):
    def state_dict(self):
        return {}


class NoUsers(Plain):
    num_users = 0


class FlatObservation(Prices):
    def observe(self):
        return self.price


class Unscaled(Prices):
    def observe(self):
        return np.full((self.num_users, 1), np.nan)


class GrowingObservation(Prices):
    def observe(self):
        return np.ones((self.num_users, 1 + self.frame))


class ForgetfulObservation(Prices):
    def observe(self):
        return self.rng.normal(size=(self.num_users, 1))


class OneValue(Prices):
    def evaluate(self, decisions):
        return float((np.asarray(decisions) @ self.price).max())


class NoNumber(Prices):
    def evaluate(self, decisions):
        return super().evaluate(decisions) * np.nan


class TooGood(Prices):
    def evaluate(self, decisions):
        return np.where(np.asarray(decisions).any(-1), np.inf, 0.0)


class WritesIntoDecisions(Prices):
    def evaluate(self, decisions):
        decisions[:, 0] = 1
        return decisions @ self.price


class NoisyValues(Prices):
    def evaluate(self, decisions):
        return super().evaluate(decisions) + self.rng.normal()


class ChangesTheWorld(Prices):
    def evaluate(self, decisions):
        self.price = self.price + 1.0
        return np.zeros(len(decisions))


class ChangesLaterFrames(Prices):
    calls = 0

    def start(self):
        self.calls = 0

    def begin_frame(self):
        super().begin_frame()
        self.price += self.calls

    def evaluate(self, decisions):
        self.calls += 1
        return super().evaluate(decisions)


class RelativeToTheBatch(Prices):
    def evaluate(self, decisions):
        values = super().evaluate(decisions)
        return values - values.mean()


class LowOptimum(Prices):
    def frame_optimum(self):
        return self.price.clip(0).sum() - 0.5


class ListedOptimum(Prices):
    def frame_optimum(self):
        return self.price.clip(0)


class WithoutASeed(Prices):
    def begin_frame(self):
        self.price = np.random.default_rng().normal(size=self.num_users)


class ForgetsItsState(Prices):
    def load_state_dict(self, state):
        pass


class SharesItsState(Plain):
    def __init__(self):
        self.queue = np.zeros(3)
        super().__init__()

    def reset(self, seed=None):
        self.queue[:] = 0

    def observe(self):
        return self.queue[:, None].copy()

    def evaluate(self, decisions):
        return decisions @ self.queue

    def step(self, decision):
        self.queue += 1 + decision

    def state_dict(self):
        return {"queue": self.queue}

    def load_state_dict(self, state):
        self.queue[:] = state["queue"]


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (WithoutStep, "WithoutStep must have a method step"),
        (Misspelt, "Misspelt must have a method evaluate; is evaluete meant to be it"),
        (HalfAState, "HalfAState must have both state_dict and load_state_dict, or neither"),
        (NoUsers, "num_users must be a whole number, 1 or more, got 0"),
        (FlatObservation, r"observe must return shape \(N, F\), a row for each of 4 users, got \(4,\)"),
        (Unscaled, "observe must return finite numbers, got nan"),
        (GrowingObservation, r"observe must return one shape, got \(4, 2\) after \(4, 1\)"),
        (ForgetfulObservation, "observe must change nothing and repeat itself"),
        (OneValue, r"evaluate must return shape \(K,\), a value for each decision: got \(\) for 8 decisions"),
        (NoNumber, "evaluate must return numbers, or -inf for what must not be done, got"),
        (TooGood, "evaluate must return numbers, or -inf for what must not be done, got"),
        (WritesIntoDecisions, "evaluate must not write into the decisions that it is given"),
        (NoisyValues, "evaluate must change nothing and repeat itself"),
        (ChangesTheWorld, "evaluate must change nothing, but the observation is another after it"),
        (ChangesLaterFrames, r"reset\(seed=0\) must lead to the same frames each time"),
        (RelativeToTheBatch, "evaluate must give decisions the same values together and one by one"),
        (LowOptimum, "frame_optimum must be the best value of a frame, got .* is worth"),
        (ListedOptimum, "frame_optimum must return one number or None"),
        (WithoutASeed, r"reset\(seed=0\) must lead to the same frames each time, but the observation of frame 0"),
        (ForgetsItsState, "load_state_dict must bring back the frame at which state_dict was asked"),
        (SharesItsState, "state_dict must return a copy that later frames do not change"),
    ],
)
def test_a_wrong_world_is_named(world, message):
    with pytest.raises(ValueError, match=message):
        check_environment(world())


class OtherValues(WirelessPoweredMEC):
    def evaluate(self, decisions):
        return 0.9 * np.asarray(super().evaluate(decisions))


class Almost(Prices):
    def frame_metric(self):
        return {"x": 1.0}


class HighOptimum(Prices):
    def frame_optimum(self):
        return self.price.clip(0).sum() + 1.0


class Costs(Prices):
    def evaluate(self, decisions):
        return super().evaluate(decisions) - 100.0

    def frame_optimum(self):
        return super().frame_optimum() - 100.0


class NoCosts(Prices):
    value_is_cost = True


class Large(Prices):
    def observe(self):
        return np.hstack([super().observe(), 1e10 + super().observe()])


class Constant(Prices):
    def observe(self):
        return np.ones((self.num_users, 1))


class Impossible(Prices):
    def evaluate(self, decisions):
        return np.full(len(decisions), -np.inf)

    def frame_optimum(self):
        return None


@pytest.mark.parametrize(
    ("world", "message"),
    [
        (lambda: OtherValues(4), "the best is worth .*: evaluate is OtherValues's, frame_optimum still WirelessP"),
        (
            lambda: OtherValues(20),
            "optimum may not be that of its values: evaluate is OtherValues's, frame_optimum",
        ),
        (Almost, "Almost.frame_metric is not used; is it meant to be frame_metrics"),
        (HighOptimum, "frame_optimum is .*, but of all decisions the best is worth"),
        (Costs, "negative values only: where they are negated costs, set value_is_cost = True"),
        (NoCosts, "value_is_cost is True, but evaluate returned"),
        (Large, "feature 1 changes by .* only, at a size of 1e.10: what is in it is nearly lost in rounding"),
        (Constant, "observe returned the same numbers in all frames"),
        (Impossible, "returned -inf for all 160 decisions that were tried"),
    ],
)
def test_a_suspicious_world_is_warned_of(world, message):
    env = world()
    with pytest.warns(EnvironmentWarning, match=message) as caught:
        check_environment(env)
    assert all(warning.filename == __file__ for warning in caught)


def test_what_must_not_be_done_is_no_error():
    class AtMostOne(Prices):
        def evaluate(self, decisions):
            return np.where(np.asarray(decisions).sum(-1) > 1, -np.inf, super().evaluate(decisions))

        def frame_optimum(self):
            return self.best_of_all(16)

    check_environment(AtMostOne())


def test_time_may_be_limited():
    class Slow(Prices):
        tried = 0

        def evaluate(self, decisions):
            type(self).tried += 1
            return super().evaluate(decisions)

    check_environment(Slow(), frames=1000, seconds=0.0)
    assert Slow.tried < 100


def test_choices_are_tried_too():
    class Wrong(Servers):
        def evaluate(self, decisions):
            values = np.asarray(super().evaluate(decisions))
            return np.where((decisions == self.decisions.num_choices - 1).any(-1), np.nan, values)

    assert isinstance(Servers().decisions, Categorical)
    with pytest.raises(ValueError, match="evaluate must return numbers"):
        check_environment(Wrong())


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="frames must be a whole number, 2 or more, got 1"):
        check_environment(Prices(), frames=1)
