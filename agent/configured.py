"""What one agent and many have in common: settings that may change, and a state that is saved and taken over."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from . import checkpoint, generators
from .adaptive_k import AdaptiveK
from .checks import InputError
from .decisions.quantizer import lists_of
from .diagnostics import Diagnostics
from .learned_value import LearnedValue
from .learners.rule import Learner
from .local_search import LocalSearch
from .memory import ReplayMemory
from .parts import UnknownPartError, rebuild_quantizer
from .settings import CHANGEABLE, DEAR, AgentSettings
from .standardization import Standardization


class Setting:
    """A setting, read from an agent's `settings`; set through its `change`, which refuses what is fixed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, agent: Any, owner: type | None = None) -> Any:
        return self if agent is None else getattr(agent.settings, self._name)

    def __set__(self, agent: Any, value: Any) -> None:
        agent.change(**{self._name: value})


class Configured(ABC):
    """An agent with settings; a subclass has every setting as an attribute, unless it has its own of that name."""

    _settings: AgentSettings
    learner: Learner
    memory: ReplayMemory
    learning_steps: int
    loss: Any
    accuracy: Any
    best_candidate: Any
    _adaptive_k: AdaptiveK
    _standardization: Standardization | None
    _search: LocalSearch | None
    _learned_value: LearnedValue | None = None
    _diagnostics: list[Diagnostics]
    _network: nn.Module
    _rng: Any

    def __init_subclass__(cls, settings: type[AgentSettings] | None = None) -> None:
        for field in () if settings is None else fields(settings):
            if field.name not in ("loss", "num_candidates", "_"):  # an agent's own figures
                setattr(cls, field.name, Setting(field.name))

    @property
    def settings(self) -> AgentSettings:
        """All of them; set by their names."""
        return self._settings

    @property
    def num_candidates(self) -> Any:
        """K of the next frame; of replicas (R,) once they differ."""
        return self._adaptive_k.k + self.settings.searched

    def change(self, **settings: Any) -> None:
        """Set settings of an agent that is made: they take effect in the next frame, and are saved.

        Raises:
            AttributeError: for a setting that cannot be changed.
            InputError: for a value out of range; nothing is then changed.
        """
        fixed = sorted(settings.keys() - set(CHANGEABLE))
        if fixed:
            raise AttributeError(
                f"{', '.join(fixed)} cannot be set once an agent is made, only {', '.join(CHANGEABLE)}"
            )
        if "quantizer" in settings:  # as many candidates as it has
            free = replace(self.settings, quantizer=settings["quantizer"], num_candidates=None, local_search=0)
            most = free.proposer.max_candidates(free.num_users)
            settings["num_candidates"] = min(self.settings.proposed, most) + self.settings.searched
        self._settings = replace(self.settings, **settings)
        self._adaptive_k.limit(self.settings.proposed, lists_of(self.settings.proposer))
        self.learner.follow(self.settings)
        self._settle()

    @abstractmethod
    def _settle(self) -> None:
        """Take over settings that have changed."""

    def save(self, path: str | Path) -> None:
        """Write settings, weights, optimiser, memory and random state to a file; in one step, or not at all."""
        checkpoint.write(path, {"agent": self.state_dict()})

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to go on: settings, arrays, numbers and strings."""
        return {
            "settings": self.settings.describe(self._network),
            "learner": self.learner.state_dict(),
            "memory": self.memory.state_dict(),
            "adaptive_k": self._adaptive_k.state_dict(),
            "standardization": None if self._standardization is None else self._standardization.state_dict(),
            "diagnostics": [one.state_dict() for one in self._diagnostics],
            "learned_value": None if self._learned_value is None else self._learned_value.state_dict(),
            "rng": generators.save(self._rng),
            "learned_at": self._learned_at(),
            "learning_steps": self.learning_steps,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "best_candidate": self.best_candidate,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on exactly where the agent that `state_dict` describes was.

        Raises:
            InputError: when that agent had other settings, naming them, or the state is not whole; this one is
                then as it was.
        """
        if not isinstance(state, Mapping) or "settings" not in state:
            raise InputError(f"state must be what state_dict returned, got {state!r}")
        own, saved = self.settings.describe(self._network), as_now(state["settings"])
        differing = sorted(name for name in own if own[name] != saved.get(name))
        if differing:
            pairs = ", ".join(f"{name} was {saved.get(name)}, is {own[name]}" for name in differing)
            raise InputError(f"the checkpoint is of another configuration: {pairs}")
        before = self.state_dict()
        try:
            self._take(state)
        except BaseException:
            self._take(before)
            raise

    def go_on(self, state: Mapping[str, Any]) -> None:
        """As `load_state_dict`, for an agent that was made as that one was, whose settings were changed since.

        Raises InputError as `load_state_dict`, and for a quantizer that was set and is not this project's.
        """
        if not isinstance(state, Mapping) or "settings" not in state:
            raise InputError(f"state must be what state_dict returned, got {state!r}")
        own, saved = self.settings.describe(self._network), as_now(state["settings"])
        changed = {name: saved[name] for name in CHANGEABLE if saved[name] != own[name]}
        if "quantizer" in changed:
            try:
                changed["quantizer"] = rebuild_quantizer(changed["quantizer"])
            except UnknownPartError as error:
                raise InputError(f"quantizer must be one of this project's to go on, got {error.name}") from error
        if changed:
            self.change(**changed)
        self.load_state_dict(state)

    def _take(self, state: Mapping[str, Any]) -> None:
        try:
            self.learner.load_state_dict(state["learner"])
        except (RuntimeError, KeyError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"network does not fit the checkpoint's weights: {reason}") from error
        self.memory = self._memory_for(state["memory"]["decisions"].shape[-1])
        self.memory.load_state_dict(state["memory"])
        self._adaptive_k.load_state_dict(state["adaptive_k"], self._placed)
        if self._standardization is not None:
            self._standardization.load_state_dict(state["standardization"])
        if self._learned_value is not None:
            self._learned_value.load_state_dict(state["learned_value"])
        for one, counted in zip(self._diagnostics, state.get("diagnostics", ()), strict=False):
            one.load_state_dict(counted)
        generators.restore(self._rng, state["rng"])
        self._set_learned_at([int(counter) for counter in state["learned_at"]])
        self.learning_steps = int(state["learning_steps"])
        self.loss, self.accuracy, self.best_candidate = (
            self._placed(state[name]) for name in ("loss", "accuracy", "best_candidate")
        )

    def _memory_for(self, num_users: int) -> ReplayMemory:
        """A memory that takes over one of so many users; the agent's own, where their number is fixed."""
        return self.memory

    @abstractmethod
    def _learned_at(self) -> list[int]:
        """The memory's counter at the last learning step, of each group of replicas that learn together."""

    @abstractmethod
    def _set_learned_at(self, counters: list[int]) -> None:
        """Take over what `_learned_at` returned."""

    def _placed(self, value: Any) -> Any:
        """A number as it is, an array from a checkpoint as this agent keeps its arrays."""
        return value.numpy() if isinstance(value, torch.Tensor) else value


WITHOUT_NAMING = {"local_search": 0, "standardize": False, "probe_interval": 0}
"""What the agents of version 0.1 did, before there were settings for it."""


def as_now(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as saved, by an earlier version without those that have been added since."""
    added: dict[str, dict[str, Any]] = {
        "FullyConnected": {"num_choices": 2, "initialization": "uniform"},
        "Convolutional": {"num_choices": 2},
        "OrderPreserving": {"distinct": True},
    }
    parts = {
        name: {**part, "settings": {**added.get(part["class"], {}), **part["settings"]}}
        for name, part in settings.items()
        if name in ("network", "quantizer")
    }
    dear = {"learned_value": False, **dict.fromkeys(DEAR)}
    return {"num_choices": 2, "learning_starts": 0, **dear, **WITHOUT_NAMING, **settings, **parts}
