"""A matrix of small integers as a straight-line program of additions, subtractions and shifts.

Entries are written with signed binary digits, no two of them adjacent, so a row becomes a sum of terms
+-(value << shift). Pairs of terms that several rows share, up to sign and a common shift, become values of their own,
the most frequent first (Hartley's greedy scheme); what is left is added row by row. At the end sums are put into the
order in which the outputs, one after the other, ask for them: few of them are then alive at a time.

Entries of learned matrices have many digits, which nothing shares: there each term is a product instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from tvm_wvv.transforms.matrix import IntMatrix, identity


@dataclass(frozen=True, order=True)
class Term:
    """sign * factor * (value << shift); values count the inputs first, then the sums."""

    value: int
    shift: int = 0
    sign: int = 1
    factor: int = 1

    @property
    def weight(self) -> int:
        """How often the value counts, less the sign."""
        return self.factor << self.shift

    def of(self, outer: Term) -> Term:
        """This term of a value that is itself `outer`."""
        shift, factor = outer.shift + self.shift, outer.factor * self.factor
        return Term(outer.value, shift, outer.sign * self.sign, factor)


@dataclass(frozen=True)
class Program:
    """`sums[k]` makes value inputs + k from two earlier values; `outputs` has one term for each row of the matrix."""

    inputs: int
    sums: tuple[tuple[Term, Term], ...]
    outputs: tuple[Term, ...]

    @property
    def values(self) -> int:
        """Inputs and sums together."""
        return self.inputs + len(self.sums)

    @property
    def additions(self) -> int:
        """Additions and subtractions; shifts ride along with them."""
        return len(self.sums)


def straight_line(factors: Sequence[IntMatrix], products: bool = False) -> Program:
    """The program that applies `factors` one after the other, the first of them first.

    With `products` an entry that is no power of two becomes one product, and nothing is shared.
    """
    inputs = len(factors[0][0])
    sums: list[tuple[Term, Term]] = []
    current = [Term(value) for value in range(inputs)]
    for factor in factors:
        rows = [_terms(row, current, _product if products else _digit_terms) for row in factor]
        if not products:
            _share(rows, sums, inputs)
        current = [_add_up(row, sums, inputs) for row in rows]
    return _on_demand(Program(inputs, tuple(sums), tuple(current)))


def run(program: Program, values: Sequence[Any], bind: Callable[[Any], Any] = lambda value: value) -> list[Any]:
    """The outputs for `values`, of any type with +, - and products with ints.

    `bind` gets each sum as it is made, and what it gives back stands for that sum.
    """
    return list(outputs(program, values.__getitem__, bind))


def outputs(
    program: Program, load: Callable[[int], Any], bind: Callable[[Any], Any] = lambda value: value
) -> Iterator[Any]:
    """The same one by one: inputs are loaded, and sums made, when the first output needs them."""
    known: dict[int, Any] = {}
    for term in program.outputs:
        for value in _missing(program, term.value, known):
            if value < program.inputs:
                known[value] = load(value)
            else:
                known[value] = bind(_sum(known, *program.sums[value - program.inputs]))
        yield _signed(known, term)


def combinations_of_inputs(program: Program) -> IntMatrix:
    """Every input and every sum as a combination of the inputs, in the order in which they are made."""
    rows = list(identity(program.inputs))
    for left, right in program.sums:
        weights = left.sign * left.weight, right.sign * right.weight
        pairs = zip(rows[left.value], rows[right.value], strict=True)
        rows.append(tuple(weights[0] * a + weights[1] * b for a, b in pairs))
    return tuple(rows)


def naive_additions(factors: Sequence[IntMatrix]) -> int:
    """Additions row by row with nothing shared, for comparison."""
    return sum(sum(len(_digits(entry)) for entry in row) - 1 for factor in factors for row in factor)


def _digits(number: int) -> list[tuple[int, int]]:
    """(shift, sign) of each signed binary digit, no two adjacent: 7 is 8 - 1, at most half the digits are not zero."""
    found, shift = [], 0
    while number:
        if number & 1:
            sign = 2 - (number & 3)
            found.append((shift, sign))
            number -= sign
        number >>= 1
        shift += 1
    return found


def _digit_terms(value: int, entry: int) -> list[Term]:
    return [Term(value, *digit) for digit in _digits(entry)]


def _product(value: int, entry: int) -> list[Term]:
    """entry * value, as far as it goes by a shift."""
    if not entry:
        return []
    shift = (entry & -entry).bit_length() - 1
    return [Term(value, shift, 1 if entry > 0 else -1, abs(entry) >> shift)]


def _terms(row: Sequence[int], values: Sequence[Term], split: Callable[[int, int], list[Term]]) -> list[Term]:
    """The row's terms, each column standing for one of `values`; `split` makes those of one entry."""
    terms = [one.of(values[j]) for j, entry in enumerate(row) for one in split(j, entry)]
    if not terms:
        raise ValueError("a row of the matrix is zero: the algorithm has a product or an output that nothing feeds")
    return sorted(terms)


