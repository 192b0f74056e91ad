"""The classes of the published code under their published names, one module for each program they come from.

`droo` and `lydroo` are written after the PyTorch versions of revenol/DROO and revenol/LyDROO, `lydroo_conv` after
the convolutional one of the latter, `ddlo` after revenol/DDLO, both of which are TensorFlow. What they do
differently, and why, is listed in docs/coming_from_the_published_code.md. `MemoryDNN` itself is LyDROO's, which is
DROO's with one mode more.
"""

from .lydroo import MemoryDNN

__all__ = ["MemoryDNN"]
