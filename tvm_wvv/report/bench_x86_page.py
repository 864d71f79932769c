"""The comparison with other runtimes as a page: Markdown text from measured values, the same values the same text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tvm_wvv.report.bench_tables import markdown
from tvm_wvv.report.bench_x86 import OURS, Machine, Measured
from tvm_wvv.report.text import UNKNOWN

RESNET8, RESNET20, RESNET18 = "pretrainedResnet_quant", "resnet20", "resnet18"
TITLES = {RESNET8: "ResNet-8", RESNET20: "ResNet-20", RESNET18: "ResNet-18"}
_RUNTIMES = {"xnnpack": "XNNPACK", "onnxruntime": "onnxruntime", "ncnn": "ncnn"}

_HEAD = """\
# x86 against other runtimes

Made by `make bench-x86 ARGS="--output docs/benchmarks_x86.md"` {commit}, on {cpu} (LLVM: `{llvm_cpu}`), {cores} cores.
Compared with {versions}.

- All runtimes in one process, calls taking turns, at least 50 rounds; in each round a runtime is called twice and the
  second call counts. Times are medians; a ratio is the median of the ratios within a round, with its quartiles.
- One thread: processor time of the thread. Several: elapsed time, which on a shared machine says less; OpenMP's threads
  (ncnn) sleep between calls, for spinning they would take the core from the next one.
- ResNet-8 is MLPerf Tiny's. ResNet-20 (32x32) and ResNet-18 (224x224) are networks of random int8 weights that the
  command makes (`tvm_wvv/models/random_resnets.py`). Input is random.
- XNNPACK is LiteRT's default delegate on the same file. onnxruntime has the same weights as a QDQ model in NCHW and
  uint8.
- ncnn has the same weights with its own symmetric scales: convolutions and the dense layer in int8, requantized
  directly from one convolution to the next, additions and pools in float32, which is all it has for them; input and
  output are float32. It runs one image after another, by Winograd or without, whichever was faster here.
"""

_OUTPUTS = """\
## Outputs

Bytes that differ from those of TFLite's reference kernels on the same images, and the greatest difference.
"""

_MEMORY = """\
## Memory

A process of its own for each runtime: by how much loading the network and running it once made it grow, after its
imports. Each gets what its users would have on disk; ours is a shared library with its weights, compiled beforehand, or
the .tflite file, which the process compiles first.
"""


@dataclass(frozen=True)
class Goal:
    """Of one network at batch 1 on one thread: the greatest ratio to `peer`, or to the fastest one."""

    network: str
    peer: str | None
    limit: float


GOALS = (
    Goal(RESNET8, "xnnpack", 0.8),
    Goal(RESNET8, "onnxruntime", 0.6),
    Goal(RESNET20, None, 0.75),
    Goal(RESNET18, None, 0.75),
)


def page(found: Sequence[Measured], machine: Machine) -> str:
    """All tables."""
    versions = ", ".join(f"{_RUNTIMES.get(name, name)} {number}" for name, number in machine.versions.items())
    commit = "outside a checkout" if machine.commit is None else f"at commit {machine.commit}"
    head = _HEAD.format(
        commit=commit, cpu=machine.cpu, llvm_cpu=machine.llvm_cpu or "generic", cores=machine.cores, versions=versions
    )
    parts = [head, *_goals(found), "## Times\n", _times(found), *_notes(found), _OUTPUTS, _outputs(found)]
    if any(one.memory_bytes for one in found):
        parts += [_MEMORY, _memory(found)]
    return "\n".join(parts)


def title(name: str) -> str:
    """What people call a network."""
    return TITLES.get(name, name)


def time_text(microseconds: float) -> str:
    """Three figures at least."""
    return f"{microseconds:.1f} us" if microseconds < 1000 else f"{microseconds / 1000:.2f} ms"


def outcomes(found: Sequence[Measured]) -> Iterator[tuple[Goal, float]]:
    """Goals of what was measured, each with the ratio found."""
    alone = {one.network: one for one in found if (one.batch, one.threads) == (1, 1)}
    for goal in GOALS:
        one = alone.get(goal.network)
        value = None if one is None else one.fastest if goal.peer is None else one.ratios.get(goal.peer, [None] * 3)[1]
        if value is not None:
            yield goal, value


def _goals(found: Sequence[Measured]) -> list[str]:
    rows = [
        (title(goal.network), _RUNTIMES.get(goal.peer or "", "the fastest"), "met" if ratio <= goal.limit else
         "**not met**", f"{goal.limit:.2f}", f"{ratio:.2f}")
        for goal, ratio in outcomes(found)
    ]  # fmt: skip
    if not rows:
        return []
    return [
        "## Goals\n\nOur time divided by another's, batch 1 on one thread.\n",
        markdown(("network", "divided by that of", "outcome", "goal", "measured"), rows, 3),
    ]


def _times(found: Sequence[Measured]) -> str:
    peers = _peers(found)
    columns = ("network", "batch", "threads", OURS, *(_RUNTIMES.get(one, one) for one in peers),
               *(f"ours / {_RUNTIMES.get(one, one)}" for one in peers))  # fmt: skip
    rows = [
        (title(one.network), str(one.batch), str(one.threads),
         *(time_text(one.microseconds[name]) if name in one.microseconds else UNKNOWN for name in (OURS, *peers)),
         *(_ratio(one.ratios.get(name)) for name in peers))
        for one in found
    ]  # fmt: skip
    return markdown(columns, rows, 1)


def _ratio(found: Sequence[float] | None) -> str:
    return UNKNOWN if found is None else f"{found[1]:.2f} ({found[0]:.2f} to {found[2]:.2f})"


def _notes(found: Sequence[Measured]) -> list[str]:
    said = [
        f"- {title(one.network)}, batch {one.batch}, threads {one.threads}: {_RUNTIMES.get(name, name)}: {note}"
        for one in found
        for name, note in one.notes.items()
    ]
    return ["\n".join(said) + "\n"] if said else []


def _outputs(found: Sequence[Measured]) -> str:
    peers = (OURS, *_peers(found))
    columns = ("network", "batch", "threads", *(_RUNTIMES.get(one, one) for one in peers))
    rows = [
        (
            title(one.network),
            str(one.batch),
            str(one.threads),
            *(str(one.distances.get(name, UNKNOWN)) for name in peers),
        )
        for one in found
    ]
    return markdown(columns, rows, len(columns))


def _memory(found: Sequence[Measured]) -> str:
    # In the order measured, ours in both its forms among them.
    names = tuple(dict.fromkeys(name for one in found for name in one.memory_bytes))
    columns = ("network", "batch", "threads", *(_RUNTIMES.get(one, one.replace("_", " ")) for one in names))
    rows = [
        (
            title(one.network),
            str(one.batch),
            str(one.threads),
            *(_mebibytes(one.memory_bytes.get(name)) for name in names),
        )
        for one in found
        if one.memory_bytes
    ]
    return markdown(columns, rows, 1)


def _mebibytes(value: int | None) -> str:
    return UNKNOWN if value is None else f"{value / 2**20:.1f} MiB"


def _peers(found: Sequence[Measured]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for one in found for name in one.microseconds if name != OURS))
