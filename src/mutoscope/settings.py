"""Settings: environment variables, each as ``NAME``, or as ``NAME_FILE`` that names a file which holds the value.

The names without MUTOSCOPE_ are those that the sites we replace use already.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mutoscope import mail_settings, provider_settings
from mutoscope.domain.media import Visibility
from mutoscope.mail_settings import MailSettings
from mutoscope.provider_settings import ProviderSettings

PREFIX = "MUTOSCOPE_"
INHERITED = provider_settings.INHERITED | mail_settings.INHERITED | {
    "JWT_SECRET", "MONGODB_URI",
    "AWS_S3_BUCKET", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL",
}  # fmt: skip
TESTS = PREFIX + "TEST_"
"""Variables that begin so belong to the test suite."""

MB = 1_000_000
GB = 1_000 * MB
STARTING_GRANT = 100
"""Tokens for a new account while everything here is free to make."""
FILE_CHARS = 64 * 1024


class SettingsError(Exception):
    """The settings do not hold together. The words name each variable and what to do, and hold no secret's value."""


def _address(text: str) -> str:
    if not re.fullmatch(r"https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)(:[0-9]{1,5})?/?", text):
        raise ValueError("must be an address without a path, such as https://studio.example.org")
    return text.rstrip("/")


def _networks(text: str) -> str:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name != "*":
            try:
                ipaddress.ip_network(name)
            except ValueError:
                raise ValueError(
                    "must be IP addresses or networks with commas between, such as 10.0.0.0/8, or *"
                ) from None
    return ",".join(names)


def _long(secret: SecretStr | None) -> SecretStr | None:
    if secret is not None and len(secret.get_secret_value()) < 16:
        raise ValueError("must have 16 characters or more; make one with: openssl rand -hex 32")
    return secret


