"""The firmware's side of the serial protocol on this host: MLPerf Tiny's texts, refusals, and 100,000 bad lines."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
from serial_device import INPUT_BYTES, OUTPUT_BYTES, build_device, oracle, say

START = ["m-init-done", "m-ready"]
LOADED = bytes([0x80, 0x01, 0x02, 0x03, 0xFE, 0x05, 0x06]) + struct.pack("<3h", 301, -7, 40)
LOAD = f"db load 13%db {LOADED[:4].hex()}%db {LOADED[4:].hex().upper()}%"
LOAD_ANSWER = ["m-[Expecting 13 bytes]", "m-ready", "m-ready", "m-load-done", "m-ready"]


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_device(tmp_path_factory.mktemp("device"))


def answer(program: Path, sent: str) -> list[str]:
    """Without what a start says."""
    lines = say(program, sent)
    assert lines[:2] == START
    return lines[2:]


def results(data: bytes) -> str:
    """By NumPy and Python's own formatting."""
    out = oracle(data)
    codes = np.frombuffer(out[:5], np.int8).astype(np.float32)
    reals = [*((codes - 7) * np.float32(0.0625)), *np.frombuffer(out[5:], "<f4")]
    return f"m-results-[{','.join(f'{float(real):0.3f}' for real in reals)}]"


def test_who_it_is(device):
    lines = answer(device, "name%profile%timestamp%timestamp%")
    assert lines[:2] == ["m-name-dut-[mps2-an386]", "m-ready"]
    assert lines[2:4] == ["m-profile-[ULPMark for tinyML Firmware V0.0.1]", "m-model-[odd]"]
    assert lines[4:6] == ["m-clock-[CMSDK timer, 25000000 Hz]", "m-ready"]
    assert lines[6:] == ["m-lap-us-1000", "m-ready", "m-lap-us-2000", "m-ready"]


def test_the_official_sequence(device):
    """Load, one warm-up, three inferences, results; as mlcommons/tiny's runner sends and reads it."""
    lines = answer(device, f"{LOAD}infer 3 1%results%")
    assert lines[:5] == LOAD_ANSWER
    assert lines[5:12] == [
        "m-warmup-start-1", "m-warmup-done", "m-infer-start-3", "m-lap-us-1000", "m-lap-us-2000", "m-infer-done",
        results(LOADED),
    ]  # fmt: skip
    assert lines[12:] == ["m-ready", results(LOADED), "m-ready"]


def test_ten_warm_ups_and_one_inference_unless_told(device):
    lines = answer(device, f"{LOAD}infer%infer 2%")
    assert [line for line in lines if "start" in line] == [
        "m-warmup-start-10", "m-infer-start-1", "m-warmup-start-10", "m-infer-start-2",
    ]  # fmt: skip


def test_the_buffer_is_printed_eight_bytes_a_line(device):
    lines = answer(device, f"{LOAD}db print%db load 3%db 0aff%db print%")[5:]
    assert lines[0] == f"m-buffer-{'-'.join(f'{byte:02x}' for byte in LOADED[:8])}"
    assert lines[1:3] == [f"m-buffer-{'-'.join(f'{byte:02x}' for byte in LOADED[8:])}", "m-ready"]
    assert lines[-2:] == ["m-buffer-0a-ff", "m-ready"]


