import pickle

import numpy as np
import pytest
import torch
from torch import nn

from agent import (
    Convolutional,
    FullyConnected,
    KNearest,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OffloadingAgent,
    OrderPreserving,
    checkpoint,
)
from agent.adaptive_k import AdaptiveK


class Threshold:
    """A world with a known answer: user i should offload where its feature is above 0."""

    num_users = 6

    def __init__(self, seed=0, num_features=1):
        self.rng = np.random.default_rng(seed)
        self.num_features = num_features
        self.step(None)

    def observe(self):
        return self.features

    def evaluate(self, decisions):
        return -np.abs(decisions - (self.features[:, 0] > 0)).sum(1)

    def step(self, decision):
        self.features = self.rng.normal(size=(6, self.num_features))


def play(agent, frames, world=None):
    world = world or Threshold(num_features=agent.num_features)
    values = []
    for _ in range(frames):
        decision, value = agent.decide(world.observe(), world.evaluate)
        values.append(value)
        world.step(decision)
    return values


NETWORKS = {
    "default": None,
    "deep": lambda n, f: FullyConnected(n, f, hidden=[32, 16, 16]),
    "sigmoid": lambda n, f: FullyConnected(n, f, hidden=[32], activation="sigmoid"),
    "convolutional": lambda n, f: Convolutional(n, f, channels=[8], kernel_size=5),
    "own": lambda n, f: nn.Sequential(nn.Flatten(-2), nn.Linear(n * f, n)),
}


