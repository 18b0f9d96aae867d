"""Letters that wait: tried again, bounded, and ended with the studio."""

import asyncio
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mutoscope.domain.people import Role
from mutoscope.mail.port import Letter, MailRefused, MailUnavailable
from mutoscope.services import outbox
from mutoscope.services.outbox import Outbox
from mutoscope.settings import load_settings
from mutoscope.wiring import open_studio
from stubs.letterbox import Letterbox
from stubs.smtp import smtp_stub

BUSY = MailUnavailable("busy")


def letter(n: int = 0) -> Letter:
    return Letter(id=str(n), kind="reset", to="dora@mail.example", subject="s", text="t", at=0)


class Held(Letterbox):
    """Takes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on, self.at_once, self.most = asyncio.Event(), 0, 0

    async def send(self, letter: Letter) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.go_on.wait()
        self.at_once -= 1
        await super().send(letter)


async def test_a_letter_is_tried_again_after_each_pause_and_then_given_up() -> None:
    for refusals, sent in ((2, 1), (3, 0)):
        letterbox = Letterbox([BUSY] * refusals)
        box = Outbox(letterbox, pauses_s=(0.01, 0.02))
        box.post(letter())
        await box.settled()
        assert (letterbox.tries, len(letterbox.letters)) == (3, sent)
        assert box.counts == {"sent": sent, "retried": 2, "failed": 1 - sent, "dropped": 0, "limited": 0}


async def test_what_is_refused_for_good_is_not_tried_again() -> None:
    letterbox = Letterbox([MailRefused("no such person")])
    box = Outbox(letterbox, pauses_s=(0.01,))
    with capture_logs() as said:
        box.post(letter())
        await box.settled()
    assert letterbox.tries == 1
    assert [(line["event"], line["kind"], line["why"]) for line in said] == [
        ("a mail was not sent", "reset", "no such person")
    ]


async def test_one_that_waits_to_be_tried_again_keeps_no_other_waiting() -> None:
    letterbox = Letterbox([BUSY])
    box = Outbox(letterbox, pauses_s=(600,))
    box.post(letter(1))
    box.post(letter(2))
    async with asyncio.timeout(10):
        while not letterbox.letters:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert [each.id for each in letterbox.letters] == ["2"]
    await box.close()


async def test_few_are_on_their_way_at_once_and_more_than_can_wait_are_dropped() -> None:
    held = Held()
    box = Outbox(held, waiting=5)
    for n in range(8):
        box.post(letter(n))
    await asyncio.sleep(0.05)
    assert (held.most, len(box), box.counts["dropped"]) == (outbox.AT_ONCE, 5, 3)
    held.go_on.set()
    await box.settled()
    assert len(held.letters) == 5


async def test_the_end_gives_what_is_being_sent_a_moment_and_does_not_wait_for_pauses() -> None:
    letterbox, began = Letterbox([BUSY]), time.monotonic()
    box = Outbox(letterbox, pauses_s=(600,))
    box.post(letter())
    await asyncio.sleep(0.05)
    await box.close()
    assert (box.counts["failed"], len(box)) == (1, 0)
    assert time.monotonic() - began < 3


async def test_what_does_not_end_by_itself_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "CLOSE_S", 0.1)
    box = Outbox(Held())
    box.post(letter())
    with capture_logs() as said:
        await box.close()
    assert len(box) == 0
    assert [(line["event"], line["left"]) for line in said] == [("the studio stops before all mails were sent", 1)]


async def test_an_errand_that_breaks_is_told_by_its_kind_alone() -> None:
    async def breaks() -> None:
        raise RuntimeError("dora@mail.example")

    box = Outbox(Letterbox())
    with capture_logs() as said:
        box.later(breaks)
        await box.settled()
    assert [(line["event"], line["broke"]) for line in said] == [("a mail was not written", "RuntimeError")]
    assert "dora" not in str(said)


async def test_a_studio_that_is_opened_for_one_command_sends_what_it_was_to_before_it_closes(tmp_path: Path) -> None:
    async with smtp_stub() as stub:
        mail = {
            "SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(stub.port), "SMTP_SECURITY": "none",
            "SMTP_FROM": "My Studio <studio@studio.example>", "MUTOSCOPE_BASE_URL": "https://studio.example",
        }  # fmt: skip
        running = await open_studio(load_settings(tmp_path / "data", mail), "https://studio.example", providers={})
        await running.studio.accounts.create("dora", "correct horse battery", Role.USER)
        await running.studio.emails.set_as_operator("dora", "dora@mail.example")
        await running.studio.emails.set_as_operator("dora", None)
        await running.close()
    (message,) = stub.messages
    assert (message["From"], message["To"]) == ("My Studio <studio@studio.example>", "dora@mail.example")
    assert message["Subject"] == "Your e-mail address at studio.example was removed"
