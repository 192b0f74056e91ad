"""The world of the simulation: channel models and one module a problem. It knows nothing of agents."""

from env.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from env.optimum import Optimum
from env.presence import Presence, PresenceSchedule, RandomPresence
from env.trace import RecordedTrace
from env.weight_schedule import AlternatingWeights, WeightSchedule
from env.wireless_powered import WirelessPoweredMEC

__all__ = [
    "AlternatingWeights",
    "Channel",
    "GaussMarkov",
    "Optimum",
    "PathLoss",
    "Presence",
    "PresenceSchedule",
    "RandomPresence",
    "Rayleigh",
    "RecordedTrace",
    "Rician",
    "WeightSchedule",
    "WirelessPoweredMEC",
]