@pytest.mark.parametrize("num_features", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_any_network_learns_what_it_is_told(network, num_features):
    agent = OffloadingAgent(6, num_features, network=NETWORKS[network], training_interval=1)
    world = Threshold(num_features=num_features)
    accuracies = []
    for _ in range(800):
        agent.encode(world.observe(), world.observe()[:, 0] > 0)
        accuracies.append(agent.accuracy)
        world.step(None)
    assert np.mean(accuracies[:20]) < 0.75
    assert np.mean(accuracies[-200:]) > 0.9


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize(("quantizer", "k"), [("OP", 7), ("KNN", 16), ("OPN", 14), ("OP+KNN", 14)])
def test_every_backend_and_quantizer_learns_from_its_own_best(backend, quantizer, k):
    agent = OffloadingAgent(
        6, backend=backend, quantizer=quantizer, num_candidates=k, adaptive_interval=None, training_interval=1
    )
    values = play(agent, 600)
    assert np.mean(values[-100:]) > np.mean(values[:50]) / 2  # at most half as many users wrong


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_one_seed_fixes_everything_and_the_global_state_is_left_alone(backend):
    def run(seed):
        agent = OffloadingAgent(6, backend=backend, quantizer="OPN", seed=seed)
        return play(agent, 40), agent.loss

    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    first = run(3)
    torch.rand(1)
    assert run(3) == first
    assert run(4) != first
    assert (np.random.get_state()[1] == before[1]).all()
    torch.set_rng_state(before[0])
    OffloadingAgent(6)
    assert torch.equal(torch.get_rng_state(), before[0])


def test_decode_proposes_the_rounded_output_first():
    agent = OffloadingAgent(6, num_candidates=4)
    observation = Threshold().observe()
    candidates = agent.decode(observation)
    assert candidates.shape == (4, 6)
    np.testing.assert_array_equal(candidates[0], agent.relax(observation) > 0.5)
    assert agent.decode(observation, k=7).shape == (7, 6)


def test_encode_learns_every_training_interval():
    agent = OffloadingAgent(6, training_interval=3)
    learned = []
    for _ in range(7):
        agent.encode(Threshold().observe(), np.zeros(6))
        learned.append(agent.learning_steps)
    assert learned == [0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("published", [False, True])
def test_learning_starts_when_the_memory_holds_enough(published):
    agent = OffloadingAgent(6, training_interval=3, learning_starts=7, published=published)
    learned = []
    for _ in range(9):
        agent.encode(Threshold().observe(), np.zeros(6))
        learned.append(agent.learning_steps)
    assert learned == ([0] * 7 + [1, 1] if published else [0] * 8 + [1])


def test_replicas_start_to_learn_as_single_agents_do():
    replicas = OffloadingAgent(6, replicas=2, training_interval=3, learning_starts=7)
    for frame in range(9):
        assert replicas.learning_steps == 0, frame
        replicas.encode(np.stack([Threshold().observe()] * 2), np.zeros((2, 6)))
    assert replicas.learning_steps == 1


def test_accuracy_is_of_frames_not_yet_trained_on():
    agent = OffloadingAgent(6, training_interval=1000, standardize=False)
    world = Threshold()
    right = []
    for _ in range(8):
        decision = (world.observe()[:, 0] > 0).astype(int)
        right.append(agent.decode(world.observe(), k=1)[0] == decision)
        agent.remember(world.observe(), decision)
        world.step(decision)
    agent.learn()
    assert agent.accuracy == pytest.approx(np.mean(right))
    agent.remember(world.observe(), agent.decode(world.observe(), k=1)[0])
    agent.learn()
    assert agent.accuracy == 1


@pytest.mark.parametrize(
    ("best", "skip_last", "expected"),
    [([0, 2, 0, 1], False, 4), ([0, 1, 0, 2], True, 3), ([5, 5, 5, 5], False, 6), ([0, 0, 0, 0], False, 2)],
)
def test_k_adapts_as_in_the_paper(best, skip_last, expected):
    adaptive = AdaptiveK(6, interval=4, skip_last=skip_last)
    for place in best:
        assert adaptive.k == 6
        adaptive.update(place)
    assert adaptive.k == expected


def test_k_is_adapted_or_fixed_as_asked():
    agent = OffloadingAgent(6, adaptive_interval=8, training_interval=1)
    play(agent, 400)
    assert agent.num_candidates < 6
    fixed = OffloadingAgent(6, adaptive_interval=None, num_candidates=5)
    play(fixed, 100)
    assert fixed.num_candidates == 5


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_published_names_of_quantizers_are_the_published_ones_of_one_network(backend):
    quantizers = {
        name: OffloadingAgent(6, quantizer=name, published=True, backend=backend).quantizer
        for name in ("OP", "OPN", "KNN")
    }
    assert quantizers == {"OP": OrderPreserving(distinct=False), "OPN": NoisyProbabilities(), "KNN": KNearest()}
    agent = OffloadingAgent(6, quantizer=OrderPreserving(), published=True, backend=backend)
    assert agent.quantizer == OrderPreserving()
    several = OffloadingAgent(6, published=True, num_networks=2, backend=backend)
    assert several.quantizer == OrderPreserving()


def test_weights_may_be_drawn_as_ddlo_does():
    network = FullyConnected(80, hidden=[50, 200], initialization="normal")
    for layer in network.layers:
        assert float(layer.weight.detach().std()) == pytest.approx(1 / 80, rel=0.05)
        assert not layer.bias.any()
    with pytest.raises(ValueError, match="initialization must be 'uniform' or 'normal', got 'xavier'"):
        FullyConnected(8, initialization="xavier")


def test_published_setting_takes_over_the_quirks():
    agent = OffloadingAgent(6, published=True, backend="torch")
    assert agent.memory.counter == 1
    play(agent, 9)
    assert agent.learning_steps == 1  # the counter starts at 1
    play(agent, 11)
    moments = agent.learner.state_dict()["optimizer"]["state"]
    assert {int(state["step"]) for state in moments.values()} == {1}
    kept = OffloadingAgent(6, backend="torch")
    play(kept, 20)
    moments = kept.learner.state_dict()["optimizer"]["state"]
    assert {int(state["step"]) for state in moments.values()} == {2}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"backend": "numpy", "quantizer": NoisyOrderPreserving(noise=0.3)},
        {"network": NETWORKS["convolutional"], "quantizer": "KNN", "published": True},
    ],
)
def test_a_loaded_agent_goes_on_as_the_saved_one(tmp_path, settings):
    agent = OffloadingAgent(6, seed=5, training_interval=2, **settings)
    play(agent, 45)
    agent.save(tmp_path / "agent.pt")
    loaded = OffloadingAgent.load(tmp_path / "agent.pt")
    assert play(loaded, 60) == play(agent, 60)
    assert loaded.loss == agent.loss
    assert loaded.state_dict()["settings"] == agent.state_dict()["settings"]


class OwnNetwork(nn.Sequential):
    def __init__(self, width=6):
        super().__init__(nn.Flatten(-2), nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 6))


class EveryOther:
    def max_candidates(self, num_users):
        return 2

    def __call__(self, relaxed, k, rng):
        return np.array([relaxed > 0.5, relaxed <= 0.5])[:k].astype(int)


def test_own_parts_are_passed_again_when_loading(tmp_path):
    path = tmp_path / "agent.pt"
    agent = OffloadingAgent(6, network=OwnNetwork(), quantizer=EveryOther(), num_candidates=2)
    play(agent, 30)
    agent.save(path)
    with pytest.raises(ValueError, match="network must be passed: .* OwnNetwork"):
        OffloadingAgent.load(path)
    with pytest.raises(ValueError, match="quantizer must be passed: .* EveryOther"):
        OffloadingAgent.load(path, network=OwnNetwork())
    with pytest.raises(ValueError, match="network does not fit the checkpoint's weights"):
        OffloadingAgent.load(path, network=OwnNetwork(width=9), quantizer=EveryOther())
    loaded = OffloadingAgent.load(path, network=OwnNetwork(), quantizer=EveryOther())
    assert play(loaded, 30) == play(agent, 30)


