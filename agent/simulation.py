"""The simulation loop, under the path that research code imports it from."""

from agent.run.loop import Agent, Environment, Frame, normalized, simulate

__all__ = ["Agent", "Environment", "Frame", "normalized", "simulate"]
