"""Which TFLite models are taken: int8 throughout, static shapes, known operators.

float32 stands only at the rim: inputs of the network that QUANTIZE alone reads, outputs that DEQUANTIZE gives.

A refusal names tensor and operator.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter

from tvm_wvv.errors import WvvError
from tvm_wvv.frontends.tflite_file import FileOperator, FileTensor, TfliteFile

SUPPORTED = (
    "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEQUANTIZE", "FULLY_CONNECTED",
    "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PAD", "PADV2", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1",
    "RESHAPE", "SOFTMAX",
)  # fmt: skip

# Operators whose second input is a filter, with the axis of its output channels.
_FILTERED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
# Inputs from this position on hold shapes, paddings or axes, and may be int32.
_PARAMETERS_FROM = {"RESHAPE": 1, "MEAN": 1, "PAD": 1, "PADV2": 1}

_HOW_TO_QUANTIZE = (
    "convert it with full integer quantization: representative_dataset, supported_ops = [TFLITE_BUILTINS_INT8], "
    "inference_input_type = inference_output_type = tf.int8"
)


def check(file: TfliteFile, where: str) -> None:
    """Pass silently, or raise a WvvError that names the first thing that is in the way."""
    _check_names(file, where)
    for operator in file.operators:
        _check_kind(operator, file, where)
        _check_inputs(operator, file, where)
    for operator in file.operators:
        _check_types(operator, file, where)
        _check_filter(operator, file, where)
    at_rim = _float_rim(file)
    for index in (*file.inputs, *file.outputs, *(i for op in file.operators for i in op.outputs)):
        _check_activation(file.tensors[index], where, index in at_rim)


def _check_names(file: TfliteFile, where: str) -> None:
    """Layers are known by the names of their tensors, so each needs one of its own."""
    computed = [file.tensors[i].name for i in (*file.inputs, *(i for op in file.operators for i in op.outputs))]
    for name, count in Counter(computed).items():
        if not name or count > 1:
            raise WvvError(f"{where}: {count} computed tensors bear the name {name!r}, each needs a name of its own")


def _float_rim(file: TfliteFile) -> set[int]:
    """The tensors that may be float32."""
    given = {i for op in file.operators if op.kind == "DEQUANTIZE" for i in op.outputs}
    taken = {i for op in file.operators if op.kind == "QUANTIZE" for i in op.inputs}
    read = {i for op in file.operators if op.kind != "QUANTIZE" for i in op.inputs}
    return ((taken & set(file.inputs)) | (given & set(file.outputs))) - read


def _check_kind(operator: FileOperator, file: TfliteFile, where: str) -> None:
    if operator.kind in SUPPORTED:
        return
    near = difflib.get_close_matches(operator.kind, SUPPORTED, n=1)
    hint = f"; near it: {near[0]}" if near else ""
    raise WvvError(
        f"{where}: operator {operator.kind} at '{file.name_of(operator)}' is not supported{hint} "
        f"(supported: {', '.join(SUPPORTED)})"
    )


def _check_inputs(operator: FileOperator, file: TfliteFile, where: str) -> None:
    """Only a damaged file lacks these, but what follows relies on them."""
    needed = 2 if operator.kind in _FILTERED else 1
    given = operator.inputs[:needed]
    if len(given) < needed or -1 in given:
        raise WvvError(f"{where}: {operator.kind} at '{file.name_of(operator)}' lacks an input, need {needed}")
    if operator.kind == "CONV_2D" and any(len(file.tensors[i].shape) != 4 for i in given):
        shapes = " and ".join(str(list(file.tensors[i].shape)) for i in given)
        raise WvvError(f"{where}: CONV_2D at '{file.name_of(operator)}' takes shapes {shapes}, need 4 axes in each")


def _check_types(operator: FileOperator, file: TfliteFile, where: str) -> None:
    name = file.name_of(operator)
    activation = file.tensors[operator.inputs[0]]
    if operator.kind == "QUANTIZE" and activation.dtype == "float32" and operator.inputs[0] in file.inputs:
        return
    if activation.dtype == "float32":
        weights = [file.tensors[i].dtype for i in operator.inputs[1:] if i >= 0]
        if "int8" in weights:
            raise WvvError(
                f"{where}: {operator.kind} at '{name}' is hybrid (float32 activations, int8 weights: dynamic-range "
                f"quantization); {_HOW_TO_QUANTIZE}"
            )
        raise WvvError(f"{where}: {operator.kind} at '{name}' computes in float32; {_HOW_TO_QUANTIZE}")
    last = _PARAMETERS_FROM.get(operator.kind, len(operator.inputs))
    for position, index in enumerate(operator.inputs[:last]):
        bias = position == 2 and operator.kind in _FILTERED
        wanted = "int32" if bias else "int8"
        if index >= 0 and file.tensors[index].dtype != wanted:
            found = file.tensors[index].dtype
            # A float16 model unpacks its weights by DEQUANTIZE.
            hint = f"; {_HOW_TO_QUANTIZE}" if operator.kind == "DEQUANTIZE" else ""
            raise WvvError(f"{where}: {operator.kind} at '{name}': input {position} is {found}, need {wanted}{hint}")


def _check_filter(operator: FileOperator, file: TfliteFile, where: str) -> None:
    if operator.kind not in _FILTERED:
        return
    name, weights = file.name_of(operator), file.tensors[operator.inputs[1]]
    if not weights.constant:
        raise WvvError(f"{where}: {operator.kind} at '{name}': the weights are computed, need constant weights")
    if any(weights.zero_points):
        raise WvvError(
            f"{where}: {operator.kind} at '{name}': weight zero point is {max(weights.zero_points, key=abs)}, need 0 "
            "(TFLite's int8 specification); quantize the model again"
        )
    if not weights.scales or not all(math.isfinite(s) and s > 0 for s in weights.scales):
        raise WvvError(f"{where}: {operator.kind} at '{name}': the weights have no finite positive scale")
    activation = file.tensors[operator.inputs[0]]
    if operator.kind == "CONV_2D" and weights.shape[3] != activation.shape[3]:
        raise WvvError(
            f"{where}: CONV_2D at '{name}' is grouped: filters have {weights.shape[3]} input channels, the input has "
            f"{activation.shape[3]}; grouped convolution is not supported"
        )


def _check_activation(tensor: FileTensor, where: str, at_rim: bool) -> None:
    if any(extent < 1 for extent in tensor.shape):
        raise WvvError(
            f"{where}: tensor '{tensor.name}' has the dynamic or empty shape {list(tensor.shape)}; convert the model "
            "with a fixed input shape"
        )
    if tensor.dtype == "float32" and at_rim:
        return
    if tensor.dtype != "int8":
        raise WvvError(f"{where}: tensor '{tensor.name}' is {tensor.dtype}, need int8; {_HOW_TO_QUANTIZE}")
    scales, zero_points = list(tensor.scales), list(tensor.zero_points)
    if len(scales) != 1 or not (math.isfinite(scales[0]) and scales[0] > 0):
        raise WvvError(f"{where}: tensor '{tensor.name}' has scales {scales}, need one finite positive scale")
    if len(zero_points) != 1 or not -128 <= zero_points[0] <= 127:
        raise WvvError(f"{where}: tensor '{tensor.name}' has zero points {zero_points}, need one in [-128, 127]")
