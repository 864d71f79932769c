"""The comparison's JSON and page from made-up figures, whose outcomes are known."""

from __future__ import annotations

import numpy as np

from tvm_wvv.report.bench_x86 import Distance, Machine, Measured, distance, to_json
from tvm_wvv.report.bench_x86_page import RESNET8, RESNET18, outcomes, page

MACHINE = Machine("Some CPU", "znver4", 4, "abc1234", {"xnnpack": "1.2", "onnxruntime": "3.4"})


def measured(network: str, batch: int = 1, threads: int = 1, **more: object) -> Measured:
    times = {"ours": 1234.5, "xnnpack": 1500.25, "onnxruntime": 3000.126}
    ratios = {"xnnpack": (0.78, 0.81234, 0.84), "onnxruntime": (0.40, 0.41, 0.42)}
    apart = {"ours": Distance(10, 0, 0), "xnnpack": Distance(10, 3, 2)}
    least = dict.fromkeys(times, 1.0)
    return Measured(network, batch, threads, 50, "thread", times, least, ratios, apart, **more)  # type: ignore[arg-type]


def test_json_has_one_entry_for_each_measurement_and_the_names_that_scripts_read() -> None:
    found = to_json([measured(RESNET8), measured(RESNET8, 16, 2)], MACHINE)
    assert list(found) == [RESNET8, f"{RESNET8} batch 16 threads 2"]
    one = found[RESNET8]
    assert one["rounds"] == 50
    assert one["microseconds"] == {"ours": 1234.5, "xnnpack": 1500.25, "onnxruntime": 3000.13}
    assert one["ratios"] == {"xnnpack": 0.8123, "onnxruntime": 0.41}
    assert one["ratio_quartiles"]["xnnpack"] == [0.78, 0.84]
    assert one["against_reference"]["xnnpack"] == {"bytes": 10, "differing": 3, "greatest": 2}
    assert one["about"]["commit"] == "abc1234" and one["about"]["versions"]["onnxruntime"] == "3.4"


def test_goals_are_of_one_image_on_one_thread_and_of_the_fastest_runtime_where_none_is_named() -> None:
    found = [measured(RESNET8), measured(RESNET18, 16), measured(RESNET18)]
    assert [(goal.network, goal.peer, ratio <= goal.limit) for goal, ratio in outcomes(found)] == [
        (RESNET8, "xnnpack", False),
        (RESNET8, "onnxruntime", True),
        (RESNET18, None, False),
    ]
    assert not list(outcomes([measured(RESNET18, 16), measured("other")]))


def test_the_page_has_a_row_for_each_measurement_and_says_what_is_unknown() -> None:
    memory = {"ours": 5 << 20, "xnnpack": None, "ours_in_process": 3 << 19}
    text = page([measured(RESNET8, notes={"ours": "one thread"}), measured("mine", 16, memory_bytes=memory)], MACHINE)
    assert "at commit abc1234, on Some CPU (LLVM: `znver4`), 4 cores" in " ".join(text.split())
    assert "| ResNet-8 | XNNPACK | **not met** | 0.80 | 0.81 |" in text
    assert "| ResNet-8 | 1 | 1 | 1.23 ms | 1.50 ms | 3.00 ms | 0.81 (0.78 to 0.84) | 0.41 (0.40 to 0.42) |" in text
    assert "- ResNet-8, batch 1, threads 1: ours: one thread" in text
    assert "| mine | 16 | 1 | identical | 3 of 10 differ, by 2 | - |" in text
    assert "| mine | 16 | 1 | 5.0 MiB | - | 1.5 MiB |" in text
    assert "## Memory" not in page([measured(RESNET8)], MACHINE)


def test_a_distance_is_of_bytes_that_may_lie_256_apart() -> None:
    output, reference = np.array([[-128, 5, 7]], np.int8), np.array([[[127, 5, 8]]], np.int8)
    assert distance(output, reference) == Distance(3, 2, 255)
    assert str(distance(output, output)) == "identical"
