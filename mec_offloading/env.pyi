"""What a type checker knows of `mec_offloading.env`: the same as of `env`."""

from env import *  # noqa: F403
from env import __all__ as __all__
