"""Choices: each user takes one of C, such as a server; 0 is local. C logits a user, cross entropy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..checks import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Categorical:
    """What decisions of choices ask of networks and learning.

    Args:
        num_choices: C, 3 or more; two choices are `Binary`.
    """

    num_choices: int
    quantizer: ClassVar[str] = "MP"
    """The one that proposes candidates where nothing else is said."""

    def output(self, num_users: int) -> tuple[int, ...]:
        """Shape of the logits of one observation, (N, C)."""
        return (num_users, self.num_choices)

    def relax(self, logits: Array) -> Array:
        """The relaxed decision, each user's probabilities (..., N, C): the softmax, in double precision."""
        if isinstance(logits, np.ndarray):
            logits = logits.astype(np.float64)
            powers = np.exp(logits - logits.max(-1, keepdims=True))
            return powers / powers.sum(-1, keepdims=True)
        return logits.double().softmax(-1)

    def round(self, logits: Array) -> Array:
        """The likeliest decisions (..., N) of logits (..., N, C)."""
        return logits.argmax(-1)

    def right(self, logits: Array, decisions: Array) -> Array:
        """Where the likeliest choice of logits (..., N, C) is the decision (..., N)."""
        return self.round(logits) == decisions

    def loss(self, logits: "Tensor", decisions: "Tensor", kind: str) -> "Tensor":
        """The mean of a loss of logits (..., N, C) against decisions (..., N).

        The cross entropy, or the squared error of the probabilities, summed over the choices.
        """
        import torch

        chosen = decisions.long()
        if kind == "cross_entropy":
            return torch.nn.functional.cross_entropy(logits.movedim(-1, 1), chosen)
        one = chosen[..., None] == torch.arange(self.num_choices, device=logits.device)
        return ((logits.softmax(-1) - one.to(logits.dtype)) ** 2).sum(-1).mean()

    def loss_and_error(
        self, logits: NDArray[np.floating], decisions: NDArray[np.floating], kind: str
    ) -> tuple[Any, NDArray[np.floating]]:
        """That mean over (B, N), (...), of logits (..., B, N, C), and its derivative by the logits."""
        count = logits.shape[-2] * logits.shape[-3]
        shifted = logits - logits.max(-1, keepdims=True)
        output = np.exp(shifted)
        total = output.sum(-1, keepdims=True)
        output /= total
        one = (np.arange(self.num_choices) == decisions[..., None]).astype(logits.dtype)
        if kind == "cross_entropy":
            loss = (np.log(total[..., 0]) - (shifted * one).sum(-1)).mean((-1, -2))
            return loss, (output - one) / count
        off = output - one
        error = 2 * output * (off - (off * output).sum(-1, keepdims=True)) / count
        return (off**2).sum(-1).mean((-1, -2)), error

    def check(self, decision: NDArray[Any]) -> None:
        """Raise InputError when a decision holds anything but whole numbers 0 to C - 1."""
        if not ((decision >= 0) & (decision < self.num_choices) & (decision % 1 == 0)).all():
            raise InputError(f"decision must hold only 0 to {self.num_choices - 1}, got {decision.tolist()}")
