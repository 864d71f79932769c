"""The benchmark as a page: Markdown text from measured values, the same values the same text."""

from __future__ import annotations

from tvm_wvv.report import bench_tables
from tvm_wvv.report.bench import Bench, BenchNetwork

_HEAD = """\
# Benchmarks

Made by `make bench` at commit {commit} with {tools}.

Every figure is of the firmware image that `wvv profile` builds, for one inference on random input; whole layers count,
with requantization, padding and copies.

- Instructions are exact and the same every time. QEMU models no cycles: "M4 cycles" is an estimate by the Cortex-M4
  manual's table, without wait states, and exists for that core alone.
- `off`: every layer by our direct kernels. `f2`, `f4`, `f4c`: that Winograd form wherever it is possible. `auto`: what
  the compiler takes for each layer where it saves instructions. All of these give the output bytes of TFLite's
  reference kernels.
- CMSIS-NN: the whole network by that library, same board and same compiler, `-Ofast` as the library's own build has it.
  Layers that the copy has no function for are ours there too.
- RAM is static data (the arena, and buffers of input and output) and the stack that the run used; flash is code and
  weights.
- "(0.39)" behind a count: instructions for each multiply-accumulate of the direct form.
"""

_GOALS = """\
## Goals

Instructions for each multiply-accumulate on `mps2-an386` (Cortex-M4), in ResNet-8. Of two layers of one shape the
dearer one counts. "CMSIS-NN 7, counted apart" is no part of this run: version 7 was counted earlier, on QEMU's
Cortex-M4, only functions of the library and memory functions, `-Ofast`.
"""

_NO_ROUNDING = """\
`f4:int16` has the counts of `f4` where 16 bits hold every operand of a layer: then nothing is left to round, and it
runs on the exact kernels.
"""

_WHOLE = "The whole network, as `auto` compiles it; the nine convolutions on M55 by the best algorithm that fits it.\n"


def page(bench: Bench) -> str:
    """All tables."""
    head = _HEAD.format(commit=bench.commit, tools=", ".join(bench.tools))
    goals = [_GOALS, bench_tables.layer_goals(bench), _NO_ROUNDING, _WHOLE, bench_tables.network_goals(bench)]
    parts = [head, *goals, "## Whole networks\n"]
    for network in bench.networks:
        parts += _whole(bench, network)
    parts.append("## Layers\n")
    for network, board, core in bench.pairs():
        parts += [f"### {network.title}, {core} (`{board}`)\n", bench_tables.layers(bench, network, board)]
    return "\n".join(part for part in parts if part)


def _whole(bench: Bench, network: BenchNetwork) -> list[str]:
    title = f"### {network.title}\n"
    if network.name in bench.missing:
        return [title, f"Not measured: `models/{network.name}.tflite` is missing from the data folder.\n"]
    return [title, bench_tables.whole_network(bench, network), bench_tables.refusals(bench, network)]
