"""Which copy of CMSIS-NN counts, its version, and what of it a function needs, on small trees made for the purpose."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from conftest import require_library

from tvm_wvv.errors import WvvError
from tvm_wvv.micro import cmsis_nn_copy
from tvm_wvv.micro.cmsis_nn_copy import VARIABLE, find_copy

HEADER = """
/* $Date: 1 May 2024  $Revision:    V.{revision} */
arm_cmsis_nn_status arm_vector_sum_s8(int32_t *sums,  /* a, b, c */
                                      const int32_t columns, const int32_t rows, const int8_t *data);
int32_t arm_one_s8(int32_t of);
int32_t arm_declared_only_s8(void);
"""
ONE = """
/* arm_in_a_comment_s8(x) { } */
#include "arm_nnfunctions.h"
static int32_t arm_own_s8(int32_t of) { return of; }
int32_t arm_one_s8(int32_t of)
{
    // arm_in_a_line_s8();
    return arm_two_s8(of) + arm_own_s8(of);
}
"""
TWO = "__STATIC_NAME int32_t *arm_two_s8(const int32_t of,\n                    const int8_t *from)\n{ return 0; }\n"
SUM = "arm_cmsis_nn_status arm_vector_sum_s8(int32_t *s, const int32_t c, const int32_t r, const int8_t *d)\n{ }\n"
COMMENTED = "int32_t arm_in_a_comment_s8(int32_t x) { return x; }\nint32_t arm_in_a_line_s8(void) { return 0; }\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout of a version that is not known, with four sources."""
    return checkout(tmp_path / "checkout", "99.1.0")


def checkout(folder: Path, revision: str, math_types: str = "#include <stdint.h>\n") -> Path:
    sources = {"A/arm_one_s8.c": ONE, "B/two.c": TWO, "B/arm_vector_sum_s8.c": SUM, "A/other.c": COMMENTED}
    texts = {
        "Include/arm_nnfunctions.h": HEADER.replace("{revision}", revision),
        "Include/arm_nn_math_types.h": math_types,
        "Include/Internal/arm_nn_compiler.h": "",
        "LICENSE": "Apache License",
        **{f"Source/{name}": text for name, text in sources.items()},
    }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("revision", "version"),
    [
        ("11.2.0", "4.0.0"),
        ("12.4.0", "5.0.0"),
        ("16.0.0", "6.0.0"),
        ("18.0.0", "7.0.0"),
        ("19.1.0", "unreleased (arm_nnfunctions.h 19.1.0)"),
    ],
)
def test_a_release_is_known_by_its_header(tmp_path: Path, revision: str, version: str) -> None:
    assert find_copy(str(checkout(tmp_path, revision))).version == version


def test_functions_are_those_with_a_source(tree: Path) -> None:
    copy = find_copy(str(tree))
    assert copy.functions == {
        "arm_one_s8", "arm_two_s8", "arm_vector_sum_s8", "arm_in_a_comment_s8", "arm_in_a_line_s8",
    }  # fmt: skip
    assert copy.sum_arguments == 4
    assert sorted(copy.headers) == [
        "cmsis_nn/Include/Internal/arm_nn_compiler.h",
        "cmsis_nn/Include/arm_nn_math_types.h",
        "cmsis_nn/Include/arm_nnfunctions.h",
    ]
    assert copy.notices == {"cmsis_nn/LICENSE": "Apache License"}


def test_sources_are_those_that_a_call_leads_to(tree: Path) -> None:
    copy = find_copy(str(tree))
    assert list(copy.sources_of(["arm_one_s8"])) == ["cmsis_nn/Source/A/arm_one_s8.c", "cmsis_nn/Source/B/two.c"]
    assert list(copy.sources_of(["arm_two_s8", "arm_declared_only_s8"])) == ["cmsis_nn/Source/B/two.c"]


def test_core_headers_are_found_beside_an_old_version(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "CMSIS" / "NN", "11.2.0", '#include "cmsis_compiler.h"\n')
    with pytest.raises(
        WvvError, match=r"needs cmsis_compiler\.h of CMSIS-Core, not found beside it; take version 4\.1"
    ):
        find_copy(str(folder))
    core = tmp_path / "CMSIS" / "Core" / "Include"
    core.mkdir(parents=True)
    for name in ("cmsis_compiler.h", "cmsis_gcc.h", "core_cm4.h"):
        (core / name).write_text("")
    headers = find_copy(str(folder)).headers
    assert {"cmsis_core/Include/cmsis_compiler.h", "cmsis_core/Include/cmsis_gcc.h"} <= set(headers)
    assert not any("core_cm4" in name for name in headers)


def test_the_named_folder_goes_before_the_variable_and_this_before_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(checkout(tmp_path / "six", "16.0.0")))
    assert find_copy(str(checkout(tmp_path / "seven", "18.0.0"))).version == "7.0.0"
    assert find_copy(None).version == "6.0.0"
    monkeypatch.delenv(VARIABLE)
    if importlib.util.find_spec("bakenn") is None:
        require_library()
    assert find_copy(None).version == "4.0.0"


def test_a_folder_that_is_no_copy_is_refused_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WvvError, match=r"--cmsis-nn .*: holds no Include/arm_nnfunctions\.h .*pip install bakenn"):
        find_copy(str(tmp_path))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(WvvError, match=rf"^{VARIABLE}="):
        find_copy(None)


def test_without_any_copy_the_error_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(cmsis_nn_copy, "_PACKAGE", "no_such_package_of_anyone")
    with pytest.raises(
        WvvError, match=r"no copy found; pip install bakenn==1\.0\.0 .* --cmsis-nn DIR or CMSIS_NN_PATH"
    ):
        find_copy(None)
