"""Decisions valued in other processes: a critic's environment is sent to each once, a frame's state with it.

For critics that take milliseconds a decision; a call to another process takes about a third of one.
"""

import signal
from collections.abc import Callable, Mapping
from itertools import count
from traceback import format_exc
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import FLOAT64, InputError, real_array

IDLE = 300.0
"""Seconds without work after which a process ends, as it does when the one that it works for was killed."""

Evaluate = Callable[[Any], ArrayLike]


class WorkerError(RuntimeError):
    """A worker process ended while it valued decisions."""


class RemoteError(Exception):
    """What went wrong in a worker, as its own traceback says; the cause of the error that is raised here."""


@runtime_checkable
class Counted(Protocol):
    """A critic that counts the decisions that it is given, before another one values them."""

    calls: int
    counted: Evaluate


@runtime_checkable
class _Stated(Protocol):
    """An environment that says its state."""

    def state_dict(self) -> Any:
        """All that a frame changes; None where it cannot say it."""

    def load_state_dict(self, state: Any) -> Any:
        """Be in that frame."""


class Workers:
    """Processes that value decisions, started when the first are to be valued.

    Of a critic that is the method of an environment with `state_dict` and `load_state_dict`, the environment is
    sent to each process once, and in every frame its state. Any other critic is sent as a whole in every frame.
    Whatever holds this may be copied and pickled: the copy starts processes of its own.

    Args:
        number: of processes.

    Raises:
        InputError: when the package loky is missing.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._loky()
        self._executor: Any = None
        self._owner: Any = None
        self._frames = count()

    def __getstate__(self) -> dict[str, Any]:
        return {"number": self._number}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(state["number"])  # type: ignore[misc]

    @staticmethod
    def _loky() -> Any:
        try:
            import loky
        except ImportError as error:
            raise InputError("workers must be None without the package loky: install the 'dear' extra") from error
        return loky

    def of_frame(self, evaluate: Evaluate) -> Evaluate:
        """The critic of one frame, whose environment does not change meanwhile."""
        sent: list[bytes] = []
        frame = next(self._frames)

        def evaluated(decisions: NDArray[Any]) -> NDArray[np.float64]:
            critic = evaluate.counted if isinstance(evaluate, Counted) else evaluate
            if not sent:
                sent.append(self._message(critic))
            values = self._spread(frame, sent[0], decisions)
            if isinstance(evaluate, Counted):
                evaluate.calls += len(decisions)
            return values

        return evaluated

    def _message(self, critic: Evaluate) -> bytes:
        """What every process must know of this frame; starts the processes where there are none for it."""
        owner = getattr(critic, "__self__", None)
        state = owner.state_dict() if isinstance(owner, _Stated) else None
        owner = None if state is None else owner
        if self._executor is None or owner is not self._owner:
            self.close()
            start = None if owner is None else self._pickled(owner)
            self._executor = self._loky().ProcessPoolExecutor(
                self._number, timeout=IDLE, initializer=_start, initargs=(start,)
            )
            self._owner = owner
        name = getattr(critic, "__name__", "")
        return self._pickled(critic if owner is None else _State(name, state))

    def _spread(self, frame: int, message: bytes, decisions: NDArray[Any]) -> NDArray[np.float64]:
        chunks = np.array_split(decisions, min(self._number, len(decisions)))
        try:
            futures = [self._executor.submit(_value, frame, message, chunk) for chunk in chunks]
            results = [future.result() for future in futures]
        except self._loky().BrokenProcessPool as error:
            self.close()
            raise WorkerError(
                f"a worker process ended while it valued decisions (killed, or out of memory?); workers is "
                f"{self._number}, None values them in this process"
            ) from error
        for result in results:
            if isinstance(result, _Failure):
                raise result.error() from RemoteError(f"in a worker process\n{result.traceback}")
        return np.concatenate(results)

    def _pickled(self, thing: Any) -> bytes:
        try:
            from cloudpickle import dumps

            pickled: bytes = dumps(thing)
        except Exception as error:  # each kind of object has its own
            raise InputError(
                f"workers must be None for what cannot be sent to other processes, {type(thing).__name__}: {error}"
            ) from error
        return pickled

    def close(self) -> None:
        """End the processes; the next decisions start new ones."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, kill_workers=True)
        self._executor = self._owner = None


class _State(NamedTuple):
    """Of the environment that a process has: the critic's name, and the frame's state."""

    method: str
    state: Any


class _Failure(NamedTuple):
    """An error in a worker, in parts, since not every one can be pickled."""

    kind: type[Exception]
    arguments: tuple[Any, ...]
    attributes: dict[str, Any]
    message: str
    traceback: str

    def error(self) -> Exception:
        """As it was raised."""
        error = self.kind.__new__(self.kind, *self.arguments)
        error.args = self.arguments
        error.__dict__.update(self.attributes)
        return error


_of_process: dict[str, Any] = {"owner": None, "frame": None, "evaluate": None}
"""In a worker: the environment that it was started with, and the critic of the frame that it knows."""


def _start(owner: bytes | None) -> None:
    from pickle import loads

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the simulation ends with the frame, and ends its workers
    _of_process["owner"] = None if owner is None else loads(owner)


def values_of(evaluate: Callable[[Any], ArrayLike], decisions: Any) -> NDArray[np.float64]:
    """Values (K,) of decisions (K, N); raises InputError when `evaluate` returns another shape."""
    values: Any = evaluate(decisions)
    if not isinstance(values, np.ndarray) or values.dtype != FLOAT64:
        values = real_array("what evaluate returns", values, FLOAT64)
    if values.shape != (len(decisions),):
        raise InputError(f"evaluate must return shape ({len(decisions)},), got {values.shape}")
    return values


def _value(frame: int, message: bytes, decisions: NDArray[Any]) -> Any:
    """In a worker: values (L,) of decisions (L, N), or a `_Failure`."""
    from pickle import loads

    from cloudpickle import dumps

    try:
        if _of_process["frame"] != frame:
            critic = loads(message)
            if isinstance(critic, _State):
                _of_process["owner"].load_state_dict(critic.state)
                critic = getattr(_of_process["owner"], critic.method)
            _of_process.update(frame=frame, evaluate=critic)
        return values_of(_of_process["evaluate"], decisions)
    except Exception as error:  # whatever the user's critic raises is shown as it was raised
        failure = _Failure(type(error), error.args, vars(error), str(error), format_exc())
        try:
            loads(dumps(failure))
        except Exception:  # as much of it as can be sent
            name = f"{type(error).__name__}: {error}"
            return _Failure(RuntimeError, (name,), {}, name, format_exc())
        return failure
