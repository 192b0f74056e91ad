"""The channel models, under the path that research code imports them from."""

from env.processes.channel import Channel, GaussMarkov, PathLoss, Rayleigh, Rician

__all__ = ["Channel", "GaussMarkov", "PathLoss", "Rayleigh", "Rician"]
