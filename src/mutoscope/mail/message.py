"""A letter as it goes over the wire (RFC 5322)."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mutoscope.domain.emails import check_email
from mutoscope.mail.port import Letter

POLICY = SMTP.clone(raise_on_defect=True)


def compose(letter: Letter, sender: Address, domain: str) -> EmailMessage:
    """The message; ``domain`` is our own name. Raises ValueError or Invalid for what would break out of its header field."""
    message = EmailMessage(POLICY)
    message["From"] = sender
    message["To"] = Address(addr_spec=check_email(letter.to))
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.at / 1000, UTC))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    # So that no out-of-office answers it (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    # 7bit whatever the lines' length: quoted-printable would break the link in two for those who read the source.
    message.set_content(letter.text, cte="7bit")
    return message