class Settings(MailSettings, ProviderSettings):
    """All settings, with what they do as their description. Made by `load_settings`; frozen."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True
    )

    data_dir: Path = Field(
        Path("mutoscope-data"), description="The folder that everything is kept in; the one to back up."
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on; `0.0.0.0` for every network.")
    port: int = Field(8700, ge=0, le=65535, description="The port to listen on; 0 takes any that is free.")
    base_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="How people reach the studio, such as `https://studio.example.org`; derived from host and port when unset.",
    )
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="Reverse proxies whose `X-Forwarded-*` headers are believed: addresses or networks, with commas between. Unset behind a proxy, limits take all people for one.",
    )

    default_visibility: Visibility = Field(
        Visibility.PUBLIC,
        description="Who may find a new item unless its maker chooses: `private`, `unlisted` or `public`.",
    )
    gallery_open: bool = Field(
        True, description="Whether visitors who have not signed in may browse the public gallery."
    )
    registration: Literal["open", "invite", "closed"] = Field(
        "open",
        description="Who may make their own account: everybody (`open`), who was invited (`invite`), nobody (`closed`).",
    )
    sign_up_grant: int | None = Field(
        None, ge=0, le=1_000_000_000,
        description=f"Tokens for a new account. Unset, it is {STARTING_GRANT}, but 0 while a provider that costs money is on.",
    )  # fmt: skip

    house_share_percent: int = Field(
        20,
        ge=0,
        le=100,
        description="The part of an unlock's price that the house keeps, in percent; the rest is the owner's.",
    )

    per_person_jobs: int = Field(
        4, ge=1, le=1000, description="How many jobs of one person may be at providers at once."
    )
    orders_per_minute: int = Field(
        120,
        ge=1,
        le=6_000,
        description="How many orders a minute one person may make, and as many at once; four times as many may come from one address.",
    )
    registrations_per_hour: int = Field(
        10,
        ge=1,
        le=3_600,
        description="How many accounts an hour may be made from one address, and as many at once.",
    )
    workers: int = Field(
        2,
        ge=1,
        le=64,
        description="How many jobs are worked on at once in each stage that takes this machine's processor.",
    )
    unknown_release_hours: int = Field(
        72,
        ge=1,
        le=24 * 30,
        description="After how many hours a job whose outcome nobody knows fails and its tokens go back.",
    )

    max_upload_bytes: int = Field(
        50 * MB, ge=1000, le=10 * GB, description="The largest picture that people may upload, in bytes."
    )
    max_result_bytes: int = Field(
        4 * GB, ge=MB, le=1000 * GB, description="The largest result that is taken from a provider, in bytes."
    )
    max_pixels: int = Field(
        64 * MB, ge=1_000, le=1000 * MB, description="The most pixels that a picture, or a frame of a film, may have."
    )
    max_duration_s: int = Field(600, ge=1, le=24 * 3600, description="The longest film that is taken, in seconds.")

    address_seconds: int = Field(
        3600,
        ge=60,
        le=7 * 24 * 3600,
        description="How long a signed address of a file stays the same, in seconds; it opens for up to twice that.",
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="How the log is written: `console` for people, `json` for programs."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged: `debug`, `info`, `warning` or `error`."
    )
    metrics_token: Annotated[SecretStr | None, AfterValidator(_long)] = Field(
        None,
        description="What a scraper of `/metrics` must send as a bearer token; unset, only this machine gets figures.",
    )

    jwt_secret: SecretStr | None = Field(
        None,
        description="The secret that signs tokens for API clients and the addresses of media, 32 bytes or more, the same on all machines; unset, secrets are made and kept in the data folder.",
    )
    aws_s3_bucket: str | None = Field(
        None,
        min_length=3,
        max_length=63,
        description="The S3 bucket to keep media in; unset, they are kept in the data folder.",
    )
    aws_region: str = Field("us-east-1", min_length=1, description="The region of the S3 bucket.")
    aws_access_key_id: str | None = Field(
        None,
        description="The key for the S3 bucket. Unset, the usual chain finds one: web identity, container, instance.",
    )
    aws_secret_access_key: SecretStr | None = Field(None, description="The secret half of the key for the S3 bucket.")
    aws_session_token: SecretStr | None = Field(None, description="What comes with a key for the S3 bucket that ends.")
    aws_endpoint_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None, description="The address of another S3 server than Amazon's, such as `https://s3.example.org`."
    )
    delivery: Literal["studio", "bucket", "cdn"] | None = Field(
        None,
        description="Where people's browsers get media: through the `studio`, by short signed addresses of the `bucket`, which they have to reach then, or from shared caches in front of the studio (`cdn`); unset, the bucket where there is one.",
    )
    cdn_url: Annotated[str, AfterValidator(_address)] | None = Field(
        None,
        description="The address of those shared caches, such as `https://cdn.example.org`; with `MUTOSCOPE_DELIVERY=cdn`.",
    )
    mongodb_uri: SecretStr | None = Field(
        None,
        description="The MongoDB replica set to keep records in, which many processes may share; unset, a file in the data folder.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is given: `load_settings` reads the environment, as it knows of files."""
        return (init_settings,)

    def grant_at_sign_up(self, costs_money: bool) -> int:
        """Tokens for a new account. ``costs_money``: whether a provider is on that the operator has to pay."""
        if self.sign_up_grant is not None:
            return self.sign_up_grant
        return 0 if costs_money else STARTING_GRANT


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """One setting, for the documentation."""

    name: str
    default: str
    about: str
    secret: bool


