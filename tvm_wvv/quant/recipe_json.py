"""Checks of a recipe's JSON: each one names file and key path, what is there, and what must be.

Nothing is repaired or guessed: a recipe that says something else than its writer meant would only show as accuracy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvm_wvv.errors import WvvError
from tvm_wvv.quant.stage import GRANULARITIES, LEAST_BITS, MOST_BITS, Granularity, StageQuantizer, Stages
from tvm_wvv.transforms.catalog import Variant, axis_of, learned, suggestion, variant
from tvm_wvv.transforms.learned import MOST_CODE, MOST_DENOMINATOR, MOST_ROW, FixedPoint, Transforms
from tvm_wvv.transforms.matrix import IntMatrix

# For each arithmetic: stages it must have, stages it may have, and the most bits of each.
_MUST = {"exact": (), "int16": ("u",), "int8": ("v", "u", "m")}
_MAY = {"exact": (), "int16": ("v",), "int8": ()}
_BITS = {"int16": MOST_BITS, "int8": 8}
# Transforms were learned for few bits; arithmetic with more has nothing to win by them.
_LEARNED = {"exact": (), "int16": (), "int8": ("transforms",)}
_KEYS = ("bits", "granularity", "power_of_two", "scale", "zero_point")


@dataclass(frozen=True)
class Place:
    """Where in which file: `file: layers.conv2d_3.v.scale[2]`."""

    source: str
    path: str = ""

    def at(self, key: str | int) -> Place:
        """One level deeper."""
        if isinstance(key, int):
            return Place(self.source, f"{self.path}[{key}]")
        return Place(self.source, f"{self.path}.{key}" if self.path else key)

    def error(self, problem: str) -> WvvError:
        """The error to raise for what stands here."""
        return WvvError(": ".join(part for part in (self.source, self.path, problem) if part))


def parsed(text: str, place: Place) -> object:
    """The JSON value; a key that occurs twice is an error, where `json` would keep the last one."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise place.error(f"key {key!r} occurs twice in one object")
            found[key] = value
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except (json.JSONDecodeError, RecursionError) as error:
        raise place.error(f"not JSON: {error}") from error


def object_of(
    value: object, place: Place, must: Sequence[str] | None = None, may: Sequence[str] = ()
) -> dict[str, Any]:
    """An object with the keys `must`, and perhaps some of `may`; with any keys where `must` is None."""
    if not isinstance(value, dict):
        raise place.error(f"{_kind(value)}, need an object")
    if must is None:
        return value
    known = (*must, *may)
    for key in value:
        if key not in known:
            raise place.at(key).error(f"unknown key{suggestion(key, known)}")
    for key in must:
        if key not in value:
            raise place.at(key).error("missing")
    return value


def text_of(value: object, place: Place) -> str:
    """A string."""
    if not isinstance(value, str):
        raise place.error(f"{_kind(value)}, need a string")
    return value


def checked_layer(value: object, place: Place) -> tuple[Variant, Stages | None]:
    """One layer's algorithm, with learned matrices where it has such, and stage quantizers."""
    name = object_of(value, place).get("algorithm")
    if name is None:
        raise place.at("algorithm").error("missing")
    try:
        chosen = variant(text_of(name, place.at("algorithm")))
    except WvvError as error:
        if str(error).startswith(place.source):
            raise
        raise place.at("algorithm").error(str(error)) from error
    must, may = _MUST[chosen.arithmetic], _MAY[chosen.arithmetic]
    fields = object_of(value, place, ("algorithm", *must), (*may, *_LEARNED[chosen.arithmetic]))
    if "transforms" in fields:
        transforms = _transforms(fields["transforms"], place.at("transforms"), chosen.algorithm.name)
        chosen = Variant(learned(transforms), chosen.arithmetic)
    if not must:
        return chosen, None
    taps, bits = chosen.algorithm.taps, _BITS[chosen.arithmetic]
    stages = {key: _stage(fields[key], place.at(key), key, taps, bits) for key in (*must, *may) if key in fields}
    return chosen, Stages(**stages)


def _transforms(value: object, place: Place, base: str) -> Transforms:
    """Learned matrices of the algorithm `base`."""
    try:
        axis = axis_of(base)
    except WvvError as error:
        raise place.error(str(error)) from error
    fields = object_of(value, place, ("input", "weight", "output"))
    shapes = {"input": (axis.tile, axis.tile), "weight": (axis.tile, axis.r), "output": (axis.m, axis.tile)}
    matrices = {key: _fixed_point(fields[key], place.at(key), shape) for key, shape in shapes.items()}
    for index, row in enumerate(matrices["input"].codes):
        if sum(map(abs, row)) > MOST_ROW:
            here = place.at("input").at("matrix").at(index)
            raise here.error(f"magnitudes add up to {sum(map(abs, row))}, need at most {MOST_ROW}: V must fit int32")
    return Transforms(base, **matrices)


