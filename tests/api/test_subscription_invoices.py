"""What Stripe bills for a subscription, in the list of invoices: drafts of renewals, plans and seats, refunds, disputes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support import subscribing
from tests.support.client import eventually
from tests.support.pdf_text import pdf_text
from tests.support.running_backend import Person, RunningBackend

_INVOICES = """query ($id: ID!, $first: Int! = 20, $after: String, $status: InvoiceStatus) {
  workspace(id: $id) {
    invoices(first: $first, after: $after, status: $status) {
      pageInfo { endCursor hasNextPage }
      nodes {
        id number status issuedAt paidAt version hostedUrl pdfUrl
        subtotal { amount } tax { amount } total { amount } amountDue { amount } amountPaid { amount } amountRefunded { amount }
        lines {
          description quantity isProration unitAmount { amount } amount { amount } period { start end }
          plan { id code seats { minimum } } addOn { code }
        }
        taxLines { name ratePercent amount { amount } }
      }
    }
  }
}"""


async def page(backend: RunningBackend, person: Person, **more: object) -> dict[str, Any]:
    """A page of the person's invoices."""
    data = await backend.api.query(_INVOICES, {"id": person.workspace, **more}, token=person.token)
    return data["workspace"]["invoices"]


async def listed(backend: RunningBackend, person: Person, count: int) -> list[dict[str, Any]]:
    """The person's invoices once there are so many."""

    async def enough() -> list[dict[str, Any]]:
        nodes = (await page(backend, person))["nodes"]
        return nodes if len(nodes) >= count else []

    return await eventually(enough)


async def to_draft(backend: RunningBackend, person: Person) -> None:
    """Let the subscription begin a new period, whose invoice is a draft for an hour from now on, less some minutes.

    The seller gives some free minutes, whose end does what a period's does: other tests' subscriptions stay in theirs.
    """
    ends_at = int((await backend.sandbox.now()).timestamp()) + 300
    path = f"/v1/subscriptions/{await subscribing.provider_id(backend, person)}"
    await backend.sandbox.post(path, trial_end=str(ends_at), proration_behavior="none")
    await backend.advance("PT10M")


async def paid_first(backend: RunningBackend) -> tuple[Person, dict[str, Any], str]:
    """Someone who subscribed, their paid invoice, and Stripe's id of its payment."""
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    [invoice] = await listed(backend, person, 1)
    [charge] = await backend.charges(person)
    return person, invoice, charge["payment_intent"]


async def _until_refunded(backend: RunningBackend, person: Person, amount: str) -> dict[str, Any]:
    async def refunded() -> list[dict[str, Any]]:
        nodes = (await page(backend, person))["nodes"]
        return [each for each in nodes if each["amountRefunded"]["amount"] == amount]

    return (await eventually(refunded))[0]


