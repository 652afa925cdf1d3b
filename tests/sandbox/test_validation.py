"""Parameters are checked by the SDK's own types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from stripe import params as p
from stripe.params import checkout as p_checkout
from typing_extensions import is_typeddict

from sandbox.calls import Route
from sandbox.errors import StripeError
from sandbox.form_encoding import decode
from sandbox.routes import ROUTES
from sandbox.validation import check_supported, fields_of, validate


def refusal(params: type, encoded: str) -> dict[str, Any]:
    with pytest.raises(StripeError) as refused:
        validate(params, decode(encoded.encode()))
    assert refused.value.status == 400
    return refused.value.error


def test_nested_parameters_come_out_typed() -> None:
    encoded = "customer=cus_1&auto_advance=false&default_tax_rates[0]=txr_1&default_tax_rates[1]=txr_2&metadata[a]=b&metadata[c]="
    assert validate(p.InvoiceCreateParams, decode(encoded.encode())) == {
        "customer": "cus_1",
        "auto_advance": False,
        "default_tax_rates": ["txr_1", "txr_2"],
        "metadata": {"a": "b", "c": ""},
    }


def test_lists_of_objects_are_read_in_order_of_their_indexes() -> None:
    encoded = "line_items[10][price]=b&line_items[2][price]=a&line_items[2][quantity]=3"
    lines = validate(p_checkout.SessionCreateParams, decode(encoded.encode()))["line_items"]
    assert lines == [{"price": "a", "quantity": 3}, {"price": "b"}]


def test_percentages_stay_exact() -> None:
    params = validate(p.TaxRateCreateParams, decode(b"display_name=VAT&inclusive=true&percentage=21.1"))
    assert params["percentage"] == Decimal("21.1")


def test_an_unknown_parameter_is_refused() -> None:
    error = refusal(p.CustomerCreateParams, "emial=a")
    assert error["code"] == "parameter_unknown"
    assert error["message"] == "Received unknown parameter: emial"


def test_an_unknown_nested_parameter_is_refused_by_its_whole_name() -> None:
    error = refusal(p_checkout.SessionCreateParams, "line_items[0][prize]=x")
    assert error["param"] == "line_items[0][prize]"


def test_the_options_of_the_sdk_are_no_parameters() -> None:
    assert refusal(p.CustomerCreateParams, "api_key=sk_test_x")["code"] == "parameter_unknown"


def test_a_missing_parameter_is_refused() -> None:
    error = refusal(p.PaymentIntentCreateParams, "amount=100")
    assert (error["code"], error["param"]) == ("parameter_missing", "currency")


@pytest.mark.parametrize(
    ("encoded", "param"),
    [
        ("collection_method=sometimes", "collection_method"),
        ("auto_advance=yes", "auto_advance"),
        ("due_date=tomorrow", "due_date"),
        ("due_date=1.5", "due_date"),
        ("default_tax_rates=txr_1", "default_tax_rates"),
        ("metadata=x", "metadata"),
        ("description[a]=x", "description"),
        ("customer=", "customer"),
    ],
)
def test_a_wrong_enum_or_type_is_refused(encoded: str, param: str) -> None:
    assert refusal(p.InvoiceCreateParams, encoded)["param"] == param


@pytest.mark.parametrize("encoded", [b"a[=1", b"[a]=1", b"a=1&a[b]=2", b"a[b]=2&a=1", b"a=%00", b"a=%ff", b"a=\xff"])
def test_a_form_that_cannot_be_read_is_refused(encoded: bytes) -> None:
    with pytest.raises(StripeError) as refused:
        decode(encoded)
    assert refused.value.status == 400


def test_a_parameter_that_is_not_acted_upon_is_refused_and_not_ignored() -> None:
    with pytest.raises(StripeError, match=r"does not implement the parameter: a\.c"):
        check_supported({"a": {"b": 1, "c": 2}}, frozenset({"a.b"}))


def knows(annotation: Any, names: list[str]) -> bool:
    """Return whether a type of the SDK has the nested parameter that the names lead to."""
    if not names:
        return True
    if is_typeddict(annotation):
        fields = fields_of(annotation)
        return names[0] in fields and knows(fields[names[0]][0], names[1:])
    return any(knows(inner, names) for inner in get_args(annotation))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_acts_upon_parameters_that_stripe_knows(route: Route) -> None:
    unknown = [name for name in route.supports.split() if not knows(route.params, name.split("."))]
    assert unknown == []
