"""What inputs about subscriptions have in common."""

import strawberry


@strawberry.input(description="So many of an add-on.")
class AddOnQuantityInput:
    add_on_code: str = strawberry.field(description="The add-on.")
    quantity: int = strawberry.field(description="How many there are to be; zero for none.")
