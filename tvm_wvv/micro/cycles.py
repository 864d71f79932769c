"""An estimate of Cortex-M4 cycles from counted blocks, by the table of the processor's manual.

Source:  Arm Cortex-M4 technical reference manual r0p1 (DDI 0439): section 3.3.1 table 3-1, section 3.3.2 (which loads
         and stores overlap, which addresses wait), section 7.2.3 (floating point).
Assumes: no wait states, aligned data, no IT folded, every instruction under IT executed, and `Timing` for what the
         manual gives as a range. Blocks do not overlap: a load right behind a branch has its full price.
Needs:   the package capstone, which decodes (extra `profile`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.micro.plugin import BlockRun, instruction_bytes

CORE = "cortex-m4"


@dataclass(frozen=True)
class Timing:
    """What the manual leaves open: cycles to refill the pipeline (its P, 1 to 3), and of a division (2 to 12)."""

    branch_refill: int
    jump_refill: int  # where the target comes from a register or from memory, and cannot be foreseen
    divide: int


ESTIMATE = Timing(branch_refill=2, jump_refill=3, divide=12)
FASTEST = Timing(branch_refill=1, jump_refill=1, divide=2)
SLOWEST = Timing(branch_refill=3, jump_refill=3, divide=12)
ASSUMPTIONS = (
    "no wait states, aligned data, no folded IT, no instruction skipped under IT, "
    f"{ESTIMATE.branch_refill} cycles to refill the pipeline behind a taken branch "
    f"({ESTIMATE.jump_refill} where its target is loaded or in a register) and {ESTIMATE.divide} for a division"
)

_DIRECT = ("b", "bl", "cbz", "cbnz")
_LISTS = ("ldm", "stm", "vldm", "vstm")
_ON_STACK = ("push", "pop", "vpush", "vpop")  # lists too, but for capstone they have no base among their operands
_FLOAT_ACCUMULATE = ("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms")


@dataclass(frozen=True)
class BlockCost:
    """`cycles` of one run whose last branch is taken; `spared` of them where it is not."""

    cycles: int
    spared: int

    def of(self, run: BlockRun) -> int:
        """Cycles of all runs."""
        return run.count * self.cycles - run.fell * self.spared


@dataclass(frozen=True)
class _Op:
    """An instruction as far as its price goes; registers by capstone's numbers."""

    cycles: int
    refill: int = 0
    conditional: bool = False
    load: bool = False
    overlaps: bool = False  # one cycle less behind a load
    computes: bool = False
    address: frozenset[int] = frozenset()
    written: frozenset[int] = frozenset()


def cycles(runs: Iterable[BlockRun], timing: Timing = ESTIMATE) -> int:
    """Of all blocks; WvvError without capstone."""
    return sum(block_cost(run.code, timing).of(run) for run in runs)


@cache
def block_cost(code: bytes, timing: Timing = ESTIMATE) -> BlockCost:
    """The price of one block of Thumb-2 code."""
    total, before = 0, _Op(0)
    for instruction in _decoded(code):
        # What capstone does not know is taken for data processing.
        op = _Op(1) if instruction is None else _op(instruction, timing)
        total += op.cycles + op.refill
        total -= before.load and op.overlaps and not before.written & op.address
        # No result is forwarded from the arithmetic unit to the address of the next instruction.
        total += before.computes and bool(before.written & op.address)
        before = op
    # A branch that is not taken, and a return whose condition does not hold, last one cycle.
    return BlockCost(total, before.cycles + before.refill - 1 if before.conditional and before.refill else 0)


@cache
def _decoder() -> Any:
    try:
        import capstone
    except ImportError as error:
        raise WvvError("capstone is not installed; install it with: pip install 'tvm_wvv[profile]'") from error
    decoder = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    decoder.detail = True
    return decoder


def _decoded(code: bytes) -> Iterator[Any]:
    """One item an instruction, None for an unknown one. Decoded in one go, because IT changes what follows it."""
    rest = code
    while rest:
        for found in _decoder().disasm(rest, 0):
            yield found
            rest = rest[found.size :]
        if rest:
            yield None
            rest = rest[len(instruction_bytes(rest)[0]) :]


def _op(instruction: Any, timing: Timing) -> _Op:
    from capstone import arm

    name = instruction.insn_name()
    written = frozenset(instruction.regs_access()[1])
    conditional = instruction.cc not in (arm.ARM_CC_INVALID, arm.ARM_CC_AL) or name in ("cbz", "cbnz")
    if name in _DIRECT:
        return _Op(1, timing.branch_refill, conditional)
    if name in ("tbb", "tbh"):
        # Section 3.3.2: two cycles for the load and one for the addition.
        return _Op(3, timing.jump_refill)
    refill = timing.jump_refill if arm.ARM_REG_PC in written or name in ("bx", "blx") else 0
    if name.startswith(("ldr", "str", "vldr", "vstr")):
        return _single(instruction, name, written, refill, conditional)
    if name.startswith((*_LISTS, *_ON_STACK)):
        base = frozenset([arm.ARM_REG_SP if name in _ON_STACK else instruction.operands[0].reg])
        return _Op(1 + _words(instruction, name), refill, conditional, address=base, written=written)
    return _Op(_arithmetic(instruction, name, timing), refill, conditional, computes=True, written=written)


def _single(instruction: Any, name: str, written: frozenset[int], refill: int, conditional: bool) -> _Op:
    from capstone import arm

    memory = next(operand.mem for operand in instruction.operands if operand.type == arm.ARM_OP_MEM)
    address = frozenset([memory.base, memory.index]) - {0}
    if name.startswith("v") or name in ("ldrd", "strd"):
        return _Op(1 + _words(instruction, name), refill, conditional, address=address, written=written)
    if name.startswith("ldr"):
        return _Op(2, refill, conditional, not refill, not refill, address=address, written=written)
    # The address is made at once and the data go out behind the next instruction, unless two registers are added.
    by_register = memory.index != 0
    return _Op(1 + by_register, conditional=conditional, overlaps=by_register, address=address, written=written)


def _words(instruction: Any, name: str) -> int:
    """Words that an instruction moves to or from memory."""
    from capstone import arm

    registers = [operand.reg for operand in instruction.operands if operand.type == arm.ARM_OP_REG]
    if name.startswith(_LISTS):
        registers = registers[1:]
    return sum(2 if arm.ARM_REG_D0 <= register <= arm.ARM_REG_D31 else 1 for register in registers)


def _arithmetic(instruction: Any, name: str, timing: Timing) -> int:
    """All that neither branches nor touches memory: one cycle, long and dual multiplications included."""
    if name in ("udiv", "sdiv"):
        return timing.divide
    if name in ("vdiv", "vsqrt"):
        return 14
    if name in _FLOAT_ACCUMULATE:
        return 3
    # Two core registers at once to or from the floating-point unit.
    return 2 if name == "vmov" and len(instruction.operands) > 2 else 1
