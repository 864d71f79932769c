"""The packaged digits model: accurate by the reference kernels, small, and made by code that repeats itself."""

from __future__ import annotations

import numpy as np
import pytest
import tflite

from tvm_wvv.data import digits
from tvm_wvv.data.labelled import to_input
from tvm_wvv.models import WORDS, packaged
from tvm_wvv.models.digits_graph import BODY, INPUT, LOGITS, PROBABILITIES, Add, Conv, same_padding
from tvm_wvv.models.digits_quantize import Weights, affine, to_tflite
from tvm_wvv.models.train_digits import build, main
from tvm_wvv.reference.golden import interpreter_module


def model_bytes() -> bytes:
    path = packaged("digits")
    assert path is not None
    return path.read_bytes()


def run(model: bytes, images: np.ndarray) -> np.ndarray:
    """Output bytes of the reference kernels, one image at a time."""
    module, _ = interpreter_module()
    reference = module.OpResolverType.BUILTIN_REF
    interpreter = module.Interpreter(model_content=model, experimental_op_resolver_type=reference)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for image in to_input(images, tuple(source["shape"]), *source["quantization"]):
        interpreter.set_tensor(source["index"], image[np.newaxis])
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(result["index"])[0])
    return np.array(outputs)


def random_parts() -> tuple[dict[str, Weights], dict[str, tuple[float, float]]]:
    """Weights and ranges for the whole graph, without training."""
    random = np.random.default_rng(3)
    weights = {LOGITS: Weights(random.normal(size=(10, 32)), random.normal(size=10))}
    for layer in BODY:
        if isinstance(layer, Conv):
            shape = (layer.channels_out, layer.kernel, layer.kernel, layer.channels_in)
            weights[layer.name] = Weights(random.normal(size=shape) / shape[-1], random.normal(size=shape[0]))
    return weights, dict.fromkeys((*(layer.name for layer in BODY), LOGITS), (-2.0, 3.0))


def test_the_words_name_files_and_nothing_else_does() -> None:
    assert all((path := packaged(word)) is not None and path.is_file() for word in WORDS)
    assert packaged("digit") is None
    assert packaged("../models/digits") is None


def test_held_out_accuracy_by_the_reference_kernels() -> None:
    test = digits.load("test")
    right = np.mean(run(model_bytes(), test.images).argmax(axis=1) == test.labels)
    assert right >= 0.985  # the packaged file gets 450 of 450


def test_the_file_is_small_and_names_its_layers() -> None:
    assert len(model_bytes()) < 64 * 1024
    graph = tflite.Model.GetRootAsModel(model_bytes(), 0).Subgraphs(0)
    names = [graph.Tensors(i).Name().decode() for i in range(graph.TensorsLength())]
    assert {"stem/conv", "block1/conv1", "block1/add", "block2/shortcut", "pool", "logits"} < set(names)
    outputs = [names[graph.Operators(i).Outputs(0)] for i in range(graph.OperatorsLength())]
    assert outputs == [*(layer.name for layer in BODY), "pool", "pool/vector", "logits", PROBABILITIES]
    assert (names[graph.Inputs(0)], names[graph.Outputs(0)]) == (INPUT, PROBABILITIES)


def test_packaging_repeats_and_every_parameter_counts() -> None:
    weights, ranges = random_parts()
    first = to_tflite(weights, ranges)
    assert first == to_tflite(weights, ranges)
    for name in weights:
        other = {**weights, name: Weights(-weights[name].weight, weights[name].bias)}
        assert to_tflite(other, ranges) != first
    assert run(first, digits.load("test").images[:2]).shape == (2, 10)


def test_the_residual_graph_is_sound() -> None:
    """Each layer reads layers before it, and an Add joins equal shapes."""
    shapes = {INPUT: (16, 1)}
    for layer in BODY:
        if isinstance(layer, Add):
            assert shapes[layer.left] == shapes[layer.right]
            shapes[layer.name] = shapes[layer.left]
        else:
            side, channels = shapes[layer.source]
            assert channels == layer.channels_in
            shapes[layer.name] = (-(-side // layer.stride), layer.channels_out)
    assert shapes[BODY[-1].name] == (8, 32)


def test_quantization_keeps_zero_a_code() -> None:
    for low, high, zero in [(0.0, 5.1, -128), (-5.1, 0.0, 127), (-2.55, 2.55, 0), (1.0, 2.55, -128), (0.0, 0.0, -128)]:
        at = affine(low, high)
        assert at.zero_point == zero
        assert at.scale > 0
        # Rounding the zero point to a code may cost half a code at an end; the rest is float32.
        assert at.scale * (127 - at.zero_point) >= high - 0.501 * at.scale


@pytest.mark.parametrize(
    ("side", "kernel", "stride", "pads"),
    [(16, 3, 1, (1, 1)), (16, 3, 2, (0, 1)), (15, 3, 2, (1, 1)), (16, 1, 2, (0, 0))],
)
def test_padding_is_tflites(side: int, kernel: int, stride: int, pads: tuple[int, int]) -> None:
    assert same_padding(side, kernel, stride) == pads


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--epochs", "0"], "--epochs is 0, need at least 1"), (["-o", "no/such/x.tflite"], "no folder no/such")],
)
def test_training_refuses_before_it_begins(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:

    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_training_repeats_by_its_seed() -> None:
    pytest.importorskip("torch", reason="training is the one part that needs torch")

    first = build(epochs=1, seed=7)
    assert first == build(epochs=1, seed=7)
    assert first != build(epochs=1, seed=8)
