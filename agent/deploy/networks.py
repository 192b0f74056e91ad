"""The networks as ONNX operators: logits (N,) or (N, C) of one observation (N, F)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ..checks import InputError
from ..learners.backpropagation import Layer, of_fully_connected
from ..learners.reading import READ, UnreadableError, read
from ..networks.convolutional import Convolutional
from ..networks.fully_connected import FullyConnected
from ..networks.pair_network import LARGEST, PRICE_STEPS, PairNetwork
from ..networks.set_network import CENTRE, NOBODY, OFF, SCALE, SPREAD, SetNetwork
from .graph import Graph, Value

Weights = Mapping[str, NDArray[np.floating]]
_ACTIVATIONS = {"relu": "Relu", "leaky_relu": "LeakyRelu", "sigmoid": "Sigmoid", "tanh": "Tanh"}
_LAST, _ALL = np.array([-1]), np.array([2**62])


def logits_of(
    graph: Graph, network: nn.Module, weights: Weights, seen: Value, num_features: int, output: tuple[int, ...]
) -> Value:
    """Logits of what a network sees, with weights by the names they have in it.

    Raises InputError for a network that cannot be written in operators.
    """
    if isinstance(network, SetNetwork):
        return _set_network(graph, network, weights, seen)
    if isinstance(network, PairNetwork):
        return _pair_network(graph, network, weights, seen)
    if isinstance(network, Convolutional):
        signal = _convolutions(graph, network, weights, seen)
        layers = [Layer("head.weight", "head.bias")]
    else:
        layers = _layers(network, output[0], num_features, output)
        signal = graph("Reshape", seen, np.array([1, -1]))
    return graph("Reshape", _through(graph, layers, weights, signal), np.array(output))


def _layers(network: nn.Module, num_users: int, num_features: int, output: tuple[int, ...]) -> list[Layer]:
    if isinstance(network, FullyConnected):
        return of_fully_connected(network).layers
    try:
        return read(network, num_users, num_features, output).layers
    except UnreadableError as error:
        raise InputError(
            "network must be FullyConnected, Convolutional, SetNetwork, PairNetwork or "
            f"{READ} to be exported, got {type(network).__name__}: {error}"
        ) from error


def _through(graph: Graph, layers: list[Layer], weights: Weights, signal: Value) -> Value:
    """What comes out of layers for signals in rows (B, inputs)."""
    for layer in layers:
        bias = [] if layer.bias is None else [weights[layer.bias]]
        signal = graph("Gemm", signal, weights[layer.weight], *bias, transB=1)
        if layer.activation != "none":
            slope: dict[str, Any] = {"alpha": layer.slope} if layer.activation == "leaky_relu" else {}
            signal = graph(_ACTIVATIONS[layer.activation], signal, **slope)
    return signal


def _hidden(name: str, layers: nn.ModuleList) -> list[Layer]:
    return [Layer(f"{name}.{place}.weight", f"{name}.{place}.bias", "relu") for place in range(len(layers))]


def _convolutions(graph: Graph, network: Convolutional, weights: Weights, seen: Value) -> Value:
    activation = _ACTIVATIONS[network.settings["activation"]]
    margin = [network.settings["kernel_size"] // 2] * 2
    signal = graph("Unsqueeze", graph("Transpose", seen, perm=[1, 0]), np.array([0]))
    for place in range(len(network.convolutions)):
        name = f"convolutions.{place}"
        signal = graph("Conv", signal, weights[f"{name}.weight"], weights[f"{name}.bias"], pads=margin)
        signal = graph(activation, signal)
    return graph("Flatten", signal)


def _log_sum(graph: Graph, terms: Value, axis: int) -> tuple[Value, Value]:
    """ln sum exp of terms along an axis, which is kept, as the largest of them and what is added to it."""
    top = graph("ReduceMax", terms, axes=[axis])
    powers = graph("Exp", graph("Sub", terms, top))
    return top, graph("Log", graph("ReduceSum", powers, np.array([axis])))


def _set_network(graph: Graph, network: SetNetwork, weights: Weights, seen: Value) -> Value:
    exponents = weights["exponents"]
    number = exponents.dtype.type
    user, on = seen, None
    if network.masked:
        user = graph("Slice", seen, np.array([0]), _LAST, np.array([1]))
        on = graph("Greater", graph("Slice", seen, _LAST, _ALL, np.array([1])), number(0))
    inner = _through(graph, _hidden("embedding", network.embedding), weights, user)
    terms = graph("MatMul", inner, exponents)
    if on is not None:
        terms = graph("Where", on, terms, number(NOBODY))
    crowds = graph(
        "Reshape", terms, np.array([-1 if network.group else 1, network.group or -1, exponents.shape[1]])
    )
    top, more = _log_sum(graph, crowds, 1)
    if network.relative:
        crowd = graph("Sub", graph("Sub", crowds, top), more)
    else:
        crowd = graph("Div", graph("Add", more, graph("Sub", top, number(CENTRE))), number(SPREAD))
        crowd = graph("Expand", crowd, graph("Shape", crowds))
    crowd = graph("Reshape", crowd, graph("Shape", terms))
    all_seen = graph("Concat", user, crowd, axis=1)
    signal = _through(graph, _hidden("layers", network.layers), weights, all_seen)
    head = graph("MatMul", signal, weights["head.weight"].T)
    skip = _through(graph, [Layer("skip.weight", "skip.bias")], weights, all_seen)
    logits = graph("Mul", number(SCALE), graph("Add", head, skip))
    if on is not None:
        logits = graph("Where", on, logits, number(OFF))
    return graph("Reshape", logits, _LAST)


def _pair_network(graph: Graph, network: PairNetwork, weights: Weights, seen: Value) -> Value:
    exponents = weights["exponents"]
    number = exponents.dtype.type
    per_pair, sums = exponents.shape
    servers = network.settings["num_features"] // per_pair
    pairs = graph("Transpose", graph("Reshape", seen, np.array([0, per_pair, servers])), perm=[0, 2, 1])
    own = graph("MatMul", pairs, exponents)
    squared = graph("Exp", graph("Mul", number(2), graph("Min", own, number(LARGEST / 2))))
    free = graph("Mul", number(0), graph("ReduceSum", pairs, _LAST, keepdims=0))
    price: Value = np.zeros((1, servers), exponents.dtype)
    for _ in range(network.rounds):
        likely = _log_softmax(graph, graph("Sub", free, price), number)
        if network._log_places is not None:
            places = network._log_places.numpy().astype(exponents.dtype)
            for _ in range(PRICE_STEPS):
                taken = graph("Add", *_log_sum(graph, likely, 0))
                price = graph("Relu", graph("Sub", graph("Add", price, taken), places))
                likely = _log_softmax(graph, graph("Sub", free, price), number)
        likely = graph("Unsqueeze", likely, _LAST)
        crowd = graph("Add", *_log_sum(graph, graph("Add", likely, own), 0))
        products = graph("Exp", graph("Min", graph("Add", own, crowd), number(LARGEST)))
        crowd = graph("Expand", crowd, graph("Shape", own))
        all_seen = graph("Concat", pairs, graph("Exp", likely), crowd, products, squared, axis=-1)
        rows = graph("Reshape", all_seen, np.array([-1, per_pair + 1 + 3 * sums]))
        signal = _through(graph, _hidden("layers", network.layers), weights, rows)
        head = graph("MatMul", signal, weights["head.weight"].T)
        added = graph("Add", head, _through(graph, [Layer("skip.weight", "skip.bias")], weights, rows))
        free = graph("Add", free, graph("Reshape", added, np.array([-1, servers])))
    logits = graph("Sub", free, price)
    return graph("Mul", _beside_local(graph, logits, number), np.exp(weights["sharpness"]))


def _beside_local(graph: Graph, logits: Value, number: Any) -> Value:
    """Logits (N, M) with that of local computing, 0, before them."""
    return graph("Pad", logits, np.array([0, 1, 0, 0]), number(0))


def _log_softmax(graph: Graph, logits: Value, number: Any) -> Value:
    return graph("Sub", logits, graph("Add", *_log_sum(graph, _beside_local(graph, logits, number), 1)))
