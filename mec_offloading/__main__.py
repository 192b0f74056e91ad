"""`mec-offloading COMMAND ...`, the same as `python -m mec_offloading COMMAND ...`."""

import os
import sys
from importlib import import_module

from mec_offloading import fate

COMMANDS = {
    "simulate": ("simulate", "let an agent learn in an environment and save its curves"),
    "sweep": ("sweep", "many runs: a grid, samples or a search over settings, on all processors or a cluster"),
    "compare": ("compare", "methods side by side on the same frames"),
    "rivals": ("rivals", "tuned methods beside agents of reinforcement learning"),
    "summarize": ("summarize", "a table and curves of several runs"),
    "reproduce": ("reproduce", "the figures of the paper"),
    "paper": ("paper", "all experiments, tables and figures that a file names, what is missing of them"),
    "benchmark": ("benchmark", "how long agents and solvers take here"),
    "dataset": ("make_dataset", "write channel gains with certified optima, or check a file"),
    "problems": ("problems", "agents in many small problems"),
    "intervals": ("intervals", "how often intervals cover, with a few seeds"),
    "fuzz": ("fuzz", "random and bad inputs against slow references"),
    "kills": ("kills", "runs killed at random moments, against uninterrupted ones"),
    "bits": ("bits", "the same decisions in several ways: without Numba, with threads, among replicas"),
    "channels": ("channels", "pictures of a channel model"),
    "pretrain": ("pretrain", "train the network that ships"),
}
"""The module of each command, and what it does."""
NAME = "mec-offloading"


def main() -> None:
    """Run the command that the first argument names."""
    _own_folder_last()
    if fate.PARENT in os.environ:
        fate.share(int(os.environ.pop(fate.PARENT)))
    name, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("--help", [])
    if name in ("-h", "--help"):
        print(f"usage: {NAME} COMMAND ...\n\ncommands, each with its own --help:")
        print("\n".join(f"  {command:10} {does}" for command, (_, does) in COMMANDS.items()))
        return
    if name == "--version":
        from mec_offloading.agent.version import VERSION

        print(VERSION)
        return
    if name not in COMMANDS:
        print(f"error: command must be one of {', '.join(COMMANDS)}, got {name}", file=sys.stderr)
        sys.exit(2)
    sys.argv = [f"{NAME} {name}", *arguments]
    import_module(f"mec_offloading.commands.{COMMANDS[name][0]}").main()


def _own_folder_last() -> None:
    """The working directory, where `python -m` searches first, last: an `env.py` there is not this project's."""
    here = [path for path in sys.path[:1] if path in ("", os.getcwd())]
    sys.path[: len(here)] = []
    sys.path += here


if __name__ == "__main__":
    main()
