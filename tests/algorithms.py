"""Algorithms beyond the catalog, so that nothing in transforms, oracle or kernels fits the catalog alone.

`HANDMADE` is F(4x4, 3x3) over the points 0, 1, -1, infinity, i and -i, put together by hand from its 1-D matrices in
real parts, as an independent oracle of what `tensor` makes of conjugate pairs. The complex values of rows and columns
are products x * u = (a + bi)(c + di) with three multiplications, where one axis alone is complex
k1 = d (a - b), k2 = a (c - d), k3 = b (c + d), re = k1 + k2, im = k1 + k3,
and where both are
k1 = c (a + b), k2 = a (d - c), k3 = b (c + d), re = k1 - k3, im = k1 + k2.
"""

from __future__ import annotations

from tvm_wvv.transforms.bilinear import Algorithm, tensor
from tvm_wvv.transforms.catalog import ALGORITHMS, ARITHMETICS
from tvm_wvv.transforms.cook_toom import cook_toom, direct
from tvm_wvv.transforms.matrix import IntMatrix, chain, integers, kronecker
from tvm_wvv.transforms.points import INFINITY, points
from tvm_wvv.transforms.quadratic import IMAGINARY_UNIT, SIXTH_ROOT

_F2_3 = cook_toom(2, 3, points(0, 1, -1, INFINITY))
_F4_3 = cook_toom(4, 3, points(0, 1, -1, 2, -2, INFINITY))
_F3_3_COMPLEX = cook_toom(3, 3, points(SIXTH_ROOT, 0, IMAGINARY_UNIT))

TALL = tensor("f1x4", _F4_3, direct(3))
COMPLEX_AND_REAL = tensor("f3c2", _F3_3_COMPLEX, _F2_3)

# Four real points, then the real and the imaginary part at i.
_BT = ((1, 0, 0, 0, -1, 0), (0, 1, 1, 1, 1, 0), (0, -1, 1, -1, 1, 0), (0, -1, 0, 0, 0, 1),
       (0, 0, -1, 0, 1, 0), (0, -1, 0, 1, 0, 0))  # fmt: skip
_G = ((2, 0, 0), (1, 1, 1), (1, -1, 1), (0, 0, 2), (1, 0, -1), (0, 1, 0))
_AT = ((2, 1, 1, 0, 1, 0), (0, 1, -1, 0, 0, -1), (0, 1, 1, 0, -1, 0), (0, 1, -1, 2, 0, 1))
_RE, _IM = 4, 5
_RR, _RI, _IR, _II = (row * 6 + column for row in (_RE, _IM) for column in (_RE, _IM))

Form = dict[int, int]


def _complex_values() -> list[tuple[Form, Form]]:
    """(real, imaginary) part of each complex value as forms in the 36 real parts: row by row, (i, i) and (i, -i) last.

    The catalog's order: (real, i) for four rows, then (i, real) for four columns, then the two of (i, +-i).
    """
    mixed = [({k * 6 + _RE: 1}, {k * 6 + _IM: 1}) for k in range(4)]
    mixed += [({_RE * 6 + k: 1}, {_IM * 6 + k: 1}) for k in range(4)]
    return [*mixed, ({_RR: 1, _II: -1}, {_RI: 1, _IR: 1}), ({_RR: 1, _II: 1}, {_RI: -1, _IR: 1})]


def _row(entries: Form, size: int) -> tuple[int, ...]:
    return tuple(entries.get(place, 0) for place in range(size))


def _sum(first: Form, second: Form, sign: int = 1) -> Form:
    return {place: first.get(place, 0) + sign * second.get(place, 0) for place in {*first, *second}}


def _values() -> IntMatrix:
    """36 x 36: the 16 real values, then real and imaginary part of each complex one."""
    rows = [_row({r * 6 + c: 1}, 36) for r in range(4) for c in range(4)]
    return tuple(rows + [_row(part, 36) for value in _complex_values() for part in value])


def _operands(along_one: tuple[Form, Form, Form], along_both: tuple[Form, Form, Form]) -> IntMatrix:
    """46 x 36: three operands of each complex value, as forms in its parts 0 and 1."""
    rows = [_row({k: 1}, 36) for k in range(16)]
    for start in range(16, 36, 2):
        forms = along_one if start < 32 else along_both
        rows += [_row({start + part: sign for part, sign in form.items()}, 36) for form in forms]
    return tuple(rows)


def _gathered() -> IntMatrix:
    """36 x 46: from products back to what `_AT` takes; a complex value counts twice, for its conjugate's sake."""
    rows: list[Form] = [{} for _ in range(36)]
    for tap in range(16):
        rows[tap // 4 * 6 + tap % 4] = {tap: 1}
    parts = [({k: 2, k + 1: 2}, {k: 2, k + 2: 2}) for k in range(16, 40, 3)]
    parts += [({k: 2, k + 2: -2}, {k: 2, k + 1: 2}) for k in (40, 43)]
    for number, (re, im) in enumerate(parts[:8]):
        real, k = divmod(number, 4)
        places = (k * 6 + _RE, k * 6 + _IM) if real == 0 else (_RE * 6 + k, _IM * 6 + k)
        rows[places[0]], rows[places[1]] = re, im
    (z_re, z_im), (w_re, w_im) = parts[8:]
    rows[_RR], rows[_II] = _sum(z_re, w_re), _sum(w_re, z_re, -1)
    rows[_RI], rows[_IR] = _sum(z_im, w_im, -1), _sum(z_im, w_im)
    return tuple(_row(form, 46) for form in rows)


def _separable(matrix: IntMatrix) -> tuple[IntMatrix, IntMatrix]:
    """matrix (x) matrix, columns first."""
    size, width = len(matrix), len(matrix[0])
    eye = tuple(tuple(int(i == j) for j in range(width)) for i in range(width))
    rows = tuple(tuple(int(i == j) for j in range(size)) for i in range(size))
    return integers(kronecker(matrix, eye)), integers(kronecker(rows, matrix))


_INPUTS: tuple[Form, Form, Form] = ({0: 1, 1: -1}, {0: 1}, {1: 1})
_WEIGHTS: tuple[Form, Form, Form] = ({1: 1}, {0: 1, 1: -1}, {0: 1, 1: 1})
_WEIGHTS_OF_BOTH: tuple[Form, Form, Form] = ({0: 1}, {0: -1, 1: 1}, {0: 1, 1: 1})

HANDMADE = Algorithm(
    "handmade", (4, 4), (3, 3),
    input_factors=(*_separable(_BT), _values(), _operands(_INPUTS, ({0: 1, 1: 1}, {0: 1}, {1: 1}))),
    weight_matrix=integers(chain((kronecker(_G, _G), _values(), _operands(_WEIGHTS, _WEIGHTS_OF_BOTH)))),
    output_factors=(_gathered(), *_separable(_AT)),
    scale=16,
)  # fmt: skip

CATALOG = tuple(ALGORITHMS.values())
ALL = (*CATALOG, TALL, COMPLEX_AND_REAL, HANDMADE)
# Those whose operands fit int16 for every int8 input and weight.
EXACT = (*(one for one in CATALOG if "exact" in ARITHMETICS[one.name]), TALL, COMPLEX_AND_REAL)
