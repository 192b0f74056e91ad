"""Errors: what a user can mend in one line, and a traceback for what is wrong in somebody's code."""

import csv
import re
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from typing import NoReturn

import yaml
from jsonargparse import ArgumentError

import agent
import env
from agent import InputError
from agent.run.contract import InfeasibleError

from . import trust

USER_ERRORS = (
    ArgumentError,
    agent.InputError,
    env.InputError,
    OSError,
    ImportError,
    FloatingPointError,
    InfeasibleError,
)
"""What a user can mend; anything else keeps its traceback."""
TORN = (
    *(ValueError, LookupError, TypeError, AttributeError, EOFError, RecursionError),
    *(csv.Error, yaml.YAMLError, zipfile.BadZipFile, zlib.error),
)
"""What readers raise."""


@contextmanager
def explained() -> Iterator[None]:
    """Settings that are refused end the program with one line; an error in a user's own code shows where it is."""
    try:
        yield
    except USER_ERRORS as error:
        if in_users_code(error):
            raise
        fail(error)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError as error:
        if in_users_code(error):
            raise
        fail(InputError(f"what is asked for must fit the memory: {error}"))
    except RecursionError as error:
        if in_users_code(error):
            raise
        fail(InputError("the configuration must not be nested this deep"))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What a command wrote and reads again: InputError, naming the file, where it is torn or of another kind."""
    try:
        yield
    except (agent.InputError, env.InputError):
        raise
    except TORN as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"{path} must be as it was written, it is torn or changed ({what})") from error


def in_users_code(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, passed through a module that the user allowed."""
    while error is not None:
        if vars(error).get("in_users_code"):  # in another process, whose frames are not here
            return True
        modules = (str(frame.f_globals.get("__name__")) for frame, _ in walk_tb(error.__traceback__))
        if any(trust.is_users(module) for module in modules):
            return True
        error = error.__cause__ or error.__context__
    return False


def fail(error: Exception) -> NoReturn:
    """Print an error on one line, without the parser's list of types tried, and exit with status 2."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    text = re.sub(r"Does not validate against any of the Union subtypes Subtypes: .*? Errors: - ", "", text)
    text = re.sub(r"Given value type: .*? Given value:", "got", text)
    text = re.sub(r" - Expected a? ?<class 'NoneType'>", "", text)
    text = re.sub(
        r"Importing '([\w.]+)' is not allowed, denied by .*? to allow it\.",
        lambda found: trust.refusal(found[1]),
        text,
    )
    print(f"error: {text}", file=sys.stderr)
    sys.exit(2)
