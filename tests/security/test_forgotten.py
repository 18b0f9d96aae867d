"""A link for a new password by mail: for whoever has the mailbox, with nothing told to whoever asks."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from msgspec import structs
from structlog.testing import capture_logs

from mutoscope.darkroom.port import Darkroom
from mutoscope.domain.ids import HOUR, MINUTE
from mutoscope.domain.keys import Scope
from mutoscope.domain.people import Person
from mutoscope.mail.port import Letter, MailRefused, MailUnavailable
from mutoscope.mail.smtp import SmtpMailer, SmtpPlace
from mutoscope.services import outbox
from mutoscope.store.port import StoreUnavailable
from mutoscope.web.app import create_app
from outgoing.conftest import authority
from outgoing.far import Authority
from security.test_guessing import at
from stubs.smtp import PASSWORD as SMTP_PASSWORD
from stubs.smtp import USER, StubSmtp, smtp_stub
from web.answers import code, fields
from web.house import BASE, OUR_PAGE, PASSWORD, House, open_house

__all__ = ["authority"]
pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = PASSWORD + " and another"
HERS = "dora@mailbox.example"
LINK = re.compile(rf"^{re.escape(BASE)}/reset\?link=([\w-]{{43}})\r?$", re.MULTILINE)


async def dora(house: House, email: str | None = HERS, name: str = "dora") -> Person:
    """Somebody with a password and an address."""
    person = await house.studio.accounts.register(name, PASSWORD)
    await house.store.people.set_email(person.id, email, 1)
    return structs.replace(person, email=email)


def secret_in(letter: Letter) -> str:
    """What the letter's link holds; there is one link, and every address in it is the studio's."""
    (secret,) = LINK.findall(letter.text)
    assert set(re.findall(r"https?://[^\s/]+", letter.text)) == {BASE}
    return str(secret)


async def ask(house: House, asked: str, source: str = "192.0.2.1", **headers: str) -> httpx2.Response:
    """Ask for a link, as a program."""
    async with at(house, source, **headers) as client:
        return await client.post("/api/auth/forgot", json={"name_or_email": asked})


async def reset(house: House, secret: str, password: str = NEW) -> int:
    async with house.client() as client:
        return (await client.post("/api/auth/reset", json={"secret": secret, "password": password})).status_code


async def sign_in(house: House, name: str, password: str, source: str = "203.0.113.9") -> int:
    async with at(house, source) as client:
        return (await client.post("/api/auth/sign-in", json={"name": name, "password": password})).status_code


@asynccontextmanager
async def mailing(stub: StubSmtp, tmp_path: Path, darkroom: Darkroom, trusting: Authority) -> AsyncIterator[House]:
    """A house that mails through the stub, encrypted and signed in."""
    place = SmtpPlace(
        host="localhost", port=stub.port, security="starttls", user=USER, password=SMTP_PASSWORD,
        sender=Address("Studio", addr_spec="studio@studio.example"), own_name="studio.example",
    )  # fmt: skip
    async with open_house(tmp_path, darkroom, mailer=SmtpMailer(place, trusting.trusting(), 5, 10)) as house:
        yield house


async def test_the_whole_way_from_an_address_to_a_new_password(
    tmp_path: Path, darkroom: Darkroom, authority: Authority
) -> None:
    async with (
        smtp_stub(StubSmtp(tls=authority.serving("localhost"))) as stub,
        mailing(stub, tmp_path, darkroom, authority) as house,
        house.client(OUR_PAGE) as browser,
        house.client(OUR_PAGE) as stranger,
    ):
        await browser.post("/register", data={"name": "dora", "password": PASSWORD})
        kept = await browser.post("/account/email", data={"email": "Dora@Mailbox.Example", "password": PASSWORD})
        assert (kept.status_code, kept.headers["location"]) == (303, "/account?done=email")
        assert 'value="Dora@mailbox.example"' in (await browser.get("/account")).text
        person = await house.studio.accounts.named("dora")
        _, key = await house.studio.keys.create(person, "hers", [Scope.READ])

        assert "a mail with a link is on its way" in (await stranger.post("/forgot", data={"name": "DORA"})).text
        await house.outbox.settled()
        (message,) = stub.messages
        assert (message["To"], message["From"]) == ("Dora@mailbox.example", "Studio <studio@studio.example>")
        assert message["Auto-Submitted"] == "auto-generated"
        (secret,) = LINK.findall(message.get_content())

        assert f'value="{secret}"' in (await stranger.get(f"/reset?link={secret}")).text
        assert (await browser.get("/api/me")).status_code == 200, "looking at a link ends nothing"
        done = await stranger.post("/reset", data={"secret": secret, "password": NEW})
        assert (done.status_code, done.headers["location"]) == (303, "/account?done=password")
        assert (await stranger.get("/api/me")).json()["name"] == "dora"
        assert (await browser.get("/api/me")).status_code == 401, "the session of before is over"
        assert (await browser.get("/api/me", headers={"Authorization": f"Bearer {key}"})).status_code == 401
        assert (await stranger.post("/reset", data={"secret": secret, "password": PASSWORD})).status_code == 401
        assert [await sign_in(house, "dora", password) for password in (PASSWORD, NEW)] == [401, 200]


async def test_whoever_asks_gets_the_same_answer_and_only_an_account_with_an_address_a_mail(house: House) -> None:
    await dora(house)
    await dora(house, None, "without")
    await dora(house, "erik@mailbox.example", "erik")
    await house.studio.accounts.suspend(house.carol, "erik")
    nobody = ["nobody", "nobody@mailbox.example", "without", "erik", "erik@mailbox.example", "", "@", "x" * 5_000]
    nobody += ["dora\r\nBcc: x@y.example", f"{HERS}\r\nBcc: x@y.example", f"{HERS},x@y.example", "\0", "\ud800"]
    answers: set[Any] = set()
    for n, asked in enumerate([*nobody, "dora", HERS.upper(), f" {HERS} "]):
        content = '{"name_or_email": "\\ud800"}' if asked == "\ud800" else None
        async with at(house, f"192.0.2.{n}") as client:
            body = {"content": content, "headers": {"Content-Type": "application/json"}} if content else {}
            if content:
                await client.post("/api/auth/forgot", **body)
                continue
            answer = await client.post("/api/auth/forgot", json={"name_or_email": asked})
        answers.add((answer.status_code, answer.content, tuple(sorted(answer.headers.items()))))
        async with at(house, f"198.51.100.{n}", **OUR_PAGE) as client:
            page = await client.post("/forgot", data={"name": asked})
        answers.add((page.status_code, page.content, tuple(sorted(page.headers.items()))))
        letters = await house.mailed()
        assert [letter.to for letter in letters] == ([] if asked in nobody else [HERS] * len(letters)), asked
    assert len(answers) == 2, "one for programs and one as a page"
    assert {status for status, _, _ in answers} == {202, 200}


async def test_the_answer_waits_for_nothing_that_an_account_makes_longer(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked for before the answer: it comes while the store and the server of mail hold still."""
    await dora(house)
    go_on, by_name = asyncio.Event(), house.store.people.by_name

    async def held(name: str) -> Person | None:
        await go_on.wait()
        return await by_name(name)

    monkeypatch.setattr(house.store.people, "by_name", held)
    async with asyncio.timeout(10):
        assert [(await ask(house, name)).status_code for name in ("dora", "nobody")] == [202, 202]
    assert (house.letterbox.tries, len(house.outbox)) == (0, 2)
    go_on.set()
    assert len(await house.mailed()) == 1


