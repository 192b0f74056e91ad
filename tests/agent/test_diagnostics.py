"""What an agent notices about its own learning, and says once."""

import re
import warnings

import numpy as np
import pytest

from agent import OffloadingAgent
from agent.diagnostics import LAST, WINDOW, AgentWarning, Diagnostics
from agent.run.loop import simulate
from agent.run.side_by_side import SideBySide
from env.problems import AtMost, OneOf, PairwiseCoupling, SeparablePrices, UselessFeatures


class Blind(SeparablePrices):
    """Prices that cannot be seen."""

    def observe(self):
        return np.ones((self.num_users, 1))


class Huge(SeparablePrices):
    """Prices seen a million times as large."""

    def observe(self):
        return 1e6 * super().observe()


FEW = {"num_candidates": 2, "local_search": 0, "probe_interval": 10}


def said(world, frames=600, **settings):
    """The warnings of a run, by their first word after those that all have."""
    agent = OffloadingAgent(world.num_users, world.observe().shape[-1], seed=0, **settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        list(simulate(world, agent, frames, optimum=lambda: None))
    return [str(one.message) for one in caught if issubclass(one.category, AgentWarning)]


@pytest.mark.parametrize(
    ("world", "settings", "message"),
    [
        (Blind, FEW, "the network proposes the same decision for all observations, yet probes were better in"),
        (
            AtMost,
            {"num_candidates": 10, "adaptive_interval": 2, "probe_interval": 10},
            "K has adapted to [12], yet probes were better in",
        ),
        (Huge, {**FEW, "standardize": False}, "the network's outputs are saturated"),
    ],
)
def test_what_goes_wrong_is_said_once(world, settings, message):
    found = said(world(seed=0), frames=1500, backend="numpy", **settings)
    assert len({one[:30] for one in found}) == len(found)
    assert [one for one in found if re.match(message, one)], found


def test_a_rising_loss_is_said():
    diagnostics = Diagnostics(2, 0, False, 0)
    for _ in range(3 * WINDOW):
        diagnostics.learned(0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(WINDOW):
            diagnostics.learned(0.4)
    said = "the loss has risen to .*, the running mean of about 100 learning steps, from 0.2:"
    with pytest.warns(AgentWarning, match=said):
        list(map(diagnostics.learned, [3.0] * 3 * WINDOW))


def test_a_diverging_agent_says_so_before_it_fails():
    world = SeparablePrices(seed=0)
    agent = OffloadingAgent(12, seed=0, probe_interval=0)
    list(simulate(world, agent, 1000))
    agent.learning_rate = 30.0
    with pytest.warns(AgentWarning, match="the loss has risen"):
        list(simulate(world, agent, 2000))


@pytest.mark.parametrize("problem", [AtMost, OneOf, PairwiseCoupling, UselessFeatures])
def test_an_agent_that_learns_says_nothing(problem):
    assert said(problem(seed=1), 1500, probe_interval=20) == []


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_probe_before_anything_is_feasible_is_no_error(backend):
    agent = OffloadingAgent(4, backend=backend, probe_interval=3)
    for _ in range(7):
        agent.decide(np.zeros((4, 1)), lambda decisions: np.full(len(decisions), -np.inf))
    assert len(agent.memory) == 0


def test_probes_are_in_the_history_and_counted():
    agent = OffloadingAgent(10, seed=0)
    history = list(simulate(AtMost(seed=0), agent, 250))
    assert [frame.frame for frame in history if frame.probe_gain is not None] == [99, 199]
    assert [frame.candidates for frame in history[98:101]] == [32, 35, 32]  # five of eight were valued before
    assert all(0 <= frame.saturated <= 1 for frame in history if frame.saturated is not None)
    unprobed = OffloadingAgent(10, seed=0, probe_interval=0)
    again = list(simulate(AtMost(seed=0), unprobed, 250))
    assert [frame.value for frame in again] == [frame.value for frame in history]


def test_a_gain_is_relative_to_the_larger_value():
    diagnostics = Diagnostics(2, 1, False, 0)
    for best, value, gain in (
        (2.0, 1.0, 0.5),
        (1.0, 2.0, 0.0),
        (-1.0, -4.0, 0.75),
        (5.0, -np.inf, 1.0),
        (0, 0, 0),
    ):
        diagnostics.probed(best, value, 3, np.array([0.5, 1e-12]), np.zeros((1, 2), bool))
        assert diagnostics.gain == pytest.approx(gain)
        assert diagnostics.saturated == 0.5


def test_probes_come_from_anywhere_and_from_near():
    diagnostics, decision = Diagnostics(3, 1, False, 0), np.array([2, 0, 1, 1])
    probes = np.concatenate([diagnostics.probes(decision) for _ in range(50)])
    assert set(probes.ravel().tolist()) == {0, 1, 2}
    assert ((probes != decision).sum(-1) == 1).sum() >= 200


def test_replicas_notice_each_for_itself_and_say_it_once():
    agent = OffloadingAgent(12, replicas=3, seed=0, backend="numpy", **{**FEW, "probe_interval": 50})
    world = SideBySide([Blind(seed=seed) for seed in range(3)])

    def frame():
        world.step(agent.decide(world.observe(), world.evaluate)[0])
        return agent.frame_figures()

    with pytest.warns(AgentWarning) as caught:
        columns = [frame() for _ in range(50 * (LAST + 2))]
    assert len([one for one in caught if "proposes the same" in str(one.message)]) == 1
    probed = [figures for figures in columns if figures["probe_gain"] is not None]
    assert len(probed) == LAST + 2
    assert probed[0]["probe_gain"].shape == probed[0]["saturated"].shape == (3,)
    alone = OffloadingAgent(12, seed=1, backend="numpy", **{**FEW, "probe_interval": 50})
    with pytest.warns(AgentWarning):
        history = list(simulate(Blind(seed=1), alone, 50 * (LAST + 2)))
    gains = [frame.probe_gain for frame in history if frame.probe_gain is not None]
    np.testing.assert_allclose([figures["probe_gain"][1] for figures in probed], gains)


def test_a_resumed_agent_probes_when_it_would_have(tmp_path):
    def gains(history):
        return [(frame.frame, frame.probe_gain) for frame in history if frame.probe_gain is not None]

    whole = list(simulate(AtMost(seed=0), OffloadingAgent(10, seed=0, num_candidates=6), 300))
    world, agent = AtMost(seed=0), OffloadingAgent(10, seed=0, num_candidates=6)
    first = list(simulate(world, agent, 150))
    agent.save(tmp_path / "agent.pt")
    agent = OffloadingAgent.load(tmp_path / "agent.pt")
    assert gains(first + list(simulate(world, agent, 150, first_frame=150))) == gains(whole)
