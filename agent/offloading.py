"""The offloading agent: decode, evaluate, encode (DROO, Algorithm 1)."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import nn

from agent import checkpoint, parts
from agent.adaptive_k import AdaptiveK
from agent.checks import whole_number
from agent.learner import LearningRule
from agent.memory import ReplayMemory
from agent.parts import NetworkFactory
from agent.quantizer import Quantizer


class OffloadingAgent:
    """Learns which users should offload from the best of its own proposals.

    A network maps an observation (N, F) to a relaxed decision, a quantizer turns that into K binary candidates,
    the caller's `evaluate` values them, the best one is remembered, and every `training_interval` frames a
    minibatch of the replay memory trains the network.

    Args:
        num_users: N.
        num_features: F of an observation (N, F).
        network: a `torch.nn.Module` that maps (..., N, F) to logits (..., N), or a callable of
            (num_users, num_features) that makes one; `FullyConnected` with layers of 120 and 80 by default.
        backend: 'torch', or 'numpy' for the learner written out in `agent.backpropagation` (fully connected
            networks only; the fastest on a CPU).
        quantizer: 'OP', 'KNN', 'OPN', 'OP+KNN' or an object like those in `agent.quantizer`.
        num_candidates: K at the start and its maximum; N by default (2 for a single user).
        adaptive_interval: frames between changes of K; None keeps it fixed.
        training_interval: frames between learning steps.
        batch_size: pairs in a minibatch, drawn with replacement.
        memory_size: pairs that the replay memory keeps.
        loss, optimizer, learning_rate, betas, weight_decay: as in `agent.learner.LearningRule`.
        published: take over what the published code does by accident or habit: Adam made anew at each step,
            an all-zero pair at the start of the memory, the last frame left out when K adapts.
        seed: fixes weights, minibatches and quantizer noise.

    Attributes:
        loss: of the last learning step, before it; None until the first.
        accuracy: held-out accuracy, the share of user decisions that the rounded network output had right on the
            frames remembered since the last learning step, found before learning from them; None until the first.
        learning_steps: how many there were.
        best_candidate: place (from 0) of the best candidate of the last `decide`.
        num_candidates: K of the next frame.

    Raises:
        ValueError: for a setting out of range or a network of the wrong output, naming it.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        *,
        network: nn.Module | NetworkFactory | None = None,
        backend: Literal["torch", "numpy"] = "torch",
        quantizer: Literal["OP", "KNN", "OPN", "OP+KNN"] | Quantizer = "OP",
        num_candidates: int | None = None,
        adaptive_interval: int | None = 32,
        training_interval: int = 10,
        batch_size: int = 128,
        memory_size: int = 1024,
        loss: Literal["cross_entropy", "squared_error"] = "cross_entropy",
        optimizer: Literal["adam", "gradient_descent"] = "adam",
        learning_rate: float = 0.01,
        betas: Sequence[float] = (0.9, 0.999),
        weight_decay: float = 0.0,
        published: bool = False,
        seed: int = 0,
    ) -> None:
        whole_number("num_users", num_users)
        whole_number("num_features", num_features)
        whole_number("training_interval", training_interval)
        whole_number("batch_size", batch_size)
        whole_number("memory_size", memory_size)
        if whole_number("seed", seed, 0) >= 2**63:
            raise ValueError(f"seed must be below 2^63, got {seed}")
        self.num_users = num_users
        self.num_features = num_features
        self.training_interval = training_interval
        self.batch_size = batch_size
        self.quantizer = parts.make_quantizer(quantizer)
        most = self.quantizer.max_candidates(num_users)
        start = min(max(num_users, 2), most) if num_candidates is None else num_candidates
        if whole_number("num_candidates", start) > most:
            name = type(self.quantizer).__name__
            raise ValueError(
                f"num_candidates must be 1 to {most} for {name} and {num_users} users, got {num_candidates}"
            )
        self._adaptive_k = AdaptiveK(start, adaptive_interval, skip_last=published)
        rule = LearningRule(
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            betas=tuple(np.ravel(betas).tolist()),
            weight_decay=weight_decay,
            fresh_optimizer=published,
        )
        module = parts.make_network(network, num_users, num_features, seed)
        self.learner = parts.make_learner(module, backend, rule, seed)
        self.memory = ReplayMemory(memory_size, num_users, num_features, blank_row=published)
        # A spawned sequence, so that an environment with the same seed draws other numbers.
        self._rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        self._untrained = 0
        self.learning_steps = 0
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.best_candidate: int | None = None
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "network": parts.describe(module),
            "backend": backend,
            "quantizer": parts.describe(self.quantizer),
            "num_candidates": start,
            "adaptive_interval": adaptive_interval,
            "training_interval": training_interval,
            "batch_size": batch_size,
            "memory_size": memory_size,
            "loss": loss,
            "optimizer": optimizer,
            "learning_rate": learning_rate,
            "betas": list(rule.betas),
            "weight_decay": weight_decay,
            "published": published,
            "seed": seed,
        }

    @property
    def num_candidates(self) -> int:
        """K of the next frame."""
        return self._adaptive_k.k

    def decide(
        self, observation: ArrayLike, evaluate: Callable[[NDArray[np.int64]], ArrayLike]
    ) -> tuple[NDArray[np.int64], float]:
        """One frame: propose candidates, value them, learn from the best, adapt K.

        Args:
            observation: (N, F).
            evaluate: maps candidates (K, N) to their values (K,), larger is better.

        Returns:
            The best candidate (N,) and its value.

        Raises:
            ValueError: when `observation` has another shape or is not finite, or `evaluate` returns another
                shape or nan for the best candidate.
        """
        candidates = self.decode(observation)
        candidates.setflags(write=False)  # what was valued is what is carried out and learned
        values = np.asarray(evaluate(candidates), dtype=np.float64)
        if values.shape != (len(candidates),):
            raise ValueError(f"evaluate must return shape ({len(candidates)},), got {values.shape}")
        best = int(values.argmax())  # the first nan where there is one
        if np.isnan(values[best]):
            raise ValueError(f"evaluate must return numbers, got nan for candidate {best}")
        self.encode(observation, candidates[best])
        self.best_candidate = best
        self._adaptive_k.update(best)
        return candidates[best].copy(), float(values[best])

    def relax(self, observation: ArrayLike) -> NDArray[np.float64]:
        """The network's relaxed decision in (0,1)^N, (N,), for an observation (N, F)."""
        logits = self.learner.predict(self._checked(observation)[None])[0]
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    def decode(self, observation: ArrayLike, k: int | None = None) -> NDArray[np.int64]:
        """K candidates (K, N) for an observation (N, F), likeliest first; K adapts unless `k` is given.

        Raises ValueError when `k` is out of the quantizer's range, or as `decide`.
        """
        if k is None:
            k = self._adaptive_k.k
        elif whole_number("k", k) > (most := self.quantizer.max_candidates(self.num_users)):
            raise ValueError(f"k must be 1 to {most} for {self.num_users} users, got {k}")
        return self.quantizer(self.relax(observation), k, self._rng)

    def remember(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Store an observation (N, F) and its best decision (N,).

        Raises ValueError, and stores nothing, when a shape differs or the decision holds anything but 0 and 1.
        """
        observation = self._checked(observation)
        decision = np.asarray(decision)
        if decision.shape != (self.num_users,):
            raise ValueError(f"decision must have shape ({self.num_users},), got {decision.shape}")
        if not ((decision == 0) | (decision == 1)).all():
            raise ValueError(f"decision must hold only 0 and 1, got {decision.tolist()}")
        self.memory.remember(observation, decision)
        self._untrained += 1

    def learn(self) -> float:
        """Train on one minibatch of the memory; returns its loss before the step.

        Raises ValueError when nothing is remembered yet, FloatingPointError when the loss is not finite.
        """
        if self._untrained:
            observations, decisions = self.memory.recent(self._untrained)
            self.accuracy = float(np.mean((self.learner.predict(observations) > 0) == decisions))
            self._untrained = 0
        self.loss = self.learner.learn(*self.memory.sample(self.batch_size, self._rng))
        self.learning_steps += 1
        if not np.isfinite(self.loss):
            rate = self.settings["learning_rate"]
            raise FloatingPointError(f"learning diverged, the loss is {self.loss}: learning_rate is {rate}")
        return self.loss

    def encode(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Remember, and learn whenever the memory's counter is a multiple of `training_interval`."""
        self.remember(observation, decision)
        if self.memory.counter % self.training_interval == 0:
            self.learn()

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
    ) -> "OffloadingAgent":
        """The agent that `save`, or a simulation's checkpoint, wrote; it goes on exactly where that one was.

        Args:
            path: the file. Nothing in it is executed.
            network: needed when the agent had a network that is not one of this project's.
            quantizer: likewise.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it is not a readable checkpoint, or needs a network or quantizer that is not passed.
        """
        state = checkpoint.read(path)["agent"]
        try:
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

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on: settings, arrays, numbers and strings."""
        return {
            "settings": deepcopy(self.settings),
            "learner": self.learner.state_dict(),
            "memory": self.memory.state_dict(),
            "adaptive_k": self._adaptive_k.state_dict(),
            "rng": json.dumps(self._rng.bit_generator.state),
            "untrained": self._untrained,
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
        self.memory.load_state_dict(state["memory"])
        self._adaptive_k.load_state_dict(state["adaptive_k"])
        self._rng.bit_generator.state = json.loads(state["rng"])
        self._untrained = int(state["untrained"])
        self.learning_steps = int(state["learning_steps"])
        self.loss = state["loss"]
        self.accuracy = state["accuracy"]
        self.best_candidate = state["best_candidate"]

    def _checked(self, observation: ArrayLike) -> NDArray[np.float32]:
        array = np.asarray(observation, dtype=np.float32)
        if array.shape != (self.num_users, self.num_features):
            raise ValueError(
                f"observation must have shape ({self.num_users}, {self.num_features}), "
                f"one row a user, got {array.shape}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"observation must be finite, got {array.ravel().tolist()}")
        return array
