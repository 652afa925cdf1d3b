"""A customer that somebody changes in Stripe's dashboard is set right, and the log says so."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from app.flows.provider.customers import correct_customer
from tests.flows.provider.customers import carried, carries, customer_of, give_odd_address, settled_customer
from tests.support.running_backend import RunningBackend


@pytest.mark.parametrize("changed", [{"name": "Wrong Name"}, {"email": "wrong@example.org"}])
async def test_a_customer_changed_in_the_dashboard_carries_again_what_is_true_here(
    backend: RunningBackend, changed: dict[str, str]
) -> None:
    person = await backend.sign_up()
    await backend.add_card(person)
    await settled_customer(backend, person)
    name, address = await carried(backend, person)

    with capture_logs() as logs:
        await backend.sandbox.post(f"/v1/customers/{await customer_of(backend, person)}", **changed)

        assert await carries(backend, person, name, address)

    assert [line for line in logs if line["event"] == "customer.changed_at_provider"]


async def test_an_address_that_stripe_does_not_take_is_not_written_again_and_again(own_backend: RunningBackend) -> None:
    backend = own_backend
    person = await backend.sign_up()
    await backend.add_card(person)
    await give_odd_address(backend, person)
    await settled_customer(backend, person)
    path = f"/v1/customers/{await customer_of(backend, person)}$"
    before = len(await backend.sandbox.requests(path))

    await correct_customer(backend.parts.flow_context, person.workspace_id, await customer_of(backend, person))

    assert len(await backend.sandbox.requests(path)) == before
