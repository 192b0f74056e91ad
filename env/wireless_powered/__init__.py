"""The wireless powered problem (DROO): its world, physics, allocation and certified optimum."""

from env.wireless_powered.replicas import WirelessPoweredReplicas
from env.wireless_powered.world import WirelessPoweredMEC

__all__ = ["WirelessPoweredMEC", "WirelessPoweredReplicas"]
