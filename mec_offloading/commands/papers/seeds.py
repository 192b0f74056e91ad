"""The seeds of an experiment, from what it was told and what it wrote."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..common.errors import reading
from ..common.settings import load_yaml
from .contents import Experiment

WRITTEN = ("config.yaml", "comparison/config.yaml", "sweep.yaml")
"""Files in which commands write all their settings."""


def seeds_of(experiment: Experiment, folder: Path, of_used: Iterable[Sequence[int] | None]) -> list[int] | None:
    """The seeds: those on the command line, else in what it wrote, else in its configuration.

    Of experiments made from others (`of_used`, the seeds of each), all of theirs. None where none are known.
    """
    with reading(folder):
        written = [
            load_yaml((folder / name).read_text(encoding="utf-8")) for name in WRITTEN if (folder / name).is_file()
        ]
    contents = [_told(experiment.options), *written, *experiment.settings["files"].values()]
    for content in contents:
        found = _in(content) if isinstance(content, dict) else None
        if found is not None:
            return found
    if experiment.command == "reproduce":
        return list(range(2 if "--quick" in experiment.options else 5))
    union = {seed for seeds in of_used for seed in seeds or ()}
    return sorted(union) or None


def _told(options: Sequence[str]) -> dict[str, Any]:
    """What options say of `seeds` and, without a configuration that would add to it, `seed`."""
    words = [word for option in options for word in (option.split("=", 1) if option[:2] == "--" else [option])]
    told: dict[str, Any] = {}
    for place, word in enumerate(words):
        values = []
        for value in words[place + 1 :]:
            if not value.isdigit():
                break
            values.append(int(value))
        if word == "--seeds" and values:
            told["seeds"] = values
    return told


def _in(content: dict[str, Any]) -> list[int] | None:
    """Those that settings say: `seeds`, a list or how many, or `seed` with as many `replicas`."""
    seeds, seed = content.get("seeds"), content.get("seed")
    if isinstance(seeds, list) and seeds and all(isinstance(one, int) for one in seeds):
        return seeds
    if isinstance(seeds, int):
        return list(range(seeds))
    if isinstance(seed, int):
        return list(range(seed, seed + (content.get("replicas") or 1)))
    return None
