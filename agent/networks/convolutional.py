"""The convolutional network."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ..checks import InputError, size
from .interface import Activation, make_activation, output_shape, widths_of


class Convolutional(nn.Module):
    """Convolutions along the users, then one linear layer: the convolutional actor of the LyDROO code.

    Args:
        num_users: N.
        num_features: F, the input channels.
        channels: output channels of each convolution.
        kernel_size: users under one kernel; odd, so that the number of users is kept.
        activation: after each convolution, 'relu' or 'sigmoid'.
        num_choices: C; for more than two, the logits are (..., N, C).

    Raises:
        InputError: when a size is below 1, `kernel_size` is even or the activation unknown.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 3,
        activation: Activation = "relu",
        num_choices: int = 2,
    ) -> None:
        super().__init__()
        num_users, num_features = size("num_users", num_users), size("num_features", num_features)
        channels, kernel_size = widths_of("channels", channels), size("kernel_size", kernel_size)
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "channels": list(channels),
            "kernel_size": kernel_size,
            "activation": activation,
            "num_choices": num_choices,
        }
        self.output = output_shape(num_users, num_choices)
        if kernel_size % 2 == 0:
            raise InputError(f"kernel_size must be odd and positive, got {kernel_size}")
        self.activation = make_activation(activation)
        widths = [num_features, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel_size, padding=kernel_size // 2)
            for before, after in zip(widths, channels, strict=False)
        )
        self.head = nn.Linear(num_users * widths[-1], math.prod(self.output))

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N) or (..., N, C) of observations (..., N, F)."""
        batch = observations.shape[:-2]
        signal = observations.reshape(-1, *observations.shape[-2:]).transpose(-1, -2)
        for convolution in self.convolutions:
            signal = self.activation(convolution(signal))
        return self.head(signal.flatten(-2)).reshape(*batch, *self.output)
