"""How a learning step is taken, and what the agent asks of a learning backend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, Protocol

from ..arrays import Array
from ..checks import InputError, real_array

ADAM_EPSILON = 1e-8
LEARNING_RATE = 0.005
WEIGHT_DECAY = 1e-3
"""Both chosen on small problems; decay keeps outputs from saturating on what they propose themselves."""


@dataclass(frozen=True, kw_only=True)
class LearningRule:
    """How a step is taken; the same for every backend.

    Its settings are those of the same names of an agent, and described there (`agent.settings.AgentSettings`).

    Raises:
        InputError: for a setting out of range, naming it.
    """

    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    optimizer: Literal["adam", "gradient_descent"] = "adam"
    learning_rate: float | Sequence[float] | None = None
    betas: Sequence[float] = (0.9, 0.999)
    weight_decay: float | None = None
    weight_averaging: float = 0.0
    published: bool = False

    @property
    def renewed(self) -> bool:
        """Whether the optimizer is made anew at each step, as in the published code of one network."""
        return self.published

    def __post_init__(self) -> None:
        if self.loss not in ("cross_entropy", "squared_error"):
            raise InputError(f"loss must be 'cross_entropy' or 'squared_error', got {self.loss!r}")
        if self.optimizer not in ("adam", "gradient_descent"):
            raise InputError(f"optimizer must be 'adam' or 'gradient_descent', got {self.optimizer!r}")
        if self.learning_rate is None:
            object.__setattr__(self, "learning_rate", 0.01 if self.published else LEARNING_RATE)
        if self.weight_decay is None:
            object.__setattr__(self, "weight_decay", 0.0 if self.published else WEIGHT_DECAY)
        object.__setattr__(self, "betas", tuple(real_array("betas", self.betas).ravel().tolist()))
        rates: Any = self.learning_rate
        rates = rates if isinstance(rates, list | tuple) else [rates]
        if not all(_number(rate) and 0 < rate <= 1000 for rate in rates):
            raise InputError(f"learning_rate must be positive and at most 1000, got {self.learning_rate!r}")
        if len(self.betas) != 2 or not all(_number(beta) and 0 <= beta < 1 for beta in self.betas):
            raise InputError(f"betas must be two numbers in [0, 1), got {self.betas}")
        if not _number(self.weight_averaging) or not 0 <= self.weight_averaging < 1:
            raise InputError(f"weight_averaging must be 0 or a number below 1, got {self.weight_averaging!r}")
        if self.weight_averaging and self.published:
            raise InputError(
                f"weight_averaging must be 0 with the published optimizer, got {self.weight_averaging}"
            )
        decay: Any = self.weight_decay
        if not _number(decay) or not 0 <= decay <= 1000:
            raise InputError(f"weight_decay must be 0 to 1000, got {self.weight_decay!r}")


class Learner(Protocol):
    """What the agent asks of a learning backend; with replicas all arrays have R as first dimension.

    Logits are (..., N) for bits and (..., N, C) for choices.
    """

    def predict(self, observations: Array) -> Array:
        """Logits of observations (..., N, F)."""

    def learn(self, observations: Array, decisions: Array, replicas: Array | None = None) -> Any:
        """One step on observations (B, N, F) and decisions (B, N); returns the loss before it.

        Where `replicas` names the places of some, only those learn, and the arrays are theirs.
        """

    def follow(self, rule: LearningRule) -> None:
        """Take the next steps by another rule, of the same loss, optimizer and averaging."""

    def state_dict(self) -> dict[str, Any]:
        """Weights and optimiser state."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` of the same kind of learner returned."""


def _number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
