"""Recharge with a card on file."""

from __future__ import annotations

import pytest

from tests.support.house import RunningHouse


@pytest.mark.catalogs("analytics", "compute", "messaging")
async def test_a_recharge_charges_the_card_and_credits_what_was_bought(house: RunningHouse) -> None:
    person = await house.sign_up()
    await house.add_card(person)
    payload = await house.recharge(person)
    assert payload["userErrors"] == []
    assert payload["purchase"]["status"] == "SUCCEEDED"
