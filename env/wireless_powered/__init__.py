"""The wireless powered problem (DROO): its world, physics, allocation and certified optimum."""

from .replicas import WirelessPoweredReplicas
from .world import WirelessPoweredMEC

__all__ = ["WirelessPoweredMEC", "WirelessPoweredReplicas"]
