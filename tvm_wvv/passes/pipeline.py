"""The way of a network from QDQ Relax to kernel calls, as one list to read from top to bottom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tvm import IRModule, ir

from tvm_wvv.frontends.model import QuantModel, TensorInfo
from tvm_wvv.passes import integer_ops
from tvm_wvv.passes.choose import Choice, Decisions, Refusal, choose
from tvm_wvv.passes.conv_site import ConvSite
from tvm_wvv.passes.expose_layers import ExposeLayers
from tvm_wvv.passes.flash_budget import within_flash
from tvm_wvv.passes.fuse_qdq import FuseQdq
from tvm_wvv.passes.lower import LowerIntegerOps
from tvm_wvv.passes.lowered import LayerReport, Lowered
from tvm_wvv.passes.offload import Library, offload
from tvm_wvv.passes.options import Options, Target
from tvm_wvv.passes.report_layers import constant_bytes, report_layers
from tvm_wvv.passes.rewrite_winograd import RewriteWinograd
from tvm_wvv.passes.spec import Mode, layer_recipe, own_recipe, parse_layer_specs, parse_spec
from tvm_wvv.passes.tuned_layers import measured_choice, tuned_cpu, tuned_layers
from tvm_wvv.passes.tuning_records import tuned_by
from tvm_wvv.quant.operators import Affine, Conv2d, Dequantize
from tvm_wvv.quant.recipe import LayerRecipe, check_recipe, parse_recipe
from tvm_wvv.schedules import x86


def lower(model: QuantModel, options: Options, target: Target, library: Library | None = None) -> Lowered:
    """Kernel calls for `target`, and a report of each layer; `library` computes the direct layers that it can."""
    integer = integer_graph(model)

    def lowered(decisions: Decisions) -> Lowered:
        return _lowered(model, integer, decisions, options, target, library)

    decisions = decide(integer, options, model.sha256, target)
    if options.flash_bytes is None:
        return lowered(decisions)
    free = _free_layers(integer, options, decisions, model.sha256)
    return within_flash(options.flash_bytes, decisions, free, target, options.direct, lowered)


def integer_graph(model: QuantModel) -> IRModule:
    """The network as integer operators, one a layer."""
    return _run([FuseQdq()], model.module)


def _lowered(
    model: QuantModel,
    integer: IRModule,
    decisions: Decisions,
    options: Options,
    target: Target,
    library: Library | None,
) -> Lowered:
    exposed = [ExposeLayers(options.alone)] if options.every_layer else []
    staged = _run([*exposed, RewriteWinograd(decisions)], integer)
    offloaded = {} if library is None else offload(staged, library)
    measured = tuned_layers(integer, decisions, tuned_by(options.tuned), tuned_cpu(target, options.mcpu))
    module = _run([LowerIntegerOps(target, offloaded, options.mcpu, measured, options.threads)], staged)
    backends = {} if library is None else {name: (library.name, one) for name, one in offloaded.items()}
    reports = report_layers(integer, decisions, constant_bytes(module), backends)
    outputs = _layer_outputs(integer) if options.every_layer else model.outputs
    inputs = (*model.inputs, *outputs) if options.every_layer and options.alone else model.inputs
    return Lowered(model.name, module, reports, inputs, outputs, model.sha256)


def explain(model: QuantModel, options: Options) -> tuple[LayerReport, ...]:
    """What `lower` would do, layer by layer, for Cortex-M."""
    return lower(model, options, "cortex_m").layers


def _run(passes: Sequence[Any], module: IRModule) -> IRModule:
    for one in passes:
        module = one(module)
    return module


def decide(
    integer: IRModule, options: Options, model_sha256: str = "", target: Target = "cortex_m"
) -> dict[str, Choice | Refusal]:
    """What is done with each convolution, by layer name; empty where Winograd is off."""
    sites = {name: site_of(call) for name, call in convolutions(integer).items()}
    own, recipe = parse_layer_specs(options.layers, tuple(sites)), _recipe(options, model_sha256, sites)
    vectors = x86.vectors_of(x86.resolve(options.mcpu)) if target == "x86" else None
    core = target if vectors is None else vectors.name
    tuned, cpu = tuned_by(options.tuned), tuned_cpu(target, options.mcpu)
    decisions = {}
    for name, site in sites.items():
        if name in own:
            decision = choose(site, own[name], own_recipe(own[name], recipe.get(name)), core, options.direct)
        else:
            general = parse_spec(options.winograd)
            of_layer = layer_recipe(name, general, recipe)
            free = general is Mode.AUTO and of_layer is None and options.direct == "own"
            measured = measured_choice(site, tuned, cpu) if free else None
            decision = measured
            if not isinstance(measured, Choice):
                estimated = choose(site, general, of_layer, core, options.direct)
                # Where Winograd is not possible at all, that is the better reason.
                decision = measured if isinstance(measured, Refusal) and isinstance(estimated, Choice) else estimated
        if decision is not None:
            decisions[name] = decision
    return decisions


def _free_layers(
    integer: IRModule, options: Options, decisions: Decisions, model_sha256: str
) -> Mapping[str, ConvSite]:
    """The convolutions whose form nobody asked for: by Winograd under `auto`, and in no recipe."""
    if parse_spec(options.winograd) is not Mode.AUTO:
        return {}
    sites = {name: site_of(call) for name, call in convolutions(integer).items()}
    asked = {*parse_layer_specs(options.layers, tuple(sites)), *_recipe(options, model_sha256, sites)}
    return {name: site for name, site in sites.items() if name not in asked and isinstance(decisions[name], Choice)}


def _recipe(options: Options, model_sha256: str, sites: Mapping[str, ConvSite]) -> Mapping[str, LayerRecipe]:
    """The recipe's layers, once it is sure to be for this model."""
    if options.recipe is None:
        return {}
    recipe = parse_recipe(options.recipe.text, options.recipe.source)
    check_recipe(recipe, options.recipe.source, model_sha256, {name: site.outputs for name, site in sites.items()})
    return recipe.layers


def convolutions(integer: IRModule) -> Mapping[str, ir.Call]:
    """Every conv2d call by its layer's name."""
    bindings = [binding for block in integer["main"].body.blocks for binding in block.bindings]
    calls = [binding.value for binding in bindings if integer_ops.is_integer_op(binding.value)]
    return {integer_ops.layer_of(call): call for call in calls if isinstance(integer_ops.read(call), Conv2d)}


def site_of(call: ir.Call) -> ConvSite:
    """A convolution as plain data, for `choose`."""
    op = integer_ops.read(call)
    assert isinstance(op, Conv2d), f"{op} is no convolution"
    _, *constants = call.args
    return ConvSite(op, integer_ops.shape_of(call.args[0]), *(constant.value.numpy() for constant in constants))


def _layer_outputs(integer: IRModule) -> tuple[TensorInfo, ...]:
    bindings = [binding for block in integer["main"].body.blocks for binding in block.bindings]
    calls = [binding.value for binding in bindings if integer_ops.is_integer_op(binding.value)]
    return tuple(_output_info(call) for call in calls)


def _output_info(call: ir.Call) -> TensorInfo:
    op = integer_ops.read(call)
    affine = op.input if isinstance(op, Dequantize) else getattr(op, "output", None)
    return TensorInfo(
        integer_ops.layer_of(call),
        integer_ops.shape_of(call),
        str(call.ty.dtype),
        affine if isinstance(affine, Affine) else None,
    )