def test_words_may_stand_apart_and_lines_may_end(device):
    assert answer(device, "\r\n  name %\n%db  load   13 %")[-3:] == ["m-ready", "m-[Expecting 13 bytes]", "m-ready"]


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ("bogus%", "Unknown command: bogus"),
        ("na\x00me%", "Unknown command: na?me"),
        ("\xff\x1b[2J x%", "Unknown command: ??[2J"),
        ("NAME%", "Unknown command: NAME"),
        ("names%", "Unknown command: names"),
        ("db%", "Command 'db' requires a subcommand"),
        ("db load%", "Command 'db load' requires the # of bytes"),
        ("db load 0%", "Command 'db load' must be >0 bytes"),
        ("db load -5%", "Command 'db load' must be >0 bytes"),
        ("db load 5x%", "Command 'db load' must be >0 bytes"),
        ("db load 14%", "Supplied buffer size exceeds maximum of 13"),
        ("db load 4294967309%", "Command 'db load' must be >0 bytes"),  # 2^32 + 13
        ("db 00%", "Command 'db load' must come first"),
        ("db load 2%db 0%", "Insufficent number of hex digits"),
        ("db load 2%db 0g%", "Invalid hex digit"),
        ("db load 2%db 000102%", "More bytes than 'db load' promised"),
        ("db load 2%db 0001%db 00%", "More bytes than 'db load' promised"),
        ("infer%", "Input db has 0 bytes, expected 13"),
        ("db load 13%db 0001%infer 1 0%", "Input db has 2 bytes, expected 13"),
        ("db load 2%db 0001%infer 1 0%", "Input db has 2 bytes, expected 13"),
        (f"{LOAD}infer 0%", "Inference iterations must be >0"),
        (f"{LOAD}infer -1%", "Inference iterations must be >0"),
        (f"{LOAD}infer many%", "Inference iterations must be >0"),
        (f"{LOAD}infer 1 -1%", "Inference warmup must be >=0"),
        (f"{LOAD}infer 1000001 0%", "Inference iterations must be <=1000000"),
        (f"{LOAD}infer 1 1000001%", "Inference iterations must be <=1000000"),
        (f"db load 13%db 7f{LOADED[1:].hex()}%infer 1 0%", "The model's run function reported a failure"),
        ("results%", "No results before the first inference"),
        ("x" * 81 + "%", "Command has more than 80 characters"),
        ("name" + " " * 400 + "%", "Command has more than 80 characters"),
        ("wvv-put 000000 000005%", "Command 'wvv-put' needs OFFSET, COUNT and CRC"),
        ("wvv-put 00000d 000001 00000000%", "Behind the input's last byte of 13"),
        ("wvv-put 000001 00000d 00000000%", "Behind the input's last byte of 13"),
        ("wvv-put ffffff ffffff 00000000%", "Behind the input's last byte of 13"),
        ("wvv-put 000000 000002 00000000%%%", "CRC differs"),
        ("wvv-infer 00000000%", "Inputs differ"),
        ("wvv-infer 0%", "Command 'wvv-infer' needs the inputs' CRC"),
        ("wvv-get 00000d 000001%", "Behind the output's last byte of 13"),
        ("wvv-get ffffff ffffff%", "Behind the output's last byte of 13"),
        ("wvv-get 0 1%", "Command 'wvv-get' needs OFFSET and COUNT"),
    ],
)
def test_a_refusal_is_one_line_and_the_device_lives_on(device, sent, problem):
    lines = answer(device, f"{sent}name%")
    assert lines[-4:] == [f"e-[{problem}]", "m-ready", "m-name-dut-[mps2-an386]", "m-ready"]


def test_eighty_characters_are_not_too_many(device):
    assert answer(device, "name".ljust(80) + "%") == ["m-name-dut-[mps2-an386]", "m-ready"]


def test_a_line_with_a_mistake_can_be_sent_again(device):
    lines = answer(device, f"db load 13%db {LOADED[:4].hex()}zz%db {LOADED[:4].hex()}%db {LOADED[4:].hex()}%infer 1 0%")
    assert results(LOADED) in lines


def crc_at(offset: int, data: bytes) -> str:
    return f"{zlib.crc32(offset.to_bytes(3, 'big') + data):08x}"


def put(offset: int, data: bytes) -> str:
    return f"wvv-put {offset:06x} {len(data):06x} {crc_at(offset, data)}%" + data.decode("latin-1")


def test_bytes_go_in_and_come_out_as_they_are(device):
    """Also those that would mean something in a line."""
    data = b"%\r\n\x00% wvv-put%"[:13]
    assert len(data) == INPUT_BYTES
    infer = f"wvv-infer {zlib.crc32(data):08x}%wvv-get 000000 00000d%"
    lines = answer(device, put(9, data[9:]) + put(0, data[:9]) + infer)
    out = oracle(data)
    assert lines[-4] == f"m-wvv-ran-[{zlib.crc32(out):08x},41]"
    assert lines[-2:] == [f"m-wvv-000000-{out.hex()}-{crc_at(0, out)}", "m-ready"]
    assert len(out) == OUTPUT_BYTES


def test_outputs_can_be_asked_for_in_pieces(device):
    lines = answer(device, f"{LOAD}infer 1 0%wvv-get 000004 000003%wvv-get 00000d 000000%")
    piece = oracle(LOADED)[4:7]
    assert lines[-3:] == [f"m-wvv-000004-{piece.hex()}-{crc_at(4, piece)}", "m-ready", "m-ready"]


