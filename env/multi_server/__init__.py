"""Several servers: each user computes locally or offloads to one of them."""

from env.multi_server.world import MultiServerMEC

__all__ = ["MultiServerMEC"]