async def test_nothing_is_done_before_the_answer_has_been_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when whoever asks is signed in, and the page has to look at something itself."""
    person = await dora(house)
    order: list[str] = []
    monkeypatch.setattr(house.outbox, "later", lambda _: order.append("work"))

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        async def told(message: Any) -> None:
            await send(message)
            order.append(message["type"])

        await house.app(scope, receive, told)

    headers = OUR_PAGE | {"Cookie": await house.session(person)}
    transport = httpx2.ASGITransport(noting, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=headers) as client:
        await client.post("/forgot", data={"name": "dora"})
        await client.post("/api/auth/forgot", json={"name_or_email": "dora"})
    assert order == ["http.response.start", "http.response.body", "work"] * 2


async def test_each_account_of_an_address_gets_its_own_link(house: House) -> None:
    for name in ("dora", "erin", "frank"):
        await dora(house, HERS if name != "frank" else "frank@mailbox.example", name)
    await house.studio.emails.set_as_operator("erin", HERS.upper())
    await house.mailed()
    await ask(house, HERS)
    letters = await house.mailed()
    assert {letter.to.lower() for letter in letters} == {HERS}
    of = {name: letter for name in ("dora", "erin") for letter in letters if f"Hello {name}," in letter.text}
    assert len(of) == len(letters) == 2
    assert await reset(house, secret_in(of["erin"])) == 200
    assert [await sign_in(house, "dora", PASSWORD), await sign_in(house, "erin", NEW)] == [200, 200]
    assert await reset(house, secret_in(of["dora"])) == 200, "the other account's link is its own"


async def test_a_mailed_link_lasts_an_hour_and_until_the_next(house: House) -> None:
    await dora(house)
    await ask(house, "dora")
    await ask(house, "dora")
    first, second = map(secret_in, await house.mailed())
    assert await reset(house, first) == 401
    house.clock.tick(HOUR)
    assert await reset(house, second) == 401
    await ask(house, "dora")
    (third,) = map(secret_in, await house.mailed())
    house.clock.tick(HOUR - 1)
    assert await reset(house, third) == 200


async def test_what_strangers_ask_for_does_not_end_the_link_that_an_administrator_handed_over(house: House) -> None:
    await dora(house)
    handed = await house.studio.resets.link_for(house.carol, "dora")
    await ask(house, "dora")
    (mailed,) = map(secret_in, await house.mailed())
    assert await reset(house, handed) == 200
    assert await reset(house, mailed) == 401, "a password that is set ends every link"


async def test_a_mailbox_is_not_flooded_and_nobody_is_locked_out(house: House) -> None:
    await dora(house)
    for n in range(30):
        assert (await ask(house, "dora" if n % 2 else HERS, f"192.0.2.{n}")).status_code == 202
    letters = await house.mailed()
    assert len(letters) == 3
    assert await sign_in(house, "dora", PASSWORD) == 200, "the ordinary way is open"
    assert await reset(house, secret_in(letters[2])) == 200, "what was mailed last is good"
    for minutes, mails in ((19, 0), (1, 1), (59, 2)):
        house.clock.tick(minutes * MINUTE)
        for n in range(5):
            await ask(house, "dora", f"192.0.2.{n}")
        assert len(await house.mailed()) == mails


async def test_many_accounts_with_somebodys_address_do_not_flood_the_mailbox(house: House) -> None:
    for n in range(14):
        await house.store.people.add(
            structs.replace(house.bob, id=f"usr_{n}", name=f"mallory{n}", email=HERS.title()), None
        )
    for n in range(14):
        await ask(house, f"mallory{n}", f"192.0.2.{n}")
    await ask(house, HERS, "192.0.2.99")
    assert len(await house.mailed()) == 10


async def test_asking_is_limited_where_it_comes_from_whoever_is_asked_for(house: House) -> None:
    await dora(house)
    answers = [(await ask(house, f"nobody{n}")).status_code for n in range(11)]
    assert answers == [202] * 10 + [429]
    known, unknown = await ask(house, "dora"), await ask(house, "nobody")
    assert code(known) == (429, "too_often")
    assert known.json() == unknown.json()
    assert (await ask(house, "dora", "198.51.100.7")).status_code == 202
    async with at(house, "192.0.2.1", **OUR_PAGE) as client:
        assert (await client.post("/forgot", data={"name": "dora"})).status_code == 429
    assert await sign_in(house, "dora", PASSWORD, "192.0.2.1") == 200
    house.clock.tick(6 * MINUTE)
    assert (await ask(house, "nobody")).status_code == 202


async def test_more_than_can_wait_is_dropped_and_answered_alike(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await dora(house)
    go_on = asyncio.Event()

    async def held(_: str) -> None:
        await go_on.wait()

    with monkeypatch.context() as patch, capture_logs() as said:
        patch.setattr(house.store.people, "by_name", held)
        answers = [(await ask(house, "dora", f"2001:db8:{n:x}::1")).status_code for n in range(outbox.WAITING + 3)]
        assert answers == [202] * (outbox.WAITING + 3)
        assert len(house.outbox) == outbox.WAITING
        assert house.outbox.counts["dropped"] == 3
        go_on.set()
        assert await house.mailed() == []
    assert [line["event"] for line in said if line["log_level"] == "warning"] == [
        "too many mails wait: one more was dropped"
    ] * 3
    await ask(house, "dora")
    assert len(await house.mailed()) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost"},
        {"Host": "studio.example:8080"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "Forwarded": "host=evil.example"},
        {"X-Original-URL": "https://evil.example/", "Referer": "https://evil.example/"},
    ],
)
async def test_no_host_that_a_request_names_gets_into_the_link(house: House, headers: dict[str, str]) -> None:
    await dora(house)
    answer = await ask(house, "dora", **headers)
    letters = await house.mailed()
    assert answer.status_code == (421 if headers.get("Host") == "evil.example" else 202)
    assert len(letters) == (answer.status_code == 202)
    for letter in letters:
        assert secret_in(letter)
        assert "evil" not in letter.text + letter.subject


async def test_while_the_server_of_mail_is_down_nobody_sees_it_and_the_log_has_one_line(house: House) -> None:
    await dora(house)
    before = await ask(house, "nobody")
    house.letterbox.refusals = [MailUnavailable("the server cannot be reached")] * 3
    with capture_logs() as said:
        answer = await ask(house, "dora")
        await house.outbox.settled()
    assert (answer.status_code, answer.content, answer.headers) == (202, before.content, before.headers)
    lines = [line for line in said if line["log_level"] != "debug" and line["event"] != "request"]
    assert [(line["event"], line["tries"], line["why"]) for line in lines] == [
        ("a mail was not sent", 3, "the server cannot be reached")
    ]
    assert "dora" not in str(said)
    assert house.outbox.counts == {"sent": 0, "retried": 2, "failed": 1, "dropped": 0, "limited": 0}


async def test_a_server_that_comes_back_gets_the_letter_and_one_that_refuses_it_is_not_asked_again(
    house: House,
) -> None:
    await dora(house)
    house.letterbox.refusals = [MailUnavailable("busy")]
    await ask(house, "dora")
    (letter,) = await house.mailed()
    assert (house.letterbox.tries, await reset(house, secret_in(letter))) == (2, 200)
    house.letterbox.refusals = [MailRefused("the server does not take the recipient (550)")]
    await ask(house, "dora")
    assert await house.mailed() == []
    assert house.letterbox.tries == 3


async def test_a_database_that_is_away_is_not_told_to_who_asks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: str) -> None:
        raise StoreUnavailable("it is away")

    monkeypatch.setattr(house.store.people, "by_name", away)
    with capture_logs() as said:
        assert (await ask(house, "dora")).status_code == 202
        await house.outbox.settled()
    assert [line["event"] for line in said if line["log_level"] == "warning"] == [
        "a mail was not written: the database cannot be reached"
    ]


async def test_a_changed_address_is_told_to_the_old_one_and_ends_what_was_mailed_there(house: House) -> None:
    person = await dora(house, None)
    async with house.as_(person) as client:

        async def change(email: str | None) -> httpx2.Response:
            return await client.put("/api/me/email", json={"email": email, "password": PASSWORD})

        assert (await change(HERS)).json() == {"email": HERS}
        assert await house.mailed() == [], "there was none before"
        await ask(house, "dora")
        (mailed,) = map(secret_in, await house.mailed())
        assert (await change(HERS.replace("dora", "DORA"))).status_code == 200
        assert await house.mailed() == [], "it is the same mailbox"
        assert (await change("new@elsewhere.example")).json() == {"email": "new@elsewhere.example"}
        (told,) = await house.mailed()
        assert (told.kind, told.to) == ("moved", HERS.replace("dora", "DORA"))
        assert "was changed to another one" in told.text
        assert "elsewhere" not in told.text + told.subject, "the new address is nobody's business"
        assert await reset(house, mailed) == 401
        assert (await change(None)).json() == {"email": None}
        (told,) = await house.mailed()
        assert (told.to, "was removed" in told.text) == ("new@elsewhere.example", True)
        await ask(house, "dora")
        assert await house.mailed() == []


async def test_an_address_is_set_with_the_password_alone_and_guessing_it_here_is_slowed_down(house: House) -> None:
    person = await dora(house)
    async with at(house, "192.0.2.1", **house.bearer(person)) as client:
        wrong = {"email": "thief@elsewhere.example", "password": "not her password"}
        answers = [(await client.put("/api/me/email", json=wrong)).status_code for _ in range(6)]
        assert answers == [401] * 5 + [429]
        assert (await client.get("/api/me/email")).json() == {"email": HERS}
    async with house.client(OUR_PAGE) as stranger:
        assert code(await stranger.get("/api/me/email")) == (401, "sign_in_needed")
        assert code(await stranger.put("/api/me/email", json=wrong)) == (401, "sign_in_needed")
        assert (await stranger.post("/account/email", data=wrong)).headers["location"].startswith("/sign-in")
    async with house.client({"Cookie": await house.session(person), "Origin": "https://evil.example"}) as forged:
        assert code(await forged.put("/api/me/email", json=wrong | {"password": PASSWORD})) == (403, "cross_site")
    assert await house.mailed() == []


async def test_an_address_is_changed_a_few_times_an_hour(house: House) -> None:
    """Each change is told to the mailbox before it, which may be anybody's."""
    person = await dora(house, None)
    async with house.as_(person) as client:
        answers = [
            await client.put("/api/me/email", json={"email": f"a{n}@mailbox.example", "password": PASSWORD})
            for n in range(6)
        ]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert len(await house.mailed()) == 4


