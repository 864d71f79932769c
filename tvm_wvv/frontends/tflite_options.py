"""The two facts about a TFLite operator that its tensors do not hold: builtin options and operator version.

`add_options` writes the options table of one operator from plain names (`strides=(h, w)`, `padding="SAME"`);
an option that the kind does not have is a ValueError that names the ones it has.
`version` is the operator version that TFLite's own converter would write, so that every runtime accepts it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import flatbuffers
import numpy as np
import tflite

_CONV = ("padding", "strides", "dilation", "activation")
_POOL = ("padding", "strides", "filter", "activation")

# Kind -> (options table of the schema, the options it takes here); "" where the schema has no table for the kind.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", _CONV),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_CONV, "depth_multiplier")),
    "FULLY_CONNECTED": ("FullyConnectedOptions", ("activation", "keep_dims", "weights_format")),
    "ADD": ("AddOptions", ("activation",)),
    "SUB": ("SubOptions", ("activation",)),
    "MUL": ("MulOptions", ("activation",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", _POOL),
    "MAX_POOL_2D": ("Pool2DOptions", _POOL),
    "MEAN": ("ReducerOptions", ("keep_dims",)),
    "PAD": ("PadOptions", ()),
    "PADV2": ("PadV2Options", ()),
    "RESHAPE": ("ReshapeOptions", ("new_shape",)),
    "CONCATENATION": ("ConcatenationOptions", ("axis", "activation")),
    "SOFTMAX": ("SoftmaxOptions", ("beta",)),
    "QUANTIZE": ("QuantizeOptions", ()),
    "DEQUANTIZE": ("DequantizeOptions", ()),
    "MINIMUM": ("MaximumMinimumOptions", ()),
    "MAXIMUM": ("MaximumMinimumOptions", ()),
    "RELU": ("", ()),
    "RELU6": ("", ()),
    "RELU_N1_TO_1": ("", ()),
    "LOGISTIC": ("", ()),
    "TANH": ("", ()),
}

# What holds where the caller says nothing; the schema's own defaults for strides and beta (0) are of no use.
_DEFAULTS: Mapping[str, object] = {
    "padding": "SAME", "strides": (1, 1), "dilation": (1, 1), "activation": "NONE", "filter": (2, 2),
    "keep_dims": False, "axis": -1, "beta": 1.0, "depth_multiplier": 1, "weights_format": "DEFAULT", "new_shape": (),
}  # fmt: skip

_ENUMS = {
    "padding": (tflite.Padding, "Padding"),
    "activation": (tflite.ActivationFunctionType, "FusedActivationFunction"),
    "weights_format": (tflite.FullyConnectedOptionsWeightsFormat, "WeightsFormat"),
}
_PAIRS = {"strides": ("StrideH", "StrideW"), "filter": ("FilterHeight", "FilterWidth"),
          "dilation": ("DilationHFactor", "DilationWFactor")}  # fmt: skip
_SCALARS = {"axis": "Axis", "beta": "Beta", "depth_multiplier": "DepthMultiplier", "keep_dims": "KeepDims"}

# Versions of operators on float (first) and int8 tensors (second): tensorflow/lite/tools/versioning/op_version.cc.
_VERSIONS: Mapping[str, tuple[int, int]] = {
    "CONV_2D": (1, 3), "DEPTHWISE_CONV_2D": (1, 3), "FULLY_CONNECTED": (1, 4), "ADD": (1, 2), "SUB": (1, 2),
    "MUL": (1, 2), "AVERAGE_POOL_2D": (1, 2), "MAX_POOL_2D": (1, 2), "MEAN": (1, 2), "PAD": (1, 2), "PADV2": (1, 2),
    "RESHAPE": (1, 1),
    "CONCATENATION": (1, 2), "SOFTMAX": (1, 2), "QUANTIZE": (1, 1), "DEQUANTIZE": (1, 2), "MINIMUM": (1, 2),
    "MAXIMUM": (1, 2), "RELU": (1, 2), "RELU6": (1, 2), "RELU_N1_TO_1": (1, 1), "LOGISTIC": (1, 2), "TANH": (1, 2),
}  # fmt: skip


def version(kind: str, input_dtypes: Sequence[str | None], options: Mapping[str, object]) -> int:
    """The version TFLite's converter gives this operator; `input_dtypes` holds None for an input left out."""
    _known(kind)
    int8 = input_dtypes[0] == "int8"
    if kind == "FULLY_CONNECTED" and int8 and (len(input_dtypes) < 3 or input_dtypes[2] is None):
        return 6  # the bias became optional in version 6
    if kind == "FULLY_CONNECTED" and options.get("keep_dims"):
        return 5
    if kind == "DEPTHWISE_CONV_2D" and not int8 and options.get("dilation", (1, 1)) != (1, 1):
        return 2
    return _VERSIONS[kind][int8]


def add_options(builder: flatbuffers.Builder, kind: str, options: Mapping[str, object]) -> tuple[int, int] | None:
    """Write the options table of one operator; gives (its type in the union, its offset), None where there is none."""
    table, names = _known(kind)
    unknown = sorted(set(options) - set(names))
    if unknown:
        raise ValueError(f"{kind} has no option {unknown[0]!r}; it has: {', '.join(names) or 'none'}")
    if not table:
        return None
    fields = [field for name in names for field in _fields(kind, name, options.get(name, _DEFAULTS[name]))]
    # A vector must be complete before the table that refers to it is begun.
    stored = [(f, builder.CreateNumpyVector(v) if isinstance(v, np.ndarray) else v) for f, v in fields]
    getattr(tflite, f"{table}Start")(builder)
    for field, value in stored:
        getattr(tflite, f"{table}Add{field}")(builder, value)
    return getattr(tflite.BuiltinOptions, table), getattr(tflite, f"{table}End")(builder)


def _known(kind: str) -> tuple[str, tuple[str, ...]]:
    if kind not in KINDS:
        raise ValueError(f"no writer for the operator {kind!r}; known: {', '.join(KINDS)}")
    return KINDS[kind]


def _fields(kind: str, name: str, value: object) -> list[tuple[str, object]]:
    """One plain option as the schema's fields and their values."""
    if name in _ENUMS:
        enum, field = _ENUMS[name]
        if not isinstance(value, str) or not hasattr(enum, value):
            raise ValueError(f"{kind}: {name} is {value!r}; the schema has no such value")
        return [(field, getattr(enum, value))]
    if name in _PAIRS:
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError(f"{kind}: {name} is {value!r}, need (h, w)")
        return list(zip(_PAIRS[name], value, strict=True))
    if name == "new_shape":
        return [("NewShape", np.asarray(value, np.int32))]
    # The fully connected table has its own word for the option that reductions call KeepDims.
    return [("KeepNumDims" if kind == "FULLY_CONNECTED" else _SCALARS[name], value)]
