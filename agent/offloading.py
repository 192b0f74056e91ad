"""The offloading agent: decode, evaluate, encode (DROO, Algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from agent import checkpoint, generators, parts
from agent.adaptive_k import AdaptiveK
from agent.arrays import Array, namespace, on_device, take
from agent.checks import whole_number
from agent.decisions.nested import Nested, pick
from agent.decisions.quantizer import OrderPreserving, Quantizer
from agent.generators import Generators
from agent.learners import ensemble
from agent.learners.ensemble import Ensemble
from agent.learners.torch_learner import Learner, LearningRule
from agent.memory import ReplayMemory
from agent.networks.set_network import SetNetwork
from agent.parts import NetworkFactory


class OffloadingAgent:
    """Learns which users should offload from the best of its own proposals.

    A network maps an observation (N, F) to a relaxed decision, a quantizer turns that into K binary candidates,
    the caller's `evaluate` values them, the best one is remembered, and every `training_interval` frames a
    minibatch of the replay memory trains the network.

    With `replicas` it is R agents side by side, each with weights, memory, random numbers and K of its own, which
    decide in R worlds at once: all arrays then have R as first dimension, written (..., N) below. Replica r is the
    agent of seed `seed + r`, whatever runs beside it: to the last bit with the 'numpy' backend, up to float32
    rounding with 'torch' (which Adam made anew at each step, `published`, lets grow).

    Args:
        num_users: N. A network for any number of users, such as `SetNetwork`, may be asked about other numbers
            too: the memory then makes room, and K stays within what the quantizer has for so few.
        num_features: F of an observation (N, F).
        network: a `torch.nn.Module` that maps (..., N, F) to logits (..., N), or a callable of
            (num_users, num_features) that makes one; `FullyConnected` with layers of 120 and 80 by default.
        num_networks: M networks that share the memory, each with K candidates, initial weights and minibatches of
            its own (DDLO: several networks with K = 1); a module passed as `network` is copied, weights and all.
        backend: 'torch', or 'numpy' for the learner written out in `agent.learners.numpy_learner` (the fully connected
            and the set network only; the fastest on a CPU).
        quantizer: 'OP', 'KNN', 'OPN', 'OP+KNN' or an object like those in `agent.decisions.quantizer`.
        num_candidates: K at the start and its maximum; N by default (2 for a single user).
        adaptive_interval: frames between changes of K; None keeps it fixed.
        training_interval: frames between learning steps.
        batch_size: pairs in a minibatch, drawn with replacement.
        memory_size: pairs that the replay memory keeps.
        loss, optimizer, learning_rate, betas, weight_decay, weight_averaging: as in `agent.learners.torch_learner.LearningRule`.
        published: take over what the published code does by accident or habit: Adam made anew at each step,
            an all-zero pair at the start of the memory, the last frame left out when K adapts.
        seed: fixes weights, minibatches and quantizer noise; with replicas also a list of R seeds.
        replicas: R; None for one agent without that dimension. `learning_rate` and `training_interval` may then be
            lists, one value for each.
        device: None for NumPy arrays, else the torch device ('cpu', 'cuda') of observations, values and decisions;
            only with replicas, the 'torch' backend, and a quantizer that works on tensors ('OP' or 'OPN').

    Attributes:
        loss: of the last learning step, before it; None until the first. With replicas (R,), nan for those that
            have not learned yet.
        accuracy: held-out accuracy, the share of user decisions that the rounded network output had right on the
            frames remembered since the last learning step, found before learning from them; likewise.
        learning_steps: how many there were, of any replica.
        best_candidate: place (from 0) of the best candidate of the last `decide`; with replicas (R,).
        num_candidates: K of the next frame; with replicas (R,) once they differ.

    Raises:
        ValueError: for a setting out of range or a network of the wrong output, naming it.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        *,
        network: nn.Module | NetworkFactory | None = None,
        num_networks: int = 1,
        backend: Literal["torch", "numpy"] = "torch",
        quantizer: Literal["OP", "KNN", "OPN", "OP+KNN"] | Quantizer = "OP",
        num_candidates: int | None = None,
        adaptive_interval: int | None = 32,
        training_interval: int | Sequence[int] = 10,
        batch_size: int = 128,
        memory_size: int = 1024,
        loss: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        optimizer: Literal["adam", "gradient_descent"] = "adam",
        learning_rate: float | Sequence[float] = 0.01,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        weight_averaging: float = 0.0,
        published: bool = False,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
        device: str | None = None,
    ) -> None:
        whole_number("num_users", num_users)
        whole_number("num_features", num_features)
        whole_number("num_networks", num_networks)
        whole_number("batch_size", batch_size)
        whole_number("memory_size", memory_size)
        if replicas is not None:
            whole_number("replicas", replicas)
            if num_networks > 1:
                raise ValueError(f"num_networks must be 1 for replicas, got {num_networks}")
        if device is not None and (replicas is None or backend != "torch"):
            raise ValueError(f"device must be None without replicas and the 'torch' backend, got {device!r}")
        intervals = _for_each("training_interval", training_interval, replicas)
        rates = _for_each("learning_rate", learning_rate, replicas)
        for interval in intervals:
            whole_number("training_interval", interval)
        seeds = _seeds(seed, replicas)
        self.num_users = num_users
        self.num_features = num_features
        self.num_networks = num_networks
        self.replicas = replicas
        self.training_interval = training_interval
        self.batch_size = batch_size
        self._device = device
        self._lead = () if replicas is None else (replicas,)
        self._groups = _groups(intervals, int(published))
        self.quantizer = parts.make_quantizer(quantizer)
        most = self.quantizer.max_candidates(num_users)
        start = min(max(num_users, 2), most) if num_candidates is None else num_candidates
        if whole_number("num_candidates", start) > most:
            name = type(self.quantizer).__name__
            raise ValueError(
                f"num_candidates must be 1 to {most} for {name} and {num_users} users, got {num_candidates}"
            )
        if replicas is not None and adaptive_interval is not None and not getattr(self.quantizer, "prefix", False):
            raise ValueError("adaptive_interval must be None for replicas, unless the quantizer is 'OP' or 'KNN'")
        self._adaptive_k = AdaptiveK(start, adaptive_interval, skip_last=published)
        rule = LearningRule(
            loss=loss,
            optimizer=optimizer,
            learning_rate=rates[0] if len(set(rates)) == 1 else rates,
            betas=tuple(np.ravel(betas).tolist()),
            weight_decay=weight_decay,
            weight_averaging=weight_averaging,
            fresh_optimizer=published,
        )
        network_seeds = seeds if num_networks == 1 else ensemble.seeds(seeds[0], num_networks)
        modules = [parts.make_network(network, num_users, num_features, one) for one in network_seeds]
        self._any_size = replicas is None and getattr(modules[0], "any_size", False)
        # A spawned sequence, so that an environment with the same seed draws other numbers.
        rngs = [np.random.default_rng(np.random.SeedSequence(one, spawn_key=(1,))) for one in seeds]
        self._rng: Any
        if replicas is None:
            # Copies, since a module that was passed is all of them.
            own = modules if num_networks == 1 else [deepcopy(module) for module in modules]
            pairs = zip(own, network_seeds, strict=True)
            learners = [parts.make_learner(module, backend, rule, one) for module, one in pairs]
            self.learner: Learner = learners[0] if num_networks == 1 else Ensemble(learners)
            self._rng = rngs[0]
        else:
            self.learner = parts.make_stacked_learner(modules, backend, rule, device)
            self._rng = Generators(rngs, device)
            for group in self._groups:
                if group.replicas is not None:
                    group.rng = self._rng.part(group.replicas)
                    group.replicas = on_device(group.replicas, device)
        self.memory = ReplayMemory(
            memory_size, num_users, num_features, blank_row=published, replicas=replicas, device=device
        )
        self.learning_steps = 0
        self.loss: Any = None
        self.accuracy: Any = None
        self.best_candidate: Any = None
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "network": parts.describe(modules[0]),
            "num_networks": num_networks,
            "backend": backend,
            "quantizer": parts.describe(self.quantizer),
            "num_candidates": start,
            "adaptive_interval": adaptive_interval,
            "training_interval": _plain(training_interval),
            "batch_size": batch_size,
            "memory_size": memory_size,
            "loss": loss,
            "optimizer": optimizer,
            "learning_rate": _plain(learning_rate),
            "betas": list(rule.betas),
            "weight_decay": weight_decay,
            "weight_averaging": weight_averaging,
            "published": published,
            "seed": _plain(seed),
            "replicas": replicas,
            "device": device,
        }

    @property
    def num_candidates(self) -> Any:
        """K of the next frame; with replicas (R,) once they differ."""
        return self._adaptive_k.k

    def decide(self, observation: ArrayLike, evaluate: Callable[[Any], Any]) -> tuple[Any, Any]:
        """One frame: propose candidates, value them, learn from the best, adapt K.

        Args:
            observation: (..., N, F).
            evaluate: maps candidates (..., K, N) to their values (..., K), larger is better. Where it has an
                attribute `takes_nested`, it is given `agent.decisions.nested.Nested` candidates where the quantizer proposes
                such.

        Returns:
            The best candidate (..., N) and its value, with replicas (R,).

        Raises:
            ValueError: when `observation` has another shape or is not finite, or `evaluate` returns another
                shape or nan for the best candidate. (Of tensors, shapes only.)
        """
        checked = self._checked(observation)
        most = self._most_candidates(checked)
        relaxed = self._relaxed(checked)
        candidates: Any
        nested = getattr(evaluate, "takes_nested", False) and self.num_networks == 1
        if nested and hasattr(self.quantizer, "nested"):
            candidates = self.quantizer.nested(relaxed, most)
        else:
            candidates = self._propose(relaxed, most)
            if self._device is None:
                candidates.setflags(write=False)  # what was valued is what is carried out and learned
        values = evaluate(candidates)
        if self.replicas is None:
            best, value = self._best_of(np.asarray(values, dtype=np.float64), len(candidates))
        else:
            best, value = self._best_of_each(values, most)
        decision = pick(candidates, best)
        self._encode(checked, decision)
        self.best_candidate = best
        self._adaptive_k.update(best // self.num_networks)
        own = isinstance(candidates, Nested) or self._device is not None
        return (decision if own else decision.copy()), value

    def relax(self, observation: ArrayLike) -> Array:
        """The network's relaxed decision in (0,1)^N, (..., N), of M networks (M, N), for one observation."""
        return self._relaxed(self._checked(observation))

    def decode(self, observation: ArrayLike, k: int | None = None) -> Array:
        """K candidates (..., K, N) for an observation (..., N, F), likeliest first; K adapts unless `k` is given.

        With replicas of different K it is the largest of them. Of M networks there are M K candidates: the first
        of each, then the second of each, and so on; some may coincide.

        Raises ValueError when `k` is out of the quantizer's range, or as `decide`.
        """
        checked = self._checked(observation)
        num_users = checked.shape[-2]
        if k is None:
            k = self._most_candidates(checked)
        elif whole_number("k", k) > (most := self.quantizer.max_candidates(num_users)):
            raise ValueError(f"k must be 1 to {most} for {num_users} users, got {k}")
        return self._propose(self._relaxed(checked), k)

    def remember(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Store an observation (..., N, F) and its best decision (..., N).

        Raises ValueError, and stores nothing, when a shape differs or the decision holds anything but 0 and 1.
        """
        checked = self._checked(observation)
        given: Any = np.asarray(decision) if self._device is None else decision
        shape = tuple(checked.shape[:-1])
        if tuple(given.shape) != shape:
            raise ValueError(f"decision must have shape {shape}, got {tuple(given.shape)}")
        if self._device is None and not ((given == 0) | (given == 1)).all():
            raise ValueError(f"decision must hold only 0 and 1, got {given.tolist()}")
        self.memory.remember(checked, given)

    def learn(self) -> Any:
        """Train on one minibatch of the memory; returns its loss before the step, with replicas (R,).

        Raises ValueError when nothing is remembered yet, FloatingPointError when the loss is not finite. (Of
        replicas, one that diverges does not stop the others: its loss is nan.)
        """
        for group in self._groups:
            self._learn(group)
        return self.loss

    def encode(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Remember, and learn whenever the memory's counter is a multiple of `training_interval`."""
        self.remember(observation, decision)
        self._learn_when_due()

    def _encode(self, observation: Array, decision: Array) -> None:
        self.memory.remember(observation, decision)
        self._learn_when_due()

    def _learn_when_due(self) -> None:
        for group in self._groups:
            if self.memory.counter % group.interval == 0:
                self._learn(group)

    def _learn(self, group: "_Group") -> None:
        replicas = group.replicas
        untrained = self.memory.counter - group.learned_at
        if untrained:
            observations, decisions = self.memory.recent(untrained)
            right = (self.learner.predict(observations) > 0) == (decisions > 0.5)
            self.accuracy = self._recorded(self.accuracy, _mean_of_pairs(right), replicas)
        group.learned_at = self.memory.counter
        rng = self._rng if replicas is None else group.rng
        observations, decisions = self.memory.sample(self.num_networks * self.batch_size, rng, replicas)
        loss = self.learner.learn(observations, decisions, replicas)
        self.loss = loss if replicas is None else self._recorded(self.loss, loss, replicas)
        self.learning_steps += 1
        if self.replicas is None and not np.isfinite(self.loss):
            rate = self.settings["learning_rate"]
            raise FloatingPointError(f"learning diverged, the loss is {self.loss}: learning_rate is {rate}")

    def save(self, path: str | Path) -> None:
        """Write settings, weights, optimiser, memory and random state to a file; in one step, or not at all."""
        checkpoint.write(path, {"agent": self.state_dict()})

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        network: nn.Module | NetworkFactory | None = None,
        quantizer: Quantizer | None = None,
        num_users: int | None = None,
    ) -> "OffloadingAgent":
        """The agent that `save`, or a simulation's checkpoint, wrote; it goes on exactly where that one was.

        Args:
            path: the file. Nothing in it is executed.
            network: needed when the agent had a network that is not one of this project's.
            quantizer: likewise.
            num_users: N, where the agent is to go on with another number of users; only with a network for any.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it is not a readable checkpoint, or needs a network or quantizer that is not passed.
        """
        state = checkpoint.read(path)["agent"]
        try:
            if num_users is not None:
                state = _resized(state, whole_number("num_users", num_users))
            settings = dict(state["settings"])
            saved_network, saved_quantizer = settings.pop("network"), settings.pop("quantizer")
            if network is None:
                network = parts.rebuild_network(saved_network)
            if quantizer is None:
                quantizer = parts.rebuild_quantizer(saved_quantizer)
        except parts.UnknownPartError as error:
            raise ValueError(f"{error.part} must be passed: {path} was saved with {error.name}") from error
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a checkpoint of an OffloadingAgent") from error
        try:
            agent = cls(network=network, quantizer=quantizer, **settings)
            agent.load_state_dict(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is not a whole checkpoint of an OffloadingAgent: {error!r}") from error
        return agent

    @classmethod
    def pretrained(cls, num_users: int, **settings: Any) -> "OffloadingAgent":
        """An agent that decides well from its first frame, for the wireless powered problem with any `num_users`.

        Its set network was trained by `scripts/pretrain.py` on 10 to 30 users at random distances and weights. It
        wants observations of three features a user: `WirelessPoweredMEC(..., observation='user')`.

        Args:
            num_users: N of the first frames.
            **settings: as in the constructor, in place of: the NumPy backend, 5 order-preserving candidates (fewer
                as K adapts), batches of 64, and a small learning rate, 0.003.

        Raises:
            ValueError: as the constructor.
        """
        network = SetNetwork(num_users)
        with np.load(Path(__file__).parent / "networks" / "pretrained.npz", allow_pickle=False) as weights:
            network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
        most = OrderPreserving().max_candidates(whole_number("num_users", num_users))
        defaults: dict[str, Any] = {
            "backend": "numpy",
            "num_candidates": min(5, most),
            "batch_size": 64,
            "learning_rate": 0.003,
            "weight_averaging": 0.95,
        }
        return cls(num_users, 3, network=network, **{**defaults, **settings})

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on: settings, arrays, numbers and strings."""
        return {
            "settings": deepcopy(self.settings),
            "learner": self.learner.state_dict(),
            "memory": self.memory.state_dict(),
            "adaptive_k": self._adaptive_k.state_dict(),
            "rng": generators.save(self._rng),
            "learned_at": [group.learned_at for group in self._groups],
            "learning_steps": self.learning_steps,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "best_candidate": self.best_candidate,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` of an agent of the same settings returned.

        Raises ValueError naming the settings that differ, or when the network's weights do not fit.
        """
        saved = state["settings"]
        differing = sorted(name for name in self.settings if self.settings[name] != saved.get(name))
        if differing:
            pairs = ", ".join(f"{name} was {saved.get(name)}, is {self.settings[name]}" for name in differing)
            raise ValueError(f"the checkpoint is of another configuration: {pairs}")
        try:
            self.learner.load_state_dict(state["learner"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"network does not fit the checkpoint's weights: {reason}") from error
        if self._any_size:
            saved_users = state["memory"]["decisions"].shape[-1]
            self.memory = ReplayMemory(self.memory.capacity, saved_users, self.num_features)
        self.memory.load_state_dict(state["memory"])
        self._adaptive_k.load_state_dict(state["adaptive_k"], self._placed)
        generators.restore(self._rng, state["rng"])
        for group, learned_at in zip(self._groups, state["learned_at"], strict=True):
            group.learned_at = int(learned_at)
        self.learning_steps = int(state["learning_steps"])
        self.loss = self._placed(state["loss"])
        self.accuracy = self._placed(state["accuracy"])
        self.best_candidate = self._placed(state["best_candidate"])

    def _placed(self, value: Any) -> Any:
        """A number as it is, an array from a checkpoint where this agent keeps its arrays."""
        if not isinstance(value, torch.Tensor):
            return value
        return value.numpy() if self._device is None else value.to(self._device)

    def _recorded(self, all_: Any, some: Any, replicas: Array | None) -> Any:
        """The figures (R,) of all replicas, those of some of them renewed; of one agent, a number."""
        if self.replicas is None:
            return float(np.mean(some))
        if replicas is None:
            return some
        if all_ is None:
            all_ = on_device(np.full(self._lead, np.nan), self._device)
        all_ = all_.copy() if self._device is None else all_.clone()
        some = some if len(replicas) == len(some) else some[replicas]
        all_[replicas] = some if self._device is None else some.to(all_.dtype)
        return all_

    def _most_candidates(self, observation: Array) -> int:
        """The largest K of any replica; on a device, which is not asked, the largest that there can be."""
        k = self._adaptive_k.k
        if isinstance(k, int):
            return min(k, self.quantizer.max_candidates(observation.shape[-2])) if self._any_size else k
        return self._adaptive_k.maximum if self._device is not None else int(k.max())

    def _best_of(self, values: NDArray[np.float64], count: int) -> tuple[int, float]:
        if values.shape != (count,):
            raise ValueError(f"evaluate must return shape ({count},), got {values.shape}")
        best = int(values.argmax())  # the first nan where there is one
        value = float(values[best])
        if value != value:
            raise ValueError(f"evaluate must return numbers, got nan for candidate {best}")
        return best, value

    def _best_of_each(self, values: Array, count: int) -> tuple[Array, Array]:
        """Places (R,) and values (R,) of the best candidates (R, K), each among its replica's own K."""
        if tuple(values.shape) != (*self._lead, count):
            raise ValueError(f"evaluate must return shape {(*self._lead, count)}, got {tuple(values.shape)}")
        xp = namespace(values)
        k = self._adaptive_k.k
        if not isinstance(k, int):
            values = xp.where(xp.arange(count, device=values.device) < k[:, None], values, -xp.inf)
        best = values.argmax(-1)
        return best, take(values, best[:, None])[:, 0]

    def _propose(self, relaxed: Array, k: int) -> Array:
        """`k` candidates (..., k, N) of relaxed decisions (..., N); of M networks (M k, N), likeliest first."""
        if self.num_networks == 1:
            return self.quantizer(relaxed, k, self._rng)
        each = [self.quantizer(one, k, self._rng) for one in relaxed]
        return np.stack(each, axis=1).reshape(-1, relaxed.shape[-1])

    def _relaxed(self, observation: Array) -> Array:
        logits = self.learner.predict(observation[..., None, :, :])[..., 0, :]
        if self._device is not None:
            return torch.sigmoid(logits.double())
        return 1 / (1 + np.exp(-np.maximum(logits.astype(np.float64), -700)))

    def _checked(self, observation: Any) -> Any:
        on_host = self._device is None
        array = np.asarray(observation, dtype=np.float32) if on_host else observation.float()
        num_users = array.shape[0] if self._any_size and array.ndim == 2 and array.size else self.num_users
        shape = (*self._lead, num_users, self.num_features)
        if tuple(array.shape) != shape:
            raise ValueError(f"observation must have shape {shape}, one row a user, got {tuple(array.shape)}")
        if on_host and not np.isfinite(array).all():
            raise ValueError(f"observation must be finite, got {array.ravel().tolist()}")
        return array


@dataclass
class _Group:
    """Replicas that learn in the same frames."""

    interval: int
    replicas: Any
    """Their places, on the agent's device; None for all."""
    learned_at: int
    """The memory's counter at the last learning step."""
    rng: Generators | None = None
    """Theirs; None where they are all."""


def _resized(state: dict[str, Any], num_users: int) -> dict[str, Any]:
    """The state of an agent with a network for any number of users, for another number."""
    settings = dict(state["settings"])
    network = settings["network"]
    if settings["replicas"] is not None or not getattr(parts.rebuild_network(network), "any_size", False):
        raise ValueError(f"num_users must be {settings['num_users']}, as saved: the network is {network['class']}")
    settings["network"] = {**network, "settings": {**network["settings"], "num_users": num_users}}
    most = parts.rebuild_quantizer(settings["quantizer"]).max_candidates(num_users)
    settings["num_users"], settings["num_candidates"] = num_users, min(settings["num_candidates"], most)
    k = min(int(state["adaptive_k"]["k"]), settings["num_candidates"])
    return {**state, "settings": settings, "adaptive_k": {**state["adaptive_k"], "k": k}}


def _groups(intervals: Sequence[int], counter: int) -> list[_Group]:
    distinct = sorted(set(intervals))
    if len(distinct) == 1:
        return [_Group(distinct[0], None, counter)]
    places = np.asarray(intervals)
    return [_Group(interval, np.flatnonzero(places == interval), counter) for interval in distinct]


def _for_each(name: str, value: Any, replicas: int | None) -> tuple[Any, ...]:
    """The setting of each replica, (R,); of the one agent, (1,)."""
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        return (value,) * (replicas or 1)
    if replicas is None or len(value) != replicas:
        raise ValueError(f"{name} must be one number, or with replicas one for each, got {value!r}")
    return tuple(value)


def _seeds(seed: int | Sequence[int], replicas: int | None) -> list[int]:
    several = isinstance(seed, Sequence)
    seeds = _for_each("seed", seed, replicas)
    seeds = tuple(whole_number("seed", one, 0) for one in seeds)
    if not several:
        seeds = tuple(one + place for place, one in enumerate(seeds))
    if max(seeds) >= 2**63:
        raise ValueError(f"seed must be below 2^63, got {max(seeds)}")
    return list(seeds)


def _plain(setting: Any) -> Any:
    return list(setting) if isinstance(setting, Sequence | np.ndarray) else setting


def _mean_of_pairs(right: Array) -> Array:
    """The share of true entries (..., B, N) in each replica, (...)."""
    return right.mean((-1, -2)) if isinstance(right, np.ndarray) else right.double().mean((-1, -2))
