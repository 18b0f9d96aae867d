"""What stands in the mails that people get, in plain ASCII: names and addresses here have no other letters."""

import secrets
from urllib.parse import urlsplit

from mutoscope.domain.ids import MINUTE, Millis
from mutoscope.mail.port import Letter

ID_BYTES = 16


def reset_letter(to: str, name: str, base_url: str, url: str, lasts_ms: Millis, now: Millis) -> Letter:
    """The link for a new password."""
    text = f"""Hello {name},

somebody asked for a new password for your account {name} at
{base_url}

If that was you, open this link within {lasts_ms // MINUTE} minutes. It works once, and ends the links
that were mailed before.

{url}

If it was not you, do nothing: your password stays as it is.

This mail was sent by a program. Answers are not read.
"""
    return _letter("reset", to, f"A new password for {_place(base_url)}", text, now)


def moved_letter(to: str, name: str, base_url: str, removed: bool, now: Millis) -> Letter:
    """To the address before, that it is not the account's any more."""
    what = "was removed" if removed else "was changed to another one"
    text = f"""Hello {name},

the e-mail address of your account {name} at
{base_url}
{what}. Links for a new password do not come to this address any more.

If that was not you, sign in and set a new password, which ends every session.
If you cannot sign in, ask an administrator of the studio.

This mail was sent by a program. Answers are not read.
"""
    return _letter("moved", to, f"Your e-mail address at {_place(base_url)} {what}", text, now)


def _letter(kind: str, to: str, subject: str, text: str, now: Millis) -> Letter:
    return Letter(id=secrets.token_hex(ID_BYTES), kind=kind, to=to, subject=subject, text=text, at=now)


def _place(base_url: str) -> str:
    return urlsplit(base_url).hostname or "the studio"
