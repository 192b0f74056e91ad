"""Adam as TensorFlow has it, for the published programs that are written in it."""

from typing import Any

import torch
from torch import nn


class TensorFlowAdam:
    """Adam (Kingma and Ba 2015) that keeps its moments from step to step, one object for each network.

    TensorFlow adds epsilon to the root of the second moment before its bias is corrected: "epsilon hat" there.

    Args:
        betas: decay rates of the two moments.
        epsilon: hat.
    """

    def __init__(self, betas: tuple[float, float], epsilon: float) -> None:
        self._betas = betas
        self._epsilon = epsilon
        self._steps = 0
        self._adam: torch.optim.Adam | None = None

    def step(self, model: nn.Module, learning_rate: float, loss: Any) -> float:
        """Move the model's weights against the gradient of `loss`, which is returned.

        Weights other than those of the last step, as of a model in place of another, start without a past. Raises
        FloatingPointError when the loss is not finite; nothing is then moved.
        """
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()}: learning has diverged")
        weights = list(model.parameters())
        known = [] if self._adam is None else self._adam.param_groups[0]["params"]
        if self._adam is None or [id(weight) for weight in weights] != [id(weight) for weight in known]:
            self._adam, self._steps = torch.optim.Adam(weights, betas=self._betas), 0
        self._steps += 1
        (group,) = self._adam.param_groups
        group["lr"] = learning_rate
        group["eps"] = self._epsilon / (1 - self._betas[1] ** self._steps) ** 0.5
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        return float(loss.item())
