"""The world of the simulation: channel models and one module a problem. It knows nothing of agents."""

from env.arrivals import Arrivals, ConstantArrivals, ExponentialArrivals
from env.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from env.lyapunov import LyapunovMEC
from env.multi_task import MultiTaskMEC
from env.myopic import MyopicMEC
from env.optimum import Optimum
from env.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from env.trace import RecordedTrace
from env.wireless_powered import WirelessPoweredMEC

__all__ = [
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
    "Rayleigh",
    "RecordedTaskSizes",
    "RecordedTrace",
    "Rician",
    "TaskSizes",
    "UniformTaskSizes",
    "WirelessPoweredMEC",
]
