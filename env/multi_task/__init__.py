"""The multi-task problem (DDLO): its world of tasks and costs."""

from .world import MultiTaskMEC

__all__ = ["MultiTaskMEC"]
