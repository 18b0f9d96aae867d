"""Letters over SMTP: encrypted and signed in as was said, or not at all; and what a server that misbehaves is called."""

import asyncio
import ssl
import time
from email.headerregistry import Address
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from msgspec import structs

from mutoscope.domain.ids import SECOND
from mutoscope.mail.port import Letter, MailRefused, MailUnavailable
from mutoscope.mail.smtp import SmtpMailer, SmtpPlace
from outgoing.far import Authority
from servers.s3 import free_port
from stubs.smtp import CUT, PASSWORD, SILENT, USER, StubSmtp, smtp_stub

LINK = "https://studio.example/reset?link=" + "x" * 43
LETTER = Letter(
    id="0123", kind="reset", to="dora@mail.example", subject="A new password", text=f"Hello,\n.\n{LINK}\n",
    at=1_795_000_000 * SECOND,
)  # fmt: skip
SENDER = Address("The Studio", addr_spec="studio@studio.example")


def mailer(stub: StubSmtp, tls: ssl.SSLContext | None = None, step_s: float = 5, **place: Any) -> SmtpMailer:
    """A way to the stub, without signing in."""
    at = {"host": "localhost", "port": stub.port, "security": "none", "user": None, "password": None}
    made = SmtpPlace(**(at | {"sender": SENDER, "own_name": "studio.example"} | place))
    return SmtpMailer(made, tls or ssl.create_default_context(), step_s, whole_s=10)


@pytest.fixture
def encrypted(authority: Authority) -> StubSmtp:
    """One that wants STARTTLS."""
    return StubSmtp(tls=authority.serving("localhost"))


async def test_a_letter_arrives_as_plain_text_that_no_machine_answers() -> None:
    async with smtp_stub() as stub:
        await mailer(stub).send(LETTER)
    (message,) = stub.messages
    assert message["From"] == "The Studio <studio@studio.example>"
    assert (message["To"], message["Subject"]) == ("dora@mail.example", "A new password")
    assert (message["Message-ID"], message["Auto-Submitted"]) == ("<0123@studio.example>", "auto-generated")
    assert parsedate_to_datetime(message["Date"]).timestamp() == 1_795_000_000
    assert (message.get_content_type(), message.is_multipart()) == ("text/plain", False)
    assert message.get_content() == LETTER.text.replace("\n", "\r\n")
    assert f"\r\n{LINK}\r\n".encode() in stub.taken[0], "the link stands on a line of its own, as it is"
    assert stub.heard[0] == "clear EHLO studio.example"
    assert [line.split()[1] for line in stub.heard] == ["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_with_starttls_nothing_but_the_greeting_is_said_in_clear(
    authority: Authority, encrypted: StubSmtp
) -> None:
    way = {"security": "starttls", "user": USER, "password": PASSWORD}
    async with smtp_stub(encrypted) as stub:
        await mailer(stub, authority.trusting(), **way).send(LETTER)
        said = await mailer(stub, authority.trusting(), **way).check()
    assert [line for line in stub.heard if line.startswith("clear")] == [
        "clear EHLO studio.example",
        "clear STARTTLS",
    ] * 2
    assert len(stub.taken) == 1
    assert said == f"localhost port {stub.port}: EHLO, STARTTLS, signed in; nothing was sent"


async def test_with_tls_everything_is_encrypted_from_the_first_byte(authority: Authority) -> None:
    server = StubSmtp(tls=authority.serving("localhost"), from_the_first_byte=True)
    async with smtp_stub(server) as stub:
        await mailer(stub, authority.trusting(), security="tls", user=USER, password=PASSWORD).send(LETTER)
    assert len(stub.taken) == 1
    assert all(line.startswith("TLS") for line in stub.heard)


@pytest.mark.parametrize("offers", [("AUTH LOGIN",), ("AUTH PLAIN",), ("AUTH XOAUTH2 PLAIN",)])
async def test_it_signs_in_as_the_server_likes(authority: Authority, encrypted: StubSmtp, offers: tuple[str]) -> None:
    encrypted.offers = offers
    async with smtp_stub(encrypted) as stub:
        await mailer(stub, authority.trusting(), security="starttls", user=USER, password=PASSWORD).send(LETTER)
    assert len(stub.taken) == 1


async def test_a_server_without_starttls_gets_neither_password_nor_letter(authority: Authority) -> None:
    async with smtp_stub() as stub:
        with pytest.raises((MailUnavailable, MailRefused), match=r"does not offer|refused"):
            await mailer(stub, authority.trusting(), security="starttls", user=USER, password=PASSWORD).send(LETTER)
    assert {line.split()[1] for line in stub.heard} <= {"EHLO", "STARTTLS", "QUIT"}
    assert stub.taken == []


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_somebody_else_gets_neither_password_nor_letter(
    authority: Authority, security: str
) -> None:
    for names, trusting in (
        (["elsewhere.example"], authority.trusting()),
        (["localhost"], ssl.create_default_context()),
    ):
        server = StubSmtp(tls=authority.serving(*names), from_the_first_byte=security == "tls")
        async with smtp_stub(server) as stub:
            with pytest.raises(MailUnavailable, match="certificate is not trusted"):
                await mailer(stub, trusting, security=security, user=USER, password=PASSWORD).send(LETTER)
        assert not any("AUTH" in line or "MAIL" in line for line in stub.heard)
        assert stub.taken == []


