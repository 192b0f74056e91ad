"""The learner: networks, quantizers, replay memory, the agent, and the simulation loop.

PyTorch is loaded with the first of these names that needs it.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checks import InputError
    from .decisions.most_probable import MostProbable
    from .decisions.quantizer import (
        KNearest,
        MostProbableBits,
        NoisyOrderPreserving,
        NoisyProbabilities,
        OrderPreserving,
        OrderPreservingAndNearest,
    )
    from .memory import ReplayMemory
    from .networks.convolutional import Convolutional
    from .networks.fully_connected import FullyConnected
    from .networks.pair_network import PairNetwork
    from .networks.set_network import SetNetwork
    from .offloading import OffloadingAgent
    from .run.callbacks import Callback
    from .run.early_stopping import EarlyStopping
    from .run.schedules import CosineDecay, LearningRateSchedule, StepDecay
    from .run.tensorboard import TensorBoard

__all__ = [
    "Callback",
    "Convolutional",
    "CosineDecay",
    "EarlyStopping",
    "FullyConnected",
    "InputError",
    "KNearest",
    "LearningRateSchedule",
    "MostProbable",
    "MostProbableBits",
    "NoisyOrderPreserving",
    "NoisyProbabilities",
    "OffloadingAgent",
    "OrderPreserving",
    "OrderPreservingAndNearest",
    "PairNetwork",
    "ReplayMemory",
    "SetNetwork",
    "StepDecay",
    "TensorBoard",
]

_PLACES = {
    "Callback": ".run.callbacks",
    "Convolutional": ".networks.convolutional",
    "CosineDecay": ".run.schedules",
    "EarlyStopping": ".run.early_stopping",
    "FullyConnected": ".networks.fully_connected",
    "InputError": ".checks",
    "KNearest": ".decisions.quantizer",
    "LearningRateSchedule": ".run.schedules",
    "MostProbable": ".decisions.most_probable",
    "MostProbableBits": ".decisions.quantizer",
    "NoisyOrderPreserving": ".decisions.quantizer",
    "NoisyProbabilities": ".decisions.quantizer",
    "OffloadingAgent": ".offloading",
    "OrderPreserving": ".decisions.quantizer",
    "OrderPreservingAndNearest": ".decisions.quantizer",
    "PairNetwork": ".networks.pair_network",
    "ReplayMemory": ".memory",
    "SetNetwork": ".networks.set_network",
    "StepDecay": ".run.schedules",
    "TensorBoard": ".run.tensorboard",
}
"""The module of each name."""

if not TYPE_CHECKING:  # for a type checker any name would be there

    def __getattr__(name: str) -> Any:
        """A public name, or a module of this package, when it is first asked for (PEP 562)."""
        if name in _PLACES:
            globals()[name] = found = getattr(import_module(_PLACES[name], __name__), name)
            return found
        if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module(f".{name}", __name__)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
