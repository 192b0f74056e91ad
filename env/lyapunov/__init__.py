"""The multi-slot problem (LyDROO): its world of queues, the allocation of a frame, and the myopic benchmark."""

from env.lyapunov.myopic import MyopicMEC
from env.lyapunov.world import LyapunovMEC

__all__ = ["LyapunovMEC", "MyopicMEC"]
