"""Worlds as Gymnasium environments and the other way round: needs Gymnasium, the extra `gym`.

Importing this package registers every world of `env`: ``gymnasium.make("mec_offloading/WirelessPowered-v0")``, or
in one line ``gymnasium.make("env.gym:mec_offloading/WirelessPowered-v0")``.
"""

try:
    import gymnasium as _gymnasium
except ModuleNotFoundError as error:
    if error.name != "gymnasium":
        raise
    raise ModuleNotFoundError(
        "env.gym needs Gymnasium, the extra 'gym': pip install 'mec-offloading[gym]'", name="gymnasium"
    ) from error

from .environment import OffloadingEnv
from .look_ahead import LookAhead
from .registration import IDS, make, make_vector, register
from .scaling import Scaling
from .vector import OffloadingVectorEnv
from .world import GymnasiumWorld

register(_gymnasium)

__all__ = [
    "IDS",
    "GymnasiumWorld",
    "LookAhead",
    "OffloadingEnv",
    "OffloadingVectorEnv",
    "Scaling",
    "make",
    "make_vector",
]
