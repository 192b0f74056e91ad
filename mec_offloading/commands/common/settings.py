"""The one way in which all commands read settings: YAML, class paths, worlds and agents."""

import inspect
import re
from abc import ABC
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from jsonargparse import ArgumentParser, Namespace, set_loader

from agent.run.contract import World, world_of
from env import InputError, WirelessPoweredMEC

from . import shipped, trust

if TYPE_CHECKING:
    from agent import OffloadingAgent

WORLD = "env.WirelessPoweredMEC"


MOST_ENTRIES = 1_000_000
"""Of a YAML file."""


class Loader(yaml.SafeLoader):
    """YAML as its readers mean it: 1e-10 is a number, `off` and `no` as keys are words, dates are text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool" and key.value.lower() not in ("true", "false"):
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_FLOAT = r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
Loader.yaml_implicit_resolvers = {
    letter: [(tag, form) for tag, form in known if not tag.endswith((":timestamp", ":float"))]
    for letter, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT})$"), list("-+0123456789."))


def load_yaml(text: str) -> Any:
    """The content of a YAML text; raises YAMLError for what is none, holds itself, or grows with its aliases."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _entries(node, {}) > MOST_ENTRIES:
            raise yaml.YAMLError(f"it must hold {MOST_ENTRIES:,} entries at most, aliases written out")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _entries(node: yaml.Node, known: dict[int, int | None]) -> int:
    """How many nodes there are below one, those of aliases as often as they stand there."""
    if id(node) in known:
        count = known[id(node)]
        if count is None:
            raise yaml.YAMLError("it must not hold itself")
        return count
    known[id(node)] = None
    within = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
    count = 1 if isinstance(node, yaml.ScalarNode) else 1 + sum(_entries(part, known) for part in within)
    known[id(node)] = count
    return count


class Dumper(yaml.SafeDumper):
    """YAML that `Loader` reads as it was."""


Dumper.yaml_implicit_resolvers = {
    letter: [*known, *Loader.yaml_implicit_resolvers.get(letter, [])]
    for letter, known in yaml.SafeDumper.yaml_implicit_resolvers.items()
}


def dump_yaml(content: Any) -> str:
    """Content as YAML text, in its order."""
    text: str = yaml.dump(content, Dumper=Dumper, sort_keys=False, allow_unicode=True)
    return text


set_loader("yaml", load_yaml, (yaml.YAMLError,))


def read_yaml(config: str | Path) -> dict[str, Any]:
    """The settings in a YAML file, UTF-8; raises InputError when there are none."""
    path = shipped.find(config)
    if path is None:
        known = ", ".join(shipped.names())
        raise InputError(f"config must be a YAML file, there is none at {config}, or one that ships: {known}")
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"config {config} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"config {config} must hold settings, got {type(content).__name__}")
    for name in ("env", "agent"):
        if not isinstance(content.get(name) or {}, dict):
            raise InputError(f"{name} must hold settings, got {content[name]!r}")
    return content


def shipped_runs() -> list[str]:
    """The names of the configurations that ship and that `simulate` takes: of one world and one agent."""
    given = {name: read_yaml(name) for name in shipped.names()}
    return [name for name, settings in given.items() if "environment" in settings and "methods" not in settings]


def load_environment(path: str | None) -> type:
    """The class at an import path; raises InputError when it lacks what simulations ask of an environment."""
    found = trust.load(str(path or WORLD), "environment")
    missing = [need for need in ("reset", "observe", "evaluate", "step") if not hasattr(found, need)]
    if not isinstance(found, type) or missing:
        raise InputError(f"environment must be a class with reset, observe, evaluate and step, got {path}")
    return found


def takes(environment: type, name: str) -> bool:
    """Whether a class of environments has an argument of that name."""
    return name in inspect.signature(environment).parameters


def knows_replicas(environment: type) -> bool:
    """Whether R worlds of a class are made as one, by its argument `replicas`, rather than side by side.

    A class that inherits its `__init__` may know nothing of more dimensions in what it writes anew, but for
    `WirelessPoweredMEC`, whose subclasses have always been made so.
    """
    own = "__init__" in vars(environment) or issubclass(environment, WirelessPoweredMEC)
    return own and takes(environment, "replicas")


def add_environment(parser: ArgumentParser, environment: type, given: Iterable[str], left_out: Set[str]) -> None:
    """An environment's arguments as `--env.*`, but those left out; of a `**kwargs`, those that are given."""
    trust.allow_kinds_of("env")
    known = {name for name in left_out if takes(environment, name)}
    parser.add_class_arguments(environment, "env", skip=known, fail_untyped=False, instantiate=False)
    kinds = {parameter.kind for parameter in inspect.signature(environment).parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds:
        there = {action.dest for action in parser._actions}
        for name in sorted(set(given)):
            if f"env.{name}" not in there:
                parser.add_argument(f"--env.{name}", type=Any, default=None)


def make_environment(parser: ArgumentParser, settings: Namespace, environment: type, **more: Any) -> Any:
    """An environment from the settings `env`, and `more` arguments."""
    arguments = vars(parser.instantiate(settings).get("env") or Namespace()) | more
    in_place = []
    for one in inspect.signature(environment).parameters.values():
        if one.kind is inspect.Parameter.POSITIONAL_ONLY:
            given = arguments.pop(one.name, None)
            in_place.append(one.default if given is None else given)
    return environment(*in_place, **arguments)


class AnyQuantizer(ABC):  # noqa: B024
    """A class with the methods of a quantizer, whatever their arguments' names and type hints."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        missing = [name for name in ("max_candidates", "__call__") if not hasattr(other, name)]
        if missing and trust.is_users(other.__module__):
            raise InputError(f"quantizer has no {' and no '.join(missing)}")
        return not missing


def add_agent(parser: ArgumentParser) -> None:
    """The agent's settings as `--agent.*`; those that its world or the run fixes are not among them."""
    from agent.settings import ReplicaSettings

    trust.allow_kinds_of("agent")
    skip = {"num_users", "num_features", "num_choices", "seed", "replicas", "device", "quantizer"}
    parser.add_class_arguments(ReplicaSettings, "agent", skip=skip, instantiate=False)
    parser.add_argument(
        "--agent.quantizer",
        type=Literal["OP", "KNN", "OPN", "OP+KNN", "MP"] | AnyQuantizer | None,
        default=None,
        help="or a class with max_candidates(num_users) and __call__(relaxed, k, rng)",
    )


def make_agent_for(
    world: World, parser: ArgumentParser, settings: Namespace, seed: Any, **more: Any
) -> "OffloadingAgent":
    """An agent for the world's users, features and choices from the settings `agent`, and `more` of them.

    A configured network is made anew for every agent, so that its first weights come from that agent's seed.
    """
    from torch import nn

    from agent import OffloadingAgent

    arguments = vars(parser.instantiate(settings).agent)
    if isinstance(arguments["network"], nn.Module):
        alone = ArgumentParser(exit_on_error=False)
        alone.add_argument("--network", type=nn.Module)
        configured = Namespace(network=settings.agent.network)
        arguments["network"] = lambda *sizes, **choices: alone.instantiate(configured).network
    num_users, num_features = world.observe().shape[-2:]
    choices = world.num_choices
    return OffloadingAgent(num_users, num_features, num_choices=choices, seed=seed, **arguments, **more)


@lru_cache(maxsize=64)
def _parser_of(environment: type, given: Set[str], left_out: Set[str]) -> ArgumentParser:
    """The parser of an environment's and an agent's settings, shared by what differs in values only."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    add_environment(parser, environment, given, left_out)
    add_agent(parser)
    return parser


class Maker:
    """Makes worlds of one class and agents in them from settings as in a configuration file, checked here.

    Args:
        environment: the class's import path.
        env, agent: settings; of agents None where there are none.
        left_out: the environment's arguments that are given to `world` instead.

    Raises:
        ArgumentError, InputError: for settings that are not right, naming them.
    """

    def __init__(
        self,
        environment: str | None,
        env: Mapping[str, Any],
        agent: Mapping[str, Any] | None = None,
        left_out: Sequence[str] = (),
    ) -> None:
        for name, part in (("env", env), ("agent", agent)):
            if part is not None and not isinstance(part, Mapping):
                raise InputError(f"{name} must hold settings, got {part!r}")
        self.environment = load_environment(environment)
        self._parser = _parser_of(self.environment, frozenset(env), frozenset({"replicas", "device", *left_out}))
        content = {name: part for name, part in (("env", env), ("agent", agent)) if part}
        self._settings = self._parser.parse_object(content)

    def world(self, **more: Any) -> World:
        """A world of its own."""
        return world_of(make_environment(self._parser, self._settings, self.environment, **more))

    def agent(self, environment: Any, seed: Any, **more: Any) -> "OffloadingAgent":
        """An agent for an environment; `more` are `replicas`, say."""
        return make_agent_for(world_of(environment), self._parser, self._settings, seed, **more)