class Boom:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_bad_checkpoint_is_refused_and_never_executed(tmp_path, capsys):
    path = tmp_path / "agent.pt"
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        OffloadingAgent.load(path)
    OffloadingAgent(6).save(path)
    whole = path.read_bytes()
    for keep in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:keep])
        with pytest.raises(ValueError, match="is not a readable checkpoint|is damaged: its SHA-256"):
            OffloadingAgent.load(path)
    torch.save({"agent": Boom()}, path)
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        OffloadingAgent.load(path)
    path.write_bytes(pickle.dumps({"agent": Boom()}))
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        OffloadingAgent.load(path)
    assert capsys.readouterr().out == ""
    torch.save({"weights": 1}, path)
    with pytest.raises(ValueError, match="holds no agent"):
        OffloadingAgent.load(path)
    torch.save({"agent": {"settings": {}}}, path)
    with pytest.raises(ValueError, match="not a checkpoint of an OffloadingAgent"):
        OffloadingAgent.load(path)


def test_a_checkpoint_of_other_settings_is_refused():
    state = OffloadingAgent(6, learning_rate=0.5).state_dict()
    with pytest.raises(ValueError, match="another configuration: learning_rate was 0.5, is 0.005"):
        OffloadingAgent(6).load_state_dict(state)


class AnyNumber(FullyConnected):
    """Says that it takes any number of users."""

    any_size = True

    def __init__(self):
        super().__init__(6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_users": 0}, "num_users must be a whole number, 1 or more, got 0"),
        ({"num_candidates": 0}, "num_candidates must be a whole number"),
        (
            {"num_candidates": 8, "local_search": 0, "quantizer": "OP"},
            "num_candidates must be 1 to 7 for OrderPreserving and 6 users, got 8",
        ),
        (
            {"num_candidates": 20, "local_search": 10, "quantizer": "OP"},
            "num_candidates must be 1 to 17 for OrderPreserving, 10 by local search, and 6 users, got 20",
        ),
        ({"num_candidates": 4, "local_search": 4}, "local_search must be below num_candidates, 4, got 4"),
        ({"local_search": -1}, "local_search must be a whole number, 0 or more, got -1"),
        ({"standardize": 1}, "standardize must be true, false or left out, got 1"),
        (
            {"standardize": True, "network": AnyNumber()},
            "standardize must be false for AnyNumber",
        ),
        ({"probe_interval": -1}, "probe_interval must be a whole number, 0 or more, got -1"),
        (
            {"num_candidates": 65, "quantizer": KNearest()},
            "num_candidates must be 1 to 64 for KNearest and 6 users",
        ),
        ({"adaptive_interval": 0}, "adaptive_interval must be a whole number, 1 or more"),
        ({"training_interval": 0}, "training_interval must be a whole number, 1 or more, got 0"),
        ({"batch_size": -1}, "batch_size must be a whole number, 1 or more, got -1"),
        ({"memory_size": 0}, "memory_size must be a whole number, 1 or more, got 0"),
        ({"learning_rate": -0.1}, "learning_rate must be positive and at most 1000, got -0.1"),
        ({"betas": (0.9,)}, "betas must be two numbers"),
        ({"quantizer": "OPQ"}, "quantizer must be one of"),
        ({"backend": "jax"}, "backend must be 'auto', 'torch' or 'numpy', got 'jax'"),
        ({"backend": "numpy", "network": Convolutional(6)}, "network must be FullyConnected"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, got -1"),
        ({"num_users": 2.5}, "num_users must be a whole number"),
        ({"batch_size": True}, "batch_size must be a whole number"),
        ({"training_interval": float("nan")}, "training_interval must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate must be positive"),
        ({"learning_rate": 1e300}, "learning_rate must be positive and at most 1000"),
        ({"betas": 0.9}, "betas must be two numbers"),
        ({"quantizer": KNearest}, "quantizer must be one of .* or a quantizer"),
        ({"network": 3}, "network must be or make a torch.nn.Module"),
        ({"network": FullyConnected(5)}, "network must accept observations of shape"),
        ({"network": nn.Flatten(0)}, r"network must map \(2, 6, 1\) to \(2, 6\), got \(12,\)"),
        ({"network": nn.Sequential(nn.Flatten(), nn.Sigmoid())}, "network must return logits"),
        ({"network": lambda n, f: "net"}, "network must be or make a torch.nn.Module, got str"),
        ({"network": lambda n, f: FullyConnected(n, f, hidden=[8, 0])}, r"hidden\[1\] must be a whole number"),
        ({"network": lambda n, f: FullyConnected(n, f, activation="tanh")}, "activation must be one of"),
        ({"network": lambda n, f: Convolutional(n, f, kernel_size=4)}, "kernel_size must be odd"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        OffloadingAgent(**{"num_users": 6, **settings})


OBSERVATION = np.zeros((6, 1))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda agent: agent.decode(np.zeros(6)), r"observation must have shape \(6, 1\), .* got \(6,\)"),
        (lambda agent: agent.decode(OBSERVATION + np.nan), "observation must be finite"),
        (lambda agent: agent.decode(OBSERVATION, k=65), "k must be 1 to 64 for 6 users, got 65"),
        (lambda agent: agent.decode(OBSERVATION, k=0), "k must be a whole number, 1 or more, got 0"),
        (lambda agent: agent.remember(OBSERVATION, np.full(6, 0.5)), "decision must hold only 0 and 1"),
        (lambda agent: agent.encode(OBSERVATION, np.zeros(5)), r"decision must have shape \(6,\)"),
        (lambda agent: agent.decide(OBSERVATION, lambda x: [1.0]), r"evaluate must return shape \(20,\)"),
        (lambda agent: agent.decide(OBSERVATION, lambda x: np.full(len(x), np.nan)), "evaluate .* got nan"),
        (lambda agent: agent.learn(), "the replay memory is empty"),
    ],
)
def test_bad_arguments_are_named_and_nothing_is_remembered(call, message):
    agent = OffloadingAgent(6)
    with pytest.raises(ValueError, match=message):
        call(agent)
    assert agent.memory.counter == 0


