"""The routes of development alone: for this machine, and for no other site's pages."""

from __future__ import annotations

import pytest

from tests.support.running_backend import RunningBackend


@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"host": "evil.example"}])
async def test_another_sites_page_neither_reads_the_inbox_nor_moves_the_clock(
    backend: RunningBackend, headers: dict[str, str]
) -> None:
    before = backend.database.clock.offset

    read = await backend.api.http.get(f"{backend.api.url}/dev/inbox", headers=headers)
    moved = await backend.api.http.post(
        f"{backend.api.url}/dev/clock", content='{"advance": "P1D"}', headers={"content-type": "text/plain", **headers}
    )

    assert (read.status_code, moved.status_code) == (403, 403)
    assert backend.database.clock.offset == before


async def test_ones_own_page_may_do_both(backend: RunningBackend) -> None:
    headers = {"origin": backend.api.url}

    read = await backend.api.http.get(f"{backend.api.url}/dev/inbox", headers=headers)
    moved = await backend.api.http.post(f"{backend.api.url}/dev/clock", json={"advance": "PT1S"}, headers=headers)

    assert (read.status_code, moved.status_code) == (200, 200)
