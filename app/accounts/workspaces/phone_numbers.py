"""Parsing phone numbers, and what is shown of one: the last digits."""

from __future__ import annotations

from collections.abc import Collection

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from app.errors import InvalidInput

SHOWN_DIGITS = 4

MOST_CHARACTERS = 40

# These can't receive a text message, or earn money for whoever has codes sent to them. In countries where a landline looks like a
# mobile number, the code is sent.
_UNFIT = frozenset(
    {
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.SHARED_COST,
        PhoneNumberType.TOLL_FREE,
        PhoneNumberType.UAN,
        PhoneNumberType.PAGER,
        PhoneNumberType.VOICEMAIL,
    }
)


def parse_number(text: str, region: str | None, *, countries: Collection[str]) -> str:
    """The number in E.164 form, from that form or from the national form of `region` (ISO 3166, two letters).

    `countries` are the regions that codes are sent to, empty for all. Raises `InvalidInput`, which says what is wrong.
    """
    path = ("input", "phoneNumber")
    if region is not None and region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInput("The region is the two letters of a country, such as NL.", path=("input", "region"))
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"A phone number has at most {MOST_CHARACTERS} characters.", path=path)
    try:
        number = phonenumbers.parse(text, region.upper() if region is not None else None)
    except NumberParseException as error:
        if error.error_type == NumberParseException.INVALID_COUNTRY_CODE:
            raise InvalidInput(
                "Start the number with + and the country's code, or give the region.", path=path
            ) from None
        raise InvalidInput("This is not a phone number.", path=path) from None
    if number.extension:
        raise InvalidInput("A number with an extension can't receive a text message.", path=path)
    if not phonenumbers.is_valid_number(number):
        raise InvalidInput("There is no such phone number.", path=path)
    if phonenumbers.number_type(number) in _UNFIT:
        raise InvalidInput("A number of this kind can't receive a text message.", path=path)
    if countries and phonenumbers.region_code_for_number(number) not in countries:
        raise InvalidInput("Numbers of this country can't be verified here.", path=path)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def last_digits(number: str) -> str:
    """The last `SHOWN_DIGITS` digits of a number, which are stored and shown."""
    return number[-SHOWN_DIGITS:]


def masked(digits: str) -> str:
    """A number as it is shown, from its last digits."""
    return f"•••• {digits}"
