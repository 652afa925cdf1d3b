"""The kinds of values that settings have: how each is written, and the message for one that is not.

No message repeats a key, nor an address that may hold a password.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from email.errors import ObsoleteHeaderDefect
from email.headerregistry import Address as HeaderAddress
from email.headerregistry import Group, HeaderRegistry
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Protocol, cast
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from app.live.transports import is_transactional
from app.messages.smtp import SmtpMailer


def _words(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [word.strip() for word in value.split(",") if word.strip()]
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ValueError("write a list with commas between its members, or as JSON") from None


def _origin(text: str) -> str:
    """An origin as browsers send it; raises ValueError for what no browser would."""
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc or "*" in parts.netloc:
        raise ValueError(f"{text!r} is no origin, such as https://app.example.com")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is an address: an origin ends after the host and the port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = "" if port in {None, _DEFAULT_PORTS[parts.scheme]} else f":{port}"
    return f"{parts.scheme}://{host}{shown}"


def _country(text: str) -> str:
    """A country's two letters in upper case; raises ValueError for letters that no phone number begins with."""
    if text.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is no country with phone numbers, in two letters such as NL")
    return text.upper()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no network, such as 10.0.0.0/8: {error}") from None


def _api_key(text: str) -> str:
    if not re.fullmatch(r"[sr]k_\S+", text):
        raise ValueError("a secret key of Stripe's begins with sk_ or rk_")
    return text


def _publishable_key(text: str) -> str:
    if not re.fullmatch(r"pk_\S+", text):
        raise ValueError("it is handed to anyone, so it must be Stripe's publishable key, which begins with pk_")
    return text


def _webhook_secret(text: str) -> str:
    if not re.fullmatch(r"whsec_\S+", text):
        raise ValueError("the secret of a webhook endpoint of Stripe's begins with whsec_")
    return text


def _database_url(text: str) -> str:
    try:
        # the one for its scheme, the other since it alone sees that a password was not encoded
        scheme, _ = make_url(text).drivername, urlsplit(text).port
    except (ArgumentError, ValueError):
        scheme = ""
    if scheme not in _POSTGRES_SCHEMES or not _is_plain(text):
        raise ValueError(
            "the URL of a PostgreSQL begins with postgresql://, and user, password, host and database follow, "
            "with signs such as / and # in the password percent-encoded"
        )
    return text


def _broadcast_url(text: str) -> str:
    is_transactional(text)
    return text


def _smtp_url(text: str) -> str:
    SmtpMailer.from_url(text, "")
    return text


def _public_url(text: str) -> str:
    try:
        parts, port = urlsplit(text), urlsplit(text).port
    except ValueError:
        parts, port = urlsplit(""), None
    is_address = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and port != 0
    if not is_address or not _is_plain(text) or _NEVER_IN_PUBLIC_URLS.search(text):
        raise ValueError(
            "an address that browsers open begins with https://, or with http:// in development; a path may follow the host, "
            "but no user, query or fragment"
        )
    return text


class _Senders(Protocol):
    """What a header with addresses is known by."""

    @property
    def addresses(self) -> Sequence[HeaderAddress]: ...

    @property
    def groups(self) -> Sequence[Group]: ...

    @property
    def defects(self) -> Sequence[object]: ...


def _sender(text: str) -> str:
    try:
        header = _FROM("From", text)
    except (IndexError, ValueError):
        header = _FROM("From", "")
    # what is merely old-fashioned, such as a period in a name without quotes, is sent as it should be
    faults = [fault for fault in header.defects if not isinstance(fault, ObsoleteHeaderDefect)]
    senders = [each for each in header.addresses if each.username and each.domain]
    is_one = len(header.groups) == len(header.addresses) == len(senders) == 1 and header.groups[0].display_name is None
    if faults or not is_one:
        raise ValueError("mails come from one address, such as Billing <billing@example.com>")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+\.[^\s@<>,;]+", text, re.ASCII):
        raise ValueError("one e-mail address without a name, such as sales@example.com")
    return text


def _pepper(text: str) -> str:
    if len(text) < _LEAST_PEPPER:
        raise ValueError(f"a pepper has at least {_LEAST_PEPPER} characters, at random")
    return text


def _is_plain(text: str) -> bool:
    return text.isprintable() and " " not in text


def is_secret(url: str, *, allows_loopback: bool) -> bool:
    """Whether nobody else can read what is sent to this address: https or, where that is allowed, plain http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or "?" in url or "#" in url:
        return False
    return parts.scheme == "https" or (allows_loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK)


_FROM = cast("Callable[[str, str], _Senders]", HeaderRegistry())
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LEAST_PEPPER = 16
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})
_NEVER_IN_PUBLIC_URLS = re.compile(r"[<>\"'\\^`{|}*@?#]")

ApiKey = Annotated[str, AfterValidator(_api_key)]
"""A key of Stripe's that can do what its account can, or a part of it."""

PublishableKey = Annotated[str, AfterValidator(_publishable_key)]
"""A key of Stripe's that anyone may know."""

WebhookSecret = Annotated[str, AfterValidator(_webhook_secret)]
"""What Stripe signs the events of one endpoint with."""

DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
"""Where a PostgreSQL is, and who signs in to it."""

BroadcastUrl = Annotated[str, AfterValidator(_broadcast_url)]
"""What carries hints for live screens."""

SmtpUrl = Annotated[str, AfterValidator(_smtp_url)]
"""Where a mail server is, and who signs in to it."""

PublicUrl = Annotated[str, AfterValidator(_public_url)]
"""What links to this service begin with."""

Sender = Annotated[str, AfterValidator(_sender)]
"""One e-mail address, with a name or without."""

Address = Annotated[str, AfterValidator(_address)]
"""One e-mail address without a name."""

Pepper = Annotated[str, AfterValidator(_pepper)]
"""A secret that only hashes are made with."""

Peppers = Annotated[tuple[Pepper, ...], NoDecode, BeforeValidator(_words)]
"""A list of peppers."""

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
"""A list, written with commas between its members, or as JSON."""

Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_words)]
"""A list of origins: scheme, host and port."""

Countries = Annotated[tuple[Annotated[str, AfterValidator(_country)], ...], NoDecode, BeforeValidator(_words)]
"""A list of countries in two letters."""

Networks = Annotated[
    tuple[Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)], ...], NoDecode, BeforeValidator(_words)
]
"""A list of networks, each an address or one with the length of its prefix."""


def _options(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        raise ValueError('give a JSON object of texts, such as {"aws_request_payer": "true"}') from None


Options = Annotated[dict[str, str], NoDecode, BeforeValidator(_options)]
"""Names and values, written as a JSON object."""
