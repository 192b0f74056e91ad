"""The world of the simulation: random processes and one folder a problem. It knows nothing of agents."""

from env.age import AgeMEC
from env.arrays import InputError
from env.checking import EnvironmentWarning, check_environment
from env.decisions import Binary, Categorical
from env.environment import Environment
from env.labels import LabelReport
from env.limits import Limited
from env.lyapunov import LyapunovMEC, MyopicMEC
from env.multi_server import MultiServerMEC, PartialMEC
from env.multi_task import MultiTaskMEC
from env.processes.arrivals import Arrivals, ConstantArrivals, ExponentialArrivals, RecordedArrivals
from env.processes.cells import Cells
from env.processes.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from env.processes.mobility import (
    GaussMarkovMobility,
    Line,
    Mobility,
    Places,
    RandomWaypoint,
    RecordedTrack,
)
from env.processes.presence import Presence, PresenceSchedule, RandomPresence
from env.processes.process import Process
from env.processes.ray_tracing import deepmimo_gains, sionna_gains
from env.processes.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from env.processes.tr38901 import TR38901, InF, InH, RMa, Scenario, UMa, UMi
from env.processes.trace import RecordedTrace
from env.processes.weights import AlternatingWeights, Weights, WeightSchedule
from env.wireless_powered import WirelessPoweredMEC
from env.wireless_powered.optimum import Optimum

__all__ = [
    "TR38901",
    "AgeMEC",
    "AlternatingWeights",
    "Arrivals",
    "Binary",
    "Categorical",
    "Cells",
    "Channel",
    "ConstantArrivals",
    "Environment",
    "EnvironmentWarning",
    "ExponentialArrivals",
    "GaussMarkov",
    "GaussMarkovMobility",
    "InF",
    "InH",
    "InputError",
    "LabelReport",
    "Limited",
    "Line",
    "LyapunovMEC",
    "Mobility",
    "MultiServerMEC",
    "MultiTaskMEC",
    "MyopicMEC",
    "Optimum",
    "PartialMEC",
    "PathLoss",
    "Places",
    "Presence",
    "PresenceSchedule",
    "Process",
    "RMa",
    "RandomPresence",
    "RandomWaypoint",
    "Rayleigh",
    "RecordedArrivals",
    "RecordedTaskSizes",
    "RecordedTrace",
    "RecordedTrack",
    "Rician",
    "Scenario",
    "TaskSizes",
    "UMa",
    "UMi",
    "UniformTaskSizes",
    "WeightSchedule",
    "Weights",
    "WirelessPoweredMEC",
    "check_environment",
    "deepmimo_gains",
    "sionna_gains",
]
