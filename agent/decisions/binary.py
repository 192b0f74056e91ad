"""Bits: each user computes locally (0) or offloads (1). One logit a user, binary cross entropy."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array, sigmoid
from ..checks import FLOAT32, InputError
from ..machine_code import machine_code

if TYPE_CHECKING:
    from torch import Tensor

COMPILED = "decisions.compiled_sigmoid"
_SMALLEST_OUTPUT = np.exp(-100)
"""PyTorch's cross entropy of outputs takes no logarithm below -100."""
_SMALLEST_SLOPE = 1e-12
"""Nor does its gradient divide by less."""


@dataclass(frozen=True)
class Binary:
    """What decisions of bits ask of networks and learning (DROO, section V).

    Args:
        published: as in the published code relaxed decisions are in single precision, where saturated outputs are
            equal, and the loss is that of these outputs: one that is saturated on the wrong side learns nothing.
    """

    published: bool = False
    num_choices: ClassVar[int] = 2
    quantizer: ClassVar[str] = "OP"
    """The one that proposes candidates where nothing else is said."""

    def output(self, num_users: int) -> tuple[int, ...]:
        """Shape of the logits of one observation, (N,)."""
        return (num_users,)

    def relax(self, logits: Array) -> Array:
        """The relaxed decision (..., N), in (0, 1): the sigmoid of the logits (..., N), in double precision."""
        if self.published:
            return _single_sigmoid(logits)
        if isinstance(logits, np.ndarray):
            if logits.dtype == FLOAT32 and logits.flags.c_contiguous:
                code = machine_code(COMPILED)
                if code is not None:
                    relaxed = code.sigmoid(logits.ravel())
                    return relaxed if logits.ndim == 1 else relaxed.reshape(logits.shape)
            return 1 / (1 + np.exp(-np.maximum(logits.astype(np.float64), -700)))
        return logits.double().sigmoid()

    def round(self, logits: Array) -> Array:
        """The likeliest decisions of logits (..., N)."""
        return logits > 0

    def right(self, logits: Array, decisions: Array) -> Array:
        """Where the rounded output of logits (..., N) is the decision (..., N)."""
        return self.round(logits) == (decisions > 0.5)

    def loss(self, logits: "Tensor", decisions: "Tensor", kind: str) -> "Tensor":
        """The mean of a loss of logits (..., N) against decisions (..., N): DROO, eq. 10, or squared error."""
        from torch import nn

        if kind == "cross_entropy" and self.published:
            return nn.functional.binary_cross_entropy(logits.sigmoid(), decisions)
        if kind == "cross_entropy":
            return nn.functional.binary_cross_entropy_with_logits(logits, decisions)
        return nn.functional.mse_loss(logits.sigmoid(), decisions)

    def loss_and_error(
        self, logits: NDArray[np.floating], decisions: NDArray[np.floating], kind: str
    ) -> tuple[Any, NDArray[np.floating]]:
        """That mean over (B, N), (...), of logits (..., B, N), and its derivative by the logits, (..., B, N)."""
        count = logits.shape[-1] * logits.shape[-2]
        if kind == "cross_entropy" and self.published:
            output = _single_sigmoid(logits)
            opposite = 1 - output
            logarithms = decisions * np.log(np.maximum(output, _SMALLEST_OUTPUT))
            logarithms += (1 - decisions) * np.log(np.maximum(opposite, _SMALLEST_OUTPUT))
            slope = output * opposite
            error = (output - decisions) * slope / np.maximum(slope, _SMALLEST_SLOPE) / count
            return -logarithms.mean((-1, -2)), error
        output = sigmoid(logits)
        if kind == "cross_entropy":
            loss = np.abs(logits)
            np.log(1 + np.exp(np.negative(loss, out=loss), out=loss), out=loss)
            loss += np.maximum(logits, 0)
            loss -= logits * decisions
            output -= decisions
            output /= count
            return np.add.reduce(loss, (-1, -2)) / count, output
        error = 2 * (output - decisions) * output * (1 - output) / count
        return ((output - decisions) ** 2).mean((-1, -2)), error

    def check(self, decision: NDArray[Any]) -> None:
        """Raise InputError when a decision holds anything but 0 and 1."""
        if not ((decision == 0) | (decision == 1)).all():
            raise InputError(f"decision must hold only 0 and 1, got {decision.tolist()}")


def _single_sigmoid(logits: Array) -> Array:
    """The sigmoid in the precision of the logits."""
    if isinstance(logits, np.ndarray):
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp(-logits))
    return logits.sigmoid()
