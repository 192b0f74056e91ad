"""What is to be seen of a world in one frame: places, gains, queues, and what is decided."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..arrays import FloatArray, InputError, choices, one_a_user, real_numbers
from ..processes.channel import Channel, Geometry, around

CHOICES = ("local", "offloading")
"""What users do that decide 0, and anything else, where a world has no words of its own (`choice_labels`)."""


class Snapshot(NamedTuple):
    """One frame of a world of N users and M servers (or access points), as `draw_network` shows it."""

    name: str
    """Of the world's class."""
    frame: int | None
    """From 0; None where the world does not count."""
    geometry: Geometry
    """Places of users (N, 2) and servers (M, 2); made up where the world knows none."""
    gains: FloatArray | None
    """(N, M), dB; None where the world has none."""
    decision: NDArray[np.int64] | None
    """(N,), 0 or the server from 1 on; None where nothing is decided yet."""
    value: float | None
    """Of the decision."""
    value_label: str
    active: NDArray[np.bool_]
    """(N,), who is on."""
    bars: Mapping[str, FloatArray]
    """What is drawn beside each user, by name with unit: (N,) each, 0 or more."""
    users: Sequence[str]
    """What users are called, (N,)."""
    choices: Sequence[str]
    """What users do that decide 0, and anything else."""


def snapshot(world: Any, decision: ArrayLike | None = None, value: float | None = None) -> Snapshot:
    """What is to be seen of a world in this frame; an array of `gains` is turned into dB, ``10 log10(h)``.

    Args:
        world: any object with the five members of a world. Where it or its channel has more, more is drawn: see
            `draw_network`.
        decision: (N,), before it is carried out; None for none.
        value: of the decision; by default what `evaluate` says.

    Raises:
        InputError: for replicas, a decision that is none, or places of another shape.
    """
    if getattr(world, "replicas", None) is not None:
        raise InputError(f"world must be one world, got {world.replicas} replicas: make one of seed `seed + r`")
    num_users = int(world.num_users)
    inner = world if hasattr(world, "gains") else getattr(world, "world", world)
    kind = getattr(world, "decisions", None)
    num_choices = 2 if kind is None else int(kind.num_choices)
    decided = None
    if decision is not None:
        decided = choices("decision", decision, num_choices)
        one_a_user("decision", decided, num_users)
        if value is None:
            value = float(np.asarray(world.evaluate(np.asarray(decision)[None]))[0])
    gains = _gains_of(inner, num_users)
    servers = num_choices - 1 if gains is None else gains.shape[1]
    frame = getattr(world, "frame", None)
    active = getattr(world, "active", None)
    bars = {}
    for name, label in getattr(world, "bar_labels", {}).items():
        bar = np.array(real_numbers(name, getattr(inner, name))).ravel()
        one_a_user(name, bar, num_users)
        bars[label] = bar
    return Snapshot(
        name=type(world).__name__,
        frame=None if frame is None else int(frame),
        geometry=_geometry_of(inner, 0 if frame is None else int(frame), num_users, servers),
        gains=gains,
        decision=decided,
        value=value,
        value_label=getattr(world, "metric_labels", {}).get("value", "Value"),
        active=np.ones(num_users, dtype=bool) if active is None else np.array(active, dtype=bool),
        bars=bars,
        users=list(getattr(world, "user_labels", [str(user) for user in range(num_users)])),
        choices=tuple(getattr(world, "choice_labels", CHOICES)),
    )


def _gains_of(world: Any, num_users: int) -> FloatArray | None:
    """(N, M), dB, of what are power ratios and one a link; else None."""
    try:
        gains = real_numbers("gains", getattr(world, "gains", None))  # type: ignore[arg-type]
    except InputError:
        return None
    fits = gains.ndim in (1, 2) and len(gains) == num_users and gains.size
    if not fits or not (np.isfinite(gains) & (gains > 0)).all():
        return None
    return np.asarray(10 * np.log10(gains.reshape(num_users, -1)))


def _geometry_of(world: Any, frame: int, num_users: int, servers: int) -> Geometry:
    """The world's own places, or its channel's; else users evenly on a circle around the servers."""
    if hasattr(world, "positions"):
        users = real_numbers("positions", world.positions)
        points = real_numbers("access_points", getattr(world, "access_points", users.mean(0, keepdims=True)))
        if users.shape != (num_users, 2) or points.ndim != 2 or points.shape[1] != 2:
            raise InputError(
                f"positions must have shape ({num_users}, 2) and access_points (M, 2), "
                f"got {users.shape} and {points.shape}"
            )
        return Geometry(users, points, "places")
    channel = getattr(world, "channel", None) or next(iter(getattr(world, "channels", ())), None)
    known = channel.geometry(frame) if isinstance(channel, Channel) else None
    if known is not None and known.users.shape == (num_users, 2) and len(known.access_points) == servers:
        return known
    inside = np.zeros((1, 2)) if servers == 1 else around(np.full(servers, 0.4))
    return Geometry(around(np.ones(num_users)), inside, "nothing")