@pytest.mark.parametrize(
    "email",
    [
        "", "dora", "@mailbox.example", "dora@", "a@b@c.example", "dora@mailbox.example\r\nBcc: x@y.example",
        "dora@mailbox.example\n", "dora@mailbox\0.example", "dora,x@mailbox.example", "dora@mailbox.example,x@y.example",
        "Dora <dora@mailbox.example>", '"dora x"@mailbox.example', "dora@[127.0.0.1]", "dörte@mailbox.example",
        "dora@mailböx.example", "dora@-mailbox.example", "dora..x@mailbox.example", "d" * 65 + "@mailbox.example",
        "d@" + "m" * 63 + ".x" * 100, "<script>@mailbox.example", "dora@mailbox.example>",
    ],
)  # fmt: skip
async def test_what_is_no_address_is_refused(lasting: House, email: str) -> None:
    person = await lasting.store.people.by_name("dora") or await dora(lasting, None)
    async with at(lasting, "192.0.2.1", **lasting.bearer(person)) as client:
        answer = await client.put("/api/me/email", json={"email": email, "password": PASSWORD})
    assert (code(answer), fields(answer)) == ((422, "invalid"), {"email"})


async def test_an_address_that_another_account_has_is_taken_as_any_other_is(house: House) -> None:
    await dora(house)
    erin = await dora(house, None, "erin")
    async with house.as_(erin) as client:
        answers = [
            await client.put("/api/me/email", json={"email": email, "password": PASSWORD})
            for email in (HERS, "free@mailbox.example")
        ]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == {"email": HERS}


