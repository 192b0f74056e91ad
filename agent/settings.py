"""The settings of agents: each declared, checked and documented here, and nowhere else."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import Any, Literal

from torch import nn

from . import local_search, parts
from .checks import InputError, flag, plain, size, torch_device, whole_number
from .decisions import Kind, binary, cheapest, kind_of
from .decisions import quantizer as quantizers
from .decisions.most_probable import MostProbable
from .decisions.quantizer import Quantizer, is_prefix
from .learners.rule import LearningRule
from .parts import NetworkFactory

BUDGET = 32
"""Critic calls a frame where nothing else is said."""
SEARCHED = 3 / 8
"""The part of them that local search finds; both were chosen on `env.problems.TUNED`."""
PROBE_INTERVAL = 100
RANKED = 6
"""Critic calls a frame with a learned value, where nothing else is said."""
DEAR: tuple[str, ...] = ("max_evaluations", "patience", "workers")
"""For critics that take long; of one agent only."""
CHANGEABLE = ("learning_rate", "betas", "weight_decay", "training_interval", "batch_size", "quantizer", *DEAR)
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
        backend: 'auto', which is 'numpy', the learner written out in `agent.learners.numpy_learner` and the
            fastest on a CPU, for the fully connected and the set network in single precision without a device,
            and for a module of your own where it is linear layers one after another, with ReLU, LeakyReLU,
            Sigmoid or Tanh between them (`agent.learners.reading` says what is looked at); and 'torch' for all
            others. What was picked is this setting of the agent that is made. Both take the same steps, up to
            rounding, and train a module that was passed in place; but only 'torch' calls it, and so heeds what
            is changed about it later, such as hooks, other than the values of its weights.
        quantizer: 'OP', 'KNN', 'OPN', 'OP+KNN' for bits, 'MP' (the K most probable) for either, or an object like
            those in `agent.decisions.quantizer`; by default 'OP+KNN', without local search and on a device 'OP',
            for choices 'MP'.
        num_candidates: K, the decisions that are valued in a frame: the critic calls. By default 32 (or all there
            are) with local search, without it N (2 for a single user).
        local_search: how many of the K are neighbours of the best one that the quantizer has proposed
            (`agent.local_search`); by default three eighths (more where the quantizer has fewer), none with
            `published`, where K adapts, and of several networks.
        max_evaluations: decisions that are valued in a frame at most, whatever is proposed, of several networks
            too, in local search (whose calls are kept for it) and in probes (which take what is left). No decision
            is valued twice in a frame in any case, but with `published`. None, the default, for no limit.
        learned_value: learn what decisions are worth, from those that were valued, and value the K that are best
            by this, found from the quantizer's first 32 proposals on, one of them a random change of the best
            (`agent.learned_value`); K is then 6 by default, without local search. For critics that take
            milliseconds: the frame itself takes a few more.
        patience: stop valuing candidates, the likeliest first, after so many in a row that were no better than the
            best before them; likewise neighbours in local search. None, the default, values all K.
        workers: processes over which `evaluate` is spread (`agent.workers`), for critics that take milliseconds a
            decision; None, the default, for none. Values are the same, where a decision's value does not depend on
            what is valued beside it.
        adaptive_interval: frames between changes of K, as far as the quantizer proposes them; None, the default,
            keeps it fixed (DROO has 32).
        training_interval: frames between learning steps.
        learning_starts: pairs in the memory before the first of them, the all-zero one of `published` included.
        batch_size: pairs in a minibatch, drawn with replacement.
        memory_size: pairs that the replay memory keeps.
        standardize: let the network see observations with the mean and deviation of each entry taken out
            (`agent.standardization`); by default so, but with `published` and for networks for any number of
            users, whose features mean something to them.
        probe_interval: frames between probes, eight more decisions that are valued, not carried out, to notice an
            agent that does not learn (`agent.diagnostics`); 0 for none; by default 100, none with `published` and
            on a device.
        loss: 'cross_entropy' (mean over users and batch; DROO, eq. 10) or 'squared_error' of the relaxed one.
        optimizer: 'adam' (Kingma and Ba 2015, Algorithm 1) or 'gradient_descent'.
        learning_rate: step size, positive and at most 1,000; 0.005 by default, with `published` 0.01.
        betas: Adam's decay rates of the two moments, each in [0, 1).
        weight_decay: added to the gradient times the weights (L2), 0 or more; 0.001 by default, with `published`
            0.
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
    backend: Literal["auto", "torch", "numpy"] = "auto"
    quantizer: Literal["OP", "KNN", "OPN", "OP+KNN", "MP"] | Quantizer | None = None
    num_candidates: int | None = None
    local_search: int | None = None
    max_evaluations: int | None = None
    learned_value: bool = False
    patience: int | None = None
    workers: int | None = None
    adaptive_interval: int | None = None
    training_interval: int | Sequence[int] = 10
    learning_starts: int = 0
    batch_size: int = 128
    memory_size: int = 1024
    standardize: bool | None = None
    probe_interval: int | None = None
    seed: int | Sequence[int] = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for name in ("num_users", "num_features", "num_networks", "batch_size"):
            size(name, getattr(self, name))
        whole_number("memory_size", self.memory_size, 1, None)
        size("num_choices", self.num_choices, 2)
        for name in ("published", "learned_value"):
            flag(name, getattr(self, name))
        self.each("learning_rate")
        super().__post_init__()
        for interval in self.each("training_interval"):
            whole_number("training_interval", interval)
        whole_number("learning_starts", self.learning_starts, 0)
        if max(self.seeds) >= 2**63:
            raise InputError(f"seed must be below 2^63, got {max(self.seeds)}")
        for name in DEAR:
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))
        quantizer = self.quantizer
        if quantizer is None and self.num_choices == 2:
            quantizer = "OP+KNN" if self._searches() or self.learned_value else "OP"
        object.__setattr__(self, "quantizer", parts.make_quantizer(quantizer, self.kind, self.renewed))
        if self.adaptive_interval is not None:
            whole_number("adaptive_interval", self.adaptive_interval)
        self._share_candidates()
        if self.standardize is not None and not isinstance(self.standardize, bool):
            raise InputError(f"standardize must be true, false or left out, got {self.standardize!r}")
        if self.probe_interval is None:
            object.__setattr__(self, "probe_interval", 0 if self.published else PROBE_INTERVAL)
        whole_number("probe_interval", self.probe_interval, 0)

    def _searches(self) -> bool:
        """Whether an agent of which nothing else is said searches around its candidates."""
        alone = self.num_networks == 1 and not self.learned_value
        return not self.published and self.adaptive_interval is None and alone

    def _share_candidates(self) -> None:
        """Settle K and how many of the K are found by local search, the rest being the quantizer's."""
        most, there_are = self.proposer.max_candidates(self.num_users), self.num_choices**self.num_users
        total, searched = self.num_candidates, self.local_search
        searches = self._searches() if searched is None else whole_number("local_search", searched, 0) > 0
        if total is None:
            total = min(BUDGET, there_are) if searches else min(max(self.num_users, 2), most)
            total = min(RANKED, most) if self.learned_value else total
            total = max(total, (searched or 0) + 1)
            total = min(total, self.max_evaluations or total)
        whole_number("num_candidates", total)
        budget = min(total, self.max_evaluations or total)
        if searched is None:
            searched = max(int(budget * SEARCHED), total - most) if searches else 0
        if searched >= budget < total:
            raise InputError(f"local_search must be below max_evaluations, {budget}, got {searched}")
        if searched >= total:
            raise InputError(f"local_search must be below num_candidates, {total}, got {searched}")
        by = type(self.quantizer).__name__
        if searched and most + searched < there_are:
            by += f", {searched} by local search,"
        if total > (most := min(most + searched, there_are)):
            raise InputError(
                f"num_candidates must be 1 to {most} for {by} and {self.num_users} users, got {total}"
            )
        object.__setattr__(self, "num_candidates", total)
        object.__setattr__(self, "local_search", searched)

    def each(self, name: str) -> tuple[Any, ...]:
        """What a setting is for each agent: here for the one, (1,); raises InputError where it is a list."""
        value = getattr(self, name)
        if isinstance(value, list | tuple):
            raise InputError(f"{name} must be one number, or with replicas one for each, got {value!r}")
        return (value,)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Of each agent, here of the one, (1,)."""
        return tuple(whole_number("seed", seed, 0, None) for seed in self.each("seed"))

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
    def searched(self) -> int:
        """How many of the K candidates local search finds."""
        assert self.local_search is not None
        return self.local_search

    @cached_property
    def proposed(self) -> int:
        """How many of the K candidates the quantizer proposes, at the start and at most."""
        assert self.num_candidates is not None
        return self.num_candidates - self.searched

    def compiled(self, each: str = "") -> list[str]:
        """The machine code that proposes and searches without limits; `each` is '_of_each' for replicas."""
        modules = []
        if isinstance(self.proposer, quantizers.CLASSES):
            modules.append(quantizers.COMPILED + each)
        elif isinstance(self.proposer, MostProbable):
            modules.append(cheapest.COMPILED)
        if self.searched:
            modules.append(local_search.COMPILED + each)
            if not each and isinstance(self.proposer, quantizers.OrderPreservingAndNearest):
                modules.append(local_search.COMPILED_FRAME)
        if isinstance(self.kind, binary.Binary) and not self.kind.published:
            modules.append(binary.COMPILED)
        return modules

    def standardizes(self, network: nn.Module) -> bool:
        """Whether the network sees standardised observations; raises InputError where it must not."""
        any_size = parts.takes_any_size(network)
        if self.standardize and any_size:
            raise InputError(f"standardize must be false for {type(network).__name__}, a network for any N")
        return not (self.published or any_size) if self.standardize is None else self.standardize

    def pick_backend(self, networks: Sequence[nn.Module]) -> Any:
        """Settle on a backend for the networks that are trained; returns their passes, where they are written out.

        Raises InputError for one that cannot train them.
        """
        device = getattr(self, "device", None)
        output = self.kind.output(self.num_users)
        backend, passes = parts.backend_of(
            networks, self.backend, device, self.num_users, self.num_features, output
        )
        object.__setattr__(self, "backend", backend)
        return passes

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
        object.__setattr__(self, "replicas", size("replicas", self.replicas))
        if self.device is not None:  # which is not asked, and lists no nearest decisions
            if self.probe_interval is None:
                object.__setattr__(self, "probe_interval", 0)
            if self.quantizer is None and self.num_choices == 2:
                object.__setattr__(self, "quantizer", "OP")
            torch_device("device", self.device)
        super().__post_init__()
        if self.num_networks > 1:
            raise InputError(f"num_networks must be 1 for replicas, got {self.num_networks}")
        if self.learned_value:
            raise InputError("learned_value must be false for replicas, whose candidates are valued together")
        for name in DEAR:
            if getattr(self, name) is not None:
                raise InputError(
                    f"{name} must be None for replicas, whose candidates are valued together, got "
                    f"{getattr(self, name)}"
                )
        if self.device is not None and self.backend == "numpy":
            raise InputError(f"device must be None without replicas and the 'torch' backend, got {self.device!r}")
        if self.device is not None and self.probe_interval:
            raise InputError(f"probe_interval must be 0 on a device, got {self.probe_interval}")
        if self.device is not None and self.num_choices > 2:
            raise InputError(
                f"device must be None for choices, whose candidates are found on the host, got {self.device!r}"
            )
        if self.adaptive_interval is not None and not is_prefix(self.proposer):
            raise InputError(
                "adaptive_interval must be None for replicas, unless K candidates are the first of more (OP, KNN, "
                f"MP, published OPN), got {self.adaptive_interval}"
            )

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
        seeds = tuple(whole_number("seed", seed, 0, None) for seed in self.each("seed"))
        several = isinstance(self.seed, list | tuple)
        return seeds if several else tuple(seed + place for place, seed in enumerate(seeds))