def variable(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field.upper() in INHERITED else PREFIX + field.upper()


def describe() -> list[Described]:
    """Every setting, in the order of the documentation."""
    return [
        Described(
            name=variable(name),
            default=""
            if info.default in (None, "")
            else str(info.default).lower()
            if isinstance(info.default, bool)
            else str(info.default),
            about=info.description or "",
            secret="SecretStr" in str(info.annotation),
        )
        for name, info in _fields().items()
    ]


def _fields() -> dict[str, FieldInfo]:
    """Our own first, then those of mail and of providers, which stand in classes that ours is made from."""
    fields, later = Settings.model_fields, (MailSettings.model_fields, ProviderSettings.model_fields)
    return {name: fields[name] for name in sorted(fields, key=lambda name: [name in those for those in later[::-1]])}


def load_settings(data_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; ``data_dir`` goes before MUTOSCOPE_DATA_DIR. Raises SettingsError."""
    given = os.environ if environ is None else environ
    wrong = _unknown(given)
    values: dict[str, Any] = {}
    for field in Settings.model_fields:
        try:
            value = _value(variable(field), given)
        except SettingsError as e:
            wrong.append(str(e))
        else:
            if value:
                values[field] = value
    if data_dir is not None:
        values["data_dir"] = data_dir
    wrong += _halves(values)
    try:
        settings = Settings(**values)
    except ValidationError as e:
        wrong += [_sentence(error) for error in e.errors(include_input=False, include_url=False, include_context=False)]
    else:
        if not wrong:
            return settings
    raise SettingsError("\n".join(wrong))


def _value(name: str, environ: Mapping[str, str]) -> str | None:
    """What is set, without white space around it; nothing where it is empty, as compose files leave it."""
    direct, file = environ.get(name, "").strip(), environ.get(name + "_FILE", "").strip()
    if direct and file:
        raise SettingsError(f"{name} and {name}_FILE are both set: unset one of them.")
    if not file:
        return direct or None
    try:
        with Path(file).open(encoding="utf-8") as stream:
            text = stream.read(FILE_CHARS + 1).strip()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is not text"
        raise SettingsError(f"{name}_FILE names a file that cannot be read: {why}.") from None
    if not text or len(text) > FILE_CHARS:
        raise SettingsError(f"{name}_FILE names a file that is empty or far too long.")
    return text


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = {variable(field) for field in Settings.model_fields}
    known |= {name + "_FILE" for name in known}
    sentences: list[str] = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and not name.startswith(TESTS) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            sentences.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ": unset it."))
    return sentences


def _halves(values: Mapping[str, Any]) -> list[str]:
    """Half of what belongs together: a key pair, keys and their bucket, a shared database and what signs for all."""
    key, secret, bucket = (values.get(name) for name in ("aws_access_key_id", "aws_secret_access_key", "aws_s3_bucket"))
    sentences: list[str] = []
    if key and not secret:
        sentences.append("AWS_SECRET_ACCESS_KEY is missing: AWS_ACCESS_KEY_ID is set, and a key has two halves.")
    if secret and not key:
        sentences.append("AWS_ACCESS_KEY_ID is missing: AWS_SECRET_ACCESS_KEY is set, and a key has two halves.")
    if (key or secret) and not bucket:
        sentences.append("AWS_S3_BUCKET is missing: keys are set, but not for which bucket. Set it, or unset the keys.")
    if values.get("aws_endpoint_url") and not bucket:
        sentences.append(
            "AWS_S3_BUCKET is missing: AWS_ENDPOINT_URL is set, but not which bucket there. Set it, or unset the address."
        )
    if values.get("mongodb_uri") and not values.get("jwt_secret"):
        sentences.append(
            "JWT_SECRET is missing: MONGODB_URI is set, and all that share a database must sign alike. "
            "Make one with: openssl rand -hex 32"
        )
    if values.get("delivery") == "bucket" and not bucket:
        sentences.append("AWS_S3_BUCKET is missing: MUTOSCOPE_DELIVERY is bucket. Set it, or unset MUTOSCOPE_DELIVERY.")
    sentences += [
        f"{variable(needed)} is missing: {variable(given)} is set, and means nothing without it."
        for given, needed in provider_settings.KEYS.items()
        if values.get(given) and not values.get(needed)
    ]
    return sentences + mail_settings.halves(values) + _of_cdn(values)


def _of_cdn(values: Mapping[str, Any]) -> list[str]:
    cdn, address, own = (str(values.get(name) or "") for name in ("delivery", "cdn_url", "base_url"))
    if cdn == "cdn" and not address:
        return [
            "MUTOSCOPE_CDN_URL is missing: MUTOSCOPE_DELIVERY is cdn. Set it to the CDN's address,"
            " such as https://cdn.example.org."
        ]
    if address and cdn != "cdn":
        return ["MUTOSCOPE_CDN_URL is set, and MUTOSCOPE_DELIVERY is not cdn. Set MUTOSCOPE_DELIVERY=cdn, or unset it."]
    if address.startswith("http:") and own.startswith("https:"):
        return ["MUTOSCOPE_CDN_URL must be https as MUTOSCOPE_BASE_URL is: browsers show no film over http there."]
    return []


def _sentence(error: Mapping[str, Any]) -> str:
    """A complaint of pydantic's in our words; its messages hold no values."""
    said = re.sub(r"^(Value error, |Input should be |String should )|, unable to .*", "", str(error["msg"]))
    must = said if said.startswith("must") else f"must {said}" if said.startswith("have") else f"must be {said}"
    return f"{variable(str(error['loc'][0]))} {must}."
