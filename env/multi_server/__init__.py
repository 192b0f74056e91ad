"""Several servers: each user computes locally or offloads to one of them, its task as a whole or in part."""

from env.multi_server.partial import PartialMEC
from env.multi_server.world import MultiServerMEC

__all__ = ["MultiServerMEC", "PartialMEC"]
