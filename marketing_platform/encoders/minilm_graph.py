"""Builds the ONNX graph of all-MiniLM-L6-v2 with int8 matrix products from its fp32 weights.

Only the arithmetic belongs here; where weights and built files live, and how texts become token
ids, is `minilm.py`'s. The network is BERT (Devlin et al., 2019) with 6 layers as distilled in
MiniLM (Wang et al., 2020), then mean pooling and unit length (Reimers & Gurevych, 2019).

How it differs from what `quantize_dynamic` makes of an exported model, and why:

- Activations are scaled per token, as in ZeroQuant (Yao et al., 2022), not per tensor. A few
  tokens are ten times larger than all others and would take the resolution from them; and a
  text's vector would depend on the texts it shares a batch with, so that a cached vector
  could not be reproduced.
- After GELU, whose values are never below -0.17, the whole unsigned range is used.
- Weights have 7 bits. Processors with AVX2 but without VNNI add pairs of 8-bit products in 16 bits,
  which would overflow without a word; 255 * 63 * 2 still fits.
- Residual and LayerNormalization stay two nodes: the fused SkipLayerNormalization takes ten
  times as long on a CPU (onnxruntime 1.31).
- Sequences in a batch have one length, so nothing is padded and nothing masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYERS = 6
HEADS = 12
DIM = 384
EPSILON = 1e-12
WEIGHT_LEVELS = 63
# GELU has its minimum, -0.16997, near -0.75.
GELU_SHIFT = 0.17

_MICROSOFT = "com.microsoft"
Weights = Mapping[str, np.ndarray]


def build_graph(weights: Weights) -> onnx.ModelProto:
    """The model: `input_ids` (batch x length int32) to `embedding` (batch x 384 float32, unit length).

    `weights` are the tensors of the published checkpoint under their own names.
    """
    graph = _Graph()
    hidden = _embed(graph, weights)
    for layer in range(LAYERS):
        hidden = _layer(graph, weights, hidden, layer)
    pooled = graph.node(
        "ReduceMean", [hidden, graph.constant("sequence_axis", np.array([1], np.int64))], "pooled", keepdims=0
    )
    graph.node("LpNormalization", [pooled], "embedding", axis=-1, p=2)
    return graph.model()


class _Graph:
    """Collects nodes and constants; every method returns the name of what it added."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(self, op: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def model(self) -> onnx.ModelProto:
        ids = helper.make_tensor_value_info("input_ids", TensorProto.INT32, ["batch", "length"])
        embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIM])
        graph = helper.make_graph(
            self._nodes, "all-MiniLM-L6-v2", [ids], [embedding], list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)]
        return helper.make_model(
            graph, opset_imports=opsets, ir_version=10, producer_name="marketing-platform"
        )


def _embed(graph: _Graph, weights: Weights) -> str:
    prefix = "embeddings."
    # There is only one segment, so its vector is part of every position's.
    positions = (
        weights[prefix + "position_embeddings.weight"] + weights[prefix + "token_type_embeddings.weight"][0]
    )
    words = graph.constant("words", weights[prefix + "word_embeddings.weight"])
    tokens = graph.node("Gather", [words, "input_ids"], "tokens")
    length = graph.node("Shape", ["input_ids"], "length", start=1)
    first = graph.constant("first", np.array([0], np.int64))
    places = graph.node("Slice", [graph.constant("positions", positions), first, length], "places")
    return _normalise(graph, weights, graph.node("Add", [tokens, places], "embedded"), prefix + "LayerNorm")


def _layer(graph: _Graph, weights: Weights, hidden: str, layer: int) -> str:
    prefix = f"encoder.layer.{layer}."
    attended = _attention(graph, weights, hidden, prefix + "attention.self.")
    projected = _linear(graph, weights, _quantise_signed(graph, attended), prefix + "attention.output.dense")
    summed = graph.node("Add", [projected, hidden], prefix + "attention.residual")
    hidden = _normalise(graph, weights, summed, prefix + "attention.output.LayerNorm")

    inner = _product(
        graph,
        _quantise_signed(graph, hidden),
        prefix + "inner",
        weights[prefix + "intermediate.dense.weight"],
    )
    bias = graph.constant(prefix + "inner.bias", weights[prefix + "intermediate.dense.bias"])
    activated = graph.node("BiasGelu", [inner, bias], prefix + "gelu", domain=_MICROSOFT)
    output = _linear(graph, weights, _quantise_gelu(graph, activated), prefix + "output.dense")
    summed = graph.node("Add", [output, hidden], prefix + "residual")
    return _normalise(graph, weights, summed, prefix + "output.LayerNorm")


