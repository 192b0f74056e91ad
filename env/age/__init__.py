"""Age of information: sensors that harvest energy and share a channel."""

from .world import AgeMEC

__all__ = ["AgeMEC"]
