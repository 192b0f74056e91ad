"""Commands as a user runs them, in processes of their own, but each with its imports done.

Python and its imports take nearly all of a short command's seconds. On Linux one process imports what commands
import, and each command is a fork of it: from the first line of the script to the exit status all is as in a
process that Python starts. Where other variables differ than those in `FREE`, and on other systems, it starts one.
"""

import atexit
import gc
import json
import os
import pkgutil
import runpy
import socket
import subprocess
import sys
import threading
import warnings
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from importlib import import_module
from io import StringIO
from tempfile import TemporaryDirectory, TemporaryFile

FREE = {"PYTHONPATH", "COLUMNS", "PYTEST_CURRENT_TEST"}
"""Variables that Python does not read at its start, or that are applied in a fork."""


def run(command, *, cwd=None, env=None, pictures=True, imported="all"):
    """`subprocess.run` of [sys.executable, script, ...] or [sys.executable, "-m", module, ...], with its texts.

    Before these may stand "-W", "error", which a fork heeds from the first line of the script.
    A run without `pictures` draws none at its end. `imported="libraries"` leaves this project for the command
    itself to import.
    """
    command, env = list(map(str, command)), dict(os.environ if env is None else env)
    changed = {name for name, _ in env.items() ^ os.environ.items()}
    if sys.platform != "linux" or not changed <= FREE:
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env)
    request = {"words": command[1:], "cwd": str(cwd or os.getcwd()), "env": env, "pictures": pictures}
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        connection = _forking(imported)
        socket.send_fds(connection, [json.dumps(request).encode()], [out.fileno(), err.fileno()])
        status = int(connection.recv(100))
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


@cache
def _forking(imported):
    """The connection to a process that forks; it ends when the connection does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "pass_fds": [theirs.fileno()]}
        process = subprocess.Popen([sys.executable, __file__, str(theirs.fileno()), imported], **options)

    def end():
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _import_libraries():
    for name in ("jsonargparse", "matplotlib.pyplot", "numba", "torch", "tqdm", "yaml"):
        import_module(name)


def _import_all():
    """What commands import, all machine code, and what the first run and the first picture keep for the next."""
    import agent.machine_code
    import env.machine_code
    import mec_offloading.commands
    from mec_offloading.commands import simulate

    for module in pkgutil.walk_packages(mec_offloading.commands.__path__, "mec_offloading.commands."):
        if module.name.rpartition(".")[2] != "preloaded":  # which is for what others fork from
            import_module(module.name)
    for package in (agent, env):
        for module in pkgutil.walk_packages(package.__path__, ""):
            if "compiled_" in module.name:
                package.machine_code.machine_code(module.name)
    quiet = StringIO()
    simulate.tqdm.monitor_interval = 0  # a thread, which would not be in the forks
    with TemporaryDirectory() as folder, redirect_stdout(quiet), redirect_stderr(quiet), warnings.catch_warnings():
        warnings.simplefilter("error")  # which a fork would not see again
        simulate.main(["--frames", "20", "--output", f"{folder}/run"])


def _forked():
    """In the process that forks: nothing, ever. In each fork: the words of its command line after Python's."""
    given = os.environ.get("PYTHONPATH")
    del sys.path[0]  # this folder, where `agent` and `env` are tests
    searched = sys.path[len(given.split(os.pathsep)) if given else 0 :]
    {"all": _import_all, "libraries": _import_libraries}[sys.argv[2]]()
    gc.freeze()
    assert threading.active_count() == 1
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        while True:
            message, files, _, _ = socket.recv_fds(connection, 2**20, 2)
            if not message:
                sys.exit()
            pid = os.fork()
            if not pid:
                break
            for file in files:
                os.close(file)
            connection.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
    request = json.loads(message)
    for number, file in enumerate(files, 1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    path = os.environ.get("PYTHONPATH")
    sys.path[:] = [*(path.split(os.pathsep) if path else ()), *searched]
    if not request["pictures"]:
        sys.modules["mec_offloading.commands.simulate"].plot_run = lambda *given, **named: []
    return request["words"]


def _run(words):
    """The script or module of a command line, as Python runs it."""
    if words[0] == "-W":
        warnings.simplefilter(words[1])
        words = words[2:]
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path.insert(0, os.path.dirname(os.path.abspath(words[0])))
        runpy.run_path(words[0], run_name="__main__")


def _status(words):
    """The exit status of a command, with what Python prints at its end."""
    try:
        _run(words)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    status = _status(_forked())
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(status)  # nothing that is left is taken apart, which takes as long as a short run
