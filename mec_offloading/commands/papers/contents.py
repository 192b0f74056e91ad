"""What a paper is made of: the experiments, tables and figures of a YAML file, checked before the first is run."""

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from env import InputError

from ..common import shipped, trust
from ..common.settings import read_yaml

HERE = "here"
"""What stands in braces for an experiment's own folder."""
OUTPUT = ("--output", "{here}")
WHERE: dict[str, tuple[str, ...]] = {
    "simulate": OUTPUT,
    "sweep": OUTPUT,
    "compare": OUTPUT,
    "rivals": OUTPUT,
    "reproduce": OUTPUT,
    "channels": OUTPUT,
    "summarize": (
        *("--plot", "{here}/curves.png"),
        *("--table", "{here}/table.md", "{here}/table.csv", "{here}/table.tex"),
    ),
    "problems": ("--output", "{here}/tables.md"),
    "benchmark": ("--json", "{here}/benchmark.json"),
    "dataset": ("--output", "{here}/dataset.npz"),
    "pretrain": ("--output", "{here}/network.npz"),
    "intervals": (),
}
"""The commands that can be experiments, and the options that say where each writes."""
ONE_CORE = ("simulate", "summarize", "dataset", "channels")
"""Commands that run beside others, on one processor each, where nothing else is said."""
ENTRIES = {
    "experiments": ("run", "cores"),
    "tables": ("from", "group", "times"),
    "figures": ("from", "group", "times"),
}
NAME = r"[A-Za-z][\w-]*"


@dataclass(frozen=True)
class Experiment:
    """One command with its options."""

    name: str
    command: str
    options: tuple[str, ...]
    """With `{here}` for its own folder, and `{NAME}` for that of another experiment."""
    cores: int | None
    """Processors that it takes; None for all of them."""
    uses: tuple[str, ...]
    """The experiments whose folders its options name."""
    settings: Mapping[str, Any]
    """What must be as it was for the experiment to be the same: `run`, its command line without the options that
    say where; `files` that this names; and `uses`, digests of the settings of what it uses."""

    @property
    def digest(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def filled(self, folders: Mapping[str, str]) -> list[str]:
        """The options with the folders in their places."""
        return [_braces(option, folders) for option in self.options]


@dataclass(frozen=True)
class Result:
    """A table or a figure, as an experiment writes it."""

    kind: str
    """`tables` or `figures`."""
    name: str
    experiment: str
    file: str
    """Without its suffix, within the experiment's folder."""
    groups: tuple[str, ...]
    times: bool
    """Whether it is of wall times, which no second run repeats."""

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}"


class Paper:
    """Experiments in an order in which each comes after those that it uses; tables and figures.

    Args:
        content: as in configs/paper.yaml.

    Raises:
        InputError: for what is not right, naming the entry.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        unknown = [str(name) for name in content if name not in ENTRIES]
        if unknown:
            raise InputError(f"a paper must hold {', '.join(ENTRIES)} only, got {', '.join(unknown)}")
        given = {kind: _entries(content, kind) for kind in ENTRIES}
        if not given["experiments"]:
            raise InputError("experiments must hold one or more, got none")
        options = {name: _options(name, entry) for name, entry in given["experiments"].items()}
        uses = {name: _uses(name, words, options) for name, words in options.items()}
        self.experiments: dict[str, Experiment] = {}
        for name in _ordered(uses):
            command, *rest = options[name]
            settings = {
                "run": " ".join(map(_quoted, options[name])),
                "files": files_of(name, command, rest),
                "uses": {used: self.experiments[used].digest for used in uses[name]},
            }
            cores = given["experiments"][name].get("cores", 1 if command in ONE_CORE else None)
            if cores is not None and (type(cores) is not int or cores < 1):
                raise InputError(f"experiments: {name}: cores must be 1 or more, got {cores!r}")
            self.experiments[name] = Experiment(
                name,
                command,
                (*rest, *WHERE[command]),
                cores,
                uses[name],
                json.loads(json.dumps(settings)),
            )
        self.results = [
            _result(kind, name, entry, self.experiments)
            for kind in ("tables", "figures")
            for name, entry in given[kind].items()
        ]

    def chosen(self, only: Sequence[str] | None) -> tuple[list[Experiment], list[Result]]:
        """The experiments and results of these names or groups, with what they need; by default all.

        Raises InputError for a name that is none.
        """
        if only is None:
            return list(self.experiments.values()), self.results
        groups = {group for result in self.results for group in result.groups}
        results = [result for result in self.results if {result.name, *result.groups} & set(only)]
        known = {*self.experiments, *groups, *(result.name for result in self.results)}
        for name in only:
            if name not in known:
                raise InputError(
                    f"only must name experiments, tables, figures or groups, got {name!r}: {_list(known)}"
                )
        needed = self.with_used([*(name for name in only if name in self.experiments), *_sources(results)])
        return [experiment for name, experiment in self.experiments.items() if name in needed], results

    def with_used(self, names: Iterable[str]) -> set[str]:
        """Experiments, and all that they use."""
        needed: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed.add(name)
                waiting += self.experiments[name].uses
        return needed

    def with_users(self, names: Iterable[str]) -> set[str]:
        """Experiments, and all that use them."""
        changed = set(names)
        for name, experiment in self.experiments.items():  # in their order
            if changed & set(experiment.uses):
                changed.add(name)
        return changed


def files_of(experiment: str, command: str, options: Sequence[str]) -> dict[str, Any]:
    """What the files that a command's options name hold: the content of YAML, of others their SHA-256.

    Files that these name in turn, and modules of the user's that the options allow, are among them.

    Raises InputError where there is no such configuration.
    """
    found: dict[str, Any] = {}
    words = [value for option in options for value in (option.split("=", 1) if option[:2] == "--" else [option])]
    try:
        for before, word in zip(["", *words], words, strict=False):
            _add(found, word, before == "--config")
    except InputError as error:
        raise InputError(f"experiments: {experiment}: {error}") from error
    for module in trust.early(options):
        _add(found, f"{module.split('.')[0]}.py", False)
    return found


def _add(found: dict[str, Any], word: str, is_config: bool) -> None:
    """Add a file that a word names, if it is one."""
    is_yaml = is_config or word.endswith((".yaml", ".yml"))
    path = shipped.find(word) if is_yaml else Path(word)
    name = Path(word).name if Path(word).is_absolute() else word
    if is_config and path is None:
        read_yaml(word)  # which says what there is
    if name in found or path is None or len(word) > 1000 or "\n" in word or not path.is_file():
        return
    if not is_yaml:
        found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
        return
    found[name] = read_yaml(word)
    for key, value in _leaves(found[name]):
        if isinstance(value, str):
            _add(found, value, key == "config")


def _leaves(tree: Any, key: Any = None) -> Iterable[tuple[Any, Any]]:
    """The values in nested dicts and lists, each with the key that it stands under."""
    if isinstance(tree, dict):
        for name, part in tree.items():
            yield from _leaves(part, name)
    elif isinstance(tree, list):
        for part in tree:
            yield from _leaves(part, key)
    else:
        yield key, tree


def differing(before: Any, now: Any, path: str = "") -> list[str]:
    """Sentences on what differs between two contents."""
    if isinstance(before, dict) and isinstance(now, dict):
        names = [*before, *(name for name in now if name not in before)]
        parts = [
            differing(before.get(name), now.get(name), f"{path}: {name}" if path else str(name)) for name in names
        ]
        return [text for part in parts for text in part]
    return [] if before == now else [f"{path} was {before!r}, is {now!r}"]


def _entries(content: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The entries of a kind by their names, each a dict."""
    part = content.get(kind) or {}
    if not isinstance(part, dict):
        raise InputError(f"{kind} must hold entries by their names, got {part!r}")
    short = ENTRIES[kind][0]
    entries = {}
    for name, entry in part.items():
        if not re.fullmatch(NAME, str(name)) or name == HERE:
            raise InputError(f"{kind}: a name must be letters, digits, _ and -, and not {HERE}, got {name!r}")
        entry = entry if isinstance(entry, dict) else {short: entry}
        unknown = [str(key) for key in entry if key not in ENTRIES[kind]]
        if unknown or not isinstance(entry.get(short), str):
            raise InputError(f"{kind}: {name} must hold {' and perhaps '.join(ENTRIES[kind])}, got {entry!r}")
        entries[str(name)] = entry
    return entries