async def test_an_address_is_shown_to_its_person_alone(house: House) -> None:
    person = await dora(house)
    item = await house.published(person)
    places = ["/", "/api/me", "/api/media", f"/api/media/{item.id}", f"/m/{item.id}", "/account", "/api/me/email"]
    places += ["/api/admin/invites", "/api/admin/unlocks", "/api/sessions", "/metrics", "/api/openapi.json", "/forgot"]
    for asker in (None, house.bob, house.carol):
        async with house.as_(asker) as client:
            for place in places:
                assert HERS not in (await client.get(place)).text, (asker, place)
    async with house.client(OUR_PAGE | {"Cookie": await house.session(person)}) as client:
        shown = [place for place in places if HERS in (await client.get(place)).text]
    assert shown == ["/account", "/api/me/email"]


@pytest.mark.parametrize("scope", Scope)
async def test_no_key_reads_or_sets_an_address(house: House, scope: Scope) -> None:
    await house.store.people.set_email(house.carol.id, HERS, 1)
    _, key = await house.studio.keys.create(house.carol, "tried", [scope])
    async with house.client({"Authorization": f"Bearer {key}"}) as client:
        assert code(await client.get("/api/me/email")) == (403, "scope_needed")
        body = {"email": None, "password": PASSWORD}
        assert code(await client.put("/api/me/email", json=body)) == (403, "scope_needed")
        assert code(await client.post("/api/auth/forgot", json={"name_or_email": "carol"})) == (403, "scope_needed")
        assert HERS not in (await client.get("/api/me")).text


