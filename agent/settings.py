"""The settings of agents: each declared, checked and documented here, and nowhere else."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import Any, Literal

from torch import nn

from agent import parts
from agent.checks import InputError, plain, whole_number
from agent.decisions import Kind, kind_of
from agent.decisions.quantizer import Quantizer, is_prefix
from agent.learners.rule import LearningRule
from agent.parts import NetworkFactory

CHANGEABLE = ("learning_rate", "betas", "weight_decay", "training_interval", "batch_size", "quantizer")
"""What may be set on an agent that is made: it takes effect in the next frame, and is saved."""


@dataclass(frozen=True)
class AgentSettings(LearningRule):
    """The settings of one agent.

    Args:
        num_users: N. A network for any number of users, such as `SetNetwork`, may be asked about other numbers
            too: the memory then makes room, and K stays within what the quantizer has for so few.
        num_features: F of an observation (N, F).
        num_choices: C; 2 for bits, local or offload, more for choices 0 (local) to C - 1.
        network: a `torch.nn.Module` that maps (..., N, F) to logits (..., N), or (..., N, C) for C > 2; or a
            callable of (num_users, num_features), for C > 2 also of the keyword num_choices, that makes one;
            `FullyConnected` with layers of 120 and 80 by default.
        num_networks: M networks that share the memory, each with K candidates, initial weights and minibatches of
            its own (DDLO: several networks with K = 1); a module passed as `network` is copied, weights and all.
        backend: 'torch', or 'numpy' for the learner written out in `agent.learners.numpy_learner` (the fully
            connected and the set network only; the fastest on a CPU).
        quantizer: 'OP', 'KNN', 'OPN', 'OP+KNN' for bits, 'MP' (the K most probable) for choices, or an object like
            those in `agent.decisions.quantizer`; by default 'OP', for choices 'MP'.
        num_candidates: K at the start and its maximum; N by default (2 for a single user).
        adaptive_interval: frames between changes of K; None keeps it fixed.
        training_interval: frames between learning steps.
        learning_starts: pairs in the memory before the first of them, the all-zero one of `published` included.
        batch_size: pairs in a minibatch, drawn with replacement.
        memory_size: pairs that the replay memory keeps.
        loss: 'cross_entropy' (mean over users and batch; DROO, eq. 10) or 'squared_error' of the relaxed one.
        optimizer: 'adam' (Kingma and Ba 2015, Algorithm 1) or 'gradient_descent'.
        learning_rate: step size, positive and at most 1,000.
        betas: Adam's decay rates of the two moments, each in [0, 1).
        weight_decay: added to the gradient times the weights (L2), 0 or more.
        weight_averaging: decide by a running mean of the weights instead of the last ones: the share of the old
            mean that each step keeps (Polyak and Juditsky 1992), less in the first steps; 0 for the last ones.
        published: take over what the published code does by accident or habit: an all-zero pair at the start of
            the memory, the last frame left out when K adapts. Of one network, as in DROO and LyDROO: Adam made
            anew at each step; relaxed decisions in single precision, where saturated outputs are equal and learn
            nothing; 'OP' and 'OPN' stand for the published ones, `OrderPreserving(distinct=False)` and
            `NoisyProbabilities`. Of several networks, as in DDLO: none of these.
        seed: fixes weights, minibatches and quantizer noise.

    NumPy's scalars and arrays are taken wherever numbers and lists are.

    Raises:
        InputError: for a setting out of range, naming it.
    """

    num_users: int
    num_features: int = 1
    _: KW_ONLY
    num_choices: int = 2
    network: nn.Module | NetworkFactory | None = None
    num_networks: int = 1
    backend: Literal["torch", "numpy"] = "torch"
    quantizer: Literal["OP", "KNN", "OPN", "OP+KNN", "MP"] | Quantizer | None = None
    num_candidates: int | None = None
    adaptive_interval: int | None = 32
    training_interval: int | Sequence[int] = 10
    learning_starts: int = 0
    batch_size: int = 128
    memory_size: int = 1024
    seed: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for name in ("num_users", "num_features", "num_networks", "batch_size", "memory_size"):
            whole_number(name, getattr(self, name))
        whole_number("num_choices", self.num_choices, 2)
        if not isinstance(self.published, bool):
            raise InputError(f"published must be true or false, got {self.published!r}")
        self.each("learning_rate")
        super().__post_init__()
        for interval in self.each("training_interval"):
            whole_number("training_interval", interval)
        whole_number("learning_starts", self.learning_starts, 0)
        if max(self.seeds) >= 2**63:
            raise InputError(f"seed must be below 2^63, got {max(self.seeds)}")
        object.__setattr__(self, "quantizer", parts.make_quantizer(self.quantizer, self.kind, self.renewed))
        most = self.proposer.max_candidates(self.num_users)
        start = min(max(self.num_users, 2), most) if self.num_candidates is None else self.num_candidates
        if whole_number("num_candidates", start) > most:
            name = type(self.quantizer).__name__
            raise InputError(
                f"num_candidates must be 1 to {most} for {name} and {self.num_users} users, got {start}"
            )
        object.__setattr__(self, "num_candidates", start)
        if self.adaptive_interval is not None:
            whole_number("adaptive_interval", self.adaptive_interval)

    def each(self, name: str) -> tuple[Any, ...]:
        """What a setting is for each agent: here for the one, (1,); raises InputError where it is a list."""
        value = getattr(self, name)
        if isinstance(value, list | tuple):
            raise InputError(f"{name} must be one number, or with replicas one for each, got {value!r}")
        return (value,)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of each agent, here of the one, (1,)."""
        return tuple(whole_number("seed", seed, 0) for seed in self.each("seed"))

    @property
    def renewed(self) -> bool:
        """Whether the optimizer is made anew at each step."""
        return self.published and self.num_networks == 1

    @cached_property
    def kind(self) -> Kind:
        """The kind of decision."""
        return kind_of(self.num_choices, self.renewed)

    @cached_property
    def proposer(self) -> Quantizer:
        """The quantizer itself."""
        assert self.quantizer is not None
        assert not isinstance(self.quantizer, str)
        return self.quantizer

    @cached_property
    def most_candidates(self) -> int:
        """K at the start and its maximum."""
        assert self.num_candidates is not None
        return self.num_candidates

    def describe(self, network: nn.Module) -> dict[str, Any]:
        """All of them as plain values, the network by its class and settings."""
        described = {field.name: getattr(self, field.name) for field in fields(self)}
        described |= {"network": parts.describe(network), "quantizer": parts.describe(self.quantizer)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in described.items()}


