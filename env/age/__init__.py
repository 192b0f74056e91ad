"""Age of information: sensors that harvest energy and share a channel."""

from env.age.world import AgeMEC

__all__ = ["AgeMEC"]
