"""Print the constants of a program as C arrays in a file of their own, so that a linker script can place them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from tvm_wvv.micro.c_names import comment

WIDTH = 116

_C_TYPES = {"bool": "bool", "float32": "float", "float64": "double"}


def weights_header(model: str, weights: Mapping[str, np.ndarray]) -> str:
    """Declarations, and the macro by which a project moves the weights elsewhere."""
    guard = f"{model.upper()}_WEIGHTS_H_"
    declared = "".join(f"extern const {c_type(a)} {name}[{a.size}];\n" for name, a in weights.items())
    return f"""#ifndef {guard}
#define {guard}

#include <stdbool.h>
#include <stdint.h>

/* Where the weights go: a section of their own inside .rodata, unless the project says otherwise. */
#ifndef WVV_WEIGHTS
#if defined(__GNUC__) && defined(__ELF__)
#define WVV_WEIGHTS __attribute__((section(".rodata.wvv_weights")))
#else
#define WVV_WEIGHTS
#endif
#endif

{declared}
#endif
"""


def weights_source(model: str, weights: Mapping[str, np.ndarray]) -> str:
    """Definitions, aligned for the widest load of the kernels."""
    return f'#include "{model}_weights.h"\n' + "".join(_definition(name, array) for name, array in weights.items())


def c_type(array: np.ndarray) -> str:
    """The element type in C."""
    name = str(array.dtype)
    return _C_TYPES.get(name, f"{name}_t")


def _definition(name: str, array: np.ndarray) -> str:
    shape = comment(" x ".join(str(extent) for extent in array.shape) or "scalar")
    values = "\n".join(_lines(array))
    return f"\n{shape}\nWVV_WEIGHTS _Alignas(16) const {c_type(array)} {name}[{array.size}] = {{\n{values}\n}};\n"


def _lines(array: np.ndarray) -> Iterator[str]:
    """Values right-aligned in columns, as many on a line as fit."""
    words = [_literal(value) for value in array.ravel().tolist()]
    column = max(map(len, words), default=1)
    each = max(1, WIDTH // (column + 2))
    for start in range(0, len(words), each):
        yield "  " + ", ".join(word.rjust(column) for word in words[start : start + each]) + ","


def _literal(value: bool | int | float) -> str:
    """Hexadecimal for floating point, because it loses nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return value.hex()
    # -9223372036854775808 would be read as minus a number that no type holds.
    return "(-9223372036854775807 - 1)" if value == -(2**63) else str(value)
