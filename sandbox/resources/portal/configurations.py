"""Portal configurations: which features the portal offers. What is not listed is off."""

from __future__ import annotations

from sandbox.calls import Call
from sandbox.errors import invalid_request
from sandbox.events import emit, previous_attributes, snapshot
from sandbox.ids import new_id
from sandbox.metadata import merge_metadata
from sandbox.objects import Json

_REASONS = (
    *("customer_service", "low_quality", "missing_features", "other", "switched_service", "too_complex"),
    *("too_expensive", "unused"),
)


async def create(call: Call) -> Json:
    """POST /v1/billing_portal/configurations."""
    configuration: Json = {
        "id": new_id("bpc"),
        "object": "billing_portal.configuration",
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": call.tx.now,
        "default_return_url": None,
        "features": _no_features(),
        "is_default": False,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": call.tx.now,
    }
    _set_fields(configuration, call.params)
    await call.tx.insert(configuration)
    await emit(call.tx, "billing_portal.configuration.created", configuration)
    return configuration


async def update(call: Call) -> Json:
    """POST /v1/billing_portal/configurations/{id}."""
    configuration = await call.tx.get("billing_portal.configuration", call.id)
    before = snapshot(configuration)
    _set_fields(configuration, call.params)
    if "active" in call.params:
        configuration["active"] = call.params["active"]
    configuration["updated"] = call.tx.now
    await call.tx.save(configuration)
    await emit(
        call.tx,
        "billing_portal.configuration.updated",
        configuration,
        previous_attributes(before, configuration),
    )
    return configuration


def _set_fields(configuration: Json, params: Json) -> None:
    for name in ("default_return_url", "name"):
        if name in params:
            configuration[name] = params[name] or None
    for name, value in params.get("business_profile", {}).items():
        configuration["business_profile"][name] = value or None
    configuration["metadata"] = merge_metadata(configuration["metadata"], params.get("metadata"))
    for name, given in params.get("features", {}).items():
        _set_feature(configuration["features"], name, given)
    _check_cancelation(configuration["features"]["subscription_cancel"])


def _set_feature(features: Json, name: str, given: Json) -> None:
    if name in ("subscription_update", "subscription_pause") and given.get("enabled"):
        raise invalid_request(
            f"The sandbox does not implement the portal's feature {name}.", param=f"features[{name}][enabled]"
        )
    feature = features[name]
    for field, value in given.items():
        if isinstance(value, dict):
            feature[field] |= value
        else:
            feature[field] = value if value != "" else []
    if name == "customer_update" and feature["enabled"] and not feature["allowed_updates"]:
        raise invalid_request(
            "allowed_updates must name what can be updated.", param="features[customer_update][allowed_updates]"
        )


def _check_cancelation(cancelation: Json) -> None:
    """Raise a StripeError for prorations that a cancelation in the portal can't make."""
    param = "features[subscription_cancel][proration_behavior]"
    if cancelation["proration_behavior"] == "always_invoice":
        raise invalid_request("`always_invoice` is not possible for cancelations.", param=param)
    if cancelation["proration_behavior"] == "create_prorations" and cancelation["mode"] != "immediately":
        raise invalid_request("Prorations are possible only when canceling immediately.", param=param)


def _no_features() -> Json:
    return {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": False},
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "feedback_options": None, "options": list(_REASONS)},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "products": None,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }
