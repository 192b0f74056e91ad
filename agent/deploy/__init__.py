"""An agent as one ONNX file, for devices that have neither torch nor this library (the extra `deploy`)."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import checkpoint
from ..checks import InputError, whole_number
from ..learners.ensemble import Ensemble
from ..networks.interface import dtype_of
from ..offloading import OffloadingAgent
from ..parts import takes_any_size
from ..standardization import LIMIT
from ..version import VERSION
from .graph import DOUBLE, FLOAT, Graph, Value
from .networks import logits_of
from .quantizers import Asked, candidates_of, is_noisy

OBSERVATION, NOISE = "observation", "noise"


def export_onnx(agent: OffloadingAgent, path: str | Path, num_candidates: int | None = None) -> None:
    """Write what `agent.decode` does, standardisation, network and quantizer, as an ONNX model.

    Inputs: `observation` (N, F), float64, of any N for a network for any number of users; and for the noisy
    quantizers `noise`, (N,) or of M networks (M, N), float64, drawn from a standard normal distribution. Outputs:
    `relaxed`, (N,) or (N, C), of M networks (M, ...); and `candidates` (K, N), int64, likeliest first.

    The quantizer makes of `relaxed` what the agent's does; `relaxed` itself is the agent's but for rounding in the
    network, in single precision: docs/deployment.md counts what comes of it. The critic that picks one of the
    candidates, and with it local search and limits of places, is not part of the model.

    The model's metadata says the library's `version`, the kinds of `network` and `quantizer`, `num_users` or
    'any', `num_features`, `num_choices` and `num_candidates`.

    Args:
        agent: one agent, as it is now.
        path: the file, which is written whole or not at all.
        num_candidates: K; by default as many as `agent.decode` has now. Where N users have fewer, all of them.

    Raises:
        InputError: for replicas, a network or quantizer that is not this project's, K out of range, or an agent
            that standardises observations and has seen none.
        ImportError: when ONNX is missing, naming the extra.
        OSError: when the file cannot be written.
    """
    if not isinstance(agent, OffloadingAgent):
        raise InputError(f"agent must be one OffloadingAgent to be exported, got {type(agent).__name__}")
    settings, network, quantizer = agent.settings, agent._network, agent.settings.proposer
    any_size, num_users = takes_any_size(network), settings.num_users
    most = quantizer.max_candidates(num_users)
    if num_candidates is None:
        k = agent.num_candidates if any_size else min(agent.num_candidates, most)
    else:
        k = whole_number("num_candidates", num_candidates)
    if k > most and not any_size:
        raise InputError(f"num_candidates must be 1 to {most} for {num_users} users, got {k}")
    learners: list[Any] = [agent.learner]
    if isinstance(agent.learner, Ensemble):
        learners = list(agent.learner.learners)
    graph, lead = Graph(), [] if len(learners) == 1 else [len(learners)]
    users, seen = graph("Shape", OBSERVATION, start=0, end=1), _seen(graph, agent)
    noisy, each_relaxed, each = is_noisy(quantizer, k), [], []
    for place, learner in enumerate(learners):
        output = settings.kind.output(num_users)
        logits = logits_of(graph, network, learner.deciding(), seen, settings.num_features, output)
        relaxed = _relaxed(graph, logits, len(output), settings.renewed and len(output) == 1)
        noise = graph("Gather", NOISE, np.int64(place)) if lead and noisy else NOISE
        asked = Asked(relaxed, users, k, None if any_size else num_users, noise)
        each.append(candidates_of(graph, quantizer, asked))
        each_relaxed.append(relaxed)
    candidates, all_relaxed = each[0], each_relaxed[0]
    if lead:  # the first of each network, then the second of each, and so on
        candidates = graph("Concat", *(graph("Unsqueeze", one, np.array([1])) for one in each), axis=1)
        candidates = graph("Reshape", candidates, graph("Concat", np.array([-1]), users, axis=0))
        all_relaxed = graph("Concat", *(graph("Unsqueeze", one, np.array([0])) for one in each_relaxed), axis=0)
    graph("Cast", all_relaxed, to=DOUBLE, name="relaxed")
    graph("Identity", candidates, name="candidates")
    side: Any = "N" if any_size else num_users
    inputs = {OBSERVATION: (np.float64, [side, settings.num_features])}
    if noisy:
        inputs[NOISE] = (np.float64, [*lead, side])
    choices = [] if settings.num_choices == 2 else [settings.num_choices]
    outputs = {"relaxed": (np.float64, [*lead, side, *choices]), "candidates": (np.int64, ["K", side])}
    metadata = {
        "version": VERSION,
        "network": type(network).__name__,
        "quantizer": type(quantizer).__name__,
        "num_users": "any" if any_size else str(num_users),
        "num_features": str(settings.num_features),
        "num_choices": str(settings.num_choices),
        "num_candidates": str(k * len(learners)),
    }
    checkpoint.write_whole(path, graph.model(inputs, outputs, metadata))


def _seen(graph: Graph, agent: OffloadingAgent) -> Value:
    """The observation as the network sees it, in the precision of its weights."""
    seen: Value = OBSERVATION
    if agent._standardization is not None:
        if not agent._standardization.frames:
            raise InputError(
                "agent must have seen an observation to be exported, since it standardises them, got 0"
            )
        mean, scale = (one[0] for one in agent._standardization.mean_and_scale())
        seen = graph("Div", graph("Sub", seen, mean), scale)
        seen = graph("Clip", seen, np.float64(-LIMIT), np.float64(LIMIT))
    seen = graph("Cast", seen, to=FLOAT)
    return seen if dtype_of(agent._network) is torch.float32 else graph("Cast", seen, to=DOUBLE)


def _relaxed(graph: Graph, logits: Value, dimensions: int, single: bool) -> Value:
    """As `agent.decisions` has it: the sigmoid of logits (N,), or the softmax of logits (N, C)."""
    if not single:
        logits = graph("Cast", logits, to=DOUBLE)
    if dimensions > 1:
        powers = graph("Exp", graph("Sub", logits, graph("ReduceMax", logits, axes=[1])))
        return graph("Div", powers, graph("ReduceSum", powers, np.array([1])))
    one = np.float32(1) if single else np.float64(1)
    floor = logits if single else graph("Max", logits, np.float64(-700))
    return graph("Div", one, graph("Add", one, graph("Exp", graph("Neg", floor))))
