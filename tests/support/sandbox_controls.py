"""The sandbox's controls: faults, deliveries, time, and the log of what the product asked of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx


class SandboxControls:
    """What a test may do to the Stripe sandbox at `url`, and what it may look up there."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.url = url
        self._http = http

    async def fail(self, kind: str, path: str, *, method: str = "POST", times: int = 1, seconds: int = 60) -> None:
        """Let the next `times` matching requests fail: `error_500`, `hang`, `drop_before` or `drop_after`."""
        order = {"kind": kind, "path": path, "method": method, "times": times, "seconds": seconds}
        (await self._http.post(f"{self.url}/_sandbox/faults", json=order)).raise_for_status()

    async def deliver(self, mode: str) -> None:
        """Send webhooks from now on as `normal`, `hold`, `duplicate`, `shuffle` or `drop`."""
        (await self._http.post(f"{self.url}/_sandbox/deliveries", json={"mode": mode})).raise_for_status()

    async def flush(self) -> None:
        """Send every pending webhook once, now."""
        (await self._http.post(f"{self.url}/_sandbox/deliveries/flush")).raise_for_status()

    async def restore(self) -> None:
        """No faults, and deliveries as usual."""
        (await self._http.delete(f"{self.url}/_sandbox/faults")).raise_for_status()
        await self.deliver("normal")

    async def requests(self, path: str, *, method: str = "POST") -> list[dict[str, Any]]:
        """The requests received so far with this method whose path the regular expression matches, the oldest first."""
        answer = await self._http.get(f"{self.url}/_sandbox/requests", params={"method": method, "path": path})
        return answer.raise_for_status().json()["requests"]

    async def now(self) -> datetime:
        """The sandbox's time."""
        answer = await self._http.get(f"{self.url}/_sandbox/clock")
        return datetime.fromisoformat(answer.raise_for_status().json()["now"])

    async def move_to(self, moment: datetime) -> None:
        """Move the sandbox's time forward, and have what is due there happen."""
        body = {"now": moment.isoformat()}
        (await self._http.post(f"{self.url}/_sandbox/clock", json=body)).raise_for_status()

    async def listed(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        """All objects that a list of the API has, such as `/v1/charges` with `customer`; the newest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = await self._http.get(
                f"{self.url}{path}",
                params={**parameters, "limit": "100", **after},
                headers={"authorization": "Bearer sk_test_sandbox"},
            )
            answer = page.raise_for_status().json()
            found += answer["data"]
            if not answer["has_more"]:
                return found

    async def newest(self, path: str) -> str | None:
        """The id of what came last into a list of the API, if there is anything in it."""
        page = await self._http.get(
            f"{self.url}{path}", params={"limit": "1"}, headers={"authorization": "Bearer sk_test_sandbox"}
        )
        found = page.raise_for_status().json()["data"]
        return found[0]["id"] if found else None

    async def post(self, path: str, **parameters: str) -> dict[str, Any]:
        """The answer to a call that a seller makes in Stripe, past the product."""
        headers = {"authorization": "Bearer sk_test_sandbox"}
        answer = await self._http.post(f"{self.url}{path}", data=parameters, headers=headers)
        return answer.raise_for_status().json()

    async def fetched(self, path: str) -> dict[str, Any]:
        """An object as Stripe has it."""
        answer = await self._http.get(f"{self.url}{path}", headers={"authorization": "Bearer sk_test_sandbox"})
        return answer.raise_for_status().json()

    async def delete(self, path: str) -> None:
        """Delete an object in Stripe, past the product."""
        answer = await self._http.delete(f"{self.url}{path}", headers={"authorization": "Bearer sk_test_sandbox"})
        answer.raise_for_status()

    async def confirm_setup(self, client_secret: str, card: str, publishable_key: str) -> None:
        """Hand a test card such as `pm_card_visa` to a SetupIntent as Stripe.js does, and answer its bank where that asks."""
        intent_id = client_secret.partition("_secret_")[0]
        confirmed = await self._http.post(
            f"{self.url}/v1/setup_intents/{intent_id}/confirm",
            data={"client_secret": client_secret, "payment_method": card},
            headers={"authorization": f"Bearer {publishable_key}"},
        )
        intent = confirmed.raise_for_status().json()
        if intent["status"] == "requires_action":
            await self.answer_the_bank(intent["next_action"]["redirect_to_url"]["url"], "complete")
        else:
            assert intent["status"] == "succeeded", intent

    async def verify_tax_id(self, tax_id: str, status: str) -> None:
        """Let the tax office say what a tax id is: `verified`, `unverified`, `unavailable` or `pending`."""
        answer = await self._http.post(f"{self.url}/_sandbox/tax_ids/{tax_id}", json={"status": status})
        answer.raise_for_status()

    async def answer_the_bank(self, page: str, outcome: str) -> None:
        """Answer the page on which a bank asks its cardholder: `complete` or `fail`."""
        answer = await self._http.post(page, data={"outcome": outcome})
        assert answer.status_code < 400, answer.text
