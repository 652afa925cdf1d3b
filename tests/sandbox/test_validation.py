"""Parameters are checked by the SDK's own types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from stripe import params as p
from stripe.params import checkout as p_checkout

from sandbox.errors import StripeError
from sandbox.form_encoding import decode_form
from sandbox.validation import check_supported, validate


def validation_error(params: type, encoded: str) -> dict[str, Any]:
    with pytest.raises(StripeError) as refused:
        validate(params, decode_form(encoded.encode()))
    assert refused.value.status == 400
    return refused.value.error


def test_nested_parameters_are_converted_to_their_types() -> None:
    encoded = "customer=cus_1&auto_advance=false&default_tax_rates[0]=txr_1&default_tax_rates[1]=txr_2&metadata[a]=b&metadata[c]="
    assert validate(p.InvoiceCreateParams, decode_form(encoded.encode())) == {
        "customer": "cus_1",
        "auto_advance": False,
        "default_tax_rates": ["txr_1", "txr_2"],
        "metadata": {"a": "b", "c": ""},
    }


def test_lists_of_objects_are_read_in_order_of_their_indexes() -> None:
    encoded = "line_items[10][price]=b&line_items[2][price]=a&line_items[2][quantity]=3"
    lines = validate(p_checkout.SessionCreateParams, decode_form(encoded.encode()))["line_items"]
    assert lines == [{"price": "a", "quantity": 3}, {"price": "b"}]


def test_percentages_stay_exact() -> None:
    params = validate(p.TaxRateCreateParams, decode_form(b"display_name=VAT&inclusive=true&percentage=21.1"))
    assert params["percentage"] == Decimal("21.1")


def test_an_unknown_parameter_is_refused() -> None:
    error = validation_error(p.CustomerCreateParams, "emial=a")
    assert error["code"] == "parameter_unknown"
    assert error["message"] == "Received unknown parameter: emial"


def test_the_error_for_an_unknown_nested_parameter_has_its_full_name() -> None:
    error = validation_error(p_checkout.SessionCreateParams, "line_items[0][prize]=x")
    assert error["param"] == "line_items[0][prize]"


def test_the_request_options_of_the_sdk_are_not_parameters() -> None:
    assert validation_error(p.CustomerCreateParams, "api_key=sk_test_x")["code"] == "parameter_unknown"


def test_a_missing_parameter_is_refused() -> None:
    error = validation_error(p.PaymentIntentCreateParams, "amount=100")
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
    assert validation_error(p.InvoiceCreateParams, encoded)["param"] == param


def test_a_parameter_that_the_sandbox_does_not_implement_is_refused() -> None:
    with pytest.raises(StripeError, match=r"does not implement the parameter: a\.c"):
        check_supported({"a": {"b": 1, "c": 2}}, frozenset({"a.b"}))
