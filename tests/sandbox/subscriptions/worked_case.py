"""A worked case: what is set up, what is done and when, and what Stripe computes; lived through against a sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import stripe

# the same calendar begins again after so long: leap years and lengths of months are as they were
FOUR_YEARS = 1461 * 86400
# what the requests of one step may take
TOLERANCE_SECONDS = 60

_MONEY = (
    *("subtotal", "total", "amount_due", "amount_paid", "amount_remaining", "starting_balance", "ending_balance"),
    *("status", "billing_reason", "attempt_count", "total_excluding_tax"),
)


def plain(answer: Any) -> dict[str, Any]:
    """Return an object of the SDK as a dictionary."""
    found: dict[str, Any] = json.loads(str(answer))
    return found


def recurring(every: str) -> dict[str, Any]:
    """Return the parameter for an interval such as `month` or `3 month`."""
    count, _, unit = every.rpartition(" ")
    return {"interval": unit, "interval_count": int(count or 1)}


class WorkedCase:
    """One case, moved ahead by whole four years to where the sandbox's clock is."""

    def __init__(self, client: stripe.StripeClient, web: httpx.AsyncClient, case: dict[str, Any]) -> None:
        self.v1 = client.v1
        self.web = web
        self.given: dict[str, Any] = case["given"]
        self.steps: list[dict[str, Any]] = self.given.get("steps", [])
        self.expect: list[dict[str, Any]] = case["expect"]
        self.currency = self.given.get("currency", "usd")
        self.shift = 0
        self.customer = self.product = self.subscription = self.schedule = ""
        self.items: list[dict[str, Any]] = []
        self.invoice: str | None = None
        self.shown: dict[str, Any] = {}
        self.error: stripe.StripeError | None = None

    async def live(self) -> None:
        """Set the case up, do its steps each at its time, and compare after each."""
        now = (await self.web.get("/_sandbox/clock")).json()["timestamp"]
        self.shift = max(0, -(-(now - self.given["at"]) // FOUR_YEARS)) * FOUR_YEARS
        for number, step in enumerate([{"do": "create", "at": self.given["at"]}, *self.steps]):
            before = await self._latest()
            await self._move_to(self._at(step.get("at", step.get("to"))))
            self.error = None
            try:
                await getattr(self, f"_do_{step['do']}")(step)
            except stripe.StripeError as error:
                if not self._expects_error(number):
                    raise
                self.error = error
            made = await self._latest() != before
            for expected in self.expect:
                if expected["after"] == number:
                    await getattr(self, f"_see_{expected['see']}")(expected | {"made_invoice": made})
        if self.subscription and (await self._subscription())["status"] != "canceled":
            await self.v1.subscriptions.cancel_async(self.subscription)

    def _expects_error(self, number: int) -> bool:
        return any(each["after"] == number and each["see"] == "error" for each in self.expect)

    def _at(self, at: Any) -> int:
        return int(at) + self.shift

    async def _move_to(self, at: int) -> None:
        if at > (await self.web.get("/_sandbox/clock")).json()["timestamp"]:
            moved = await self.web.post("/_sandbox/clock", json={"now": datetime.fromtimestamp(at, UTC).isoformat()})
            assert moved.status_code == 200, moved.text

    async def _latest(self) -> str | None:
        return (await self._subscription())["latest_invoice"] if self.subscription else None

    async def _subscription(self) -> dict[str, Any]:
        return plain(await self.v1.subscriptions.retrieve_async(self.subscription))

    # ---- what is done

    async def _do_create(self, step: dict[str, Any]) -> None:
        customer: Any = {name: self.given[name] for name in ("balance", "tax_exempt") if name in self.given}
        customer["address"] = {"country": "DE", "line1": "1 Road", "postal_code": "10115", "city": "Berlin"}
        self.customer = (await self.v1.customers.create_async(customer)).id
        if self.given.get("card") != "none":
            await self._use_card(self.given.get("card", "pm_card_visa"))
        if self.given.get("start") == "invoice":
            await self._create_invoice()
            return
        self.product = (await self.v1.products.create_async({"name": "Plan"})).id
        items: list[dict[str, Any]] = self.given["items"]
        for item in items:
            same: int | None = item.get("same")
            self.items.append(await self._new_item(item) if same is None else dict(self.items[same]))
        params = await self._creation()
        created = plain(await self.v1.subscriptions.create_async(params))
        self.subscription = created["id"]
        # the request took its time, and all else is counted from when it was made
        self.shift += created["created"] - self._at(self.given["at"])
        for item in self.items:
            item["id"] = next(each["id"] for each in created["items"]["data"] if each["price"]["id"] == item["price"])

    async def _creation(self) -> Any:
        given = self.given
        params: dict[str, Any] = {
            "customer": self.customer,
            "billing_mode": {"type": "flexible"},
            "items": [{"price": item["price"], "quantity": item["quantity"]} for item in self.items],
        }
        renamed = {
            "trial_days": "trial_period_days",
            "pay": "payment_behavior",
            "prorate": "proration_behavior",
        }
        params |= {name: given[short] for short, name in renamed.items() if short in given}
        if "tax" in given:
            params["default_tax_rates"] = await self._rates(given["tax"])
        if "coupon" in given:
            params["discounts"] = [{"coupon": await self._coupon(given["coupon"])}]
        if "trial_end" in given:
            params["trial_end"] = self._at(given["trial_end"])
        if "when_no_card" in given:
            params["trial_settings"] = {"end_behavior": {"missing_payment_method": given["when_no_card"]}}
        if "cancel_in" in given:
            now = (await self.web.get("/_sandbox/clock")).json()["timestamp"]
            params["cancel_at"] = now + given["cancel_in"]
        if "add" in given:
            params["add_invoice_items"] = [{"price": await self._price(added["amount"])} for added in given["add"]]
        return params

    async def _create_invoice(self) -> None:
        params: Any = {"customer": self.customer, "auto_advance": False, "currency": self.currency}
        if "coupon" in self.given:
            params["discounts"] = [{"coupon": await self._coupon(self.given["coupon"])}]
        self.invoice = (await self.v1.invoices.create_async(params)).id
        for line in self.given["lines"]:
            item: Any = {"customer": self.customer, "invoice": self.invoice, "amount": line["amount"]}
            item["tax_rates"] = await self._rates(line.get("tax", []))
            await self.v1.invoice_items.create_async(item)
        await self.v1.invoices.finalize_invoice_async(self.invoice)

    async def _do_advance(self, step: dict[str, Any]) -> None:
        """Time has passed, and that was all."""

    async def _do_card(self, step: dict[str, Any]) -> None:
        await self._use_card(step["card"])

    async def _do_update(self, step: dict[str, Any]) -> None:
        params, keep = self._change(step), self.items
        for short, name in (("pay", "payment_behavior"), ("description", "description")):
            if short in step:
                params[name] = step[short]
        if "items" in step:
            params["items"], keep = await self._changed_items(step["items"])
        updated = plain(await self.v1.subscriptions.update_async(self.subscription, params))
        for item in keep:
            found = [each["id"] for each in updated["items"]["data"] if each["price"]["id"] == item["price"]]
            item.setdefault("id", *found[:1])
        self.items = keep

    async def _do_preview(self, step: dict[str, Any]) -> None:
        details: Any = self._change(step) if "items" in step else {}
        if "items" in step:
            details["items"], _ = await self._changed_items(step["items"])
        params: Any = {"customer": self.customer, "subscription": self.subscription}
        if details:
            params["subscription_details"] = details
        self.shown = plain(await self.v1.invoices.create_preview_async(params))

    async def _do_schedule(self, step: dict[str, Any]) -> None:
        created = await self.v1.subscription_schedules.create_async({"from_subscription": self.subscription})
        current = created.phases[0]
        _, following = await self._changed_items(step["next"])
        first: Any = {"items": _phase_items(self.items), "start_date": current.start_date, "end_date": current.end_date}
        second: Any = {
            "items": _phase_items(following),
            "proration_behavior": step["prorate"],
            "duration": recurring(following[0]["every"]),
        }
        await self.v1.subscription_schedules.update_async(created.id, {"phases": [first, second]})

    async def _do_cancel(self, step: dict[str, Any]) -> None:
        params: Any = {name: step[name] for name in ("prorate", "invoice_now") if name in step}
        await self.v1.subscriptions.cancel_async(self.subscription, params)

    async def _do_resume(self, step: dict[str, Any]) -> None:
        await self.v1.subscriptions.resume_async(self.subscription)

    async def _do_void(self, step: dict[str, Any]) -> None:
        await self.v1.invoices.void_invoice_async(str(await self._latest()))

    async def _do_credit_note(self, step: dict[str, Any]) -> None:
        invoice = str(self.invoice or await self._latest())
        params: Any = {name: step[name] for name in ("amount", "refund_amount") if name in step}
        if "refund_amount" in params and (await self.v1.invoices.retrieve_async(invoice)).status == "open":
            await self.v1.invoices.pay_async(invoice)
        params["amount"] = params.get("amount", params.get("refund_amount"))
        params["invoice"] = invoice
        self.shown = plain(await self.v1.credit_notes.create_async(params))

    def _change(self, step: dict[str, Any]) -> Any:
        params: dict[str, Any] = {}
        if "prorate" in step:
            params["proration_behavior"] = step["prorate"]
        if "proration_date" in step:
            params["proration_date"] = self._at(step["proration_date"])
        elif "items" in step and step.get("prorate") != "none":
            params["proration_date"] = self._at(step["at"])
        if "anchor" in step:
            params["billing_cycle_anchor"] = {"type": step["anchor"]}
        if "trial_end" in step:
            params["trial_end"] = step["trial_end"] if step["trial_end"] == "now" else self._at(step["trial_end"])
        if "cancel_at" in step:
            params["cancel_at"] = self._at(step["cancel_at"])
        if "cancel_at_period_end" in step:
            params["cancel_at_period_end"] = step["cancel_at_period_end"]
        return params

    async def _changed_items(self, changes: list[dict[str, Any]]) -> tuple[Any, list[dict[str, Any]]]:
        """Return the parameter `items`, and the items as they are afterwards."""
        sent: list[dict[str, Any]] = []
        keep: list[dict[str, Any]] = [dict(item) for item in self.items]
        for change in changes:
            if change.get("new"):
                added = await self._new_item(change)
                keep.append(added)
                sent.append({"price": added["price"], "quantity": added["quantity"]})
                continue
            nth: int = change["nth"]
            item = keep[nth]
            if change.get("deleted"):
                sent.append({"id": item["id"], "deleted": True})
                continue
            if "price" in change:
                item["every"] = change.get("every", item["every"])
                item["price"] = await self._price(change["price"], item["every"])
            item["quantity"] = change.get("quantity", item["quantity"])
            sent.append({name: item[name] for name in ("id", "price", "quantity")})
        return sent, keep

    async def _new_item(self, item: dict[str, Any]) -> dict[str, Any]:
        price = await self._price(item["price"], item["every"])
        return {"price": price, "every": item["every"], "quantity": item.get("quantity", 1)}

    async def _price(self, amount: int, every: str | None = None) -> str:
        params: Any = {"currency": self.currency, "unit_amount": amount, "product": self.product}
        if every is not None:
            params["recurring"] = recurring(every)
        return (await self.v1.prices.create_async(params)).id

    async def _coupon(self, given: dict[str, Any]) -> str:
        currency = {"currency": self.currency} if "amount_off" in given else {}
        params: Any = {"duration": "once", **given, **currency}
        return (await self.v1.coupons.create_async(params)).id

    async def _rates(self, given: list[dict[str, Any]]) -> list[str]:
        forms: list[Any] = [
            {"display_name": "Tax", "percentage": rate["percent"], "inclusive": rate["inclusive"]} for rate in given
        ]
        return [(await self.v1.tax_rates.create_async(form)).id for form in forms]

    async def _use_card(self, card: str) -> None:
        method = await self.v1.payment_methods.attach_async(card, {"customer": self.customer})
        settings: Any = {"default_payment_method": method.id}
        await self.v1.customers.update_async(self.customer, {"invoice_settings": settings})

    # ---- what is seen

    async def _see_invoice(self, expected: dict[str, Any]) -> None:
        invoice = str(self.invoice or await self._latest())
        self._compare_money(expected, plain(await self.v1.invoices.retrieve_async(invoice)))

    async def _see_preview(self, expected: dict[str, Any]) -> None:
        self._compare_money(expected, self.shown)

    async def _see_credit_note(self, expected: dict[str, Any]) -> None:
        names = ("amount", "total", "type", "post_payment_amount")
        assert _named(names, self.shown, expected) == _named(names, expected, expected)
        if "tax" in expected:
            assert sum(tax["amount"] for tax in self.shown["total_taxes"]) == expected["tax"]
        assert self.shown["number"].endswith(expected.get("number_ends", ""))

    async def _see_pending(self, expected: dict[str, Any]) -> None:
        waiting = await self.v1.invoice_items.list_async({"customer": self.customer, "pending": True, "limit": 100})
        self._compare_lines(expected["lines"], plain(waiting)["data"])

    async def _see_customer(self, expected: dict[str, Any]) -> None:
        assert (await self.v1.customers.retrieve_async(self.customer)).balance == expected["balance"]

    async def _see_subscription(self, expected: dict[str, Any]) -> None:
        found = await self._subscription()
        names = ("status", "cancel_at_period_end")
        assert _named(names, found, expected) == _named(names, expected, expected)
        for name in ("trial_end", "cancel_at", "canceled_at"):
            self._compare_time(expected, name, found[name])
        self._compare_time(expected, "anchor", found["billing_cycle_anchor"])
        pending: dict[str, Any] = found["pending_update"] or {}
        self._compare_time(expected, "pending_update_expires", pending.get("expires_at"))
        if "new_invoice" in expected:
            assert expected["made_invoice"] == expected["new_invoice"]

    async def _see_item(self, expected: dict[str, Any]) -> None:
        nth: int = expected["nth"]
        wanted: str = self.items[nth]["id"]
        found: dict[str, Any] = next(
            item for item in (await self._subscription())["items"]["data"] if item["id"] == wanted
        )
        if "price" in expected:
            assert found["price"]["unit_amount"] == expected["price"]
        if "quantity" in expected:
            assert found["quantity"] == expected["quantity"]
        self._compare_time(expected, "start", found["current_period_start"])
        self._compare_time(expected, "end", found["current_period_end"])

    async def _see_error(self, expected: dict[str, Any]) -> None:
        error: Any = self.error
        assert error is not None
        found = {"http": error.http_status, "code": error.code, "param": error.param}
        assert _named(tuple(found), found, expected) == _named(tuple(found), expected, expected)

    def _compare_money(self, expected: dict[str, Any], invoice: dict[str, Any]) -> None:
        assert _named(_MONEY, invoice, expected) == _named(_MONEY, expected, expected)
        if "tax" in expected:
            assert sum(tax["amount"] for tax in invoice["total_taxes"]) == expected["tax"]
        for name in ("period_start", "period_end", "next_payment_attempt"):
            self._compare_time(expected, name, invoice[name])
        if "number_ends" in expected:
            assert (invoice["number"] or "")[-5:] == expected["number_ends"]
        if "lines" in expected:
            self._compare_lines(expected["lines"], invoice["lines"]["data"])

    def _compare_lines(self, expected: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
        def key(line: dict[str, Any]) -> tuple[int, int]:
            return line["amount"], line.get("start", 0)

        shown = sorted((_line(line) for line in lines), key=key)
        assert len(shown) == len(expected)
        wanted: dict[str, Any]
        for line, wanted in zip(shown, sorted(expected, key=key), strict=True):
            names = ("amount", "proration", "quantity", "discount", "tax")
            assert _named(names, line, wanted) == _named(names, wanted, wanted)
            self._compare_time(wanted, "start", line["start"])
            self._compare_time(wanted, "end", line["end"])

    def _compare_time(self, expected: dict[str, Any], name: str, found: int | None) -> None:
        """Compare a time; 0 stands for none."""
        if name not in expected:
            return
        if expected[name] == 0:
            assert found is None, name
        else:
            assert found is not None, name
            assert abs(found - self._at(expected[name])) <= TOLERANCE_SECONDS, name


def _named(names: tuple[str, ...], of: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {name: of[name] for name in names if name in expected}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared of a line of an invoice, or of an invoice item."""
    parent: dict[str, Any] = line["parent"] or {}
    details: dict[str, Any] = parent.get("subscription_item_details") or parent.get("invoice_item_details") or line
    return {
        "amount": line["amount"],
        "start": line["period"]["start"],
        "end": line["period"]["end"],
        "quantity": line["quantity"],
        "proration": details["proration"],
        "discount": sum(off["amount"] for off in line.get("discount_amounts", ())),
        "tax": sum(tax["amount"] for tax in line.get("taxes", ())),
    }


def _phase_items(items: list[dict[str, Any]]) -> Any:
    return [{"price": item["price"], "quantity": item["quantity"]} for item in items]
