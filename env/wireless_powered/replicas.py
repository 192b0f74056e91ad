"""R wireless powered worlds side by side, as one whose arrays have R as first dimension; on a CPU or a device."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array, FloatArray, InputError, frozen, last_dimension, on_device, positive, size, torch_device
from ..processes.channel import Channel
from ..processes.stream import Stream
from ..processes.trace import as_channel
from ..seeds import of_replicas
from .weight_groups import WeightGroups
from .world import WirelessPoweredMEC


class WirelessPoweredReplicas(WirelessPoweredMEC, for_many=True):
    """R worlds, each with a channel of its own; replica r is the `WirelessPoweredMEC` of seed ``seed + r``.

    Observations (R, N, F), decisions (R, K, N) and (R, N), values (R, K) and optima (R,).

    Args:
        num_users: N.
        channel: as of a `WirelessPoweredMEC`, or a list of R of them.
        seed: of the channels, also a list of R seeds.
        replicas: R.
        device: None for NumPy arrays, else the torch device ('cpu', 'cuda') of all that `observe` and `evaluate`
            return. Decisions on a device are trusted: to look at them would wait for it.
        **settings: of a `WirelessPoweredMEC`, the same for all.

    Raises:
        InputError: for any setting out of range, naming it, and for a `cpu_frequency` on a device;
            FileNotFoundError for a missing trace.
    """

    replicas: int

    def __init__(
        self,
        num_users: int | None = None,
        *,
        channel: Channel | str | Sequence[Channel | str] | None = None,
        seed: int | Sequence[int] = 0,
        replicas: int = 1,
        device: str | None = None,
        **settings: Any,
    ) -> None:
        self.replicas = size("replicas", replicas)
        self._lead = (self.replicas,)
        if device is not None:
            torch_device("device", device)
        self._device = device
        if device is not None and settings.get("cpu_frequency") is not None:
            raise InputError(f"cpu_frequency must be None on a device, got {settings['cpu_frequency']!r}")
        super().__init__(num_users, channel=channel, seed=seed, **settings)

    def observe(self) -> Array:
        """What the agents see of this frame, (R, N, F), as the setting `observation` says."""
        return super().observe() if self._device is None else self._seen[self._place]

    def frame_optimum(self) -> FloatArray:
        """The highest rate that any decision has in this frame, (R,), bit/s."""
        return self._best_of_block()[self._place].copy()

    def _channels_of(self, channel: Any) -> list[Channel]:
        several = isinstance(channel, Sequence) and not isinstance(channel, str)
        given = list(channel) if several else [as_channel(channel)] * self.replicas  # a file is read once
        if len(given) != self.replicas:
            raise InputError(f"channel must be one channel, or with replicas one for each, got {len(given)}")
        return [own for one in given for own in super(WirelessPoweredReplicas, self)._channels_of(one)]

    def _seeds_of(self, seed: Any) -> list[int]:
        return of_replicas(seed, self.replicas)

    def _next_block(self, stream: Stream) -> np.ndarray:
        return stream.next_block()

    def _placed(self, array: np.ndarray) -> Array:
        return on_device(array, self._device)

    def _weigh(self, weights: FloatArray) -> None:
        self.weights = frozen(weights)
        self._groups = WeightGroups(weights, self.physics.rate_scale, self._device)

    def _prepare(self) -> None:
        super()._prepare()
        if self._device is not None:
            local, snr = self.physics.fold(self._gains, self.weights)
            self._groups.look_at(local * self._active, snr * self._active)

    def _check_bits(self, decision: Any) -> None:
        if self._device is None:
            super()._check_bits(decision)

    def _beside(self, decisions: Array) -> tuple[Array, Array]:
        local, snr = super()._beside(decisions)
        return (local[:, None], snr[:, None]) if decisions.ndim == 3 else (local, snr)

    def _checked(self, decisions: Any) -> Array:
        if self._device is None:
            return super()._checked(decisions)
        last_dimension("decisions", decisions, self.num_users)
        return decisions.to(dtype=self._local.dtype)

    def _groups_of(self, weights: ArrayLike | None) -> WeightGroups:
        checked = self.weights if weights is None else positive("weights", weights)
        last_dimension("weights", checked, self.num_users)
        return WeightGroups(checked, self.physics.rate_scale)
