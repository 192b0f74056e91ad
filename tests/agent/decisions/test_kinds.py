"""What bits and choices ask of learning: NumPy's loss and derivative are torch's, and agents learn either."""

import numpy as np
import pytest
import torch
from servers import Servers

from agent import Convolutional, FullyConnected, OffloadingAgent, SetNetwork
from agent.decisions import Binary, Categorical, kind_of
from agent.run.loop import simulate
from agent.run.record import rates_of
from agent.run.replicas import Group, advance
from agent.run.side_by_side import SideBySide

KINDS = [Binary(), Binary(published=True), Categorical(3), Categorical(6)]


def problem(kind, lead=(), seed=0):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(*lead, 7, *kind.output(4)))
    return logits, rng.integers(kind.num_choices, size=(*lead, 7, 4)).astype(np.float64)


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_derivative_are_those_of_autograd(kind, loss):
    logits, decisions = problem(kind)
    tensor = torch.tensor(logits, requires_grad=True)
    expected = kind.loss(tensor, torch.tensor(decisions), loss)
    expected.backward()
    ours, error = kind.loss_and_error(logits, decisions, loss)
    assert float(ours) == pytest.approx(float(expected.detach()), rel=1e-12)
    np.testing.assert_allclose(error, tensor.grad.numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_replicas_are_one_by_one(kind):
    logits, decisions = problem(kind, (3,))
    together, error = kind.loss_and_error(logits, decisions, "cross_entropy")
    for replica in range(3):
        alone, own = kind.loss_and_error(logits[replica], decisions[replica], "cross_entropy")
        assert together[replica] == pytest.approx(alone, rel=1e-12)
        np.testing.assert_allclose(error[replica], own, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_relaxed_decisions_are_probabilities_on_host_and_device(kind):
    logits, decisions = problem(kind)
    logits[0] *= 400
    relaxed = kind.relax(logits.astype(np.float32))
    assert ((relaxed >= 0) & (relaxed <= 1)).all()
    if kind.num_choices > 2:
        np.testing.assert_allclose(relaxed.sum(-1), 1)
    np.testing.assert_allclose(
        kind.relax(torch.tensor(logits, dtype=torch.float32)), relaxed, rtol=1e-6, atol=1e-300
    )
    right = kind.right(logits, decisions)
    assert right.shape == decisions.shape
    best = (relaxed > 0.5) if kind.num_choices == 2 else relaxed.argmax(-1)
    np.testing.assert_array_equal(right, best == decisions)


def test_published_outputs_that_are_saturated_on_the_wrong_side_learn_nothing():
    logits = np.array([[200.0, 20.0, -200.0, 3.0]], dtype=np.float32)
    decisions = np.array([[0.0, 0.0, 1.0, 0.0]], dtype=np.float32)
    tensor = torch.tensor(logits, requires_grad=True)
    published = Binary(published=True)
    expected = published.loss(tensor, torch.tensor(decisions), "cross_entropy")
    expected.backward()
    ours, error = published.loss_and_error(logits, decisions, "cross_entropy")
    assert float(ours) == pytest.approx(float(expected.detach()), rel=1e-6)
    np.testing.assert_allclose(error, tensor.grad.numpy(), rtol=1e-6)
    assert (error[0, :3] == 0).all()
    assert (Binary().loss_and_error(logits, decisions, "cross_entropy")[1][0] != 0).all()


def test_published_relaxed_decisions_are_equal_where_single_precision_makes_them_so():
    logits = np.array([17.0, 18.0, 19.0], dtype=np.float32)
    np.testing.assert_array_equal(Binary(published=True).relax(logits), [1, 1, 1])
    assert len(set(Binary().relax(logits))) == 3


def test_two_choices_are_bits():
    assert kind_of(2) == Binary()
    assert kind_of(2, published=True) == Binary(published=True)
    assert kind_of(4) == Categorical(4)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_an_agent_learns_to_choose(backend):
    settings = {"backend": backend, "num_candidates": 16, "adaptive_interval": None, "training_interval": 2}
    rates = []
    for seed in range(3):
        agent = OffloadingAgent(4, 2, num_choices=3, seed=seed, **settings)
        rates.append([frame.normalized_rate for frame in simulate(Servers(seed=seed), agent, 1500)])
    first, last = np.mean(rates, axis=0)[:100].mean(), np.mean(rates, axis=0)[-300:].mean()
    assert last > 0.97
    assert 1 - last < (1 - first) / 2


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_replica_of_choices_is_the_single_run_of_its_seed(backend):
    worlds = SideBySide([Servers(seed=seed) for seed in range(3)])
    agents = OffloadingAgent(4, 2, num_choices=3, replicas=3, backend=backend)
    together = rates_of(advance([Group(worlds, agents, 3)], 120))
    for seed in range(3):
        agent = OffloadingAgent(4, 2, num_choices=3, seed=seed, backend=backend)
        alone = [frame.normalized_rate for frame in simulate(Servers(seed=seed), agent, 120)]
        np.testing.assert_allclose(together[:60, seed], alone[:60], rtol=1e-9)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {
            "backend": "numpy",
            "network": lambda n, f, num_choices: FullyConnected(n, f, [16], num_choices=num_choices),
        },
        {"network": Convolutional, "loss": "squared_error"},
        {"num_networks": 3, "num_candidates": 2, "adaptive_interval": None},
        {"replicas": 2, "backend": "numpy"},
        {"replicas": 2, "backend": "torch", "loss": "squared_error"},
    ],
)
def test_a_saved_agent_of_choices_goes_on(tmp_path, settings):
    agent = OffloadingAgent(4, 2, num_choices=3, training_interval=3, **settings)
    world = SideBySide([Servers(), Servers()]) if "replicas" in settings else Servers()

    def play(agent, frames=30):
        seen = []
        for _ in range(frames):
            decision, value = agent.decide(world.observe(), world.evaluate)
            world.step(decision)
            seen.append([*np.ravel(decision), *np.ravel(value)])
        return seen

    play(agent)
    agent.save(tmp_path / "agent.pt")
    state = world.state_dict()
    expected = play(agent)
    world.load_state_dict(state)
    assert play(OffloadingAgent.load(tmp_path / "agent.pt")) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_choices": 1}, "num_choices must be a whole number, 2 or more, got 1"),
        ({"num_choices": 3, "quantizer": "OP"}, r"quantizer must be one of \['MP'\], got 'OP'"),
        ({"quantizer": "LP"}, "quantizer must be one of .*'MP'.*'OPN'.*, got 'LP'"),
        ({"num_choices": 3, "num_candidates": 82}, "num_candidates must be 1 to 81 for MostProbable and 4 users"),
        ({"num_choices": 3, "network": FullyConnected(4, 2)}, r"network must map \(2, 4, 2\) to \(2, 4, 3\)"),
        ({"num_choices": 3, "network": SetNetwork}, "network must take the keyword num_choices where there are 3"),
        ({"num_choices": 3, "replicas": 2, "device": "cpu"}, "device must be None for choices"),
        ({"num_choices": 3, "network": SetNetwork(4, 2)}, r"to \(2, 4, 3\), got \(2, 4\)"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        OffloadingAgent(4, 2, **settings)


def test_what_is_no_choice_is_not_remembered():
    agent = OffloadingAgent(4, 2, num_choices=3)
    for decision in ([0, 1, 2, 3], [0, 1, 0.5, 0], [0, 1, -1, 0]):
        with pytest.raises(ValueError, match="decision must hold only 0 to 2"):
            agent.encode(np.zeros((4, 2)), decision)
    assert agent.memory.counter == 0
    agent.encode(np.zeros((4, 2)), [0, 1, 2, 2])
    assert agent.memory.counter == 1
