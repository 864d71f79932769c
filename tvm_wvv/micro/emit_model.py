"""Print `wvv_model.c`: the generated model under the one name by which the firmware's main program knows it."""

from __future__ import annotations

from collections.abc import Sequence

from tvm_wvv.micro.aot import Port, Program


def model_source(program: Program) -> str:
    """Static buffers for one example, and `wvv_model` (see deploy/runtime/include/wvv_model.h)."""
    name = program.name
    return f"""#include "wvv_model.h"
#include "tvmgen_{name}.h"

{_buffers("input", name, program.inputs)}{_buffers("output", name, program.outputs)}
{_tables("input", name, program.inputs)}{_tables("output", name, program.outputs)}
static int32_t run(void) {{
  struct tvmgen_{name}_inputs inputs = {{{_pointers("input", program.inputs)}}};
  struct tvmgen_{name}_outputs outputs = {{{_pointers("output", program.outputs)}}};
  return tvmgen_{name}_run(&inputs, &outputs);
}}

const struct wvv_model wvv_model = {{
    .name = "{name}",
    .input_count = {len(program.inputs)}u,
    .output_count = {len(program.outputs)}u,
    .layer_count = {len(program.layers)}u,
    .input_bytes = input_bytes,
    .output_bytes = output_bytes,
    .inputs = inputs_,
    .outputs = outputs_,
    .run = run,
}};
"""


def size_macro(model: str, port: Port) -> str:
    """The header's macro for the size of an input or output."""
    return f"TVMGEN_{model}_{port.name}_SIZE".upper()


def _buffers(kind: str, model: str, ports: Sequence[Port]) -> str:
    return "".join(
        f"static _Alignas(16) uint8_t {kind}_{i}[{size_macro(model, port)}];\n" for i, port in enumerate(ports)
    )


def _tables(kind: str, model: str, ports: Sequence[Port]) -> str:
    sizes = ", ".join(size_macro(model, port) for port in ports)
    return (
        f"static const uint32_t {kind}_bytes[] = {{{sizes}}};\n"
        f"static void* const {kind}s_[] = {{{_pointers(kind, ports)}}};\n"
    )


def _pointers(kind: str, ports: Sequence[Port]) -> str:
    return ", ".join(f"{kind}_{i}" for i in range(len(ports)))
