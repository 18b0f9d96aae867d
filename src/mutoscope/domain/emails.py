"""E-mail addresses: what may be one, and when two are the same."""

import re

from mutoscope.domain.errors import Invalid

EMAIL_CHARS, LOCAL_CHARS = 254, 64
"""At most, as mail servers take them (RFC 5321, 4.5.3.1)."""
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)")
"""An address in plain letters, without quotes: what holds a line break, a comma or a bracket is none."""


def check_email(text: str) -> str:
    """The address, its domain in small letters. Raises Invalid when it cannot be one."""
    found = _EMAIL.fullmatch(text.strip(" "))
    if found is None or len(found[0]) > EMAIL_CHARS or len(found[1]) > LOCAL_CHARS:
        raise Invalid(
            "That address cannot be used.",
            {"email": "an address such as name@example.org, in plain letters; a domain in others as xn--..."},
        )
    return f"{found[1]}@{found[2].lower()}"


def same_email(email: str) -> str:
    """What two spellings of one address have in common: people do not tell capitals apart."""
    return email.casefold()
