"""The settings, read once from the environment by the composition root and the command line."""

from __future__ import annotations

import json
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


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


_DEFAULT_PORTS = {"http": 80, "https": 443}

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


class Environment(StrEnum):
    """Where the program runs; production refuses every convenience that would be unsafe there."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class RateLimitSwitch(StrEnum):
    """Whether rate limits other than sign-in's count."""

    ON = "on"
    OFF = "off"


class ExternalIds(StrEnum):
    """Who may say by which id the host product knows a workspace, where it has none yet; servers always may."""

    OWNERS = "owners"
    SERVERS = "servers"


_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def _is_secret(url: str, *, allows_loopback: bool) -> bool:
    """Whether nobody else can read what is said to this address: https or, in development, plain http to this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc or "?" in url or "#" in url:
        return False
    return parts.scheme == "https" or (allows_loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK)


# In production each of these must be given; the description says what goes wrong without it.
_REQUIRED_IN_PRODUCTION = {
    "secret_key": "signs codes and encrypts stored secrets",
    "database_url": "the PostgreSQL that keeps the data",
    "public_url": "where mailed links and Stripe's webhooks lead",
    "stripe_api_key": "the secret key of the Stripe account",
    "stripe_publishable_key": "the key that browsers confirm cards with",
    "storage_url": "where pictures are kept, such as s3://bucket/prefix, or file:///folder on a disk that all servers share",
}


class Settings(BaseSettings):
    """Everything that can be set from outside, by environment variables of the same names in upper case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore")

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    sandbox_port: int = Field(8001, ge=0, le=65535)
    counterfoil_home: Path = Path(".counterfoil")
    catalog: Path = Path("catalogs/analytics.toml")
    database_url: str | None = None
    broadcast_url: str | None = None
    stripe_api_key: str | None = None
    stripe_publishable_key: str | None = None
    stripe_webhook_secret: str | None = None
    public_url: str | None = None
    secret_key: str | None = Field(None, min_length=16)
    rate_limits: RateLimitSwitch = RateLimitSwitch.ON
    external_ids: ExternalIds = ExternalIds.OWNERS
    phone_countries: Countries = ()
    allowed_origins: Origins = ()
    return_origins: Origins = ()
    trusted_proxies: Networks = ()
    mail_from: str = "Counterfoil <no-reply@localhost>"
    smtp_url: str | None = None
    storage_url: str | None = None
    storage_options: Options = Field(default_factory=dict[str, str])
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    aws_region: str | None = None
    aws_default_region: str | None = None
    aws_endpoint_url: str | None = None
    oidc_issuer: str | None = None
    oidc_audience: Words = ()
    twilio_account_sid: str | None = None
    twilio_auth_token: str | None = None
    twilio_verify_service_sid: str | None = None
    twilio_base_url: str = "https://verify.twilio.com"
    fault_point: str | None = None
    fault_log: Path | None = None

    @model_validator(mode="after")
    def _production_is_complete(self) -> Self:
        if self.environment is not Environment.PRODUCTION:
            return self
        missing = [
            f"{name.upper()} is missing: {purpose}"
            for name, purpose in _REQUIRED_IN_PRODUCTION.items()
            if not getattr(self, name)
        ]
        if self.rate_limits is RateLimitSwitch.OFF:
            missing.append("RATE_LIMITS=off is refused in production: take it away")
        if self.fault_point is not None:
            missing.append("FAULT_POINT is refused in production: it ends the process on purpose")
        if self.fault_log is not None:
            missing.append("FAULT_LOG is refused in production: it writes a file at every step")
        if missing:
            raise ValueError("\n".join(missing))
        return self

    @model_validator(mode="after")
    def _what_belongs_together_is_there(self) -> Self:
        if (self.oidc_issuer is None) != (not self.oidc_audience):
            raise ValueError(
                "OIDC_ISSUER and OIDC_AUDIENCE are given together: whose tokens are taken, and for whom they are meant"
            )
        twilio = (self.twilio_account_sid, self.twilio_auth_token, self.twilio_verify_service_sid)
        if any(twilio) and not all(twilio):
            raise ValueError("TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_VERIFY_SERVICE_SID are given together")
        return self

    @model_validator(mode="after")
    def _outsiders_are_spoken_to_in_secret(self) -> Self:
        for name, url in (("OIDC_ISSUER", self.oidc_issuer), ("TWILIO_BASE_URL", self.twilio_base_url)):
            if url is not None and not _is_secret(url, allows_loopback=not self.is_production):
                raise ValueError(f"{name} is an address that begins with https://, without user, query and fragment")
        return self

    @property
    def is_production(self) -> bool:
        """Whether this is production."""
        return self.environment is Environment.PRODUCTION

    @property
    def uses_sandbox(self) -> bool:
        """Whether Stripe is the sandbox beside the app, for want of a key."""
        return self.stripe_api_key is None

    @property
    def base_url(self) -> str:
        """Where people reach this service, without a slash at the end: the public URL, or this machine."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def objects_url(self) -> str:
        """Where objects such as pictures are kept: the storage's URL, or a folder on this machine."""
        return self.storage_url or (self.counterfoil_home.absolute() / "objects").as_uri()

    @property
    def objects_options(self) -> dict[str, str]:
        """How the storage is reached: what AWS's own variables say where it is S3, and over that `storage_options`."""
        aws = {
            "aws_access_key_id": self.aws_access_key_id,
            "aws_secret_access_key": self.aws_secret_access_key,
            "aws_session_token": self.aws_session_token,
            "aws_region": self.aws_region or self.aws_default_region,
            "aws_endpoint": self.aws_endpoint_url,
        }
        is_s3 = self.objects_url.startswith(("s3://", "s3a://"))
        return {**{name: value for name, value in aws.items() if is_s3 and value}, **self.storage_options}
