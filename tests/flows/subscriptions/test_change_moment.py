"""The moment from which a change is charged lies within the period, also where the provider's clock is ahead of ours."""

from __future__ import annotations

from datetime import timedelta

from tests.support.running_backend import RunningBackend
from tests.support.subscribing import change_seats, codes, paid_minor, subscribe


async def test_a_change_is_charged_where_the_period_began_by_a_clock_that_is_ahead_of_ours(
    own_backend: RunningBackend,
) -> None:
    person = await own_backend.sign_up()
    await subscribe(own_backend, person, "team", seats=3)
    # as far as clocks of two machines may differ
    own_backend.database.clock.offset -= timedelta(seconds=30)

    assert codes(await change_seats(own_backend, person, 5)) == []

    assert paid_minor(await own_backend.charges(person)) == [5700, 3800]
