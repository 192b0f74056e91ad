"""The learner: networks, quantizers, replay memory, the agent, and the simulation loop."""

from agent.memory import ReplayMemory
from agent.network import Convolutional, FullyConnected
from agent.offloading import OffloadingAgent
from agent.quantizer import KNearest, NoisyOrderPreserving, OrderPreserving, OrderPreservingAndNearest
from agent.set_network import SetNetwork

__all__ = [
    "Convolutional",
    "FullyConnected",
    "KNearest",
    "NoisyOrderPreserving",
    "OffloadingAgent",
    "OrderPreserving",
    "OrderPreservingAndNearest",
    "ReplayMemory",
    "SetNetwork",
]