def _attention(graph: _Graph, weights: Weights, hidden: str, prefix: str) -> str:
    quantised = _quantise_signed(graph, hidden)
    parts = ("query", "key", "value")
    products = [
        _product(graph, quantised, prefix + part, weights[f"{prefix}{part}.weight"]) for part in parts
    ]
    bias = np.concatenate([weights[f"{prefix}{part}.bias"] for part in parts])
    inputs = [*products, graph.constant(prefix + "bias", bias)]
    return graph.node("MultiHeadAttention", inputs, prefix + "out", domain=_MICROSOFT, num_heads=HEADS)


def _normalise(graph: _Graph, weights: Weights, value: str, name: str) -> str:
    gain = graph.constant(name + ".gain", weights[name + ".weight"])
    bias = graph.constant(name + ".bias", weights[name + ".bias"])
    return graph.node("LayerNormalization", [value, gain, bias], name, epsilon=EPSILON)


@dataclass(frozen=True)
class _Quantised:
    """value = (integers - zero) * step * row - shift, where `row` differs for every token."""

    integers: str
    step: str
    zero: str
    row: str
    shift: float


def _quantise_signed(graph: _Graph, value: str) -> _Quantised:
    """Each token's values to 8 bits, symmetric around zero."""
    last = graph.constant("last_axis", np.array([-1], np.int64))
    highest = graph.node("ReduceMax", [value, last], value + ".highest", keepdims=1)
    lowest = graph.node("ReduceMin", [value, last], value + ".lowest", keepdims=1)
    row = graph.node("Max", [highest, graph.node("Neg", [lowest], value + ".lowest_size")], value + ".row")
    step = graph.constant("signed_step", np.array(1 / 127, np.float32))
    zero = graph.constant("signed_zero", np.array(128, np.uint8))
    return _Quantised(_round(graph, value, row, step, zero), step, zero, row, 0.0)


def _quantise_gelu(graph: _Graph, value: str) -> _Quantised:
    """Each token's values to 8 bits, from GELU's minimum up."""
    shift = graph.constant("gelu_shift", np.array(GELU_SHIFT, np.float32))
    shifted = graph.node("Add", [value, shift], value + ".shifted")
    last = graph.constant("last_axis", np.array([-1], np.int64))
    row = graph.node("ReduceMax", [shifted, last], value + ".row", keepdims=1)
    step = graph.constant("gelu_step", np.array(1 / 255, np.float32))
    zero = graph.constant("gelu_zero", np.array(0, np.uint8))
    return _Quantised(_round(graph, shifted, row, step, zero), step, zero, row, GELU_SHIFT)


def _round(graph: _Graph, value: str, row: str, step: str, zero: str) -> str:
    scaled = graph.node("Div", [value, row], value + ".scaled")
    return graph.node("QuantizeLinear", [scaled, step, zero], value + ".integers")


def _linear(graph: _Graph, weights: Weights, value: _Quantised, name: str) -> str:
    """A dense layer with its bias, which also takes back the shift of the input."""
    integers, steps = _quantise_weight(weights[name + ".weight"])
    shifted_by = value.shift * (integers.astype(np.float32) * steps).sum(axis=0)
    bias = graph.constant(name + ".bias", (weights[name + ".bias"] - shifted_by).astype(np.float32))
    product = _product(graph, value, name + ".product", weights[name + ".weight"])
    return graph.node("Add", [product, bias], name)


def _product(graph: _Graph, value: _Quantised, name: str, weight: np.ndarray) -> str:
    """(tokens x in) times the transposed out x in weight, in integers, back to float."""
    integers, steps = _quantise_weight(weight)
    inputs = [
        value.integers,
        graph.constant(name + ".weight", integers),
        value.step,
        graph.constant(name + ".steps", steps),
        value.zero,
        graph.constant(name + ".zeros", np.zeros(steps.shape, np.int8)),
    ]
    product = graph.node("MatMulIntegerToFloat", inputs, name + ".scaled", domain=_MICROSOFT)
    return graph.node("Mul", [product, value.row], name)


def _quantise_weight(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An out x in weight as in x out int8 and one step per output."""
    transposed = weight.T
    steps = (np.abs(transposed).max(axis=0) / WEIGHT_LEVELS).astype(np.float32)
    return np.clip(np.rint(transposed / steps), -WEIGHT_LEVELS, WEIGHT_LEVELS).astype(np.int8), steps
