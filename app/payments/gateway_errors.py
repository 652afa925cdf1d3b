"""What the payment gateway raises, in place of the errors of the provider's SDK."""

from __future__ import annotations

from enum import StrEnum


class GatewayUnavailable(Exception):
    """The provider did not answer, or answered that it can't right now. What was asked may or may not have happened."""


class GatewayRefused(Exception):
    """The provider refused the request as it stands; asking again changes nothing."""


class GatewayDeclined(GatewayRefused):
    """The card was not charged, or needs its holder, and nothing has changed. `decline_code` is the bank's, where it gave one."""

    def __init__(self, message: str, decline_code: str | None) -> None:
        super().__init__(message)
        self.decline_code = decline_code


class ScheduleAttached(GatewayRefused):
    """The subscription has a schedule, which must be released before its end can be set or taken back.

    `schedule_id` is the schedule's.
    """

    def __init__(self, message: str, schedule_id: str) -> None:
        super().__init__(message)
        self.schedule_id = schedule_id


class NothingToBill(GatewayRefused):
    """There is no next invoice to preview: the subscription has ended, or ends with nothing to bill."""


class InvalidTaxId(GatewayRefused):
    """The text is no tax id of its kind. Whether a well-formed one belongs to anybody is found out later."""


class MissingObject(StrEnum):
    """What kind of object a refusal is about."""

    CUSTOMER = "CUSTOMER"
    CARD = "CARD"
    PRICE = "PRICE"
    PRODUCT = "PRODUCT"
    TAX_RATE = "TAX_RATE"
    INVOICE = "INVOICE"
    SUBSCRIPTION = "SUBSCRIPTION"
    SCHEDULE = "SCHEDULE"
    PORTAL = "PORTAL"
    OTHER = "OTHER"


class GatewayMissing(GatewayRefused):
    """The provider refused the request because an object named in it is not there: it was deleted, or never was.

    `kind` is the kind of that object.
    """

    def __init__(self, message: str, kind: MissingObject) -> None:
        super().__init__(message)
        self.kind = kind
