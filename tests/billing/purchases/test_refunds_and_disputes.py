"""How many credits a refund or a dispute takes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.billing.purchases.refunds_and_disputes import steps_to_claw_back


def test_the_share_taken_back_is_rounded_down() -> None:
    assert steps_to_claw_back(1000, returned_minor=333, total_minor=1000, already=0) == 333
    assert steps_to_claw_back(100, returned_minor=199, total_minor=605, already=0) == 32
    assert steps_to_claw_back(100, returned_minor=605, total_minor=605, already=32) == 68


@given(
    granted=st.integers(1, 10**15),
    total=st.integers(1, 10**7),
    steps=st.lists(st.integers(1, 10**7), max_size=8),
)
def test_partial_refunds_together_take_what_one_would_and_a_full_one_takes_all(
    granted: int, total: int, steps: list[int]
) -> None:
    taken = returned = 0
    for step in [*steps, total]:
        returned = min(returned + step, total)
        taken += steps_to_claw_back(granted, returned_minor=returned, total_minor=total, already=taken)
        assert taken == granted * returned // total
    assert taken == granted
