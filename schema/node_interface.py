"""Objects with an id of their own."""

import strawberry


@strawberry.interface(description="An object that can be read again by its id, through `node`.")
class Node:
    id: strawberry.ID = strawberry.field(description="Opaque and lasting; don't take it apart.")
