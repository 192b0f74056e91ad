"""The offloading agent: decode, evaluate, encode (DROO, Algorithm 1)."""

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from math import isfinite, isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from . import checkpoint, parts, seeds
from .adaptive_k import AdaptiveK
from .arrays import Array
from .checks import FLOAT32, FLOAT64, InputError, callable_one, real_array, size, whole_number
from .configured import Configured, as_now
from .critics import critic_in_machine_code
from .decisions.binary import Binary
from .decisions.limits import Limits, limits_of
from .decisions.nested import Nested, pick, takes_nested
from .decisions.quantizer import Nesting, OrderPreserving, Quantizer, lists_of, propose_within
from .diagnostics import RECENT, Diagnostics
from .learned_value import LearnedValue
from .learners.ensemble import Ensemble
from .learners.rule import Learner
from .local_search import LocalSearch, highest
from .machine_code import compile_ahead
from .memory import ReplayMemory
from .networks.interface import first_weights
from .networks.set_network import SetNetwork
from .parts import NetworkFactory
from .settings import BUDGET, AgentSettings
from .standardization import Standardization
from .valuing import FrameCritic, Valuing


class OffloadingAgent(Configured, settings=AgentSettings):
    """Learns which users should offload from the best of its own proposals.

    A network maps an observation (N, F) to a relaxed decision, a quantizer turns that into K candidates, the
    caller's `evaluate` values them, the best one is remembered, and every `training_interval` frames a minibatch
    of the replay memory trains the network.

    Args:
        num_users: N.
        num_features: F of an observation (N, F).
        **settings: of `AgentSettings`, which says what each means; as attributes, those in
            `agent.settings.CHANGEABLE` may be set later. With `replicas=R` what is made is no agent of this class
            but R of them side by side, an `agent.replicas.AgentReplicas`, with the settings of `ReplicaSettings`.

    Attributes:
        settings: all of them.
        loss: of the last learning step, before it; None until the first.
        accuracy: held-out accuracy, the share of user decisions that the rounded network output had right on the
            frames remembered since the last learning step, found before learning from them; likewise.
        learning_steps: how many there were.
        best_candidate: place (from 0) of the best candidate of the last `decide`.
        num_candidates: K of the next frame.

    Raises:
        InputError: for a setting out of range or a network of the wrong output, naming it.
    """

    __signature__ = inspect.signature(AgentSettings)

    def __new__(cls, *arguments: Any, **settings: Any) -> "OffloadingAgent":
        if settings.get("replicas") is None:
            return super().__new__(cls)
        from .replicas import AgentReplicas

        if cls is not OffloadingAgent:
            raise InputError(
                f"replicas must be None for {cls.__name__}: its replicas inherit agent.replicas.AgentReplicas"
            )
        return AgentReplicas(*arguments, **settings)  # type: ignore[return-value]

    def __init__(
        self, num_users: int, num_features: int = 1, *, replicas: None = None, device: None = None, **settings: Any
    ) -> None:
        if device is not None:
            raise InputError(f"device must be None without replicas and the 'torch' backend, got {device!r}")
        self._settings = made = AgentSettings(num_users, num_features, **settings)
        of_networks = seeds.of_networks(made.seeds[0], made.num_networks)
        modules = [
            parts.make_network(made.network, made.num_users, made.num_features, made.kind, seed)
            for seed in of_networks
        ]
        passes = made.pick_backend(modules)
        if made.num_networks > 1:  # copies, since a module that was passed is all of them
            modules = [deepcopy(module) for module in modules]
        learners = [
            parts.make_learner(module, made.backend, passes, made, made.kind, seed)
            for module, seed in zip(modules, of_networks, strict=True)
        ]
        self.learner: Learner = learners[0] if made.num_networks == 1 else Ensemble(learners)
        self._standardization = (
            Standardization(made.num_users, made.num_features) if made.standardizes(modules[0]) else None
        )
        self.memory = self._new_memory(made.num_users)
        self.learning_steps = 0
        self.loss: float | None = None
        self.accuracy: float | None = None
        self.best_candidate: int | None = None
        self._network = modules[0]
        self._any_size = parts.takes_any_size(modules[0])
        self._rng = np.random.default_rng(seeds.stream(made.seeds[0], seeds.LEARNING))
        self._adaptive_k = AdaptiveK(
            made.proposed,
            made.adaptive_interval,
            skip_last=made.published,
            lists=lists_of(made.proposer),
        )
        adaptive = made.adaptive_interval is not None
        self._diagnostics = [Diagnostics(made.num_choices, made.probe_interval or 0, adaptive, made.seeds[0])]
        if made.learned_value:
            self._learned_value = LearnedValue(
                made.num_users,
                made.num_features,
                made.num_choices,
                frames=made.memory_size,
                most=made.proposed * made.num_networks,
                any_size=self._any_size,
                seed=made.seeds[0],
            )
        self._last_learned = self.memory.counter
        self._learned = False
        self._settle()

    def _settle(self) -> None:
        made, proposer = self._settings, self._settings.proposer
        compile_ahead(made.compiled())
        self._search = LocalSearch(made.num_choices, proposer, made.searched) if made.searched else None
        alone = made.num_networks == 1 and not made.learned_value
        self._nesting: Nesting | None = proposer if alone and isinstance(proposer, Nesting) else None
        bits_alone = made.num_networks == 1 and made.kind == Binary()
        standardized = bits_alone and self._standardization is not None
        self._relax_at_once = getattr(self.learner, "relax_one", None) if standardized else None
        searches = bits_alone and not made.learned_value
        self._propose_at_once = self._search.propose if searches and self._search is not None else None
        self._valuing = Valuing(made)
        self._in_machine_code = self._propose_at_once is not None and self._valuing.all_at_once
        self._interval = int(self._settings.each("training_interval")[0])

    def decide(
        self, observation: ArrayLike, evaluate: Callable[[Any], ArrayLike], decisions: Any = None
    ) -> tuple[NDArray[Any], float]:
        """One frame: propose candidates, value them, search around the best, learn it, adapt K.

        Args:
            observation: (N, F).
            evaluate: maps candidates (K, N) to their values (K,), larger is better, -inf for what must not be
                done. Where it has an attribute `takes_nested`, it is given `agent.decisions.nested.Nested`
                candidates where the quantizer proposes such; where it has `in_machine_code`, values are mostly
                asked there (`agent.critics.critic_in_machine_code`).
            decisions: the kind of decision in this frame, where places are limited (`env.Limited`): whatever is
                proposed keeps the limits. By default the `decisions` of `evaluate`, or of the environment whose
                method it is.

        Returns:
            The best candidate (N,) and its value. Where all are worth -inf, the first; nothing is then learned.

        Raises:
            InputError: when `observation` has another shape or is not finite, `evaluate` returns another shape or
                nan for the best candidate, or the quantizer cannot keep the limits.
        """
        checked = self._checked(observation)
        relaxed = self._relaxed(checked)
        limits = limits_of(evaluate, decisions, len(checked), self._settings.num_choices)
        k = self._valuing.proposals(self._k(checked))
        decided = None
        if limits is None and self._in_machine_code and not self._diagnostics[0].next_is_due:
            decided = self._decide_at_once(relaxed, k, evaluate)
        if decided is None:
            critic = self._valuing.of_frame(callable_one("evaluate", evaluate))
            decided = self._decide(checked, relaxed, k, critic, limits, takes_nested(evaluate))
            self._watch(relaxed, decided[0], decided[1], critic, limits)
        else:
            self._diagnostics[0].decided(feasible=True)
        decision, value, self.best_candidate = decided
        self._encode(checked, decision, value > -np.inf)
        return decision, value

    def _decide_at_once(
        self, relaxed: Array, k: int, evaluate: Callable[[Any], ArrayLike]
    ) -> tuple[NDArray[Any], float, int] | None:
        """The best decision (N,), its value and place; None where a step of this frame is not in machine code."""
        critic = critic_in_machine_code(evaluate)
        if critic is None or self._search is None:
            return None
        found = self._search.decide(relaxed, k, critic, self.memory.counter)
        if found is None:
            return None
        decision, (best, proposal, valued, value) = found
        if (tell := getattr(evaluate.in_machine_code, "valued", None)) is not None:  # type: ignore[attr-defined]
            tell(valued)
        self._adaptive_k.update(proposal)
        return decision, value, best

    def _decide(
        self, checked: Array, relaxed: Array, k: int, critic: FrameCritic, limits: Limits | None, nested: bool
    ) -> tuple[NDArray[Any], float, int]:
        """The same, step by step."""
        candidates: Any = None
        start = None
        if limits is None and self._nesting is not None and self._valuing.takes_nested and nested:
            candidates = self._nesting.nested(relaxed, k)
        else:
            if limits is None and self._propose_at_once is not None:
                candidates, start = self._propose_at_once(relaxed, k)
            if candidates is None:
                candidates = self._candidates(checked, relaxed, k, limits)
            candidates.setflags(write=False)  # what was valued is what is carried out and learned
        values = critic.proposals(candidates)
        if self._learned_value is not None:
            self._learned_value.learn(checked, candidates[: len(values)], values, self._seen)
        best, value = highest(values)
        decision = pick(candidates, best)
        self._adaptive_k.update(best // self._settings.num_networks)
        if self._search is not None:
            around = relaxed if self._settings.num_networks == 1 else relaxed.mean(0)
            valued = candidates if isinstance(candidates, Nested) else candidates[: len(values)]
            decision, value, best = self._search.around(
                around,
                valued,
                (decision, value, best),
                critic.neighbours,
                self._rng,
                self.memory.counter,
                limits,
                start if len(valued) == len(candidates) else None,
            )
        return (decision if isinstance(candidates, Nested) else decision.copy()), value, best

    def _watch(
        self,
        relaxed: Array,
        decision: Array,
        value: float,
        critic: FrameCritic,
        limits: Limits | None,
    ) -> None:
        (diagnostics,) = self._diagnostics
        if diagnostics.decided(value > -np.inf):
            alone = relaxed if self._settings.num_networks == 1 else relaxed[0]
            probes = diagnostics.probes(decision, None if limits is None else limits.each[0])
            values = critic.probes(probes)
            if not len(values) or not len(self.memory):  # nothing was feasible yet: what would it propose?
                return
            best = float(np.nanmax(values))
            recent = self.learner.predict(self._seen(self.memory.recent(RECENT)[0]))
            rounded = self._settings.kind.round(recent if self._settings.num_networks == 1 else recent[0])
            diagnostics.probed(best, value, self._adaptive_k.k, alone, rounded)

    def frame_figures(self) -> dict[str, Any]:
        """Of the last `decide`, by the names of a run's columns; loss and accuracy None unless it learned."""
        return {
            "best_candidate": self.best_candidate,
            "loss": self.loss if self._learned else None,
            "accuracy": self.accuracy if self._learned else None,
            "probe_gain": self._diagnostics[0].gain,
            "saturated": self._diagnostics[0].saturated,
        }

    def relax(self, observation: ArrayLike) -> NDArray[np.float64]:
        """The network's relaxed decision, in (0,1), for one observation.

        (N,) of bits, (N, C) each user's probabilities of choices; of M networks (M, ...).
        """
        return self._relaxed(self._checked(observation))

    def decode(self, observation: ArrayLike, k: int | None = None, decisions: Any = None) -> NDArray[np.int64]:
        """The quantizer's K candidates (K, N) for an observation (N, F), likeliest first.

        K adapts unless `k` is given; `decide` has fewer proposed where it searches around them. Of M networks
        there are M K candidates: the first of each, then the second of each, and so on; some may coincide. With
        limits, those of `decisions` as `decide` takes it, there are fewer where no more keep them. Raises
        InputError when `k` is out of the quantizer's range, or as `decide`.
        """
        checked = self._checked(observation)
        most = self._settings.proposer.max_candidates(len(checked))
        if k is None:
            k = min(self._k(checked) + self._settings.searched, most)
        elif whole_number("k", k) > most:
            raise InputError(f"k must be 1 to {most} for {len(checked)} users, got {k}")
        limits = limits_of(None, decisions, len(checked), self._settings.num_choices)
        return self._propose(self._relaxed(checked), k, limits)

    def remember(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Store an observation (N, F) and its best decision (N,).

        Raises InputError, and stores nothing, when a shape differs or `decision` is not one.
        """
        checked, given = self._checked(observation), real_array("decision", decision)
        if given.shape != checked.shape[:-1]:
            raise InputError(f"decision must have shape {checked.shape[:-1]}, got {given.shape}")
        self._settings.kind.check(given)
        self._remember(checked, given)

    def learn(self) -> float:
        """Train on one minibatch of the memory; returns its loss before the step.

        Raises InputError when nothing is remembered yet, FloatingPointError when the loss is not finite.
        """
        return self._learn()

    def encode(self, observation: ArrayLike, decision: ArrayLike) -> None:
        """Remember, and learn when the memory's counter is a multiple of `training_interval` and high enough."""
        self.remember(observation, decision)
        if self._learns():
            self._learn()

    def _encode(self, observation: Array, decision: Array, feasible: bool) -> None:
        """As `encode`, of what is known to fit; what is not feasible is not remembered."""
        self._remember(observation, decision, feasible)
        self._learned = self._learns() and len(self.memory) > 0
        if self._learned:
            self._learn()

    def _remember(self, observation: Array, decision: Array, feasible: bool = True) -> None:
        if self._standardization is not None:
            self._standardization.update(observation)
        self.memory.remember(observation, decision, feasible)

    def _seen(self, observations: Array) -> Array:
        """Observations (..., N, F) as the network sees them."""
        return observations if self._standardization is None else self._standardization(observations)

    def _learns(self) -> bool:
        counter = self.memory.counter
        return counter % self._interval == 0 and counter >= self._settings.learning_starts

    def _learn(self) -> float:
        settings, memory = self._settings, self.memory
        untrained = memory.counter - self._last_learned
        if untrained:
            observations, decisions = memory.recent(untrained)
            right = settings.kind.right(self.learner.predict(self._seen(observations)), decisions)
            self.accuracy = np.count_nonzero(right) / right.size
        self._last_learned = memory.counter
        observations, decisions = memory.sample(settings.num_networks * settings.batch_size, self._rng)
        self.loss = loss = float(self.learner.learn(self._seen(observations), decisions))
        self.learning_steps += 1
        self._diagnostics[0].learned(loss)
        if not np.isfinite(loss):
            rate = settings.learning_rate
            raise FloatingPointError(f"learning diverged, the loss is {loss}: learning_rate is {rate}")
        return loss

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        network: nn.Module | NetworkFactory | None = None,
        quantizer: Quantizer | None = None,
        num_users: int | None = None,
        device: str | None = None,
    ) -> "OffloadingAgent":
        """The agent that `save`, or a simulation's checkpoint, wrote; it goes on exactly where that one was.

        Args:
            path: the file. Nothing in it is executed. Of replicas, what is made is an `AgentReplicas`.
            network: needed when the agent had a network that is not one of this project's.
            quantizer: likewise.
            num_users: N, where the agent is to go on with another number of users; only with a network for any.
            device: where replicas of a device are to go on, such as 'cpu'; by default where they were.

        Raises:
            FileNotFoundError: when there is no such file.
            InputError: when it is not a readable checkpoint, or needs a network or quantizer that is not passed.
        """
        content = checkpoint.read(path)
        state, version = content["agent"], checkpoint.version_of(content)
        try:
            if num_users is not None:
                state = _resized(state, size("num_users", num_users))
            if device is not None:
                if state["settings"].get("device") is None:
                    raise InputError(f"device must be None for an agent that was on none, got {device!r}")
                state = {**state, "settings": {**state["settings"], "device": device}}
            settings = as_now(state["settings"])
            saved_network, saved_quantizer = settings.pop("network"), settings.pop("quantizer")
            if network is None:
                network = parts.rebuild_network(saved_network)
            if quantizer is None:
                quantizer = parts.rebuild_quantizer(saved_quantizer)
        except parts.UnknownPartError as error:
            raise InputError(f"{error.part} must be passed: {path} was saved with {error.name}") from error
        except (KeyError, TypeError) as error:
            raise InputError(f"{path} is not a checkpoint of an OffloadingAgent, {version}") from error
        try:
            agent = cls(network=network, quantizer=quantizer, **settings)
            agent.load_state_dict(state)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path} is not a whole checkpoint of an OffloadingAgent, {version}: {error!r}"
            ) from error
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
            InputError: as the constructor.
        """
        most = OrderPreserving().max_candidates(num_users)
        with first_weights():
            network = SetNetwork(num_users)
        shipped = Path(__file__).parent / "networks" / "pretrained.npz"
        with np.load(shipped, allow_pickle=False) as weights:
            network.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
        defaults: dict[str, Any] = {
            "backend": "numpy",
            "num_candidates": min(5, most),
            "adaptive_interval": 32,
            "batch_size": 64,
            "learning_rate": 0.003,
            "weight_decay": 0.0,
            "weight_averaging": 0.95,
        }
        return cls(num_users, 3, network=network, **{**defaults, **settings})

    def _memory_for(self, num_users: int) -> ReplayMemory:
        return self._new_memory(num_users) if self._any_size else self.memory

    def _new_memory(self, num_users: int) -> ReplayMemory:
        made, double = self._settings, self._standardization is not None
        blank = made.published
        return ReplayMemory(made.memory_size, num_users, made.num_features, blank_row=blank, double=double)

    def _learned_at(self) -> list[int]:
        return [self._last_learned]

    def _set_learned_at(self, counters: list[int]) -> None:
        (self._last_learned,) = counters

    def _k(self, observation: NDArray[np.float32]) -> int:
        k: int = self._adaptive_k.k
        return min(k, self._settings.proposer.max_candidates(len(observation))) if self._any_size else k

    def _propose(self, relaxed: NDArray[np.float64], k: int, limits: Limits | None) -> NDArray[np.int64]:
        """`k` candidates (k, N) of a relaxed decision; of those of M networks (M k, N), likeliest first."""
        if self._settings.num_networks == 1:
            return self._proposed(relaxed, k, limits)
        each = [self._proposed(one, k, limits) for one in relaxed]
        fewest = min(len(one) for one in each)  # where limits leave fewer than k
        return np.stack([one[:fewest] for one in each], axis=1).reshape(-1, relaxed.shape[1])

    def _proposed(self, relaxed: NDArray[np.float64], k: int, limits: Limits | None) -> NDArray[np.int64]:
        if limits is None:
            return self._settings.proposer(relaxed, k, self._rng)
        return propose_within(self._settings.proposer, relaxed, k, self._rng, limits.each[0])

    def _candidates(self, observation: Array, relaxed: Array, k: int, limits: Limits | None) -> NDArray[np.int64]:
        """Those of a frame: the quantizer's, or of these and others those of the highest learned value."""
        if self._learned_value is None:
            return self._propose(relaxed, k, limits)
        more = min(BUDGET, self._settings.proposer.max_candidates(len(observation)))
        candidates = self._propose(relaxed, max(k, more), limits)
        within = None if limits is None else limits.each[0]
        return self._learned_value.ranked(self._seen(observation[None])[0], candidates, k, within)

    def _relaxed(self, observation: Array) -> NDArray[np.float64]:
        relaxed = self._relax(observation)
        flat = relaxed.ravel()
        if isnan(flat.dot(flat)):
            raise FloatingPointError(
                f"learning diverged, the network's output is nan: learning_rate is {self._settings.learning_rate}"
            )
        return relaxed

    def _relax(self, observation: Array) -> NDArray[np.float64]:
        relaxed: NDArray[np.float64]
        if self._relax_at_once is not None:
            relaxed = self._relax_at_once(observation, self._standardization)
            if relaxed is not None:
                return relaxed
        logits = self.learner.predict(self._seen(observation[None]))
        relaxed = self._settings.kind.relax(logits[0] if self._settings.num_networks == 1 else logits[:, 0])
        return relaxed

    def _checked(self, observation: ArrayLike) -> NDArray[Any]:
        array = real_array("observation", observation, FLOAT32 if self._standardization is None else FLOAT64)
        settings = self._settings
        num_users = len(array) if self._any_size and array.ndim == 2 and array.size else settings.num_users
        if array.shape != (num_users, settings.num_features):
            shape = (num_users, settings.num_features)
            raise InputError(f"observation must have shape {shape}, one row a user, got {array.shape}")
        flat = array.ravel()
        if not isfinite(flat.dot(flat)) and not np.isfinite(array).all():  # a product may overflow
            raise InputError(f"observation must be finite, got {array.ravel().tolist()}")
        return array


def _resized(state: Mapping[str, Any], num_users: int) -> dict[str, Any]:
    """The state of an agent with a network for any number of users, for another number."""
    settings = dict(state["settings"])
    network = settings["network"]
    if settings.get("replicas") is not None or not parts.takes_any_size(parts.rebuild_network(network)):
        raise InputError(f"num_users must be {settings['num_users']}, as saved: the network is {network['class']}")
    settings["network"] = {**network, "settings": {**network["settings"], "num_users": num_users}}
    most = parts.rebuild_quantizer(settings["quantizer"]).max_candidates(num_users)
    searched = settings.get("local_search", 0)
    proposed = min(settings["num_candidates"] - searched, most)
    total = min(proposed + searched, settings.get("num_choices", 2) ** num_users)
    settings |= {"num_users": num_users, "num_candidates": total, "local_search": total - proposed}
    k = min(int(state["adaptive_k"]["k"]), proposed)
    return {**state, "settings": settings, "adaptive_k": {**state["adaptive_k"], "k": k}}