def test_raw_bytes_make_what_db_loaded_incomplete(device):
    assert "e-[Input db has 0 bytes, expected 13]" in answer(device, LOAD + put(0, b"\x01") + "infer%")


def test_figures_and_a_new_start(device):
    lines = answer(device, f"{LOAD}wvv-info%wvv-stack%wvv-reset%infer%")[5:]
    assert re.fullmatch(r"m-wvv-info-\[1,[0-9a-f]{16},13,13\]", lines[0])
    assert lines[1:5] == ["m-wvv-clock-[CMSDK timer, 25000000 Hz]", "m-ready", "m-wvv-stack-[1234]", "m-ready"]
    assert lines[5:8] == [*START, "m-ready"]
    assert lines[8] == "e-[Input db has 0 bytes, expected 13]"


REALS = [
    0.0, -0.0, 0.0005, 0.0015, 0.0025, -0.0004999, 1e-30, 123456.789, -9999999.5, 16777216.0, 1.5e16, 0.9995, 2.0005,
]  # fmt: skip


def test_real_numbers_are_rounded_as_printf_does(tmp_path):
    random = np.random.default_rng(1)
    spread = np.float32(10.0) ** random.uniform(-6, 12, 4000).astype(np.float32) * random.choice([-1, 1], 4000)
    ties = (random.integers(-(2**20), 2**20, 2000) / 16).astype(np.float32)
    values = np.concatenate([np.array(REALS), spread, ties]).astype(np.float32)
    main = """
#include "serial_text.h"
static void say(char character) { putchar(character); }
int main(void) {
  open_device();
  float value;
  while (fread(&value, sizeof value, 1, stdin) == 1) { wvv_put_real(&it.serial, value); putchar('\\n'); }
  check();
  (void)take;
  return 0;
}
"""
    program = build_device(tmp_path, main)
    special = np.array([np.nan, np.inf, -np.inf], np.float32)
    data = np.concatenate([values, special]).tobytes()
    lines = subprocess.run([program], input=data, capture_output=True, check=True).stdout.decode().split()
    assert lines[2:] == [*(f"{float(value):0.3f}" for value in values), "nan", "inf", "-inf"]


