"""The multi-task problem of the DDLO paper (Huang, Feng, Feng, Huang and Qian, Mobile Networks and Appl. 2018).

N users have M tasks each; every task is computed on the user's device (0) or on the server (1). A frame's cost
adds up, over the users, the energy of all tasks and p times the longer of two delays: of computing the local tasks
one after the other, and of sending and computing the offloaded ones. Energies in J, delays in s, sizes in MB.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import (
    FloatArray,
    InputError,
    binary,
    frozen,
    of_frame,
    one_a_user,
    one_of,
    positive,
    positive_number,
    real_numbers,
    size,
)
from ..decisions import Binary
from ..environment import Environment
from ..labels import LabelReport, compare_labels, figures, rows_of
from ..processes.each import of_each
from ..processes.task_sizes import RecordedTaskSizes, TaskSizes, UniformTaskSizes
from ..state import all_or_nothing, constants, generator_state, restore_generator

_BITS = 8 * 2**20
"""In a MB."""
_MOST_TASKS = 16
"""A user may have for `optimum` to try all of its 2^M decisions."""


class TaskOptimum(NamedTuple):
    """The decision of least cost."""

    decision: FloatArray
    """(..., N, M), 0 or 1."""
    cost: FloatArray
    """(...)."""


class MultiTaskMEC(Environment):
    """An environment of N users with M tasks each, whose cost is to be minimised.

    An agent decides for every task, so the environment's `num_users` is N M: row ``i M + j`` of an observation,
    and entry ``i M + j`` of a decision, is task j of user i. Values are negated costs, so that larger is better;
    the ratio that stays below 1 is then ``optimum / value``, the least cost over the cost (`value_is_cost`).

    Args:
        num_devices: N, users.
        num_tasks: M, tasks a user.
        task_sizes: a `TaskSizes`, or the path or array of recorded ones; by default
            `UniformTaskSizes()`, 10 to 30 MB.
        bandwidth_shares: of each user, positive, 1 in sum or less; equal ones by default.
        bandwidth: of all users together, MB/s.
        delay_weight: p, J/s.
        local_energy: J a bit computed on the device.
        transmit_energy: J a bit sent.
        server_energy: J a bit computed on the server.
        local_delay: s a bit computed on the device.
        server_cycles: CPU cycles a bit on the server.
        server_frequency: of the server's CPU, Hz.
        typical_size: s0, MB.
        observation: what `observe` shows of a task: 'size', ``c (size / s0 - 1)``; or 'delay', ``ln(d / D)`` with
            d its delay on the device and D that of all its user's tasks on the server, sending included.
        observation_scale: c; sizes are by default between -1 and 1 for the default ones; 200 as in the published
            code, which feeds ``10 size - 200``.
        seed: of the task sizes.
        replicas: R worlds of seeds `seed` on, or of R seeds, side by side as one: see `docs/replicas.md`.

    Attributes:
        num_users: N M. sizes: (..., N, M), MB, of this frame's tasks.

    Raises:
        InputError: for any setting out of range, naming it; FileNotFoundError for a missing file.
    """

    value_is_cost = True
    metric_labels: ClassVar[Mapping[str, str]] = {"value": "Value (negated cost)"}
    bar_labels: ClassVar[Mapping[str, str]] = {"sizes": "Task (MB)"}

    def __init__(
        self,
        num_devices: int = 3,
        num_tasks: int = 3,
        *,
        task_sizes: TaskSizes | str | None = None,
        bandwidth_shares: Sequence[float] | None = None,
        bandwidth: float = 12.5,
        delay_weight: float = 1.0,
        local_energy: float = 3.25e-7,
        transmit_energy: float = 1.42e-7,
        server_energy: float = 1.5e-7,
        local_delay: float = 4.75e-7,
        server_cycles: float = 1900.0,
        server_frequency: float = 10e9,
        typical_size: float = 20.0,
        observation: Literal["size", "delay"] = "size",
        observation_scale: float = 2.0,
        seed: int | Sequence[int] = 0,
        replicas: int | None = None,
    ) -> None:
        self.num_devices = size("num_devices", num_devices)
        self.num_tasks = size("num_tasks", num_tasks)
        self.num_users = self.num_devices * self.num_tasks
        if isinstance(task_sizes, str | Path | np.ndarray) or hasattr(task_sizes, "to_numpy"):
            task_sizes = RecordedTaskSizes(task_sizes)
        if not isinstance(task_sizes, TaskSizes | None):
            raise InputError(f"task_sizes must be a TaskSizes or the path of a recorded file, got {task_sizes!r}")
        self.task_sizes = of_each(UniformTaskSizes() if task_sizes is None else deepcopy(task_sizes), replicas)
        if bandwidth_shares is None:
            bandwidth_shares = [1 / self.num_devices] * self.num_devices
        shares = positive("bandwidth_shares", bandwidth_shares)
        one_a_user("bandwidth_shares", shares, self.num_devices)
        if shares.sum() > 1 + 1e-9:
            raise InputError(f"bandwidth_shares must be 1 in sum or less, got {shares.sum()}")
        self.bandwidth_shares = frozen(shares)

        transmit_energy = positive_number("transmit_energy", transmit_energy)
        remote_energy = transmit_energy + positive_number("server_energy", server_energy)
        server_delay = positive_number("server_cycles", server_cycles)
        server_delay /= positive_number("server_frequency", server_frequency)
        delay_weight = positive_number("delay_weight", delay_weight)
        # Costs of a MB in energy, and in weighted delay; the last differs from user to user, (N,).
        self._local_energy = _BITS * positive_number("local_energy", local_energy)
        self._remote_energy = _BITS * remote_energy
        self._local_delay = delay_weight * _BITS * positive_number("local_delay", local_delay)
        sending = 1 / (positive_number("bandwidth", bandwidth) * shares)
        self._remote_delay = delay_weight * (sending + _BITS * server_delay)
        self._typical_size = positive_number("typical_size", typical_size)
        one_of("observation", observation, ("size", "delay"))
        self._observation = observation
        self._observation_scale = positive_number("observation_scale", observation_scale)
        self.constants = constants(
            bandwidth_shares=self.bandwidth_shares,
            bandwidth=bandwidth,
            delay_weight=delay_weight,
            local_energy=local_energy,
            transmit_energy=transmit_energy,
            server_energy=server_energy,
            local_delay=local_delay,
            server_cycles=server_cycles,
            server_frequency=server_frequency,
        )
        super().__init__(seed, replicas)

    @property
    def user_labels(self) -> list[str]:
        """For pictures: task j of user i is 'i.j'."""
        return [f"{user}.{task}" for user in range(self.num_devices) for task in range(self.num_tasks)]

    def start(self) -> None:
        """Task sizes start over."""
        self.task_sizes.reset(self.num_users, self.rng)

    @property
    def _shape(self) -> tuple[int, ...]:
        """Of a frame's tasks, (..., N, M)."""
        return *self._lead, self.num_devices, self.num_tasks

    def begin_frame(self) -> None:
        """New tasks."""
        sizes = np.broadcast_to(self.task_sizes.sample(self.rng), (*self._lead, self.num_users))
        self._receive(sizes.reshape(self._shape))

    def observe(self) -> FloatArray:
        """What the agent sees of this frame, (..., N M, 1), as the setting `observation` says: each task's."""
        shape = (*self._lead, self.num_users, 1)
        if self._observation == "delay":
            on_server = self._remote_delay[:, None] * self.sizes.sum(-1, keepdims=True)
            return np.log(self._local_delay * self.sizes / on_server).reshape(shape)
        return self._observation_scale * (self.sizes.reshape(shape) / self._typical_size - 1)

    def evaluate(self, decisions: ArrayLike) -> FloatArray:
        """Negated costs of decisions (..., K, N M) in this frame, (..., K).

        Raises InputError when a decision is not 0 or 1 or the shape does not fit.
        """
        decisions = self.decisions.check("decisions", decisions)
        return -self._cost(self._beside(self.sizes), decisions.reshape(*decisions.shape[:-1], *self._shape[-2:]))

    def cost(self, task_sizes: ArrayLike, decisions: ArrayLike) -> FloatArray:
        """Cost (...) of decisions (..., N, M) for tasks of `task_sizes` (..., N, M), MB.

        Raises InputError for a shape that does not fit, sizes that are not positive and finite, or decisions that
        are not 0 or 1.
        """
        sizes, decisions = positive("task_sizes", task_sizes), binary("decisions", decisions)
        self._check_tasks("task_sizes", sizes)
        self._check_tasks("decisions", decisions)
        try:
            np.broadcast_shapes(sizes.shape, decisions.shape)
        except ValueError as error:
            raise InputError(
                f"task_sizes {sizes.shape} and decisions {decisions.shape} must have leading dimensions that "
                "broadcast"
            ) from error
        return self._cost(sizes, decisions)

    def optimum(self, task_sizes: ArrayLike) -> TaskOptimum:
        """The decision of least cost for tasks of `task_sizes` (..., N, M), MB, exact for any number of users.

        Given the bandwidth shares no user's cost depends on another's decision, so each user's 2^M decisions are
        tried on their own. Raises InputError for sizes as `cost` does, and for more than 16 tasks a user.
        """
        sizes = positive("task_sizes", task_sizes)
        self._check_tasks("task_sizes", sizes)
        if self.num_tasks > _MOST_TASKS:
            raise InputError(f"num_tasks must be at most {_MOST_TASKS} for the optimum, got {self.num_tasks}")
        choices = Binary(self.num_tasks).all()
        costs = self._user_costs(sizes @ (1 - choices).T, sizes @ choices.T, self._remote_delay[:, None])
        best = costs.argmin(-1)
        return TaskOptimum(choices[best], np.take_along_axis(costs, best[..., None], -1)[..., 0].sum(-1))

    def frame_optimum(self) -> Any:
        """The negated least cost of this frame; None for more than 16 tasks a user."""
        return None if self.num_tasks > _MOST_TASKS else -self.optimum(self.sizes).cost

    def label_report(self, rows: ArrayLike | None = None) -> LabelReport | None:
        """What the decisions and costs stored beside recorded task sizes are worth with these constants.

        Args:
            rows: of the recording, from 0; by default all.

        Returns None where sizes are not recorded, neither is stored, or the optimum is not known. Raises
        InputError for rows that are not in the recording.
        """
        stored = self.recording
        if stored is None or (stored.decisions is None and stored.costs is None) or self.num_tasks > _MOST_TASKS:
            return None
        rows = rows_of(rows, len(stored.sizes))
        shape = (len(rows), self.num_devices, self.num_tasks)
        sizes = stored.sizes[rows].reshape(shape)
        best = -self.optimum(sizes).cost
        values = None if stored.decisions is None else -self.cost(sizes, stored.decisions[rows].reshape(shape))
        costs = None if stored.costs is None else -stored.costs[rows]
        return compare_labels(rows, best, best, values, costs)

    def run_figures(self, frames: int) -> dict[str, Any]:
        """Of a run's frames, what the labels of its recorded task sizes are worth (`label_report`)."""
        stored = self.recording
        if stored is None:
            return {}
        return figures(self.label_report(stored.rows_of(0, min(frames, len(stored.sizes)))))

    @property
    def recording(self) -> RecordedTaskSizes | None:
        """The recorded task sizes; None for others."""
        return self.task_sizes if isinstance(self.task_sizes, RecordedTaskSizes) else None

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue from this frame: arrays, numbers and strings."""
        return {
            "frame": self.frame,
            "constants": dict(self.constants),
            "sizes": self.sizes.copy(),
            "rng": generator_state(self.rng),
            "task_sizes": self.task_sizes.state_dict(),
            **self._added(),
        }

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned; raises InputError when it is of another number of tasks."""
        sizes = positive("sizes", np.asarray(state["sizes"]))
        of_frame("sizes", sizes, self._shape)
        self._frame = int(state["frame"])
        restore_generator(self.rng, state["rng"])
        self.task_sizes.load_state_dict(state["task_sizes"])
        self._receive(sizes)
        self._load_added(state)

    def _receive(self, sizes: FloatArray) -> None:
        self.sizes = np.array(sizes)
        self.sizes.setflags(write=False)  # evaluate and observe must not come to differ

    def cost_of(self, sizes: FloatArray, decisions: FloatArray) -> FloatArray:
        """`cost` of sizes (..., N, M) and decisions (..., N, M) that need not be 0 or 1, but numbers.

        Raises InputError where they are none, or of another shape.
        """
        sizes, decisions = real_numbers("sizes", sizes), real_numbers("decisions", decisions)
        self._check_tasks("sizes", sizes)
        self._check_tasks("decisions", decisions)
        return self._cost(sizes, decisions)

    def _cost(self, sizes: FloatArray, decisions: FloatArray) -> FloatArray:
        remote = (decisions * sizes).sum(-1)
        return self._user_costs(((1 - decisions) * sizes).sum(-1), remote, self._remote_delay).sum(-1)

    def _user_costs(self, local: FloatArray, remote: FloatArray, remote_delay: FloatArray) -> FloatArray:
        """Of users with so many MB computed locally and remotely; all of one shape, but for the delay (N,)."""
        energy = self._local_energy * local + self._remote_energy * remote
        return energy + np.maximum(self._local_delay * local, remote_delay * remote)

    def _check_tasks(self, name: str, array: FloatArray) -> None:
        if array.shape[-2:] != (self.num_devices, self.num_tasks):
            raise InputError(
                f"{name} must have shape (..., {self.num_devices}, {self.num_tasks}), one entry a task, "
                f"got {array.shape}"
            )
