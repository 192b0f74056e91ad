"""What networks have in common: from observations (..., N, F) to logits, one a user, or one a user and choice.

The kind of decision (`agent.decisions`) makes the relaxed decision from the logits. Any `torch.nn.Module` with
these shapes can take the place of one of the project's; it must return logits, without a sigmoid of its own.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import nn

from ..checks import InputError, size

Activation = Literal["relu", "sigmoid"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


LARGEST_WEIGHT = 1e30
"""Of numbers that become weights, in single precision."""
_ONE_AT_A_TIME = threading.RLock()
"""Torch's generator and default precision are those of all threads."""


def output_shape(num_users: int, num_choices: int) -> tuple[int, ...]:
    """Of the logits of one observation: (N,) for two choices, else (N, C); raises InputError for C below 2."""
    size("num_choices", num_choices, 2)
    return (num_users,) if num_choices == 2 else (num_users, num_choices)


def widths_of(name: str, value: Any) -> list[int]:
    """The widths of layers as a list; raises InputError unless all are whole numbers from 1."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable) or getattr(value, "ndim", 1) != 1:
        raise InputError(f"{name} must be a list of widths, got {value!r}")
    return [size(f"{name}[{place}]", width) for place, width in enumerate(value)]


def make_activation(name: str) -> nn.Module:
    """The activation of a name; raises InputError for an unknown one."""
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"activation must be one of {sorted(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]()


def dtype_of(network: nn.Module) -> torch.dtype:
    """The precision of a network: that of its weights."""
    return next((weight.dtype for weight in network.parameters()), torch.float32)


def check_output(network: nn.Module, num_users: int, num_features: int, output: tuple[int, ...]) -> None:
    """Raise InputError unless `network` maps (2, N, F) to logits of shape ``(2, *output)``."""
    children = list(network.children())
    if children and isinstance(children[-1], nn.Sigmoid):
        raise InputError("network must return logits: leave out its last layer, the Sigmoid")
    expected = (2, *output)
    training = [module for module in network.modules() if module.training]
    try:
        network.eval()  # a look must not move running statistics, or draw what drops out
        with torch.no_grad():
            shape = tuple(network(torch.zeros(2, num_users, num_features, dtype=dtype_of(network))).shape)
    except Exception as error:  # whatever a user's module raises, the cause is kept
        raise InputError(
            f"network must accept observations of shape (batch, {num_users}, {num_features}), it raised: {error}"
        ) from error
    finally:
        for module in training:
            module.training = True
    if shape != expected:
        raise InputError(f"network must map (2, {num_users}, {num_features}) to {expected}, got {shape}")


@contextmanager
def first_weights(seed: int | None = None) -> Iterator[None]:
    """Networks made within are in single precision whatever torch's default, and with a seed from it alone.

    Torch's generator is afterwards as it was. Threads that make networks wait for one another.
    """
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            if seed is not None:
                torch.manual_seed(seed)
            yield
        finally:
            torch.set_default_dtype(default)
