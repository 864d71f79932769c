"""Print the C around a network's machine code: the interface of the project's C for microcontrollers, and more.

    tvmgen_<name>_run       the same function: its arena is static, so that one call runs at a time
    tvmgen_<name>_run_in    takes an arena, so that as many calls run side by side as there are arenas
    tvmgen_<name>_lacks     the instruction set that this CPU lacks and the code needs, or NULL

Kernels are never reached on a CPU that lacks something: the calls return a status instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tvm_wvv.micro.aot import Copy, Invoke, Program
from tvm_wvv.micro.emit_run import interface_header, layer_calls, statements
from tvm_wvv.micro.storage import Place
from tvm_wvv.micro.x86_program import ALIGNMENT, MachineCode
from tvm_wvv.schedules.x86_features import Feature

METADATA = "wvv_metadata"
"""The symbol of a library's metadata: JSON text with a null behind it."""
STATUSES = {"OK": 0, "WRONG_CPU": 1, "BAD_ARENA": 2}


def header(program: Program, mcpu: str) -> str:
    """`tvmgen_<name>.h`."""
    name, upper = program.name, program.name.upper()
    statuses = "".join(f"#define TVMGEN_{upper}_{status} {value}\n" for status, value in STATUSES.items())
    return interface_header(
        program,
        f"""
/* What is added on x86; the code is made for {mcpu}. */
#define TVMGEN_{upper}_ARENA_ALIGNMENT {ALIGNMENT}

/* What both functions that run the model return. */
{statuses}
/* The same with an arena of the caller's, of the size and alignment above; what is in it does not matter. Threads may
 * run the model at the same time, each with an arena of its own. */
int32_t tvmgen_{name}_run_in(void* arena, struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs);

/* The instruction set, by LLVM's name, that this CPU lacks and the model's code needs; NULL where it has all. */
const char* tvmgen_{name}_lacks(void);
""",
    )


def source(code: MachineCode, features: Sequence[Feature]) -> str:
    """`tvmgen_<name>.c`: for any x86-64, since it runs before the CPU is known to be the right one."""
    program = code.program
    name, upper = program.name, program.name.upper()
    copies = any(isinstance(step, Copy) for step in program.steps)
    return f"""#include "tvmgen_{name}.h"

#include <stddef.h>
{"#include <string.h>" if copies else ""}
#include "wvv_x86.h"

{_kernels(program)}
extern const uint8_t {name}_weights[];

static const struct wvv_x86_feature features[] = {{
{_features(features)}    {{NULL, 0u, 0u, 0u, 0u, 0u}},
}};

static void layers(uint8_t* arena, const struct tvmgen_{name}_inputs* inputs,
                   const struct tvmgen_{name}_outputs* outputs WVV_TICKS_PARAMETER) {{
  (void)arena, (void)inputs, (void)outputs;
  WVV_START();
{_body(code)}}}

const char* tvmgen_{name}_lacks(void) {{ return wvv_x86_lacks(features); }}

int32_t tvmgen_{name}_run_in(void* arena, struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs) {{
  if (!wvv_x86_fits(features)) {{
    return TVMGEN_{upper}_WRONG_CPU;
  }}
  if (arena == NULL || (uintptr_t)arena % TVMGEN_{upper}_ARENA_ALIGNMENT != 0u) {{
    return TVMGEN_{upper}_BAD_ARENA;
  }}
  layers(arena, inputs, outputs WVV_NO_TICKS);
  return TVMGEN_{upper}_OK;
}}

int32_t tvmgen_{name}_run(struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs) {{
  static _Alignas(TVMGEN_{upper}_ARENA_ALIGNMENT) uint8_t arena[TVMGEN_{upper}_ARENA_SIZE + 1];
  return tvmgen_{name}_run_in(arena, inputs, outputs);
}}

#ifdef WVV_PROFILE
/* Adds to ticks[k] what layer k took; called once the CPU is known to fit. */
void tvmgen_{name}_profile(void* arena, struct tvmgen_{name}_inputs* inputs, struct tvmgen_{name}_outputs* outputs,
                           uint64_t* ticks) {{
  layers(arena, inputs, outputs, ticks);
}}
#endif
"""


def data_source(name: str, weights_file: str, metadata_file: str) -> str:
    """Assembly that takes both files in as they are: a C array of megabytes would take a compiler minutes."""
    return f"""/* The constants, and what the library says of itself. */
    .section .rodata
    .balign {ALIGNMENT}
    .globl {name}_weights
    .type {name}_weights, @object
{name}_weights:
    .incbin "{weights_file}"
    .byte 0
    .size {name}_weights, . - {name}_weights

    .globl {METADATA}
    .type {METADATA}, @object
{METADATA}:
    .incbin "{metadata_file}"
    .byte 0
    .size {METADATA}, . - {METADATA}

    .section .note.GNU-stack, "", @progbits
"""


def exports(name: str) -> str:
    """The linker's list of what a library shows; two libraries may use the same names for the rest."""
    return f"{{ global: tvmgen_{name}_*; wvv_peak_*; {METADATA}; local: *; }};\n"


def _kernels(program: Program) -> str:
    """Declarations, by what each function is called with: inputs, the output, and scratch where it needs some."""
    arguments = {step.function: step for step in program.steps if isinstance(step, Invoke)}
    return "".join(f"void {name}({', '.join(_parameters(step))});\n" for name, step in arguments.items())


def _parameters(step: Invoke) -> list[str]:
    scratch = [] if step.workspace is None else ["void*"]
    return [*("const void*" for _ in step.arguments[:-1]), "void*", *scratch]


def _features(features: Sequence[Feature]) -> str:
    registers, states = ("eax", "ebx", "ecx", "edx"), {"none": 0, "avx": 0x6, "avx512": 0xE6, "apx": 0x80000}
    rows = (
        (f'"{one.name}"', f"{one.leaf:#x}u", f"{one.subleaf}u", f"{registers.index(one.register)}u", f"{one.bit}u",
         f"{states[one.state]:#x}u")
        for one in features
    )  # fmt: skip
    return "".join(f"    {{{', '.join(row)}}},\n" for row in rows)


def _body(code: MachineCode) -> str:
    program, pointer = code.program, partial(_pointer, code)
    return layer_calls(program, lambda step: statements(program, step, pointer), "WVV_MARK({});")


def _pointer(code: MachineCode, place: Place) -> str:
    match place.region:
        case "input":
            return f"inputs->{code.program.inputs[place.number].name}"
        case "output":
            return f"outputs->{code.program.outputs[place.number].name}"
        case "weight":
            return f"{code.program.name}_weights + {code.offsets[place.name]}"
    return f"arena + {place.number}"