async def test_words_before_tls_are_no_words_within_it(authority: Authority, encrypted: StubSmtp) -> None:
    """What is slipped in behind the go-ahead, in clear, is not taken for the encrypted server's reply."""
    encrypted.script = {"STARTTLS": "220 go ahead\r\n250-stub.test\r\n250 AUTH PLAIN"}
    async with smtp_stub(encrypted) as stub:
        try:
            await mailer(stub, authority.trusting(), security="starttls", user=USER, password=PASSWORD).send(LETTER)
        except MailUnavailable:
            assert not any("AUTH" in line for line in stub.heard)
        else:
            assert all(line.startswith("TLS") for line in stub.heard if "AUTH" in line)


async def test_a_port_for_tls_that_speaks_none_is_said_to_be_that() -> None:
    async with smtp_stub() as stub:
        with pytest.raises(MailUnavailable, match="SMTP_SECURITY and SMTP_PORT"):
            await mailer(stub, security="tls").check()


@pytest.mark.parametrize(
    ("stage", "told", "kind", "says"),
    [
        ("greeting", "421 too busy", MailUnavailable, r"refused \(421\)"),
        ("greeting", "554 go away", MailRefused, r"refused \(554\)"),
        ("greeting", "SSH-2.0-OpenSSH", MailUnavailable, "does not speak SMTP"),
        ("MAIL", "550 no studio@studio.example here", MailRefused, r"SMTP_FROM as the sender \(550\)"),
        ("MAIL", "451 later", MailUnavailable, r"\(451\)"),
        ("RCPT", "550 dora@mail.example is unknown", MailRefused, r"does not take the recipient \(550\)"),
        ("RCPT", "450 dora@mail.example is greylisted", MailUnavailable, r"recipient \(450\)"),
        ("DATA", "452 no room", MailUnavailable, r"refused \(452\)"),
        ("end", "554 spam of dora@mail.example", MailRefused, r"refused \(554\)"),
        ("end", "451 later", MailUnavailable, r"refused \(451\)"),
        *((stage, CUT, MailUnavailable, "cut the connection") for stage in ("MAIL", "RCPT", "DATA", "end")),
        *((stage, SILENT, MailUnavailable, "did not answer in time") for stage in ("greeting", "EHLO", "RCPT", "end")),
    ],
)  # fmt: skip
async def test_what_a_server_refuses_is_told_apart_without_its_words(
    stage: str, told: str, kind: type[Exception], says: str
) -> None:
    async with smtp_stub(StubSmtp(script={stage: told})) as stub:
        began = time.monotonic()
        with pytest.raises(kind, match=says) as refusal:
            await mailer(stub, step_s=0.3).send(LETTER)
        assert time.monotonic() - began < 5
    assert "dora" not in str(refusal.value)
    assert stub.taken == []


async def test_a_server_that_drips_does_not_hold_a_letter_for_ever() -> None:
    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.05)
        except ConnectionError:
            dripped.set()
        finally:
            writer.close()

    dripped = asyncio.Event()
    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        place = SmtpPlace(
            host="127.0.0.1", port=port, security="none", user=None, password=None, sender=SENDER, own_name="x.example"
        )
        with pytest.raises(MailUnavailable, match="did not answer in time"):
            await SmtpMailer(place, ssl.create_default_context(), step_s=60, whole_s=0.5).send(LETTER)
        await dripped.wait()


async def test_nobody_there_is_unavailable() -> None:
    with pytest.raises(MailUnavailable, match="cannot be reached"):
        await mailer(StubSmtp(port=free_port())).send(LETTER)


async def test_a_wrong_password_is_said_without_it(authority: Authority, encrypted: StubSmtp) -> None:
    async with smtp_stub(encrypted) as stub:
        with pytest.raises(MailRefused, match=r"SMTP_USER with SMTP_PASSWORD \(535\)") as refusal:
            await mailer(stub, authority.trusting(), security="starttls", user=USER, password="wrong one").check()
    assert "wrong one" not in str(refusal.value)
    assert USER not in str(refusal.value)


async def test_a_letter_that_was_taken_is_sent_whatever_happens_then() -> None:
    for told in (CUT, SILENT, "500 what"):
        async with smtp_stub(StubSmtp(script={"QUIT": told})) as stub:
            await mailer(stub, step_s=1).send(LETTER)
        assert len(stub.taken) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": "dora@mail.example\r\nBcc: everybody@mail.example"},
        {"to": "dora@mail.example>\r\nRCPT TO:<everybody@mail.example"},
        {"to": "dora@mail.example, everybody@mail.example"},
        {"to": "Dora <dora@mail.example>"},
        {"to": ""},
        {"subject": "Hello\r\nBcc: everybody@mail.example"},
        {"subject": "Hello\nX: y"},
        {"id": "1>\r\nBcc: everybody@mail.example"},
        {"text": "Grüße"},
    ],
)
async def test_what_would_break_out_of_its_field_is_not_sent(wrong: dict[str, str]) -> None:
    """Nothing such comes here: whatever takes names and addresses refuses it. This is the last door."""
    async with smtp_stub() as stub:
        with pytest.raises(MailRefused, match="cannot be written"):
            await mailer(stub).send(structs.replace(LETTER, **wrong))
    assert stub.connections == 0


def test_nothing_that_is_printed_shows_the_password_or_the_address() -> None:
    place = SmtpPlace(
        host="h", port=1, security="tls", user=USER, password=PASSWORD, sender=SENDER, own_name="studio.example"
    )
    assert PASSWORD not in repr(place)
    assert "dora" not in repr(LETTER)
    assert LINK not in repr(LETTER)