async def test_the_first_invoice_names_plan_seats_period_and_tax(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    begun = await subscribing.subscribe(backend, person, "team", seats=3)

    [invoice] = await listed(backend, person, 1)

    assert invoice["status"] == "PAID"
    [line] = invoice["lines"]
    assert (line["plan"]["code"], line["addOn"], line["quantity"], line["isProration"]) == ("team", None, 3, False)
    assert (line["unitAmount"]["amount"], line["amount"]["amount"]) == ("19.00", "57.00")
    assert line["period"] == begun["currentPeriod"]
    assert invoice["taxLines"] == [{"name": "VAT", "ratePercent": "21.0", "amount": {"amount": "9.89"}}]
    assert (invoice["subtotal"]["amount"], invoice["tax"]["amount"], invoice["total"]["amount"]) == (
        *("57.00", "9.89", "57.00"),
    )


async def test_the_invoice_of_an_upgrade_marks_what_is_prorated_and_of_which_plan(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "personal")
    changed = await subscribing.change_plan(backend, person, "team", seats=2)
    assert changed["userErrors"] == []

    invoice, _ = await listed(backend, person, 2)

    lines = {line["plan"]["code"]: line for line in invoice["lines"]}
    assert set(lines) == {"personal", "team"}
    assert all(line["isProration"] for line in lines.values())
    assert lines["personal"]["amount"]["amount"].startswith("-")
    assert lines["team"]["quantity"] == 2


async def test_a_renewal_is_in_the_list_while_it_is_a_draft_and_keeps_its_place_once_it_is_paid(
    backend: RunningBackend,
) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    [first] = await listed(backend, person, 1)
    await to_draft(backend, person)

    draft, _ = await listed(backend, person, 2)
    assert (draft["status"], draft["number"], draft["issuedAt"], draft["hostedUrl"]) == ("DRAFT", None, None, None)
    assert (draft["total"]["amount"], draft["amountDue"]["amount"], draft["amountPaid"]["amount"]) == (
        *("38.00", "38.00", "0.00"),
    )
    assert [line["plan"]["code"] for line in draft["lines"]] == ["team"]
    assert [each["id"] for each in (await page(backend, person, status="DRAFT"))["nodes"]] == [draft["id"]]
    before = await page(backend, person, first=1)
    await backend.advance("PT2H")

    async def paid() -> bool:
        return (await page(backend, person))["nodes"][0]["status"] == "PAID"

    assert await eventually(paid)
    after = await page(backend, person, first=1, after=before["pageInfo"]["endCursor"])
    assert [each["id"] for each in before["nodes"] + after["nodes"]] == [draft["id"], first["id"]]


async def test_no_invoice_is_missed_when_a_draft_is_issued_between_two_pages(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    await to_draft(backend, person)
    draft, first = await listed(backend, person, 2)
    # issued after the draft was made, and before the draft is
    await backend.recharge(person)
    newest = await page(backend, person, first=1)
    await backend.advance("PT2H")

    async def paid() -> bool:
        found = (await page(backend, person))["nodes"]
        return [each["status"] for each in found] == ["PAID"] * 3

    assert await eventually(paid)
    rest = await page(backend, person, after=newest["pageInfo"]["endCursor"])
    assert [each["id"] for each in rest["nodes"]] == [draft["id"], first["id"]]


async def test_a_draft_of_a_one_off_invoice_stays_hidden(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    customer = await subscribing.customer_of(backend, person)
    await backend.sandbox.post("/v1/invoices", customer=customer, currency="eur", auto_advance="false")
    await backend.sandbox.post("/v1/invoices", customer=customer, currency="eur", auto_advance="false")
    await subscribing.change_seats(backend, person, 3)

    assert len(await listed(backend, person, 2)) == 2


async def test_drafts_of_renewals_are_sent_live_and_to_who_comes_back(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    await listed(backend, person, 1)
    since = (await backend.sandbox.now()).isoformat()
    document = """subscription ($id: ID!, $since: DateTime) {
      invoiceChanged(workspaceId: $id, since: $since) { id status lines { plan { code } } } }"""
    async with backend.api.socket(person.token) as socket:
        variables: dict[str, object] = {"id": person.workspace, "since": None}
        await socket.send(id="1", type="subscribe", payload={"query": document, "variables": variables})
        await to_draft(backend, person)
        sent = await socket.until(lambda state: state["status"] == "DRAFT")
    assert sent["lines"][0]["plan"]["code"] == "team"
    async with backend.api.socket(person.token) as socket:
        variables = {"id": person.workspace, "since": since}
        await socket.send(id="1", type="subscribe", payload={"query": document, "variables": variables})
        await socket.until(lambda state: state["id"] == sent["id"])


async def test_a_refund_of_a_subscriptions_invoice_shows_and_changes_nothing_else(backend: RunningBackend) -> None:
    person, invoice, payment = await paid_first(backend)

    await backend.sandbox.post("/v1/refunds", payment_intent=payment, amount="1000")
    part = await _until_refunded(backend, person, "10.00")
    await backend.sandbox.post("/v1/refunds", payment_intent=payment)
    whole = await _until_refunded(backend, person, "38.00")

    assert int(invoice["version"]) < int(part["version"]) < int(whole["version"])
    assert (whole["status"], whole["amountPaid"]["amount"]) == ("PAID", "38.00")
    assert (await backend.balance(person))["available"] == "0"
    assert (await subscribing.subscription(backend, person))["plan"]["code"] == "team"


async def test_a_dispute_of_a_subscriptions_invoice_takes_no_credits_and_is_no_refund(backend: RunningBackend) -> None:
    person, _, payment = await paid_first(backend)
    await backend.grant(person, "100")
    async with httpx.AsyncClient(base_url=backend.sandbox.url) as http:
        opened = (await http.post("/_sandbox/disputes", json={"payment_intent": payment})).raise_for_status().json()
        await http.post(f"/_sandbox/disputes/{opened['id']}", json={"status": "lost"})
    await backend.sandbox.post("/v1/refunds", payment_intent=(await _bought(backend, person)))

    await _until_refunded(backend, person, "5.00")
    disputed = (await page(backend, person))["nodes"][-1]
    assert (disputed["status"], disputed["amountRefunded"]["amount"]) == ("PAID", "0.00")
    assert (await backend.balance(person))["available"] == "100"


async def _bought(backend: RunningBackend, person: Person) -> str:
    """Stripe's id of the payment of a purchase of credits: its refund is an event that comes after those before it."""
    assert (await backend.recharge(person))["userErrors"] == []
    return (await backend.charges(person))[0]["payment_intent"]


@pytest.mark.parametrize(
    ("step", "status", "due"), [("void", "VOID", "0.00"), ("mark_uncollectible", "UNCOLLECTIBLE", "0.00")]
)
async def test_a_renewal_that_the_seller_calls_off_shows_so(
    backend: RunningBackend, step: str, status: str, due: str
) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    await to_draft(backend, person)
    await listed(backend, person, 2)
    draft, _ = await backend.stripe_invoices(person)
    await backend.sandbox.post(f"/v1/invoices/{draft['id']}/finalize", auto_advance="false")

    await backend.sandbox.post(f"/v1/invoices/{draft['id']}/{step}")

    async def shown() -> list[dict[str, Any]]:
        return (await page(backend, person, status=status))["nodes"]

    [invoice] = await eventually(shown)
    assert (invoice["amountDue"]["amount"], invoice["total"]["amount"]) == (due, "38.00")


async def test_a_renewal_that_is_paid_out_of_band_is_paid(backend: RunningBackend) -> None:
    person = await backend.sign_up()
    await subscribing.subscribe(backend, person, "team", seats=2)
    await to_draft(backend, person)
    await listed(backend, person, 2)
    draft, _ = await backend.stripe_invoices(person)

    await backend.sandbox.post(f"/v1/invoices/{draft['id']}/pay", paid_out_of_band="true")

    async def paid() -> list[dict[str, Any]]:
        nodes = (await page(backend, person, status="PAID"))["nodes"]
        return nodes if len(nodes) == 2 else []

    invoice, _ = await eventually(paid)
    assert invoice["amountDue"]["amount"] == "0.00"
    assert invoice["number"] is not None


async def test_the_pdf_of_a_subscriptions_invoice_names_what_was_billed(backend: RunningBackend) -> None:
    _, invoice, _ = await paid_first(backend)

    texts = pdf_text((await backend.api.http.get(invoice["pdfUrl"])).content)
    hosted = (await backend.api.http.get(invoice["hostedUrl"])).text

    for text in (f"Invoice {invoice['number']}", "VAT 21% (inclusive)", "38.00 EUR"):
        assert text in texts
        assert text in hosted
    assert invoice["lines"][0]["description"] in " ".join(texts)