async def test_without_a_server_of_mail_the_pages_say_whom_to_ask(house: House) -> None:
    person = await dora(house)
    app = create_app(structs.replace(house.studio, mail=None))
    async with house.client(OUR_PAGE) as client:
        assert 'href="/forgot"' in (await client.get("/sign-in")).text
        assert 'action="/forgot"' in (await client.get("/forgot")).text
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE, headers=OUR_PAGE) as client:
        assert "/forgot" not in (await client.get("/sign-in")).text
        page = (await client.get("/forgot")).text
        assert "Ask an administrator" in page
        assert 'action="/forgot"' not in page
        refused = await client.post("/forgot", data={"name": "dora"})
        assert (refused.status_code, "Ask an administrator" in refused.text) == (409, True)
        answer = await client.post("/api/auth/forgot", json={"name_or_email": "dora"})
        assert code(answer) == (409, "wrong_state")
        headers = {"Cookie": await house.session(person)}
        assert "sends no mail" in (await client.get("/account", headers=headers)).text
    assert await house.mailed() == []


async def test_the_account_page_says_what_is_wrong_at_its_field(house: House) -> None:
    person = await dora(house, None)
    async with house.client(OUR_PAGE | {"Cookie": await house.session(person)}) as client:
        wrong = await client.post("/account/email", data={"email": "<b>", "password": PASSWORD})
        assert (wrong.status_code, 'id="w-email"' in wrong.text, "&lt;b&gt;" in wrong.text) == (422, True, True)
        shut = await client.post("/account/email", data={"email": HERS, "password": "wrong"})
        assert (shut.status_code, "This is not your password." in shut.text) == (401, True)
        assert "it serves for that alone" in shut.text
        await client.post("/account/email", data={"email": HERS, "password": PASSWORD})
        gone = await client.post("/account/email", data={"email": " ", "password": PASSWORD})
        assert gone.headers["location"] == "/account?done=email-removed"
        assert (await client.get("/api/me/email")).json() == {"email": None}


async def test_what_came_of_mails_is_counted(house: House) -> None:
    await dora(house)
    house.letterbox.refusals = [MailUnavailable("busy")]
    async with at(house, "127.0.0.1") as client:
        for _ in range(4):
            await ask(house, "dora")
        await house.mailed()
        for _ in range(2):
            figures = (await client.get("/metrics")).text
            assert 'mutoscope_mails_total{outcome="sent"} 3.0' in figures
            assert 'mutoscope_mails_total{outcome="retried"} 1.0' in figures
            assert 'mutoscope_mails_total{outcome="limited"} 1.0' in figures
    assert HERS not in figures
