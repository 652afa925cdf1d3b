"""The sandbox as a process: killed, stopped, left by its parent."""

from __future__ import annotations

import asyncio

import httpx

from tests.support.sandbox import SandboxProcess, sdk


async def test_objects_clock_and_idempotency_keys_survive_a_kill(own_sandbox: SandboxProcess) -> None:
    made = await sdk(own_sandbox.url).v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "survives"})
    async with httpx.AsyncClient(base_url=own_sandbox.url) as http:
        before = (await http.post("/_sandbox/clock", json={"advance_seconds": 600})).json()["timestamp"]
    own_sandbox.kill()
    await asyncio.to_thread(own_sandbox.start)
    again = await sdk(own_sandbox.url).v1.customers.create_async({"name": "Ada"}, {"idempotency_key": "survives"})
    assert again.id == made.id
    async with httpx.AsyncClient(base_url=own_sandbox.url) as http:
        assert (await http.get("/_sandbox/clock")).json()["timestamp"] >= before
        assert (await http.get("/healthz")).json() == {"status": "ok"}


async def test_it_ends_with_code_0_on_sigterm_and_when_stdin_is_closed(own_sandbox: SandboxProcess) -> None:
    assert await asyncio.to_thread(own_sandbox.stop) == 0
    await asyncio.to_thread(own_sandbox.start)
    assert await asyncio.to_thread(own_sandbox.close_stdin) == 0
    await asyncio.to_thread(own_sandbox.start)