def _pattern(first: Term, second: Term) -> tuple[Term, Term]:
    """What two terms have in common with their multiples: least shift 0, first sign +."""
    base = min(first.shift, second.shift)
    return Term(first.value, first.shift - base), Term(second.value, second.shift - base, first.sign * second.sign)


def _share(rows: list[list[Term]], sums: list[tuple[Term, Term]], inputs: int) -> None:
    """Replace pairs of terms that occur at least twice by sums of their own until none is left."""
    while True:
        counts = Counter(_pattern(*pair) for row in rows for pair in combinations(row, 2))
        if not counts:
            return
        # Among equally frequent pairs the least is taken, so that the program is the same every time.
        pattern = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[pattern] < 2:
            return
        sums.append(pattern)
        for row in rows:
            _replace(row, pattern, inputs + len(sums) - 1)


def _replace(row: list[Term], pattern: tuple[Term, Term], value: int) -> None:
    """Put multiples of `value` in the place of every disjoint occurrence of `pattern`."""
    while True:
        for first, second in combinations(row, 2):
            if _pattern(first, second) == pattern:
                break
        else:
            return
        row.remove(first)
        row.remove(second)
        row.append(Term(value, min(first.shift, second.shift), first.sign))
        row.sort()


def _add_up(row: list[Term], sums: list[tuple[Term, Term]], inputs: int) -> Term:
    """One term that is the sum of the row. Positive terms go first, so that a negation is needed only where none is."""
    total, *rest = sorted(row, key=lambda term: (-term.sign, term))
    for term in rest:
        sums.append((total, term))
        total = Term(inputs + len(sums) - 1)
    return total


def _missing(program: Program, value: int, known: Container[int]) -> list[int]:
    """What must be made for `value` beyond what is known, itself the last, everything once and after its operands."""
    if value in known:
        return []
    if value < program.inputs:
        return [value]
    first, second = (_missing(program, term.value, known) for term in program.sums[value - program.inputs])
    return [*first, *(one for one in second if one not in first), value]


def _on_demand(program: Program) -> Program:
    """The same sums, numbered as `outputs` makes them; a sum that no output needs is left out."""
    order: list[int] = list(range(program.inputs))
    for term in program.outputs:
        order += [value for value in _missing(program, term.value, set(order)) if value >= program.inputs]
    number = {value: place for place, value in enumerate(order)}

    def moved(term: Term) -> Term:
        return replace(term, value=number[term.value])

    sums = tuple(program.sums[value - program.inputs] for value in order[program.inputs :])
    pairs = tuple((moved(left), moved(right)) for left, right in sums)
    return Program(program.inputs, pairs, tuple(map(moved, program.outputs)))


def _sum(known: Mapping[int, Any], left: Term, right: Term) -> Any:
    if left.sign < 0 < right.sign:
        left, right = right, left
    first, second = _signed(known, left), _signed(known, replace(right, sign=1))
    return first + second if right.sign > 0 else first - second


def _signed(known: Mapping[int, Any], term: Term) -> Any:
    value = known[term.value]
    # A product, because shifting a negative number to the left is undefined in C; compilers shift all the same.
    shifted = value * term.weight if term.weight != 1 else value
    # Not a unary minus: TVM writes that as a product with -1, which unsigned numbers do not have.
    return shifted if term.sign > 0 else 0 - shifted
