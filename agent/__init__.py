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