@dataclass(frozen=True)
class ReplicaSettings(AgentSettings):
    """The settings of R agents side by side: those of `AgentSettings`, and two more.

    Args:
        replicas: R. `learning_rate` and `training_interval` may then be lists, one value for each, and so may
            `seed`; of one seed, replica r has ``seed + r``.
        device: None for NumPy arrays, else the torch device ('cpu', 'cuda') of observations, values and decisions;
            only with the 'torch' backend, and a quantizer that works on tensors ('OP' or 'OPN').

    Raises:
        InputError: for a setting out of range, naming it.
    """

    _: KW_ONLY
    replicas: int = 1
    device: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "replicas", whole_number("replicas", self.replicas))
        super().__post_init__()
        if self.num_networks > 1:
            raise InputError(f"num_networks must be 1 for replicas, got {self.num_networks}")
        if self.device is not None and self.backend != "torch":
            raise InputError(f"device must be None without replicas and the 'torch' backend, got {self.device!r}")
        if self.device is not None and self.num_choices > 2:
            raise InputError(
                f"device must be None for choices, whose candidates are found on the host, got {self.device!r}"
            )
        if self.adaptive_interval is not None and not is_prefix(self.proposer):
            raise InputError("adaptive_interval must be None for replicas, unless the quantizer is 'OP' or 'KNN'")

    def each(self, name: str) -> tuple[Any, ...]:
        """What a setting is for each replica, (R,); raises InputError for a list of another length."""
        value = getattr(self, name)
        if not isinstance(value, list | tuple):
            return (value,) * self.replicas
        if len(value) != self.replicas:
            raise InputError(f"{name} must be one number, or with replicas one for each, got {value!r}")
        return tuple(value)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of each replica, (R,)."""
        seeds = tuple(whole_number("seed", seed, 0) for seed in self.each("seed"))
        several = isinstance(self.seed, list | tuple)
        return seeds if several else tuple(seed + place for place, seed in enumerate(seeds))
