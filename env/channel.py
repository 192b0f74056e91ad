"""The channel models, under the path that research code imports them from."""

from .processes.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician
from .processes.tr38901 import TR38901

__all__ = ["TR38901", "Channel", "GaussMarkov", "PathLoss", "Rayleigh", "Rician"]
