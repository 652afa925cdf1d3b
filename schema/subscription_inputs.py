"""What several inputs about subscriptions share."""

from collections.abc import Sequence

import strawberry

from app.errors import InvalidInput


@strawberry.input(description="So many of an add-on.")
class AddOnQuantityInput:
    add_on_code: str = strawberry.field(description="The add-on's code.")
    quantity: int = strawberry.field(description="How many there are to be in all; none for zero.")


def add_on_quantities(given: Sequence[AddOnQuantityInput] | None) -> dict[str, int] | None:
    """The quantities by code; raises `InvalidInput` for an add-on that is named twice."""
    if given is None:
        return None
    quantities = {each.add_on_code: each.quantity for each in given}
    if len(quantities) != len(given):
        raise InvalidInput("Name each add-on once.", path=("input", "addOns"))
    return quantities
