"""Slices are named and numbered by the values in the impressions."""

import numpy as np

from ranker.evaluation.slicing import MISSING, OVERALL, SliceIndex, slice_name


def _column(*values: bytes) -> np.ndarray:
    return np.array(values, dtype=object)


def _named(index: SliceIndex, membership: np.ndarray) -> list[str]:
    names = {number: slice_name(key) for key, number in index.keys().items()}
    return [names[number] for number in membership.tolist()]


def test_rows_fall_into_values_and_crosses_and_missing_has_a_name() -> None:
    index = SliceIndex([("device",), ("device", "country")])
    columns = {"device": _column(b"ios", b"", b"ios"), "country": _column(b"us", b"us", b"at")}
    overall, device, cross = index.memberships(columns, 3)
    assert _named(index, overall) == ["all impressions"] * 3
    assert _named(index, device) == ["device=ios", f"device={MISSING}", "device=ios"]
    assert _named(index, cross) == [
        "device=ios, country=us",
        f"device={MISSING}, country=us",
        "device=ios, country=at",
    ]


def test_a_value_keeps_its_number_in_later_batches() -> None:
    index = SliceIndex([("device",)])
    first = index.memberships({"device": _column(b"ios", b"android")}, 2)[1]
    later = index.memberships({"device": _column(b"web", b"ios")}, 2)[1]
    assert later[1] == first[0]
    assert len(set(first.tolist()) | set(later.tolist())) == 3


def test_a_spec_with_too_many_values_is_dropped_in_any_order() -> None:
    values = _column(*(str(i).encode() for i in range(6)))
    for batches in ([values], [values[:3], values[3:]], [values[::-1][:5], values[::-1][5:]]):
        index = SliceIndex([("author",), ("device",)], max_values=5)
        for batch in batches:
            index.memberships({"author": batch, "device": _column(*[b"ios"] * len(batch))}, len(batch))
        assert index.too_many == (("author",),)
        assert set(index.keys()) == {OVERALL, (("device", "ios"),)}


def test_adding_another_index_drops_the_specs_that_exceed_the_limit_together() -> None:
    one, other = SliceIndex([("author",)], max_values=3), SliceIndex([("author",)], max_values=3)
    one.memberships({"author": _column(b"a", b"b")}, 2)
    other.memberships({"author": _column(b"c", b"d")}, 2)
    kept = one.add(other.keys())
    assert kept == {OVERALL: 0}
    assert one.too_many == (("author",),)


def test_a_spec_named_twice_counts_once() -> None:
    index = SliceIndex([("device",), ("device",)])
    assert len(index.memberships({"device": _column(b"ios")}, 1)) == 2
