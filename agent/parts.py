"""The parts of an agent: made from its settings, described in its checkpoints, and made again from there."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import torch
from torch import nn

from agent.decisions.quantizer import QUANTIZERS, Quantizer
from agent.learners.numpy_learner import PASSES, NumpyLearner
from agent.learners.stacked import StackedLearner
from agent.learners.torch_learner import Learner, LearningRule, TorchLearner
from agent.networks.fully_connected import Convolutional, FullyConnected, check_output
from agent.networks.set_network import SetNetwork

NETWORKS: dict[str, type[nn.Module]] = {
    kind.__name__: kind for kind in (FullyConnected, Convolutional, SetNetwork)
}
"""The networks that a checkpoint can name; each has its constructor's arguments in `settings`."""
NetworkFactory = Callable[[int, int], nn.Module]
"""Makes a network from the number of users and of features a user."""


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
    return NETWORKS[description["class"]](**description["settings"])


def rebuild_quantizer(description: Mapping[str, Any]) -> Quantizer:
    """The quantizer that `describe` described; raises UnknownPartError for another project's."""
    classes = {kind.__name__: kind for kind in QUANTIZERS.values()}
    if description["class"] not in classes:
        raise UnknownPartError("quantizer", description["class"])
    quantizer: Quantizer = classes[description["class"]](**description["settings"])
    return quantizer


def make_network(
    network: nn.Module | NetworkFactory | None, num_users: int, num_features: int, seed: int
) -> nn.Module:
    """The module itself, or one made from the seed without touching torch's global generator."""
    if isinstance(network, nn.Module):
        module = network
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if network is not None and not callable(network):
                raise ValueError(f"network must be or make a torch.nn.Module, got {network!r}")
            module = (network or FullyConnected)(num_users, num_features)
        if not isinstance(module, nn.Module):
            raise ValueError(f"network must be or make a torch.nn.Module, got {type(module).__name__}")
    check_output(module, num_users, num_features)
    return module


def make_learner(network: nn.Module, backend: str, rule: LearningRule, seed: int) -> Learner:
    """The backend that trains `network`; raises ValueError for an unknown one, or one that cannot."""
    if backend == "torch":
        return TorchLearner(network, rule, seed)
    if backend != "numpy":
        raise ValueError(f"backend must be 'torch' or 'numpy', got {backend!r}")
    if type(network) not in PASSES:
        known = " or ".join(kind.__name__ for kind in PASSES)
        raise ValueError(f"network must be {known} for the 'numpy' backend, got {type(network).__name__}")
    return NumpyLearner(network, rule)


def make_stacked_learner(
    networks: list[nn.Module], backend: str, rule: LearningRule, device: str | None
) -> Learner:
    """The backend that trains one network a replica; raises ValueError as `make_learner`."""
    if backend == "torch":
        return StackedLearner(networks, rule, device)
    if backend != "numpy" or type(networks[0]) not in PASSES:
        make_learner(networks[0], backend, rule, 0)  # says what is wrong
    return NumpyLearner(networks, rule)


def make_quantizer(quantizer: str | Quantizer) -> Quantizer:
    """The quantizer of a short name, or the object itself; raises ValueError when it is neither."""
    if not isinstance(quantizer, str):
        if isinstance(quantizer, type) or not (callable(quantizer) and hasattr(quantizer, "max_candidates")):
            raise ValueError(f"quantizer must be one of {sorted(QUANTIZERS)} or a quantizer, got {quantizer!r}")
        return quantizer
    if quantizer not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {sorted(QUANTIZERS)}, got {quantizer!r}")
    made: Quantizer = QUANTIZERS[quantizer]()
    return made
