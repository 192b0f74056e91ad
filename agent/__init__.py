"""The learner: networks, quantizers, replay memory, the agent, and the simulation loop."""

from agent.checks import InputError
from agent.decisions.most_probable import MostProbable
from agent.decisions.quantizer import (
    KNearest,
    MostProbableBits,
    NoisyOrderPreserving,
    NoisyProbabilities,
    OrderPreserving,
    OrderPreservingAndNearest,
)
from agent.memory import ReplayMemory
from agent.networks.convolutional import Convolutional
from agent.networks.fully_connected import FullyConnected
from agent.networks.pair_network import PairNetwork
from agent.networks.set_network import SetNetwork
from agent.offloading import OffloadingAgent

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
