"""Several servers: each user computes locally or offloads to one of them, its task as a whole or in part."""

from .partial import PartialMEC
from .world import MultiServerMEC

__all__ = ["MultiServerMEC", "PartialMEC"]
