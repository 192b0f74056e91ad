"""R offloading agents side by side, as one whose arrays have R as first dimension; on a CPU or a device."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from . import parts, seeds
from .adaptive_k import AdaptiveK
from .arrays import Array, namespace, on_device, take
from .checks import InputError, callable_one, real_array, whole_number
from .configured import Configured
from .decisions.limits import Limits, limits_of
from .decisions.nested import Nested, pick, takes_nested
from .decisions.quantizer import Nesting, lists_of, propose_within
from .diagnostics import PROBES, RECENT, Diagnostics
from .generators import Generators
from .local_search import Found, LocalSearch
from .machine_code import compile_ahead
from .memory import ReplayMemory
from .settings import ReplicaSettings
from .standardization import Standardization


@dataclass
class _Group:
    """Replicas that learn in the same frames."""

    interval: int
    replicas: Any
    """Their places, on the agents' device; None for all."""
    learned_at: int
    """The memory's counter at the last learning step."""
    rng: Generators


class AgentReplicas(Configured, settings=ReplicaSettings):
    """R agents, each with weights, memory, random numbers and K of its own, which decide in R worlds at once.

    Replica r is the `OffloadingAgent` of seed ``seed + r`` and the same settings (of which the quantizer is by
    default 'OP' on a device), whatever runs beside it: to the last bit with the 'numpy' backend, up to float32
    rounding with 'torch' (which Adam made anew at each step, `published`, lets grow).

    Args:
        num_users: N.
        num_features: F.
        **settings: of `ReplicaSettings`.

    Attributes:
        loss, accuracy: as of an `OffloadingAgent`, (R,), nan for those that have not learned yet.
        learning_steps: how many there were, of any replica.
        best_candidate, num_candidates: (R,); K is one number until they differ.

    Raises:
        InputError: for a setting out of range or a network of the wrong output, naming it.
    """

    def __init__(self, num_users: int, num_features: int = 1, **settings: Any) -> None:
        made = ReplicaSettings(num_users, num_features, **settings)
        self._settings = made
        modules = [
            parts.make_network(made.network, made.num_users, made.num_features, made.kind, seed)
            for seed in made.seeds
        ]
        passes = made.pick_backend(modules)
        self._network = modules[0]
        self._device = made.device
        self._lead = (made.replicas,)
        self.learner = parts.make_stacked_learner(modules, made.backend, passes, made, made.kind, made.device)
        standardizes = made.standardizes(modules[0])
        self._standardization = (
            Standardization(made.num_users, made.num_features, replicas=made.replicas, device=made.device)
            if standardizes
            else None
        )
        self.memory = ReplayMemory(
            made.memory_size,
            made.num_users,
            made.num_features,
            blank_row=made.published,
            replicas=made.replicas,
            device=made.device,
            double=standardizes,
        )
        rngs = [np.random.default_rng(seeds.stream(seed, seeds.LEARNING)) for seed in made.seeds]
        self._rng = Generators(rngs, made.device)
        self._rngs = rngs
        adaptive, said = made.adaptive_interval is not None, set[str]()
        self._diagnostics = [
            Diagnostics(made.num_choices, made.probe_interval or 0, adaptive, seed, said) for seed in made.seeds
        ]
        self._adaptive_k = AdaptiveK(
            made.proposed, made.adaptive_interval, skip_last=made.published, lists=lists_of(made.proposer)
        )
        self._groups: list[_Group] = []
        self._intervals = np.zeros(0)
        self.learning_steps = 0
        self.loss: Any = None
        self.accuracy: Any = None
        self.best_candidate: Any = None
        self._evaluated: Any = 0
        self._learned = False
        self._settle()

    def _settle(self) -> None:
        made, proposer = self._settings, self._settings.proposer
        if self._device is None:
            compile_ahead(made.compiled("_of_each"))
        self._search = (
            LocalSearch(made.num_choices, proposer, made.searched, self._device) if made.searched else None
        )
        self._nesting: Nesting | None = proposer if isinstance(proposer, Nesting) else None
        intervals = np.asarray(self._settings.each("training_interval"))
        if np.array_equal(intervals, self._intervals):
            return
        self._intervals, distinct = intervals, np.unique(intervals).tolist()
        counter = self.memory.counter if self._groups else int(self._settings.published)
        self._groups = []
        for interval in distinct:
            places = np.flatnonzero(intervals == interval)
            group = _Group(interval, None, counter, self._rng)
            if len(distinct) > 1:
                group.rng = self._rng.part(places)
                group.replicas = on_device(places, self._device)
            self._groups.append(group)

    def decide(
        self, observation: Array, evaluate: Callable[[Any], Any], decisions: Any = None
    ) -> tuple[Array, Array]:
        """One frame: propose candidates, value them, search around the best, learn it, adapt K.

        Args:
            observation: (R, N, F).
            evaluate: maps candidates (R, K, N) to their values (R, K), larger is better; as for an
                `OffloadingAgent`, it may take `Nested` candidates.
            decisions: as for an `OffloadingAgent`, with one entry a world in `each`; not on a device.

        Returns:
            The best candidates (R, N) and their values (R,). Where all are worth -inf, the first; nothing is then
            learned (on a device: the pair before it once more).

        Raises:
            InputError: when `observation` has another shape or is not finite, or `evaluate` returns another
                shape or nan for a best candidate. (Of tensors, shapes only.)
        """
        checked = self._checked(observation)
        most = self._most_candidates()
        relaxed = self._relaxed(checked)
        limits = limits_of(evaluate, decisions, checked.shape[1], self._settings.num_choices)
        if limits is not None and self._device is not None:
            raise InputError("device must be None where places are limited, got replicas on " + self._device)
        candidates: Any
        if limits is not None:
            candidates = self._proposed_within(relaxed, most, limits)
        elif self._nesting is not None and takes_nested(evaluate):
            candidates = self._nesting.nested(relaxed, most)
        else:
            candidates = self._settings.proposer(relaxed, most, self._rng)
            if self._device is None:
                candidates.setflags(write=False)  # what was valued is what is carried out and learned
        best, value = self._best_of_each(callable_one("evaluate", evaluate)(candidates), most)
        decision = pick(candidates, best)
        self._evaluated = self.num_candidates
        place = self._adaptive_k.own_place(best, most)
        self._adaptive_k.update(place)
        if self._search is not None:
            found = Found(decision, value, best)
            decision, value, place = self._search(
                relaxed, candidates, found, evaluate, self._rngs, self.memory.counter, limits
            )
        if self._device is None:
            self._watch(relaxed, decision, value, evaluate, limits)
        feasible = value > -np.inf
        self._encode(checked, decision, True if self._device is None and feasible.all() else feasible)
        self.best_candidate = place
        own = isinstance(candidates, Nested) or self._device is not None
        return (decision if own else decision.copy()), value

    def _proposed_within(self, relaxed: Array, k: int, limits: Limits) -> Array:
        """`k` candidates of each (R, k, N), the first once more where fewer keep the limits."""
        candidates = np.empty((len(relaxed), k, relaxed.shape[1]), dtype=np.int64)
        for place, (one, within) in enumerate(zip(relaxed, limits.each, strict=True)):
            kept = propose_within(self._settings.proposer, one, k, self._rngs[place], within)
            candidates[place, : len(kept)], candidates[place, len(kept) :] = kept, kept[0]
        candidates.setflags(write=False)
        return candidates

    def _watch(
        self,
        relaxed: Array,
        decision: Array,
        value: Array,
        evaluate: Callable[[Any], Any],
        limits: Limits | None,
    ) -> None:
        feasible = (value > -np.inf).tolist()
        due = [one.decided(good) for one, good in zip(self._diagnostics, feasible, strict=True)]
        if not due[0]:
            return
        within = [None] * len(decision) if limits is None else limits.each
        probes = [one.probes(*own) for one, *own in zip(self._diagnostics, decision, within, strict=True)]
        best = np.nanmax(evaluate(np.stack(probes)), -1)
        k = np.broadcast_to(self._adaptive_k.k, self._lead)
        recent = self._settings.kind.round(self.learner.predict(self._seen(self.memory.recent(RECENT)[0])))
        for place, one in enumerate(self._diagnostics):
            one.probed(float(best[place]), float(value[place]), int(k[place]), relaxed[place], recent[place])
        self._evaluated = self._evaluated + PROBES

    def frame_figures(self) -> dict[str, Any]:
        """Of the last `decide`, by the names of a run's columns, (R,) each.

        Loss and accuracy are each replica's last ones, None unless some replica learned.
        """
        return {
            "candidates": self._evaluated,
            "best_candidate": self.best_candidate,
            "loss": self.loss if self._learned else None,
            "accuracy": self.accuracy if self._learned else None,
            "probe_gain": self._noticed("gain"),
            "saturated": self._noticed("saturated"),
        }

    def _noticed(self, name: str) -> Any:
        """A figure of each replica's last probe, (R,); None in frames without one."""
        if getattr(self._diagnostics[0], name) is None:
            return None
        return np.array([getattr(one, name) for one in self._diagnostics])

    def relax(self, observation: Array) -> Array:
        """The networks' relaxed decisions, (R, N) of bits, (R, N, C) of choices, for observations (R, N, F)."""
        return self._relaxed(self._checked(observation))

    def decode(self, observation: Array, k: int | None = None) -> Array:
        """The quantizer's K candidates (R, K, N) for observations (R, N, F), likeliest first.

        K is the largest of any replica.

        Raises InputError when `k` is out of the quantizer's range, or as `decide`.
        """
        checked, num_users = self._checked(observation), self._settings.num_users
        if k is None:
            most = self._settings.proposer.max_candidates(num_users)
            k = min(self._most_candidates() + self._settings.searched, most)
        elif whole_number("k", k) > (most := self._settings.proposer.max_candidates(num_users)):
            raise InputError(f"k must be 1 to {most} for {num_users} users, got {k}")
        return self._settings.proposer(self._relaxed(checked), k, self._rng)

    def remember(self, observation: Array, decision: Array) -> None:
        """Store observations (R, N, F) and their best decisions (R, N).

        Raises InputError, and stores nothing, when a shape differs or (on the host) `decision` holds none.
        """
        checked = self._checked(observation)
        given: Any = real_array("decision", decision) if self._device is None else decision
        if tuple(given.shape) != tuple(checked.shape[:-1]):
            raise InputError(f"decision must have shape {tuple(checked.shape[:-1])}, got {tuple(given.shape)}")
        if self._device is None:
            self._settings.kind.check(given)
        self._remember(checked, given)

    def learn(self) -> Array:
        """Train each on one minibatch of its memory; returns the losses before the step, (R,).

        Raises InputError when nothing is remembered yet. One that diverges does not stop the others: its loss is
        nan.
        """
        for group in self._groups:
            self._learn(group)
        return self.loss

    def encode(self, observation: Array, decision: Array) -> None:
        """Remember, and let those learn whose `training_interval` the memory's counter is a multiple of."""
        self.remember(observation, decision)
        self._learn_when_due()

    def _encode(self, observation: Array, decision: Array, where: Any) -> None:
        self._remember(observation, decision, where)
        self._learn_when_due()

    def _remember(self, observation: Array, decision: Array, where: Any = True) -> None:
        if self._standardization is not None:
            self._standardization.update(observation)
        self.memory.remember(observation, decision, where)

    def _seen(self, observations: Array, replicas: Array | None = None) -> Array:
        """Observations (R, B, N, F), of the replicas at these places, as the networks see them."""
        return observations if self._standardization is None else self._standardization(observations, replicas)

    def _learn_when_due(self) -> None:
        self._learned = False
        started = self.memory.counter >= self._settings.learning_starts
        for group in self._groups:
            if started and self.memory.counter % group.interval == 0:
                self._learned = True
                self._learn(group)

    def _learn(self, group: _Group) -> None:
        replicas = self._with_pairs(group.replicas)
        if replicas is not None and not len(replicas):
            return
        untrained = self.memory.counter - group.learned_at
        if untrained:
            observations, decisions = self.memory.recent(untrained)
            right = self._settings.kind.right(self.learner.predict(self._seen(observations)), decisions)
            right = right if isinstance(right, np.ndarray) else right.double()
            self.accuracy = self._renewed(self.accuracy, right.mean((-1, -2)), replicas)
        group.learned_at = self.memory.counter
        rng = group.rng if replicas is group.replicas else self._rng.part(replicas)
        observations, decisions = self.memory.sample(self._settings.batch_size, rng, replicas)
        loss = self.learner.learn(self._seen(observations, replicas), decisions, replicas)
        self.loss = self._renewed(self.loss, loss, replicas)
        self.learning_steps += 1
        if self._device is None:
            places = range(len(self._diagnostics)) if replicas is None else replicas
            for place, one in zip(places, loss.tolist(), strict=True):
                self._diagnostics[place].learned(one)

    def _with_pairs(self, replicas: Array | None) -> Array | None:
        """The replicas at these places, those left out (on the host) whose memory is still empty."""
        stored = self.memory.stored
        if isinstance(stored, int):
            return replicas
        places = np.arange(len(stored)) if replicas is None else replicas
        kept = places[stored[places] > 0]
        return replicas if len(kept) == len(places) else kept

    def _renewed(self, all_: Any, some: Any, replicas: Array | None) -> Any:
        """The figures (R,) of all replicas, with those of some of them renewed."""
        if replicas is None:
            return some
        if all_ is None:
            all_ = on_device(np.full(self._lead, np.nan), self._device)
        all_ = all_.copy() if self._device is None else all_.clone()
        some = some if len(replicas) == len(some) else some[replicas]
        all_[replicas] = some if self._device is None else some.to(all_.dtype)
        return all_

    def _learned_at(self) -> list[int]:
        return [group.learned_at for group in self._groups]

    def _set_learned_at(self, counters: list[int]) -> None:
        for group, learned_at in zip(self._groups, counters, strict=True):
            group.learned_at = learned_at

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or self._device is None:
            return super()._placed(value)
        return value.to(self._device)

    def _most_candidates(self) -> int:
        """The largest K of any replica; on a device, which is not asked, the largest that there can be."""
        k = self._adaptive_k.k
        if isinstance(k, int):
            return k
        return self._adaptive_k.maximum if self._device is not None else int(k.max())

    def _best_of_each(self, values: Array, count: int) -> tuple[Array, Array]:
        """Places (R,) and values (R,) of the best candidates (R, K), each among its replica's own K."""
        if self._device is None:
            values = real_array("what evaluate returns", values)
        if tuple(values.shape) != (*self._lead, count):
            raise InputError(f"evaluate must return shape {(*self._lead, count)}, got {tuple(values.shape)}")
        xp = namespace(values)
        if not isinstance(self._adaptive_k.k, int):
            values = xp.where(self._adaptive_k.own(count), values, -xp.inf)
        best = values.argmax(-1)
        value = take(values, best[:, None])[:, 0]
        if self._device is None and np.isnan(value).any():
            place = int(np.isnan(value).argmax())
            raise InputError(
                f"evaluate must return numbers, got nan for candidate {best[place]} of replica {place}"
            )
        return best, value

    def _relaxed(self, observation: Array) -> Array:
        return self._settings.kind.relax(self.learner.predict(self._seen(observation[:, None]))[:, 0])

    def _checked(self, observation: Any) -> Any:
        on_host = self._device is None
        double = self._standardization is not None
        if on_host:
            array: Any = real_array("observation", observation, np.float64 if double else np.float32)
        else:
            array = observation.double() if double else observation.float()
        shape = (*self._lead, self._settings.num_users, self._settings.num_features)
        if tuple(array.shape) != shape:
            raise InputError(f"observation must have shape {shape}, one row a user, got {tuple(array.shape)}")
        if on_host and not np.isfinite(array).all():
            raise InputError(f"observation must be finite, got {array.ravel().tolist()}")
        return array