def _options(name: str, entry: Mapping[str, Any]) -> list[str]:
    """An experiment's command and its options."""
    try:
        words = shlex.split(entry["run"])
    except ValueError as error:
        raise InputError(
            f"experiments: {name}: run must be a command line, got {entry['run']!r}: {error}"
        ) from error
    if words[:1] == ["mec-offloading"]:
        words = words[1:]
    if not words or words[0] not in WHERE:
        raise InputError(
            f"experiments: {name}: run must begin with one of {', '.join(WHERE)}, got {entry['run']!r}"
        )
    given = {word.split("=", 1)[0] for word in words}
    refused = sorted(
        given & {"--output", "--resume", *(option for option in WHERE[words[0]] if option[:2] == "--")}
    )
    if refused:
        raise InputError(f"experiments: {name}: run must leave out {', '.join(refused)}: the archive says where")
    return words


def _uses(name: str, words: Sequence[str], known: Mapping[str, Any]) -> tuple[str, ...]:
    """The other experiments that a command line names, each once."""
    named = [found for word in words for found in re.findall(rf"\{{({NAME})\}}", word) if found != HERE]
    for used in named:
        if used not in known:
            raise InputError(f"experiments: {name}: {{{used}}} must be one of {_list(known)}")
    return tuple(dict.fromkeys(named))


def _ordered(uses: Mapping[str, Sequence[str]]) -> list[str]:
    """Names after those that they use, otherwise as they stand."""
    try:
        return list(TopologicalSorter(uses).static_order())
    except CycleError as error:
        raise InputError(
            f"experiments must not use each other in a circle: {' <- '.join(error.args[1])}"
        ) from error


def _result(kind: str, name: str, entry: Mapping[str, Any], known: Mapping[str, Experiment]) -> Result:
    source, _, file = entry["from"].partition("/")
    if source not in known or not file:
        raise InputError(f"{kind}: {name}: from must be EXPERIMENT/FILE, got {entry['from']!r}: {_list(known)}")
    groups, times = entry.get("group", []), entry.get("times", False)
    groups = [groups] if isinstance(groups, str) else groups
    words = isinstance(groups, list) and all(isinstance(group, str) for group in groups)
    if not words or not isinstance(times, bool):
        raise InputError(f"{kind}: {name}: group must be words and times true or false, got {dict(entry)}")
    return Result(kind, name, source, file, tuple(groups), times)


def _sources(results: Iterable[Result]) -> list[str]:
    return [result.experiment for result in results]


def _braces(text: str, folders: Mapping[str, str]) -> str:
    """A text with folders for the names in braces; other braces, as of JSON, stay."""
    return re.sub(rf"\{{({NAME})\}}", lambda found: folders.get(found[1], found[0]), text)


def _quoted(word: str) -> str:
    """A word as a shell reads it, braces as they are."""
    return word if re.fullmatch(r"[\w{}@%+=:,./-]+", word) else shlex.quote(word)


def _list(names: Iterable[str]) -> str:
    return f"known are {', '.join(sorted(names))}"
