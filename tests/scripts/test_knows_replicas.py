"""Which worlds of replicas are made as one, and which go side by side."""

import pytest

from env import AgeMEC, LyapunovMEC, MultiServerMEC, MultiTaskMEC, MyopicMEC, PartialMEC, WirelessPoweredMEC
from mec_offloading.commands.common.settings import knows_replicas


class Halved(LyapunovMEC):
    """A user's, which inherits its constructor, and may know nothing of more dimensions."""

    def evaluate(self, decisions):
        assert len(decisions.shape) == 2
        return super().evaluate(decisions) / 2


class Told(LyapunovMEC):
    """A user's, whose constructor says that it knows."""

    def __init__(self, num_users=4, *, seed=0, replicas=None):
        super().__init__(num_users, seed=seed, replicas=replicas)


class Doubled(WirelessPoweredMEC):
    """A user's, which has the replicas of `WirelessPoweredMEC`."""


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        *((kind, True) for kind in (LyapunovMEC, MultiTaskMEC, MultiServerMEC, AgeMEC, WirelessPoweredMEC)),
        *((kind, False) for kind in (PartialMEC, MyopicMEC, Halved)),
        *((kind, True) for kind in (Told, Doubled)),
    ],
)
def test_only_worlds_that_say_so_are_made_as_one(kind, known):
    assert knows_replicas(kind) == known
