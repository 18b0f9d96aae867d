"""The settings of mail: the server that takes it, and who it is from."""

import ipaddress
import re
from collections.abc import Mapping
from email.headerregistry import Address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings

from mutoscope.domain.emails import check_email
from mutoscope.domain.errors import Invalid

INHERITED = {"SMTP_HOST", "SMTP_PORT", "SMTP_USER", "SMTP_PASSWORD", "SMTP_SECURITY", "SMTP_FROM"}
PORTS: Mapping[str, int] = {"tls": 465, "starttls": 587, "none": 25}
_NAMED = re.compile(r"([^<>]*)<([^<>]*)>")


def sender_of(text: str) -> Address:
    """``name@example.org`` or ``A Name <name@example.org>``. Raises ValueError."""
    named = _NAMED.fullmatch(text)
    name, email = (named[1].strip(), named[2]) if named else ("", text)
    try:
        address = Address(name, addr_spec=check_email(email))
    except Invalid:
        address = None
    if address is None or not name.isprintable() or not name.isascii():
        raise ValueError("must be an address such as studio@example.org or My Studio <studio@example.org>")
    return address


def own_name_of(base_url: str) -> str:
    """What the studio calls itself to a server of mail: its name, or its address in brackets (RFC 5321, 4.1.3)."""
    host = urlsplit(base_url).hostname or "localhost"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _sender(text: str) -> str:
    sender_of(text)
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9.-]+|[0-9a-fA-F:.]+", text):
        raise ValueError("must be the name or IP address of a server, such as smtp.example.org")
    return text


class MailSettings(BaseSettings):
    """Part of `settings.Settings`."""

    smtp_host: Annotated[str, AfterValidator(_host)] | None = Field(
        None, description="The server that takes mail; turns on links for a new password by mail."
    )
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Its port; unset, 587 for `starttls`, 465 for `tls`, 25 for `none`."
    )
    smtp_user: str | None = Field(None, description="The name to sign in with there, where it wants one.")
    smtp_password: SecretStr | None = Field(None, description="The password for that name.")
    smtp_security: Literal["tls", "starttls", "none"] = Field(
        "starttls",
        description="How mail is kept from others on its way: `starttls`, `tls` from the first byte, or `none`.",
    )
    smtp_from: Annotated[str, AfterValidator(_sender)] | None = Field(
        None,
        description="Who mail is from, such as `studio@example.org` or `My Studio <studio@example.org>`.",
    )

    @property
    def smtp_port_or_usual(self) -> int:
        """The port, or the usual one for how it is encrypted."""
        return self.smtp_port or PORTS[self.smtp_security]


def halves(values: Mapping[str, Any]) -> list[str]:
    """What is missing beside what is set, and a password that would be sent for all to read."""
    fields = MailSettings.model_fields
    given = [name for name in fields if values.get(name) and values[name] != fields[name].default]
    if not given:
        return []
    host, user = values.get("smtp_host"), values.get("smtp_user")
    if not host:
        return [f"SMTP_HOST is missing: {given[0].upper()} is set, and means nothing without it."]
    sentences: list[str] = []
    if not values.get("smtp_from"):
        sentences.append("SMTP_FROM is missing: SMTP_HOST is set, and mail has to be from somebody.")
    if not values.get("base_url"):
        sentences.append("MUTOSCOPE_BASE_URL is missing: SMTP_HOST is set, and mail holds links to the studio.")
    if user and not values.get("smtp_password"):
        sentences.append("SMTP_PASSWORD is missing: SMTP_USER is set, and signing in takes both.")
    if values.get("smtp_password") and not user:
        sentences.append("SMTP_USER is missing: SMTP_PASSWORD is set, and signing in takes both.")
    if user and values.get("smtp_security") == "none" and not _is_here(str(host)):
        sentences.append(
            "SMTP_SECURITY is none, and SMTP_PASSWORD would go to another machine for all to read: take starttls or tls."
        )
    return sentences


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
