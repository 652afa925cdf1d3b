"""The routes of development alone: for this machine, and for no other site's pages."""

from __future__ import annotations

import pytest

from tests.support.running_backend import RunningHouse


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
async def test_another_sites_page_neither_reads_the_inbox_nor_moves_the_clock(
    house: RunningHouse, headers: dict[str, str]
) -> None:
    before = house.database.clock.offset

    read = await house.api.http.get(f"{house.api.url}/dev/inbox", headers=headers)
    moved = await house.api.http.post(
        f"{house.api.url}/dev/clock", content='{"advance": "P1D"}', headers={"content-type": "text/plain", **headers}
    )

    assert (read.status_code, moved.status_code) == (403, 403)
    assert house.database.clock.offset == before


async def test_ones_own_page_may_do_both(house: RunningHouse) -> None:
    headers = {"origin": house.api.url}

    read = await house.api.http.get(f"{house.api.url}/dev/inbox", headers=headers)
    moved = await house.api.http.post(f"{house.api.url}/dev/clock", json={"advance": "PT1S"}, headers=headers)

    assert (read.status_code, moved.status_code) == (200, 200)
