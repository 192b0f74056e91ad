"""The world of the simulation: random processes and one folder a problem. It knows nothing of agents."""

from .age import AgeMEC
from .arrays import InputError
from .checking import EnvironmentWarning, check_environment
from .decisions import Binary, Categorical
from .environment import Environment
from .labels import LabelReport
from .limits import Limited
from .lyapunov import LyapunovMEC, MyopicMEC
from .multi_server import MultiServerMEC, PartialMEC
from .multi_task import MultiTaskMEC
from .processes.arrivals import Arrivals, ConstantArrivals, ExponentialArrivals, RecordedArrivals
from .processes.cells import Cells
from .processes.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from .processes.mobility import (
    GaussMarkovMobility,
    Line,
    Mobility,
    Places,
    RandomWaypoint,
    RecordedTrack,
)
from .processes.presence import Presence, PresenceSchedule, RandomPresence
from .processes.process import Process
from .processes.ray_tracing import deepmimo_gains, sionna_gains
from .processes.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from .processes.tr38901 import TR38901, InF, InH, RMa, Scenario, UMa, UMi
from .processes.trace import RecordedTrace
from .processes.weights import AlternatingWeights, Weights, WeightSchedule
from .wireless_powered import WirelessPoweredMEC
from .wireless_powered.optimum import Optimum

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