class Dropping(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(-2), nn.Linear(6, 40), nn.Dropout(0.5), nn.Linear(40, 6))


def test_the_seed_fixes_what_a_network_draws_too(tmp_path):
    def run():
        agent = OffloadingAgent(6, network=lambda n, f: Dropping(), seed=1)
        values = play(agent, 30)
        agent.save(tmp_path / "agent.pt")
        return values, agent.loss, play(agent, 30), agent.loss

    first = run()
    torch.rand(3)
    assert run() == first
    loaded = OffloadingAgent.load(tmp_path / "agent.pt", network=Dropping())
    assert (play(loaded, 30), loaded.loss) == first[2:]


def test_evaluate_cannot_change_the_candidates_it_values():
    agent = OffloadingAgent(6)

    def flip(candidates):
        candidates[:] = 1 - candidates
        return candidates.sum(-1)

    with pytest.raises(ValueError, match="read-only"):
        agent.decide(OBSERVATION, flip)
    decision, _ = agent.decide(OBSERVATION, lambda candidates: candidates.sum(-1))
    decision[:] = 0  # the caller's own


def test_learning_that_diverges_is_an_error():
    agent = OffloadingAgent(
        6, backend="numpy", optimizer="gradient_descent", learning_rate=1000.0, weight_decay=1000.0
    )
    with pytest.raises(FloatingPointError, match="learning diverged"), np.errstate(all="ignore"):
        play(agent, 300)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_state_is_a_copy(backend):
    agent = OffloadingAgent(6, backend=backend)
    play(agent, 20)
    state = agent.state_dict()
    play(agent, 20)
    other = OffloadingAgent(6, backend=backend)
    other.load_state_dict(state)
    assert other.learning_steps == 2
    assert not np.array_equal(other.relax(OBSERVATION + 1), agent.relax(OBSERVATION + 1))


def test_parts_of_a_checkpoint_must_be_there_and_fit(tmp_path):
    for damage in [
        lambda s: s.pop("memory"),
        lambda s: s["settings"].update(more=1),
        lambda s: s.update(rng=None),
    ]:
        state = OffloadingAgent(6).state_dict()
        damage(state)
        torch.save({"agent": checkpoint._to_tensors(state)}, tmp_path / "agent.pt")
        with pytest.raises(ValueError, match="not a whole checkpoint"):
            OffloadingAgent.load(tmp_path / "agent.pt")
    state = OffloadingAgent(6).state_dict()
    state["memory"]["observations"] = np.zeros((1, 1, 1))
    with pytest.raises(ValueError, match="memory must hold observations of shape"):
        OffloadingAgent(6).load_state_dict(state)


def test_a_single_user_has_both_decisions_proposed():
    agent = OffloadingAgent(1)
    assert sorted(agent.decode(np.zeros((1, 1))).tolist()) == [[0], [1]]
