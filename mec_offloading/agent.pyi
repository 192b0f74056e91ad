"""What a type checker knows of `mec_offloading.agent`: the same as of `agent`."""

from agent import *  # noqa: F403
from agent import __all__ as __all__
