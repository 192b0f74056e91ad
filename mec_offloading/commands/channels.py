"""Pictures of channels: gains over time, a map with a moving user, and how gains are distributed.

python scripts/channels.py --output docs
python scripts/channels.py --config configs/umi_walking.yaml --frames 1000 --output plots

The first two are of the channel of a configuration, an `env.TR38901` as in `configs/umi_walking.yaml`.
"""

import argparse
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jsonargparse import ArgumentParser

from env import (
    TR38901,
    Channel,
    GaussMarkovMobility,
    InF,
    InH,
    InputError,
    Line,
    RandomWaypoint,
    Rayleigh,
    RMa,
    UMa,
    UMi,
)

from .common import trust
from .common.errors import explained
from .common.settings import read_yaml

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USERS = 10
SCENARIOS = {
    "UMi, walking in 200 m x 200 m": TR38901(UMi()),
    "UMi, half of them indoors": TR38901(UMi(), indoor=0.5),
    "UMa, driving 400 m": TR38901(UMa(), Line(end=[400, 0]), [[200, 60]]),
    "RMa, driving 2 km": TR38901(RMa(), Line(end=[2000, 0], speed=[20, 30]), [[1000, 100]]),
    "InH, in 50 m x 30 m": TR38901(InH(), GaussMarkovMobility([50, 30], speed=1.0)),
    "InF-DH, in 60 m x 40 m": TR38901(InF(kind="DH"), RandomWaypoint([60, 40])),
    "the DROO paper's, 915 MHz": Rayleigh(),
}


def main() -> None:
    """Write `channels_time.png`, `channels_map.png` and `channels_cdf.png`."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", default="umi_walking", help="YAML file whose env.channel is drawn")
    parser.add_argument("--frames", type=int, default=300, help="of the first two")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=20, help="of the distributions, from `seed` on")
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the pictures")
    arguments = parser.parse_args()
    import matplotlib as mpl

    mpl.use("agg")
    with explained():
        channel = channel_of(arguments.config)
        arguments.output.mkdir(parents=True, exist_ok=True)
        for name, figure in (
            ("channels_time.png", over_time(channel, arguments.frames, arguments.seed)),
            ("channels_map.png", on_a_map(channel, arguments.frames, arguments.seed)),
            ("channels_cdf.png", distributions(range(arguments.seed, arguments.seed + arguments.seeds))),
        ):
            path = arguments.output / name
            figure.savefig(path, dpi=80, bbox_inches="tight")
            print(path)


def channel_of(config: str) -> TR38901:
    """The channel that a configuration names; raises InputError where it is none of TR 38.901."""
    trust.allow_kinds_of("env")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--channel", type=Channel)
    settings = (read_yaml(config).get("env") or {}).get("channel")
    channel = parser.instantiate(parser.parse_object({"channel": settings})).channel
    if not isinstance(channel, TR38901):
        raise InputError(f"channel of {config} must be an env.TR38901, got {settings}")
    return channel


def drawn(channel: Channel, frames: int, seed: int) -> np.ndarray:
    """Gains of `USERS` users, dB, (frames, links)."""
    rng = np.random.default_rng(seed)
    points = getattr(channel, "access_points", [0])
    channel.reset(channel.num_users or USERS * len(points), rng)
    return np.asarray(10 * np.log10(channel.sample_frames(frames, rng)))


def over_time(channel: TR38901, frames: int, seed: int) -> "Figure":
    """Three users' gains to the first access point, with fading and without, grey without line of sight."""
    from matplotlib import pyplot as plt

    steady = deepcopy(channel)
    steady.has_fading = False
    gains, averages = drawn(channel, frames, seed), drawn(steady, frames, seed)
    sites = len(channel.access_points)
    seconds = channel.frame_length * np.arange(frames)
    figure, axes = plt.subplots(3, 1, sharex=True, figsize=(8, 6))
    for user, axis in enumerate(axes):
        axis.plot(seconds, gains[:, user * sites], linewidth=0.6, label="with fading")
        axis.plot(seconds, averages[:, user * sites], linewidth=1.6, label="path loss and shadowing")
        hidden = ~channel.in_sight[:, user, 0]
        axis.fill_between(
            seconds,
            0,
            1,
            where=hidden,
            transform=axis.get_xaxis_transform(),
            color="0.9",
            label="no line of sight",
        )
        axis.set(ylabel=f"Gain of user {user} (dB)")
    axes[0].legend(loc="lower left", fontsize="small", ncols=3)
    axes[-1].set(xlabel="Time (s)", xlim=(0, seconds[-1]))
    return figure


def on_a_map(channel: TR38901, frames: int, seed: int) -> "Figure":
    """Average gain to the first access point wherever users come to, and the way of user 0."""
    from matplotlib import pyplot as plt

    drawn(channel, frames, seed)
    (left, low), (right, high) = channel.mobility.extent
    x, y = np.meshgrid(np.linspace(left, right, 401), np.linspace(low, high, 401))
    gain = 10 * np.log10(channel.average_gain(x, y))
    figure, axis = plt.subplots(figsize=(6.4, 5))
    image = axis.imshow(gain, origin="lower", extent=(left, right, low, high), cmap="viridis")
    figure.colorbar(image, label="Average gain (dB)")
    axis.plot(channel.movement.x[:, 0], channel.movement.y[:, 0], color="white", linewidth=1.5)
    axis.plot(channel.movement.x[-1, 0], channel.movement.y[-1, 0], "o", color="white", label="user 0")
    axis.plot(*channel.access_points[0], "^", color="red", markersize=9, label="access point")
    axis.legend(loc="upper right")
    axis.set(xlabel="x (m)", ylabel="y (m)")
    return figure


def distributions(seeds: Sequence[int]) -> "Figure":
    """Distribution functions of the gains of `SCENARIOS`, over seeds of 2,000 frames each."""
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 4.5))
    for name, channel in SCENARIOS.items():
        gains = np.sort(np.concatenate([drawn(channel, 2000, seed).ravel() for seed in seeds]))[::50]
        axis.plot(gains, np.linspace(0, 1, gains.size), label=name)
    axis.legend(fontsize="small")
    axis.grid(alpha=0.3)
    axis.set(xlabel="Gain (dB)", ylabel="Share of links and frames below it", xlim=(-160, -20), ylim=(0, 1))
    return figure
