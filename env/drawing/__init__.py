"""Pictures of a network and of runs in it, with matplotlib (the extra 'sim'); of any world, whoever decides."""

from .film import NetworkRecorder, animate
from .network import draw_network, network_image, to_rgb
from .snapshots import Snapshot, snapshot

__all__ = ["NetworkRecorder", "Snapshot", "animate", "draw_network", "network_image", "snapshot", "to_rgb"]
