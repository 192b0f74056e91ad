"""State that can be saved and restored: of a world or a process, everything that it holds."""

import copyreg
import json
import sys
from collections import deque
from collections.abc import Callable, Mapping, Set
from contextvars import ContextVar
from copy import deepcopy
from enum import Enum
from functools import wraps
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np

from .arrays import InputError

_CODE = FunctionType, BuiltinFunctionType, MethodType, ModuleType, type, np.ufunc
_PLAIN = bool, int, float, complex, str, type(None)
_KIND = "__kind__"
"""The key that tells what a saved dict stands for; without it, it is a dict."""
_saving: ContextVar[tuple[int, ...]] = ContextVar("saving", default=())
"""The objects whose state is being saved: one that refers back to them does not save them again."""


def all_or_nothing(load: Callable[[Any, Mapping[str, Any]], None]) -> Callable[[Any, Mapping[str, Any]], None]:
    """A `load_state_dict` that leaves its object as it was where it raises, InputError for what is no state.

    Of the object's `constants`, those that the state names must be its own.
    """

    @wraps(load)
    def loaded(holder: Any, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping):
            raise InputError(f"state must be what state_dict returned, got {state!r}")
        saved = state.get("constants", {})  # 0.2 did not save them
        for name, own in getattr(holder, "constants", {}).items():
            if name in saved and not np.array_equal(saved[name], own):
                raise InputError(f"the state must be of a world with {name} {own}, got one with {saved[name]}")
        before = holder.state_dict()
        try:
            load(holder, state)
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
            load(holder, before)
            if isinstance(error, InputError):
                raise
            raise InputError(f"state must be what state_dict returned, {error!r} in it") from error

    return loaded


def constants(**settings: Any) -> dict[str, Any]:
    """A world's settings, checked before, as its `constants`: they are part of its state."""
    return {name: np.array(value).tolist() for name, value in settings.items()}


class Stateful:
    """An object whose attributes are its state.

    Numbers, strings, arrays, lists, tuples, sets, dicts, random generators and objects made of these are saved as
    they are; functions and classes are settings, not state. Whoever holds something else, or has less to save,
    writes the two methods anew.
    """

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to continue after this frame: arrays, numbers, strings, and lists and dicts of them.

        Raises InputError, naming the attribute, for one that cannot be saved.
        """
        return _attributes(self, type(self).__name__)

    @all_or_nothing
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` of an object made with the same arguments returned."""
        _restore(self, state)

    def _added(self) -> dict[str, Any]:
        """For a `state_dict` of this project's: what a subclass from elsewhere adds, as ``{"added": ...}``.

        That is, the attributes that no code of this project's classes names; nothing for one of them.
        """
        ours = [kind for kind in type(self).__mro__ if _is_ours(kind.__module__)]
        if ours[0] is type(self):
            return {}
        names = {name for kind in ours for part in vars(kind).values() for name in _names(part)}
        own = _attributes(self, type(self).__name__, names)
        return {"added": own}

    def _load_added(self, state: Mapping[str, Any]) -> None:
        """Take over what `_added` returned, from a state that holds it."""
        _restore(self, state.get("added", {}))


@runtime_checkable
class Stated(Protocol):
    """Whatever has a state of its own, such as a `Stateful` or a network."""

    def state_dict(self) -> dict[str, Any]:
        """What must be kept."""

    def load_state_dict(self, state: Mapping[str, Any]) -> Any:
        """Continue from it."""


def generator_state(rng: np.random.Generator) -> str:
    """The state of a generator, as text."""
    return json.dumps(rng.bit_generator.state, default=np.ndarray.tolist)


def restore_generator(rng: np.random.Generator, state: str) -> None:
    """Take over what `generator_state` returned."""
    rng.bit_generator.state = json.loads(state)


def _is_ours(module: str) -> bool:
    return f"{module}.".startswith(f"{__package__}.")


def _first_name(module: str) -> str:
    """A module's name, of this package without what stands before it where it was loaded under a longer one."""
    package = str(__package__)
    return module.removeprefix(package.removesuffix("env")) if _is_ours(module) else module


def _names(part: Any) -> set[str]:
    """The names in the code of a method or property."""
    if isinstance(part, property):
        part = part.fget
    code = getattr(part, "__code__", None)
    found: set[str] = set()
    within = [code] if isinstance(code, CodeType) else []
    while within:
        code = within.pop()
        found.update(code.co_names)
        within += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return found


def _held(holder: Any) -> dict[str, Any]:
    """The attributes of an object, also those in slots."""
    slots = [name for kind in type(holder).__mro__ for name in vars(kind).get("__slots__", ())]
    in_slots = {name: getattr(holder, name) for name in slots if hasattr(holder, name) and name != "__dict__"}
    return in_slots | getattr(holder, "__dict__", {})


def _attributes(holder: Any, name: str, without: Set[str] = frozenset()) -> dict[str, Any]:
    token = _saving.set((*_saving.get(), id(holder)))
    try:
        return {
            attribute: _saved(value, f"{name}.{attribute}")
            for attribute, value in _held(holder).items()
            if attribute not in without and not isinstance(value, _CODE) and id(value) not in _saving.get()
        }
    finally:
        _saving.reset(token)


