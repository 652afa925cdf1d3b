"""The settings, read once from the environment by the composition root and the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.setting_values import (
    Address,
    ApiKey,
    BroadcastUrl,
    Countries,
    DatabaseUrl,
    Networks,
    Options,
    Origins,
    Pepper,
    Peppers,
    PublicUrl,
    PublishableKey,
    Sender,
    SmtpUrl,
    WebhookSecret,
    Words,
    is_secret,
)


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


# In production each of these must be given; the description says what goes wrong without it.
_REQUIRED_IN_PRODUCTION = {
    "secret_key": "signs codes and encrypts stored secrets",
    "abuse_pepper": "hashes what guards against abuse, such as whose trial is used up; another secret than SECRET_KEY",
    "database_url": "the PostgreSQL that keeps the data",
    "public_url": "where mailed links and Stripe's webhooks lead",
    "stripe_api_key": "the secret key of the Stripe account",
    "stripe_publishable_key": "the key that browsers confirm cards with",
    "storage_url": "where pictures are kept, such as s3://bucket/prefix, or file:///folder on a disk that all servers share",
}


class Settings(BaseSettings):
    """Everything that can be set from outside, by environment variables of the same names in upper case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", hide_input_in_errors=True)

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    sandbox_port: int = Field(8001, ge=0, le=65535)
    counterfoil_home: Path = Path(".counterfoil")
    catalog: Path = Path("catalogs/analytics.toml")
    database_url: DatabaseUrl | None = None
    broadcast_url: BroadcastUrl | None = None
    stripe_api_key: ApiKey | None = None
    stripe_publishable_key: PublishableKey | None = None
    stripe_webhook_secret: WebhookSecret | None = None
    event_check_seconds: int = Field(60, ge=0)
    public_url: PublicUrl | None = None
    secret_key: str | None = Field(None, min_length=16)
    abuse_pepper: Pepper | None = None
    abuse_pepper_old: Peppers = ()
    rate_limits: RateLimitSwitch = RateLimitSwitch.ON
    external_ids: ExternalIds = ExternalIds.OWNERS
    phone_countries: Countries = ()
    allowed_origins: Origins = ()
    return_origins: Origins = ()
    trusted_proxies: Networks = ()
    mail_from: Sender = "Counterfoil <no-reply@localhost>"
    smtp_url: SmtpUrl | None = None
    sales_email: Address | None = None
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
    fault_file: Path | None = None
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
        if self.public_url is not None and not is_secret(self.public_url, allows_loopback=True):
            missing.append(
                "PUBLIC_URL begins with https:// in production: mailed links and the session cookie are secrets"
            )
        if self.rate_limits is RateLimitSwitch.OFF:
            missing.append("RATE_LIMITS=off is refused in production: take it away")
        if self.fault_point is not None:
            missing.append("FAULT_POINT is refused in production: it ends the process on purpose")
        if self.fault_file is not None:
            missing.append("FAULT_FILE is refused in production: whoever writes it ends the process")
        if self.fault_log is not None:
            missing.append("FAULT_LOG is refused in production: it writes a file at every step")
        if missing:
            raise ValueError("\n".join(missing))
        return self

    @model_validator(mode="after")
    def _the_pepper_is_another_secret(self) -> Self:
        if self.abuse_pepper is not None and self.abuse_pepper == self.secret_key:
            raise ValueError(
                "ABUSE_PEPPER is another secret than SECRET_KEY, so that either can be changed without the other"
            )
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
            if url is not None and not is_secret(url, allows_loopback=not self.is_production):
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
