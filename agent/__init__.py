"""The learner: networks, quantizers, replay memory, the agent, and the simulation loop."""

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

__all__ = [
    "Convolutional",
    "FullyConnected",
    "InputError",
    "KNearest",
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
]
