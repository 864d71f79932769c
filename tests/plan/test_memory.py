"""The packer against properties that any correct plan has, and against an exhaustive search on small cases."""

from __future__ import annotations

from itertools import combinations, permutations
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tvm_wvv.plan.memory import Plan, Tensor, align, lower_bound, merge, pack


@st.composite
def tensor_lists(draw: st.DrawFn, most: int = 12) -> list[Tensor]:
    spans = draw(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 9), st.integers(0, 5)), max_size=most))
    return [Tensor(f"t{i}", size, first, first + length) for i, (size, first, length) in enumerate(spans)]


def assert_valid(tensors: list[Tensor], plan: Plan, alignment: int) -> None:
    assert set(plan.offsets) == {t.name for t in tensors}
    for t in tensors:
        assert plan.offsets[t.name] % alignment == 0
        assert 0 <= plan.offsets[t.name] <= plan.total_bytes - t.bytes
    for a, b in combinations(tensors, 2):
        together = set(range(a.first_use, a.last_use + 1)) & set(range(b.first_use, b.last_use + 1))
        bytes_a = set(range(plan.offsets[a.name], plan.offsets[a.name] + a.bytes))
        bytes_b = range(plan.offsets[b.name], plan.offsets[b.name] + b.bytes)
        assert not together or bytes_a.isdisjoint(bytes_b), (a, b)


@settings(max_examples=150, deadline=None)
@given(tensors=tensor_lists(), alignment=st.sampled_from([1, 4, 16]))
def test_no_two_live_tensors_overlap_and_the_size_is_between_its_bounds(tensors: list[Tensor], alignment: int) -> None:
    plan = pack(tensors, alignment)
    assert_valid(tensors, plan, alignment)
    bound = max(
        (sum(align(t.bytes, alignment) for t in tensors if t.first_use <= call <= t.last_use) for call in range(16)),
        default=0,
    )
    assert lower_bound(tensors, alignment) == bound <= plan.total_bytes
    assert plan.total_bytes <= sum(align(t.bytes, alignment) for t in tensors)


@settings(max_examples=60, deadline=None)
@given(tensors=tensor_lists(), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_tensors_does_not_change_the_plan(tensors: list[Tensor], seed: Random) -> None:
    shuffled = list(tensors)
    seed.shuffle(shuffled)
    assert pack(shuffled) == pack(tensors)


def first_fit(order: tuple[Tensor, ...]) -> int:
    """A slow twin: try every multiple of 16 in turn."""
    placed: list[tuple[int, Tensor]] = []
    for t in order:
        offset = 0
        near = [(at, o) for at, o in placed if o.first_use <= t.last_use and t.first_use <= o.last_use]
        while any(at < offset + t.bytes and offset < at + o.bytes for at, o in near):
            offset += 16
        placed.append((offset, t))
    return max((align(at + t.bytes) for at, t in placed), default=0)


@settings(max_examples=40, deadline=None)
@given(tensors=tensor_lists(most=5))
def test_small_cases_stay_within_a_quarter_of_the_best_order(tensors: list[Tensor]) -> None:
    best = min((first_fit(order) for order in permutations(tensors)), default=0)
    # First fit over all orders holds an optimal plan; a greedy choice of order may miss it, but never by much.
    assert best <= pack(tensors).total_bytes <= 1.25 * best


def test_a_chain_takes_the_largest_pair_of_neighbours() -> None:
    chain = [Tensor(f"t{i}", size, i, i + 1) for i, size in enumerate((64, 4096, 1024, 2048, 160))]
    assert pack(chain).total_bytes == 4096 + 1024


def test_a_tensor_that_is_never_needed_twice_makes_room() -> None:
    plan = pack([Tensor("skip", 100, 0, 9), Tensor("a", 500, 0, 1), Tensor("b", 500, 2, 3)])
    assert plan.offsets["a"] == plan.offsets["b"]
    assert plan.total_bytes == align(100) + align(500)


def test_merge_joins_only_what_dies_where_the_other_is_born() -> None:
    tensors = [
        Tensor("x", 64, 0, 2),
        Tensor("y", 64, 2, 3),
        Tensor("z", 64, 3, 5),
        Tensor("w", 32, 5, 6),
        Tensor("late", 64, 4, 6),
    ]
    kept, holder = merge(tensors, [("x", "y"), ("y", "z"), ("z", "w"), ("z", "late"), ("gone", "w")])
    assert holder == {"y": "x", "z": "x"}  # w has another size; z is still alive where `late` is born
    assert kept == (Tensor("x", 64, 0, 5), Tensor("w", 32, 5, 6), Tensor("late", 64, 4, 6))


def test_no_tensors_need_no_arena() -> None:
    assert pack([]) == Plan({}, 0)
