"""TVM's TFLite importer, kept exact: each operator's result is bound to a variable that bears its tensor's name.

TVM's converters are used as they are, but for a few that lose what the integer kernels need: a softmax's beta, clamps
computed with TFLite's own rounding, shapes of the tensors themselves (a reshape to -1), and fully connected layers
over inputs of more than two dimensions. The result is QDQ Relax: dequantize, float operator, quantize.
"""

from __future__ import annotations

import tflite
from tvm import IRModule, relax
from tvm.relax.frontend.tflite.tflite_frontend import OperatorConverter, from_tflite, get_tensor_name

from tvm_wvv.quant.operators import Affine
from tvm_wvv.quant.parameters import activation_clamp

_ACTIVATIONS = {code: name for name, code in vars(tflite.ActivationFunctionType).items() if not name.startswith("_")}


def to_relax(model: tflite.Model) -> IRModule:
    """QDQ Relax; `main` has the attribute `layers`: variable name -> TFLite tensor name, one entry an operator."""
    names: dict[str, str] = {}
    builders: list[relax.BlockBuilder] = []

    def converter(model: tflite.Model, graph: object, table: object, builder: relax.BlockBuilder) -> _Converter:
        builders.append(builder)
        return _Converter(names, model, graph, table, builder)

    try:
        module = from_tflite(model, op_converter=converter)
    except BaseException:
        # TVM leaves a block open, and its builder would print a warning beside the one line that the user gets.
        for builder in builders:
            builder._end_block()
        raise
    module["main"] = module["main"].without_attr("params").with_attr("layers", names)
    return module


class _Converter(OperatorConverter):
    """One call for each operator; `names` collects which variable holds which tensor."""

    def __init__(self, names: dict[str, str], *args: object) -> None:
        super().__init__(*args)
        self.names = names
        self.convert_map.update(
            RESHAPE=self._reshape,
            SOFTMAX=self._softmax,
            FULLY_CONNECTED=self._fully_connected,
            MINIMUM=self._minimum,
            MAXIMUM=self._maximum,
            RELU_N1_TO_1=self._relu_n1_to_1,
        )

    def check_unsupported_ops(self) -> None:
        """The file was checked before, with errors that name the tensor."""

    def convert_op_to_relax(self) -> None:
        for index in range(self.subgraph.OperatorsLength()):
            self._convert(self.subgraph.Operators(index))

    def _convert(self, operator: tflite.Operator) -> None:
        result = self.convert_map[self.get_op_code_str(operator)](op=operator)
        name = get_tensor_name(self.subgraph, operator.Outputs(0))
        variable = self.bb.emit(result, name_hint=name)
        computed, stated = [int(extent) for extent in variable.ty.shape], self._output_shape(operator)
        if computed != stated:
            raise ValueError(f"'{name}' has the shape {stated} in the file, but its operator gives {computed}")
        self.names[variable.name] = name
        self.exp_tab.set_expr(name, variable)

    def convert_qnn_fused_activation_function(
        self, expr: relax.Expr, fused_activation_fn: int, scale: float, zero_point: int, dtype: str
    ) -> relax.Expr:
        low, high = activation_clamp(_ACTIVATIONS[fused_activation_fn], Affine(float(scale), int(zero_point)))
        return expr if (low, high) == (-128, 127) else relax.op.clip(expr, low, high)

    def _reshape(self, op: tflite.Operator) -> relax.Expr:
        return relax.op.reshape(self.get_expr(op.Inputs(0)), self._output_shape(op))

    def _softmax(self, op: tflite.Operator) -> relax.Expr:
        source, target = self.get_input_tensors(op)[0], self.get_output_tensors(op)[0]
        options = tflite.SoftmaxOptions()
        options.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
        real = self.dequantize(self.get_expr(source.tensor_idx), source)
        scaled = relax.op.multiply(real, relax.const(options.Beta(), "float32"))
        return self.quantize(relax.op.nn.softmax(scaled, axis=-1), target)

    def _fully_connected(self, op: tflite.Operator) -> relax.Expr:
        source, weights = self.get_input_tensors(op)[:2]
        depth = weights.tensor.Shape(1)
        shape = [int(extent) for extent in source.tensor.ShapeAsNumpy()]
        rows = 1
        for extent in shape:
            rows *= extent
        name = get_tensor_name(self.subgraph, source.tensor_idx)
        original = self.exp_tab.get_expr(name)
        # TFLite reads the input as (rows, depth) whatever its shape, and gives the output the shape of its tensor.
        self.exp_tab.set_expr(name, self._as_shape(original, [rows // depth, depth]), force_override=True)
        result = self.convert_fully_connected(op)
        self.exp_tab.set_expr(name, original, force_override=True)
        return self._as_shape(result, self._output_shape(op))

    def _minimum(self, op: tflite.Operator) -> relax.Expr:
        expr, bound = self._bounded(op)
        return relax.op.clip(expr, -128, bound)

    def _maximum(self, op: tflite.Operator) -> relax.Expr:
        expr, bound = self._bounded(op)
        return relax.op.clip(expr, bound, 127)

    def _bounded(self, op: tflite.Operator) -> tuple[relax.Expr, int]:
        """The operand that is computed, and the constant one as a number."""
        tensors = self.get_input_tensors(op)
        constant = [t for t in tensors if not self.has_expr(t.tensor_idx)]
        if len(constant) != 1:
            raise NotImplementedError("MINIMUM and MAXIMUM need one computed and one constant operand")
        values = self.get_tensor_value(constant[0])
        if values.size != 1:
            raise NotImplementedError(f"MINIMUM and MAXIMUM need a constant of one value, this one has {values.size}")
        computed = next(t for t in tensors if t is not constant[0])
        return self.get_expr(computed.tensor_idx), int(values.reshape(()))

    def _relu_n1_to_1(self, op: tflite.Operator) -> relax.Expr:
        source, target = self.get_input_tensors(op)[0], self.get_output_tensors(op)[0]
        real = self.dequantize(self.get_expr(source.tensor_idx), source)
        return self.quantize(relax.op.clip(real, -1, 1), target)

    def _output_shape(self, op: tflite.Operator) -> list[int]:
        return [int(extent) for extent in self.subgraph.Tensors(op.Outputs(0)).ShapeAsNumpy()]

    def _as_shape(self, expr: relax.Expr, shape: list[int]) -> relax.Expr:
        expr = self.bb.normalize(expr)
        held = [int(extent) for extent in expr.ty.shape]
        return expr if held == shape else self.bb.emit(relax.op.reshape(expr, shape))
