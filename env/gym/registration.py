"""The worlds of `env` under the names by which Gymnasium makes them.

Gymnasium has no plug-ins since 1.0: ids are registered where this package is imported, which
``gymnasium.make("env.gym:ID")`` does too.
"""

import inspect
from typing import Any

from .. import AgeMEC, LyapunovMEC, MultiServerMEC, MultiTaskMEC, MyopicMEC, PartialMEC, WirelessPoweredMEC
from ..arrays import InputError
from ..problems import REPORTED, TUNED
from .environment import OffloadingEnv
from .vector import OffloadingVectorEnv

_MEC: tuple[type, ...] = (
    *(WirelessPoweredMEC, LyapunovMEC, MyopicMEC, MultiTaskMEC),
    *(MultiServerMEC, PartialMEC, AgeMEC),
)
IDS: dict[str, type] = {
    f"mec_offloading/{world.__name__.removesuffix('MEC')}-v0": world for world in (*_MEC, *TUNED, *REPORTED)
}
"""The world of each id."""


def register(gymnasium: Any) -> None:
    """Register all ids that are not registered yet."""
    for name in IDS.keys() - gymnasium.registry.keys():
        gymnasium.register(
            name,
            entry_point="env.gym:make",
            vector_entry_point="env.gym:make_vector",
            kwargs={"world": name},
        )


def make(world: str, **settings: Any) -> OffloadingEnv:
    """The environment of an id; settings that `OffloadingEnv` has are its, all others its world's.

    Raises InputError for an id that is none of `IDS`, a seed, which is given to `reset`, and as the two classes.
    """
    kind, of_world, own = _parts(world, settings)
    return OffloadingEnv(kind(**of_world), **own)


make.metadata = OffloadingEnv.metadata  # type: ignore[attr-defined]  # by which Gymnasium chooses among render modes


def make_vector(world: str, num_envs: int = 1, **settings: Any) -> OffloadingVectorEnv:
    """`num_envs` of them as one, of replicas where the world knows them; settings and errors as of `make`."""
    kind, of_world, own = _parts(world, settings, "autoreset_mode")
    if "replicas" in inspect.signature(kind.__init__).parameters:  # type: ignore[misc]
        return OffloadingVectorEnv(kind(**of_world, replicas=num_envs), **own)
    return OffloadingVectorEnv([kind(**of_world) for _ in range(num_envs)], **own)


def _parts(name: str, settings: dict[str, Any], *further: str) -> tuple[type, dict[str, Any], dict[str, Any]]:
    if name not in IDS:
        raise InputError(f"world must be one of {sorted(IDS)}, got {name!r}")
    if "seed" in settings:
        raise InputError(f"seed must be given to reset, not to make, got {settings['seed']}")
    names = {*inspect.signature(OffloadingEnv).parameters, *further} - {"world"}
    own = {key: setting for key, setting in settings.items() if key in names}
    of_world = {key: setting for key, setting in settings.items() if key not in names}
    return IDS[name], of_world, own
