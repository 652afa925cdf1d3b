"""Currencies as Stripe counts them: which there are, the steps of their amounts, the least and the most it charges.

Amounts are integers in the unit that Stripe counts in: hundredths for most currencies.
"""

from __future__ import annotations

from sandbox.errors import StripeError, invalid_request

SUPPORTED = (
    "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny"
    " cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd"
    " jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn"
    " nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs"
    " tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw"
).split()

# eight digits: 999,999.99 in a currency with hundredths
MAXIMUM_AMOUNT = 99_999_999

_ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
_THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# whole units only, though Stripe counts them in hundredths
_WHOLE_IN_HUNDREDTHS = frozenset(("isk", "ugx"))

_DEFAULT_MINIMUM_CHARGE = 50
_MINIMUM_CHARGE = {
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
}

_SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def checked_currency(given: str, param: str = "currency") -> str:
    """Return a currency's code in lower case. Raises StripeError for one that Stripe does not charge in."""
    currency = given.lower()
    if currency not in SUPPORTED:
        raise invalid_request(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {', '.join(SUPPORTED)}",
            param=param,
        )
    return currency


def check_amount(amount: int, currency: str, param: str) -> None:
    """Raise a StripeError for an amount that no charge can have: too large, or between two steps of its currency."""
    if abs(amount) > MAXIMUM_AMOUNT:
        raise amount_too_large(currency, param)
    step = 10 if currency in _THREE_DECIMAL else 100 if currency in _WHOLE_IN_HUNDREDTHS else 1
    if amount % step:
        raise invalid_request(
            f"Invalid amount: {amount}. Amounts in {currency} must be evenly divisible by {step}.", param=param
        )


def amount_too_large(currency: str, param: str) -> StripeError:
    """Return the error for an amount of more digits than a charge can have."""
    return invalid_request(
        f"Amount must be no more than {_with_symbol(MAXIMUM_AMOUNT, currency)}", code="amount_too_large", param=param
    )


def minimum_charge(currency: str) -> int:
    """Return the least that can be charged."""
    return _MINIMUM_CHARGE.get(currency, _DEFAULT_MINIMUM_CHARGE)


def minimum_text(currency: str) -> str:
    """Return the least that can be charged as Stripe's errors write it, such as `$0.50 usd`."""
    return f"{_with_symbol(minimum_charge(currency), currency)} {currency}"


def money(amount: int, currency: str) -> str:
    """Return an amount as text, such as `12.10 EUR`."""
    return f"{_digits(amount, currency)} {currency.upper()}"


def _with_symbol(amount: int, currency: str) -> str:
    return f"{_SYMBOLS[currency]}{_digits(amount, currency)}" if currency in _SYMBOLS else money(amount, currency)


def _digits(amount: int, currency: str) -> str:
    decimals = 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2
    whole, rest = divmod(abs(amount), 10**decimals)
    sign = "-" if amount < 0 else ""
    return f"{sign}{whole:,}.{rest:0{decimals}d}" if decimals else f"{sign}{whole:,}"
