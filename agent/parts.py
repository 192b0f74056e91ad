"""The parts of an agent: made from its settings, described in its checkpoints, and made again from there."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from .checks import InputError
from .decisions import Kind
from .decisions.most_probable import MostProbable
from .decisions.quantizer import CLASSES, PUBLISHED_QUANTIZERS, QUANTIZERS, Quantizer
from .learners.numpy_learner import PASSES, NumpyLearner
from .learners.reading import READ, UnreadableError, read
from .learners.rule import Learner, LearningRule
from .learners.stacked import StackedLearner
from .learners.torch_learner import TorchLearner
from .networks.convolutional import Convolutional
from .networks.fully_connected import FullyConnected
from .networks.interface import check_output, first_weights
from .networks.pair_network import PairNetwork
from .networks.set_network import SetNetwork

NETWORKS: dict[str, type[nn.Module]] = {
    kind.__name__: kind for kind in (FullyConnected, Convolutional, PairNetwork, SetNetwork)
}
"""The networks that a checkpoint can name; each has its constructor's arguments in `settings`."""
NetworkFactory = Callable[[int, int], nn.Module]
"""Makes a network of the number of users and of features a user; for more than two choices it is given the number
of these too, as the keyword `num_choices`."""


class UnknownPartError(LookupError):
    """A checkpoint names a class that is not this project's, so its user must pass the part: `part`, `name`."""

    def __init__(self, part: str, name: str) -> None:
        super().__init__(f"{part} {name}")
        self.part = part
        self.name = name


def describe(part: Any) -> dict[str, Any]:
    """Class and settings of a network or quantizer, as plain values."""
    if is_dataclass(part) and not isinstance(part, type):
        return {"class": type(part).__name__, "settings": asdict(part)}
    return {"class": type(part).__name__, "settings": getattr(part, "settings", {})}


def rebuild_network(description: Mapping[str, Any]) -> nn.Module:
    """The network that `describe` described; raises UnknownPartError for another project's."""
    if description["class"] not in NETWORKS:
        raise UnknownPartError("network", description["class"])
    with first_weights():
        return NETWORKS[description["class"]](**description["settings"])


def rebuild_quantizer(description: Mapping[str, Any]) -> Quantizer:
    """The quantizer that `describe` described; raises UnknownPartError for another project's."""
    classes: dict[str, Any] = {kind.__name__: kind for kind in (*CLASSES, MostProbable)}
    if description["class"] not in classes:
        raise UnknownPartError("quantizer", description["class"])
    quantizer: Quantizer = classes[description["class"]](**description["settings"])
    return quantizer


def make_network(
    network: nn.Module | NetworkFactory | None, num_users: int, num_features: int, kind: Kind, seed: int
) -> nn.Module:
    """The module itself, or one made from the seed without touching torch's global generator.

    Raises InputError when it is none, or of another output than the kind of decision asks for.
    """
    if isinstance(network, nn.Module):
        module = network
    else:
        if network is not None and not callable(network):
            raise InputError(f"network must be or make a torch.nn.Module, got {network!r}")
        choices: dict[str, Any] = {} if kind.num_choices == 2 else {"num_choices": kind.num_choices}
        make: Any = network or FullyConnected
        if choices and not _takes(make, "num_choices"):
            raise InputError(
                f"network must take the keyword num_choices where there are {kind.num_choices}, got {make}"
            )
        with first_weights(seed):
            module = make(num_users, num_features, **choices)
        if not isinstance(module, nn.Module):
            raise InputError(f"network must be or make a torch.nn.Module, got {type(module).__name__}")
    check_output(module, num_users, num_features, kind.output(num_users))
    return module


def _takes(make: Callable[..., Any], name: str) -> bool:
    parameters = inspect.signature(make).parameters
    return name in parameters or any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())


def takes_any_size(network: nn.Module) -> bool:
    """Whether its frames may differ in their number of users."""
    return bool(getattr(network, "any_size", False))


def make_learner(
    network: nn.Module, backend: str, passes: Any, rule: LearningRule, kind: Kind, seed: int
) -> Learner:
    """The backend that trains `network`, with the passes that `backend_of` found for it."""
    if backend == "numpy":
        return NumpyLearner(network, rule, kind, passes=passes)
    return TorchLearner(network, rule, kind, seed)


def make_stacked_learner(
    networks: list[nn.Module], backend: str, passes: Any, rule: LearningRule, kind: Kind, device: str | None
) -> Learner:
    """The backend that trains one network a replica, with the passes that `backend_of` found for them."""
    if backend == "numpy":
        return NumpyLearner(networks, rule, kind, passes=passes)
    return StackedLearner(networks, rule, kind, device)


def backend_of(
    networks: Sequence[nn.Module],
    backend: str,
    device: str | None,
    num_users: int,
    num_features: int,
    output: tuple[int, ...],
) -> tuple[str, Any]:
    """'numpy' or 'torch', for "auto" the faster one that can train all `networks`, and with 'numpy' their passes.

    Raises InputError for an unknown one, or one that cannot.
    """
    if backend not in ("auto", "torch", "numpy"):
        raise InputError(f"backend must be 'auto', 'torch' or 'numpy', got {backend!r}")
    kind, plain = type(networks[0]), True
    if backend == "auto":
        weights = [weight for network in networks for weight in network.parameters()]
        plain = device is None and all(one.requires_grad and one.dtype is torch.float32 for one in weights)
    if backend == "torch" or not plain:
        return "torch", None
    if kind in PASSES:
        return "numpy", PASSES[kind](networks[0])
    try:
        different = {id(network): network for network in networks}.values()
        first, *others = (read(network, num_users, num_features, output) for network in different)
        if not all(first.alike(other) for other in others):
            raise UnreadableError("they differ")
        return "numpy", first
    except UnreadableError as error:
        if backend == "auto":
            return "torch", None
        known = ", ".join(one.__name__ for one in PASSES)
        raise InputError(
            f"network must be {known} or {READ} for the 'numpy' backend, got {kind.__name__}: {error}"
        ) from error


def make_quantizer(quantizer: str | Quantizer | None, kind: Kind, published: bool = False) -> Quantizer:
    """The quantizer of a short name, by default of the kind of decision, or the object itself.

    Where `published`, short names mean what they do in the published code.

    Raises InputError when it is neither, or a short name of another kind.
    """
    name = kind.quantizer if quantizer is None else quantizer
    of_bits = PUBLISHED_QUANTIZERS if published else QUANTIZERS
    of_choices = {"MP": partial(MostProbable, kind.num_choices)}
    known: dict[str, Any] = dict(of_bits) if kind.num_choices == 2 else of_choices
    if isinstance(name, str):
        if name not in known:
            raise InputError(f"quantizer must be one of {sorted(known)}, got {name!r}")
        made: Quantizer = known[name]()
        return made
    if isinstance(name, type) or not (callable(name) and hasattr(name, "max_candidates")):
        raise InputError(f"quantizer must be one of {sorted(known)} or a quantizer, got {name!r}")
    return name
