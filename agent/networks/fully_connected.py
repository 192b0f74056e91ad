"""The fully connected network."""

import itertools
import math
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from ..checks import InputError, size
from .interface import Activation, make_activation, output_shape, widths_of


class FullyConnected(nn.Module):
    """The published network: all users' features in one vector, hidden layers, one logit a user (DROO, sec. VI).

    Args:
        num_users: N.
        num_features: F.
        hidden: width of each hidden layer; the published 120 and 80 by default.
        activation: of the hidden layers, 'relu' or 'sigmoid'.
        num_choices: C; for more than two, the logits are (..., N, C).
        initialization: of the weights: 'uniform', PyTorch's of linear layers, or 'normal', in every layer with a
            standard deviation of one over the number N F of inputs, and biases of 0: the published DDLO code's.

    Raises:
        InputError: when a width is below 1 or the activation or initialization unknown.
    """

    def __init__(
        self,
        num_users: int,
        num_features: int = 1,
        hidden: Sequence[int] = (120, 80),
        activation: Activation = "relu",
        num_choices: int = 2,
        initialization: Literal["uniform", "normal"] = "uniform",
    ) -> None:
        super().__init__()
        num_users, num_features = size("num_users", num_users), size("num_features", num_features)
        hidden = widths_of("hidden", hidden)
        self.settings: dict[str, Any] = {
            "num_users": num_users,
            "num_features": num_features,
            "hidden": list(hidden),
            "activation": activation,
            "num_choices": num_choices,
            "initialization": initialization,
        }
        self.output = output_shape(num_users, num_choices)
        self.activation = make_activation(activation)
        widths = [num_users * num_features, *hidden, math.prod(self.output)]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in itertools.pairwise(widths))
        if not isinstance(initialization, str) or initialization not in ("uniform", "normal"):
            raise InputError(f"initialization must be 'uniform' or 'normal', got {initialization!r}")
        if initialization == "normal":
            for layer in self.layers:
                nn.init.normal_(layer.weight, std=1 / widths[0])  # type: ignore[arg-type]
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def forward(self, observations: Tensor) -> Tensor:
        """Logits (..., N) or (..., N, C) of observations (..., N, F)."""
        signal = observations.flatten(-2)
        for layer in self.layers[:-1]:
            signal = self.activation(layer(signal))
        logits: Tensor = self.layers[-1](signal)
        return logits if len(self.output) == 1 else logits.reshape(*logits.shape[:-1], *self.output)
