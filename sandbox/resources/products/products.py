"""Products: created, changed, deleted, listed."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json
from sandbox.shared_handlers import answer_page, page_query
from sandbox.store import Transaction

_UPDATABLE = ("name", "description", "active", "tax_code", "unit_label", "statement_descriptor", "default_price")


async def create(call: Call) -> Json:
    """POST /v1/products; the caller may choose its identifier."""
    params = call.params
    product_id = params.get("id") or new_id("prod")
    if await call.tx.find_including_deleted("product", product_id) is not None:
        raise invalid_request(f"Product already exists: {product_id}", code="resource_already_exists", param="id")
    return await create_product(call.tx, params | {"id": product_id})


async def update(call: Call) -> Json:
    """POST /v1/products/{id}."""
    product = await call.tx.get("product", call.id)
    before = snapshot(product)
    for name in _UPDATABLE:
        if name in call.params:
            product[name] = None if call.params[name] == "" else call.params[name]
    product["metadata"] = merge_metadata(product["metadata"], call.params.get("metadata"))
    product["updated"] = call.tx.now
    await call.tx.save(product)
    await emit(call.tx, "product.updated", product, previous_attributes(before, product))
    return product


async def delete(call: Call) -> Json:
    """DELETE /v1/products/{id}, as long as it has no prices."""
    product = await call.tx.get("product", call.id)
    if await call.tx.find_all("price", {"product": product["id"]}):
        raise invalid_request("This product cannot be deleted because it has one or more user-created prices.")
    deleted = await call.tx.delete(product)
    await emit(call.tx, "product.deleted", product)
    return deleted


async def list_products(call: Call) -> Json:
    """GET /v1/products, by `active` and `ids`."""
    query = page_query(call, "product")
    query.match = {"active": call.params["active"]} if "active" in call.params else {}
    if "ids" in call.params:
        query.one_of["id"] = call.params["ids"]
    return await answer_page(call, query)


def refuse_inactive_product(product: Json, param: str) -> None:
    """Raise a StripeError for an archived product: nothing of it is sold any more."""
    if not product["active"]:
        raise invalid_request(
            f"The product {product['id']} is marked as inactive, and thus nothing new can be sold with its prices.",
            param=param,
        )


async def create_product(tx: Transaction, params: Json) -> Json:
    """Store a new product."""
    product: Json = {
        "id": params.get("id") or new_id("prod"),
        "object": "product",
        "active": params.get("active", True),
        "created": tx.now,
        "default_price": None,
        "description": params.get("description"),
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": merge_metadata({}, params.get("metadata")),
        "name": params["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": params.get("statement_descriptor"),
        "tax_code": params.get("tax_code"),
        "tax_details": None,
        "type": "service",
        "unit_label": params.get("unit_label"),
        "updated": tx.now,
        "url": None,
    }
    await tx.insert(product)
    await emit(tx, "product.created", product)
    return product
