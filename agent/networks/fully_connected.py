"""Networks: from observations (..., N, F) to one logit a user, (..., N).

The relaxed decision is the sigmoid of the logits. Any other `torch.nn.Module` with the same shapes can take
their place; it must return logits, without a sigmoid of its own.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from agent.checks import whole_number

Activation = Literal["relu", "sigmoid"]
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


class FullyConnected(nn.Module):
    """The published network: all users' features in one vector, hidden layers, one logit a user (DROO, sec. VI).

    Args:
        num_users: N.
        num_features: F.
        hidden: width of each hidden layer; the published 120 and 80 by default.
        activation: of the hidden layers, 'relu' or 'sigmoid'.

    Raises:
        ValueError: when a width is below 1 or the activation unknown.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        hidden: Sequence[int] = (120, 80),
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "hidden": list(hidden),
            "activation": activation,
        }
        _widths(num_users=num_users, num_features=num_features)
        _widths(**{f"hidden[{place}]": width for place, width in enumerate(hidden)})
        self.activation = _activation(activation)
        widths = [num_users * num_features, *hidden, num_users]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N) of observations (..., N, F)."""
        signal = observations.flatten(-2)
        for layer in self.layers[:-1]:
            signal = self.activation(layer(signal))
        return self.layers[-1](signal)


class Convolutional(nn.Module):
    """Convolutions along the users, then one linear layer: the convolutional actor of the LyDROO code.

    Args:
        num_users: N.
        num_features: F, the input channels.
        channels: output channels of each convolution.
        kernel_size: users under one kernel; odd, so that the number of users is kept.
        activation: after each convolution, 'relu' or 'sigmoid'.

    Raises:
        ValueError: when a size is below 1, `kernel_size` is even or the activation unknown.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "channels": list(channels),
            "kernel_size": kernel_size,
            "activation": activation,
        }
        _widths(num_users=num_users, num_features=num_features, kernel_size=kernel_size)
        _widths(**{f"channels[{place}]": width for place, width in enumerate(channels)})
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size must be odd and positive, got {kernel_size}")
        self.activation = _activation(activation)
        widths = [num_features, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size, padding=kernel_size // 2)
            for before, after in zip(widths, channels, strict=False)
        )
        self.head = nn.Linear(num_users * widths[-1], num_users)

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N) of observations (..., N, F)."""
        batch = observations.shape[:-2]
        signal = observations.reshape(-1, *observations.shape[-2:]).transpose(-1, -2)
        for convolution in self.convolutions:
            signal = self.activation(convolution(signal))
        return self.head(signal.flatten(-2)).reshape(*batch, -1)


def check_output(network: nn.Module, num_users: int, num_features: int) -> None:
    """Raise ValueError unless `network` maps (2, N, F) to (2, N) logits."""
    children = list(network.children())
    if children and isinstance(children[-1], nn.Sigmoid):
        raise ValueError("network must return logits: leave out its last layer, the Sigmoid")
    expected = (2, num_users)
    try:
        with torch.no_grad():
            shape = tuple(network(torch.zeros(2, num_users, num_features)).shape)
    except Exception as error:  # whatever a user's module raises, the cause is kept
        raise ValueError(
            f"network must accept observations of shape (batch, {num_users}, {num_features}), it raised: {error}"
        ) from error
    if shape != expected:
        raise ValueError(f"network must map (2, {num_users}, {num_features}) to {expected}, got {shape}")


def _widths(**sizes: int) -> None:
    for name, size in sizes.items():
        whole_number(name, size)


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}, got {name!r}")
    return ACTIVATIONS[name]()
