"""Print `tvmgen_<name>.h` and `.c`: the interface in microTVM's shape and the flat list of kernel calls behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from tvm_wvv.kernels.cmsis_nn import SHIM
from tvm_wvv.micro.aot import Copy, Port, Program, Skip, Step
from tvm_wvv.micro.c_names import comment
from tvm_wvv.micro.emit_model import size_macro
from tvm_wvv.micro.storage import Place

_STRING = """
#include <string.h>
"""

# Kernels return nothing: a library whose functions can fail keeps what they said until the run ends.
_STATUS = {SHIM.header: (f'#include "{SHIM.header}"\n', "wvv_cmsis_nn_take_status()")}


def interface_header(program: Program, further: str = "") -> str:
    """Sizes, one structure of pointers for the inputs and one for the outputs, and the function that runs the model.

    `further` declares what a target has besides.
    """
    name, upper = program.name, program.name.upper()
    ports = (*program.inputs, *program.outputs)
    sizes = "".join(f"#define {size_macro(name, port)} {port.bytes}\n" for port in ports)
    return f"""#ifndef TVMGEN_{upper}_H_
#define TVMGEN_{upper}_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* Bytes of each tensor, of the largest kernel's scratch, and of the arena that holds scratch and tensors between. */
{sizes}#define TVMGEN_{upper}_WORKSPACE_SIZE {program.workspace_bytes}
#define TVMGEN_{upper}_ARENA_SIZE {program.arena_bytes}
{_quantization(name, ports)}
{_structure("inputs", name, program.inputs)}
{_structure("outputs", name, program.outputs)}
/* Runs the model once; 0 on success. Inputs are only read. Inputs and outputs must not overlap, and each pointer must
 * be aligned for its element type. Not reentrant: the arena is static. */
int32_t tvmgen_{name}_run(struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs);
{further}
#ifdef __cplusplus
}}
#endif

#endif
"""


def run_source(program: Program) -> str:
    """The arena and the calls."""
    name, upper = program.name, program.name.upper()
    copies = any(isinstance(step, Copy) for step in program.steps)
    headers = {header for function in program.functions for header in function.kernel.headers}
    include, status = next((pair for header, pair in _STATUS.items() if f'"{header}"' in headers), ("", "0"))
    return f"""#include "tvmgen_{name}.h"
{_STRING if copies else ""}
#include "{name}_kernels.h"
#include "{name}_weights.h"
{include}
#ifdef WVV_PROFILE
#include "wvv_model.h"
#else
#define wvv_layer_mark(layer) ((void)0)
#endif
{_arena(upper) if program.arena_bytes else ""}
int32_t tvmgen_{name}_run(struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs) {{
  wvv_layer_mark(WVV_LAYER_START);
{_body(program)}  return {status};
}}
"""


def _arena(upper: str) -> str:
    return f"""
/* A project may place the arena, for example WVV_ARENA as a section attribute for tightly coupled memory. */
#ifndef WVV_ARENA
#define WVV_ARENA
#endif
static WVV_ARENA _Alignas(16) uint8_t arena[TVMGEN_{upper}_ARENA_SIZE];
"""


def _quantization(model: str, ports: Sequence[Port]) -> str:
    """What real numbers the codes of each quantized port stand for."""
    lines = [
        f"#define {size_macro(model, port).removesuffix('_SIZE')}_{what}\n"
        for port in ports
        if port.affine is not None
        for what in (f"SCALE {_float32(port.affine.scale)}", f"ZERO_POINT ({port.affine.zero_point})")
    ]
    head = "\n/* Quantization: real = scale * (code - zero point). */\n"
    return head + "".join(lines) if lines else ""


def _float32(value: float) -> str:
    """A C literal; nine digits tell all float32 apart."""
    text = f"{value:.9g}"
    return f"{text}f" if "." in text or "e" in text else f"{text}.0f"


def _structure(kind: str, name: str, ports: Sequence[Port]) -> str:
    fields = "".join(f"  void* {port.name}; {comment(port.tensor)}\n" for port in ports)
    return f"struct tvmgen_{name}_{kind} {{\n{fields}}};\n"


def _body(program: Program) -> str:
    pointer = partial(_pointer, program)
    return layer_calls(program, lambda step: statements(program, step, pointer), "wvv_layer_mark({}u);")


def layer_calls(program: Program, statements: Callable[[Step], list[str]], mark: str) -> str:
    """Calls with a comment at each layer's first and a mark after each layer's last, in the order of the program."""
    lines: list[str] = []
    layer: int | None = None
    for step in program.steps:
        following = None if isinstance(step, Copy) else step.layer
        if following != layer:
            lines += [] if layer is None else [mark.format(layer)]
            lines += [] if following is None else [comment(program.layers[following])]
            layer = following
        lines += statements(step)
    lines += [] if layer is None else [mark.format(layer)]
    return "".join(f"  {line}\n" for line in lines)


def statements(program: Program, step: Step, pointer: Callable[[Place], str]) -> list[str]:
    """The C of one step; `pointer` says where a place is."""
    match step:
        case Skip():
            return []
        case Copy():
            target = program.outputs[step.output].name
            return [f"memcpy(outputs->{target}, {pointer(step.source)}, {step.bytes}u);"]
    pointers = [pointer(place) for place in step.arguments]
    if step.workspace is not None:
        pointers.append(f"arena + {step.workspace}")
    return [f"{step.function}({', '.join(pointers)});"]


def _pointer(program: Program, place: Place) -> str:
    match place.region:
        case "input":
            return f"inputs->{program.inputs[place.number].name}"
        case "output":
            return f"outputs->{program.outputs[place.number].name}"
        case "weight":
            return place.name
    # Through void*, because tensors of every type share the bytes of the arena.
    return f"(void*)(arena + {place.number})"
