"""The world of the simulation: channel models and one module a problem. It knows nothing of agents."""

from env.arrivals import Arrivals, ConstantArrivals, ExponentialArrivals
from env.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from env.lyapunov import LyapunovMEC
from env.multi_task import MultiTaskMEC
from env.myopic import MyopicMEC
from env.optimum import Optimum
from env.presence import Presence, PresenceSchedule, RandomPresence
from env.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from env.trace import RecordedTrace
from env.weight_schedule import AlternatingWeights, WeightSchedule
from env.wireless_powered import WirelessPoweredMEC

__all__ = [
    "AlternatingWeights",
    "Arrivals",
    "Channel",
    "ConstantArrivals",
    "ExponentialArrivals",
    "GaussMarkov",
    "LyapunovMEC",
    "MultiTaskMEC",
    "MyopicMEC",
    "Optimum",
    "PathLoss",
    "Presence",
    "PresenceSchedule",
    "RandomPresence",
    "Rayleigh",
    "RecordedTaskSizes",
    "RecordedTrace",
    "Rician",
    "TaskSizes",
    "UniformTaskSizes",
    "WeightSchedule",
    "WirelessPoweredMEC",
]