def _saved(value: Any, name: str) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is np.ndarray and value.dtype.kind in "biufc":
        return value.copy()
    if kind is list:
        return [_saved(entry, f"{name}[{place}]") for place, entry in enumerate(value)]
    if kind is dict and all(type(key) is str for key in value) and _KIND not in value:
        return {key: _saved(entry, f"{name}[{key!r}]") for key, entry in value.items()}
    if kind is dict:
        pairs = [[_saved(key, name), _saved(entry, f"{name}[{key!r}]")] for key, entry in value.items()]
        return {_KIND: "dict", "pairs": pairs}
    if kind in (tuple, set, frozenset):
        return {_KIND: kind.__name__, "entries": _saved(list(value), name)}
    if kind is deque:
        return {_KIND: "deque", "entries": _saved(list(value), name), "most": value.maxlen}
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return {_KIND: "scalar", "value": np.array(value)}
    if isinstance(value, np.random.Generator):
        return {_KIND: "generator", "value": generator_state(value)}
    named = {"class": kind.__qualname__, "module": _first_name(kind.__module__)}
    if isinstance(value, Enum):
        return {_KIND: "enum", **named, "name": value.name}
    if isinstance(value, _CODE):
        return {_KIND: "code"}
    if isinstance(value, Stated):
        return {_KIND: "state", "state": deepcopy(value.state_dict())}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {_KIND: "named tuple", **named, "entries": _saved(list(value), name)}
    if _is_its_attributes(value):
        return {_KIND: "object", **named, "attributes": _attributes(value, name)}
    raise InputError(
        f"{name} cannot be saved, a {kind.__name__}: write state_dict and load_state_dict of its owner"
    )


def _is_its_attributes(value: Any) -> bool:
    """Whether an object is made of its attributes and nothing else, as its pickle would tell."""
    try:
        make, arguments, *rest = value.__reduce_ex__(2)
    except TypeError:
        return False
    simple = make is copyreg.__newobj__ and len(arguments) == 1  # type: ignore[attr-defined]
    return simple and not any(rest[1:]) and (hasattr(value, "__dict__") or bool(_held(value)))


def _restore(holder: Any, state: Mapping[str, Any]) -> None:
    held = _held(holder)
    for attribute, saved in state.items():
        value = _restored(held.get(attribute), saved, type(holder).__module__)
        object.__setattr__(holder, attribute, value)


def _restored(now: Any, saved: Any, module: str) -> Any:
    """The value to hold in place of `now`: an object or a generator stays itself where it is of the same class.

    Raises InputError for an object that is not there yet and whose class is not of the module of its holder.
    """
    if isinstance(saved, list):
        held = (
            list(now) if isinstance(now, list | tuple | deque) and len(now) == len(saved) else [None] * len(saved)
        )
        return [_restored(*pair, module) for pair in zip(held, saved, strict=True)]
    if not isinstance(saved, Mapping):
        if type(saved) in _PLAIN:
            return saved
        array = np.array(saved)
        array.setflags(write=not isinstance(now, np.ndarray) or now.flags.writeable)
        return array
    kind = saved.get(_KIND)
    if kind is None:
        return {key: _restored(_at(now, key), entry, module) for key, entry in saved.items()}
    if kind == "dict":
        pairs = ((_restored(None, key, module), entry) for key, entry in saved["pairs"])
        return {key: _restored(_at(now, key), entry, module) for key, entry in pairs}
    if kind == "code":
        return now
    if kind == "scalar":
        return np.array(saved["value"])[()]
    if kind == "generator":
        rng = now if isinstance(now, np.random.Generator) else np.random.default_rng()
        restore_generator(rng, saved["value"])
        return rng
    if kind == "state":
        if not isinstance(now, Stated):
            raise InputError(f"{now!r} has no load_state_dict, but a state was saved of what was in its place")
        now.load_state_dict(_as_held(now, saved["state"]))
        return now
    if kind == "object":
        made = now if type(now).__qualname__ == saved["class"] else object.__new__(_class_of(saved, now, module))
        _restore(made, saved["attributes"])
        return made
    if kind == "enum":
        return _class_of(saved, now, module)[saved["name"]]
    entries = _restored(now, saved["entries"], module)
    if kind == "named tuple":
        return _class_of(saved, now, module)(*entries)
    if kind == "deque":
        return deque(entries, saved["most"])
    return {"tuple": tuple, "set": set, "frozenset": frozenset}[kind](entries)


def _at(now: Any, key: Any) -> Any:
    return now.get(key) if isinstance(now, Mapping) else None


def _class_of(saved: Mapping[str, Any], now: Any, module: str) -> Any:
    """The class that a saved object had: that of what is there now, or one of its holder's own module."""
    if type(now).__qualname__ == saved["class"]:
        return type(now)
    found: Any = sys.modules.get(module) if _first_name(module) == saved["module"] else None
    for name in saved["class"].split("."):
        found = getattr(found, name, None)
    if not isinstance(found, type):
        raise InputError(
            f"an object of {saved['module']}.{saved['class']} cannot be made again: write load_state_dict"
        )
    return found


def _as_held(now: Any, state: Any) -> Any:
    """A saved state with its arrays as torch tensors, where what takes it is a network."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(now, torch.nn.Module):
        return state
    return {name: torch.as_tensor(entry) for name, entry in state.items()}
