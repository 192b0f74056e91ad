"""What processes that are forked need: imported once, by what they are forked from (`parallel.ahead`)."""

import atexit
import gc
import os
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for them to answer
gc.disable()

import agent.offloading  # noqa: E402, F401
import env  # noqa: E402, F401
from agent.machine_code import compile_ahead  # noqa: E402
from env.machine_code import machine_code  # noqa: E402

compile_ahead()
machine_code("wireless_powered.compiled_curve")
machine_code("wireless_powered.compiled_optimum")
gc.freeze()  # what all share is not searched for garbage by each
gc.enable()

_SERVER = os.getpid()


def _leave() -> None:
    """End at once, for to tear PyTorch down takes 0.2 s; what is forked from here ends as it would."""
    if os.getpid() == _SERVER:
        os._exit(0)


atexit.register(_leave)
