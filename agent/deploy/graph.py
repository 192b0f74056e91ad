"""A graph of ONNX operators, written as calls that are given names or arrays and return the name of an output."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPSET, IR_VERSION = 17, 8
"""Those of ONNX 1.12, so that older runtimes read a model too."""
Value = Any
"""What goes into an operator: the name of another's output, or an array."""
FLOAT, INT, BOOL, DOUBLE = 1, 7, 9, 11
"""ONNX's numbers for the types that a Cast is given."""


class Graph:
    """Nodes and constants that are collected until `model` puts them together.

    Raises:
        ImportError: when ONNX is not installed.
    """

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise ImportError(
                "exporting needs onnx: install the 'deploy' extra, pip install 'mec-offloading[deploy]'"
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._count = itertools.count()

    def __call__(self, operator: str, *inputs: Value, outputs: int = 1, name: str = "", **attributes: Any) -> Any:
        """Add a node; returns the name of its output, `name` where given, or the names of several in a list."""
        given = [one if isinstance(one, str) else self._constant(np.asarray(one)) for one in inputs]
        place = next(self._count)
        names = [
            name or f"{operator}_{place}" if outputs == 1 else f"{operator}_{place}_{one}"
            for one in range(outputs)
        ]
        self._nodes.append(self._onnx.helper.make_node(operator, given, names, **attributes))
        return names[0] if outputs == 1 else names

    def sort(self, values: Value, count: Value, largest: bool = False) -> tuple[str, str]:
        """The `count` (1,) smallest or largest along the last axis, and their places; of equal ones the first."""
        return tuple(self("TopK", values, count, outputs=2, axis=-1, largest=int(largest), sorted=1))

    def places(self, order: Value, count: Value) -> str:
        """The inverse of a permutation (N,)."""
        return self.sort(order, count)[1]

    def body(self, inputs: dict[str, Any], write: Callable[[], dict[str, Any]]) -> Any:
        """The graph of what `write` adds, for an `If` or a `Loop`; its outputs are what `write` returns.

        Inputs and outputs have each a dtype and a shape by name, as of `model`.
        """
        outside, self._nodes = self._nodes, []
        try:
            outputs = write()
            return self._onnx.helper.make_graph(self._nodes, "body", self._ends(inputs), self._ends(outputs))
        finally:
            self._nodes = outside

    def model(self, inputs: dict[str, Any], outputs: dict[str, Any], metadata: dict[str, str]) -> bytes:
        """The checked model; `inputs` and `outputs` are the dtype and shape of each, by name."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes, "agent", self._ends(inputs), self._ends(outputs), initializer=self._constants
        )
        made = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="mec-offloading",
            producer_version=metadata["version"],
        )
        helper.set_model_props(made, metadata)
        self._onnx.checker.check_model(made, full_check=True)
        return bytes(made.SerializeToString())

    def _ends(self, values: dict[str, Any]) -> list[Any]:
        helper = self._onnx.helper
        return [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)
            for name, (dtype, shape) in values.items()
        ]

    def _constant(self, array: NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(array.copy(order="C"), name))
        return name
