"""Help that fits two screens: what a world and an agent take is told where it is asked for."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jsonargparse import ArgumentParser


class _HelpOf(argparse.Action):
    """Prints the options of one part, `--PART.*`, and ends."""

    def __init__(self, option_strings: list[str], dest: str, part: str, **more: Any) -> None:
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, default=argparse.SUPPRESS, **more)
        self.part = part

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.usage = f"{parser.prog} [--{self.part}.NAME VALUE ...]"
        with _hidden(parser, lambda action: not _belongs(action, self.part)):
            print(type(parser).format_help(parser), end="")
        parser.exit()


def in_parts(parser: ArgumentParser, *parts: str) -> None:
    """Leave the options `--PART.*` out of `--help`; `--help.PART` tells them."""
    parser.usage = f"{parser.prog} [options] " + " ".join(f"[--{part}.NAME VALUE ...]" for part in parts)
    for part in parts:
        help_of = f"tell the options --{part}.* and end"
        parser.add_argument(f"--help.{part}", action=_HelpOf, part=part, help=help_of)

    def format_help() -> str:
        with _hidden(parser, lambda action: any(_belongs(action, part) for part in parts)):
            return type(parser).format_help(parser)

    parser.format_help = format_help  # type: ignore[method-assign]


def _belongs(action: argparse.Action, part: str) -> bool:
    return action.dest == part or any(option.startswith(f"--{part}.") for option in action.option_strings)


@contextmanager
def _hidden(parser: argparse.ArgumentParser, hides: Callable[[argparse.Action], bool]) -> Iterator[None]:
    """Options without help while it is printed; for good they would be left out of what is saved, too."""
    told = {action: action.help for action in parser._actions if hides(action)}
    for action in told:
        action.help = argparse.SUPPRESS
    try:
        yield
    finally:
        for action, text in told.items():
            action.help = text