# Lines of six kinds: any bytes; a command with some characters changed; numbers at the edges; hexadecimal data of any
# length; promised bytes with a right or a wrong CRC, all of them or too few; a whole example and an inference.
FUZZ = """
static unsigned long answers, ready;
static const char READY[] = "m-ready\\r\\n";
static void say(char character) {
  ++answers;
  ready = character == READY[ready % 9] ? ready + 1 : ready / 9 * 9 + (character == READY[0]);
  if ((unsigned char)character > '~' || ((unsigned char)character < ' ' && character != '\\r' && character != '\\n')) {
    fputs("an answer is no text\\n", stderr);
    exit(8);
  }
}
static uint64_t state;
static uint32_t next(uint32_t below) {
  state ^= state << 13; state ^= state >> 7; state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}
static const char *const WORDS[] = {
  "name", "profile", "timestamp", "help", "db load 13", "db load 5", "db print", "db 0123456789abcdef", "infer 1 0",
  "infer", "results", "wvv-info", "wvv-put 000000 000004 00000000", "wvv-infer 00000000", "wvv-get 000000 00000d",
  "wvv-stack", "wvv-reset", "db", "db load", "",
};
static const char *const NUMBERS[] = {
  "0", "1", "-1", "12", "13", "14", "80", "255", "1000", "1000001", "2147483647", "2147483648", "4294967295",
  "4294967309", "99999999999999999999", "0x10", "1e3", "%s%n", "''", "000000", "ffffff", "00000d", "00000000",
};
#define PICK(list) list[next(sizeof list / sizeof list[0])]
static char line[400];
static uint32_t crc_of(const uint8_t *bytes, uint32_t count, uint32_t offset) {
  uint32_t crc = ~0u;
  for (uint32_t i = 0; i < count + 3u; ++i) {
    crc ^= i < 3u ? offset >> (16u - 8u * i) & 255u : bytes[i - 3u];
    for (int bit = 0; bit < 8; ++bit) { crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u))); }
  }
  return ~crc;
}
static uint32_t any_bytes(void) {
  const uint32_t length = next(200);
  for (uint32_t i = 0; i < length; ++i) { line[i] = (char)next(256); }
  return length;
}
static uint32_t mutated(void) {
  snprintf(line, sizeof line, "%s", PICK(WORDS));
  for (uint32_t times = next(4); times > 0u; --times) {
    const uint32_t length = (uint32_t)strlen(line), at = next(length + 1u);
    if (next(3) == 0u) { memmove(line + at + 1, line + at, length - at + 1u); }
    if (at < length || line[at] != 0) { line[at] = (char)(next(4) == 0u ? next(256) : 32u + next(95)); }
  }
  return (uint32_t)strlen(line);
}
static uint32_t numbered(void) {
  return (uint32_t)snprintf(line, sizeof line, "%s %s %s %s", PICK(WORDS), PICK(NUMBERS), PICK(NUMBERS), PICK(NUMBERS));
}
static uint32_t hexadecimal(void) {
  static const char DIGITS[] = "0123456789abcdefABCDEFg ";
  uint32_t at = (uint32_t)snprintf(line, sizeof line, "db ");
  for (uint32_t digits = next(100); digits > 0u; --digits) { line[at++] = DIGITS[next(next(9) ? 22 : 24)]; }
  return at;
}
static uint32_t promised(void) {
  uint8_t bytes[16];
  const uint32_t offset = next(15), count = 1u + next(14);
  for (uint32_t i = 0; i < count; ++i) { bytes[i] = (uint8_t)next(256); }
  const uint32_t crc = crc_of(bytes, count, offset) + (next(3) == 0u);
  uint32_t at = (uint32_t)snprintf(line, sizeof line, "wvv-put %06x %06x %08x%%", offset, count, crc);
  memcpy(line + at, bytes, count);
  return at + next(count + 1u);
}
static uint32_t whole_example(void) {
  uint32_t at = (uint32_t)snprintf(line, sizeof line, "db load 13%%db ");
  for (int i = 0; i < 13; ++i) { at += (uint32_t)snprintf(line + at, 3, "%02x", next(256)); }
  return at + (uint32_t)snprintf(line + at, sizeof line - at, "%%infer %u %u", next(4), next(3));
}
static uint32_t (*const KINDS[])(void) = {any_bytes, mutated, numbered, hexadecimal, promised, whole_example};
static void one(void) {
  const uint32_t length = PICK(KINDS)();
  for (uint32_t i = 0; i < length; ++i) { take((uint8_t)line[i]); }
  do { take('%'); } while (it.serial.put_left > 0u);
  check();
  if (ready % 9u != 0u) { fputs("a line has no whole answer\\n", stderr); exit(7); }
  /* And it still knows its name. */
  const unsigned long before = ready;
  for (const char *at = "%name%"; *at != 0; ++at) { take((uint8_t)*at); }
  if (ready != before + 18u) { fputs("it does not answer any more\\n", stderr); exit(6); }
}
int main(int count, char **words) {
  state = count > 1 ? strtoull(words[1], NULL, 10) * 2654435761u + 1u : 1u;
  open_device();
  for (unsigned long left = strtoul(words[2], NULL, 10); left > 0; --left) { one(); }
  printf("%lu %d\\n", answers, runs);
  return 0;
}
"""


def test_a_hundred_thousand_bad_lines_do_no_harm(tmp_path):
    program = build_device(tmp_path, FUZZ)
    done = subprocess.run([program, "7", "100000"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    answers, runs = map(int, done.stdout.split())
    # They were no mere unknown commands: inputs were loaded, and inferences run.
    assert answers > 4_000_000 and runs > 1000


LIBFUZZER = """
static void say(char character) { (void)character; }
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  open_device();
  for (size_t i = 0; i < size; ++i) { take(data[i]); }
  check();
  return 0;
}
"""


@pytest.mark.skipif(shutil.which("clang") is None, reason="libFuzzer comes with clang, which is not needed otherwise")
def test_libfuzzer_finds_nothing(tmp_path):
    flags = ("-g", "-O1", "-fsanitize=fuzzer,address,undefined", "-fno-sanitize-recover=all")
    program = build_device(tmp_path, LIBFUZZER, compiler="clang", flags=flags)
    done = subprocess.run([program, "-runs=100000", "-seed=1", "-max_len=400"], capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
