"""The simulation loop, under the path that research code imports it from."""

from .run.contract import Agent, Environment, InfeasibleError
from .run.loop import simulate
from .run.record import Frame, History, normalized

__all__ = ["Agent", "Environment", "Frame", "History", "InfeasibleError", "normalized", "simulate"]
