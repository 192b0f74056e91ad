"""The multi-slot problem (LyDROO): its world of queues, the allocation of a frame, and the myopic benchmark."""

from .myopic import MyopicMEC
from .world import LyapunovMEC

__all__ = ["LyapunovMEC", "MyopicMEC"]