def _fixed_point(value: object, place: Place, shape: tuple[int, int]) -> FixedPoint:
    fields = object_of(value, place, ("denominator", "matrix"))
    denominator = _whole(fields["denominator"], place.at("denominator"))
    if not 1 <= denominator <= MOST_DENOMINATOR:
        raise place.at("denominator").error(f"{denominator}, need 1 to {MOST_DENOMINATOR}")
    return FixedPoint(_codes(fields["matrix"], place.at("matrix"), shape), denominator)


def _codes(value: object, place: Place, shape: tuple[int, int]) -> IntMatrix:
    rows = _list(value, place)
    if len(rows) != shape[0]:
        raise place.error(f"{len(rows)} rows, need {shape[0]}")
    found = []
    for number, row in enumerate(rows):
        here = place.at(number)
        entries = tuple(_whole(entry, here.at(index)) for index, entry in enumerate(_list(row, here)))
        if len(entries) != shape[1]:
            raise here.error(f"{len(entries)} entries, need {shape[1]}")
        for index, entry in enumerate(entries):
            if abs(entry) > MOST_CODE:
                raise here.at(index).error(f"{entry}, need {-MOST_CODE} to {MOST_CODE}")
        if not any(entries):
            raise here.error("a row of zeros: nothing would feed what it makes")
        found.append(entries)
    return tuple(found)


def _stage(value: object, place: Place, stage: str, taps: int, most_bits: int) -> StageQuantizer:
    fields = object_of(value, place, _KEYS)
    bits = _whole(fields["bits"], place.at("bits"))
    if not LEAST_BITS <= bits <= most_bits:
        raise place.at("bits").error(f"{bits}, need {LEAST_BITS} to {most_bits}")
    granularity = _granularity(fields["granularity"], place.at("granularity"), stage)
    powers = fields["power_of_two"]
    if not isinstance(powers, bool):
        raise place.at("power_of_two").error(f"{_kind(powers)}, need true or false")
    scale = _scales(fields["scale"], place.at("scale"), granularity, taps, powers)
    found = StageQuantizer(bits, scale, granularity, power_of_two=powers)
    zero_point = _zero_points(fields["zero_point"], place.at("zero_point"), found, taps, stage == "v")
    return StageQuantizer(bits, scale, granularity, zero_point, powers)


def _granularity(value: object, place: Place, stage: str) -> Granularity:
    # V has no output channels yet.
    known = GRANULARITIES[:2] if stage == "v" else GRANULARITIES
    given = text_of(value, place)
    for one in known:
        if one == given:
            return one
    raise place.error(f"{given!r}{suggestion(given, known)}")


def _scales(value: object, place: Place, granularity: Granularity, taps: int, powers: bool) -> tuple[float, ...]:
    numbers = _list(value, place)
    # How many output channels there are is known only where the layer is.
    per_channel = granularity == "tap_channel"
    count = 1 if granularity == "tensor" else taps
    if not numbers or len(numbers) % count or (len(numbers) != count and not per_channel):
        needed = f"a multiple of {taps}" if per_channel else str(count)
        raise place.error(f"{len(numbers)} entries, need {needed} (granularity {granularity})")
    return tuple(_scale(number, place.at(index), powers) for index, number in enumerate(numbers))


def _scale(value: object, place: Place, power_of_two: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise place.error(f"{_kind(value)}, need a number")
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real) or real <= 0.0:
        raise place.error(f"{real:g}, need a finite number above 0")
    if power_of_two and math.frexp(real)[0] != 0.5:
        raise place.error(f"{real:g} is no power of two, as power_of_two says")
    return real


def _zero_points(value: object, place: Place, stage: StageQuantizer, taps: int, may_move: bool) -> tuple[int, ...]:
    numbers = _list(value, place)
    if len(numbers) not in (1, taps):
        raise place.error(f"{len(numbers)} entries, need 1 or {taps}")
    found = tuple(_whole(number, place.at(index)) for index, number in enumerate(numbers))
    low, high = stage.limits if may_move else (0, 0)
    for index, one in enumerate(found):
        if not low <= one <= high:
            raise place.at(index).error(f"{one}, need {low} to {high}" if may_move else f"{one}, need 0")
    return found


def _whole(value: object, place: Place) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise place.error(f"{_kind(value)}, need a whole number")
    return value


def _list(value: object, place: Place) -> list[Any]:
    if not isinstance(value, list):
        raise place.error(f"{_kind(value)}, need a list")
    return value


def _kind(value: object) -> str:
    """What JSON calls this value, with the value itself where it is short."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:40]
