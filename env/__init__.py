"""The world of the simulation: channel models and one module a problem. It knows nothing of agents."""

from env.lyapunov import LyapunovMEC, MyopicMEC
from env.multi_task import MultiTaskMEC
from env.processes.arrivals import Arrivals, ConstantArrivals, ExponentialArrivals
from env.processes.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from env.processes.presence import Presence, PresenceSchedule, RandomPresence
from env.processes.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from env.processes.trace import RecordedTrace
from env.processes.weight_schedule import AlternatingWeights, WeightSchedule
from env.wireless_powered import WirelessPoweredMEC
from env.wireless_powered.optimum import Optimum

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
