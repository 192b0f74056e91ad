"""The multi-task problem (DDLO): its world of tasks and costs."""

from env.multi_task.world import MultiTaskMEC

__all__ = ["MultiTaskMEC"]
