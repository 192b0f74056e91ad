"""Help that fits two screens: what a world and an agent take is told where it is asked for."""

import argparse
from typing import Any

from jsonargparse import ArgumentParser


class _HelpOf(argparse.Action):
    """Prints the options of one part, `--PART.*`, and ends."""

    def __init__(self, option_strings: list[str], dest: str, part: str, **more: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, **more)
        self.part = part
        self.told: dict[argparse.Action, str | None] = {}

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        for action in parser._actions:
            action.help = self.told.get(action, argparse.SUPPRESS)
        parser.usage = f"{parser.prog} [--{self.part}.NAME VALUE ...]"
        parser.print_help()
        parser.exit()


def in_parts(parser: ArgumentParser, *parts: str) -> None:
    """Leave the options `--PART.*` out of `--help`; `--help.PART` tells them."""
    parser.usage = f"{parser.prog} [options] " + " ".join(f"[--{part}.NAME VALUE ...]" for part in parts)
    for part in parts:
        action = parser.add_argument(
            f"--help.{part}", action=_HelpOf, part=part, help=f"tell the options --{part}.* and end"
        )
        for one in parser._actions:
            if any(option.startswith(f"--{part}.") for option in one.option_strings) or one.dest == part:
                action.told[one], one.help = one.help, argparse.SUPPRESS
