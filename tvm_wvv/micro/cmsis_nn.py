"""CMSIS-NN for one board: what firmware needs of it as files, and the scratch that it asks for on that core.

Takes a copy of the library and a board. The sizes come from the library itself: a program of its own functions, built
with the board's flags, runs on the board, or on a machine of QEMU's with its core. `get_buffer_size` depends on the
core's features and on the version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tvm_wvv.errors import WvvError
from tvm_wvv.kernels.cmsis_nn import FUNCTIONS, SHIM
from tvm_wvv.kernels.library_call import LibraryCall
from tvm_wvv.micro.board import Board
from tvm_wvv.micro.cache import key_of
from tvm_wvv.micro.cmsis_nn_copy import LibraryCopy, find_copy
from tvm_wvv.micro.firmware_cache import firmware
from tvm_wvv.micro.qemu import run_firmware
from tvm_wvv.micro.stand_in import stand_in
from tvm_wvv.micro.toolchain import THIRD_PARTY
from tvm_wvv.passes.options import Options
from tvm_wvv.resources import deploy_dir

_SIZE = np.dtype("<i4")
_SUMS = "arm_vector_sum_s8"


@dataclass(frozen=True)
class CmsisNn:
    """A `passes.offload.Library`."""

    copy: LibraryCopy
    board: Board

    @property
    def name(self) -> str:
        return f"CMSIS-NN {self.copy.version}"

    @property
    def functions(self) -> Collection[str]:
        return self.copy.functions

    @property
    def key(self) -> str:
        """Changes with anything on which the calls, their scratch or the files depend."""
        texts = [*self.copy.headers.items(), *self.copy.sources.items(), *sorted(_shims(FUNCTIONS).items())]
        parts = (part for name, text in texts for part in (name, text))
        return key_of([self.name, repr(self.board.cpu), *parts])

    def scratch_bytes(self, calls: Sequence[LibraryCall]) -> tuple[int, ...]:
        files = {**self.files({call.operator for call in calls}), "wvv_model.c": _question(calls)}
        board = stand_in(self.board)
        elf = firmware(files, board, profile=False)
        answer = run_firmware(board, elf, b"\0", _SIZE.itemsize * len(calls)).outputs
        sizes = np.frombuffer(answer, _SIZE)
        if (sizes < 0).any():
            layer = calls[int(np.argmin(sizes))]
            raise WvvError(f"{self.name}: cannot size {layer.operator} of {layer.inputs[0]}; take --direct own")
        return tuple(int(size) for size in sizes)

    def files(self, operators: Iterable[str]) -> dict[str, str]:
        """Shims of these operators, and of the library the sources that they lead to, its headers and its licence."""
        wanted = sorted(operators)
        functions = [name for operator in wanted for name in FUNCTIONS[operator]]
        sources = self.copy.sources_of([*functions, *([_SUMS] if "fully_connected" in wanted else [])])
        texts = {**self.copy.headers, **self.copy.notices, **sources}
        library = {f"{THIRD_PARTY}/{name}": text for name, text in texts.items()}
        return {**library, **_shims(wanted), "wvv_cmsis_nn_version.h": self._version_header()}

    def _version_header(self) -> str:
        return (
            f"/* Of the copy of CMSIS-NN that lies in {THIRD_PARTY}/cmsis_nn. */\n"
            f'#define WVV_CMSIS_NN_VERSION "{self.copy.version}"\n'
            f"#define WVV_CMSIS_NN_SUM_ARGUMENTS {self.copy.sum_arguments}\n"
        )


def library_for(options: Options, board: Board | None) -> CmsisNn | None:
    """The library that the options ask for; `board` is None where the network runs on this host."""
    if options.direct == "own":
        return None
    if board is None:
        raise WvvError(f"--direct {options.direct}: CMSIS-NN runs on Cortex-M; name a board that wvv boards lists")
    return CmsisNn(find_copy(options.cmsis_nn), board)


def _shims(operators: Iterable[str]) -> dict[str, str]:
    folder = deploy_dir() / "cmsis_nn"
    names = (SHIM.header, f"{SHIM.prefix}status.c", *(f"{SHIM.prefix}{operator}.c" for operator in operators))
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def _question(calls: Sequence[LibraryCall]) -> str:
    """`wvv_model.c` of a program whose output is the scratch of each call."""
    tables = "".join(
        f"static const int32_t parameters_{number}[] = {{{', '.join(map(str, call.parameters))}}};\n"
        for number, call in enumerate(calls)
    )
    body = "".join(
        f"  sizes[{number}] = {SHIM.prefix}{call.operator}_scratch(parameters_{number});\n"
        for number, call in enumerate(calls)
    )
    return f"""#include "wvv_model.h"
#include "{SHIM.header}"

{tables}
static uint8_t ask[1];
static int32_t sizes[{len(calls)}];
static const uint32_t input_bytes[] = {{sizeof ask}}, output_bytes[] = {{sizeof sizes}};
static void* const inputs[] = {{ask}};
static void* const outputs[] = {{sizes}};

static int32_t run(void) {{
{body}  return 0;
}}

const struct wvv_model wvv_model = {{"scratch", 1u, 1u, 0u, input_bytes, output_bytes, inputs, outputs, run}};
"""
