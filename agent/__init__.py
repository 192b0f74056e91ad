"""The learner: networks, quantizers, replay memory, the agent, and the simulation loop."""

from agent.decisions.quantizer import KNearest, NoisyOrderPreserving, OrderPreserving, OrderPreservingAndNearest
from agent.memory import ReplayMemory
from agent.networks.fully_connected import Convolutional, FullyConnected
from agent.networks.set_network import SetNetwork
from agent.offloading import OffloadingAgent

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
