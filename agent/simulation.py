"""The simulation loop, under the path that research code imports it from."""

from agent.run.contract import Agent, Environment, InfeasibleError
from agent.run.loop import simulate
from agent.run.record import Frame, normalized

__all__ = ["Agent", "Environment", "Frame", "InfeasibleError", "normalized", "simulate"]
