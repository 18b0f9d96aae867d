"""A stub server of mail: SMTP on a real port with TLS and signing in, misbehaving where it is told to."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import cast

SILENT, CUT = "silent", "cut"
"""In place of a reply."""
FINE: Mapping[str, str] = {
    "greeting": "220 stub.test ESMTP stub", "EHLO": "250", "STARTTLS": "220 go ahead", "AUTH": "235 welcome",
    "MAIL": "250 fine", "RCPT": "250 fine", "DATA": "354 go on", "end": "250 taken", "QUIT": "221 bye",
}  # fmt: skip
USER, PASSWORD = "studio", "a password of the stub's"

Script = Mapping[str, str | list[str]]
"""What is said at a stage in place of `FINE`: always, or once after the other."""


@dataclass
class StubSmtp:
    """A server. ``taken``: what it has taken; ``heard``: every line, as ``clear EHLO x`` or ``TLS MAIL FROM:<y>``."""

    tls: ssl.SSLContext | None = None
    from_the_first_byte: bool = False
    offers: tuple[str, ...] = ("AUTH PLAIN LOGIN",)
    script: dict[str, str | list[str]] = field(default_factory=dict)
    taken: list[bytes] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def messages(self) -> list[EmailMessage]:
        """What it has taken, parsed."""
        return [cast(EmailMessage, message_from_bytes(raw, policy=default)) for raw in self.taken]

    def told(self, stage: str) -> str:
        """What is said at that stage."""
        said = self.script.get(stage, FINE[stage])
        if isinstance(said, list):
            return said.pop(0) if said else FINE[stage]
        return said


class _Gone(Exception):
    """The connection ends."""


class _Talk:
    def __init__(self, stub: StubSmtp, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.stub, self.reader, self.writer = stub, reader, writer
        self.encrypted = stub.from_the_first_byte

    async def say(self, stage: str, text: str | None = None) -> bool:
        """Reply; whether it was a good one."""
        told = self.stub.told(stage)
        if told == SILENT:
            await asyncio.sleep(600)
        if told == CUT:
            raise _Gone
        told = text if text is not None and told == FINE[stage] else told
        self.writer.write(f"{told}\r\n".encode())
        await self.writer.drain()
        return told[0] in "23"

    async def go_on(self) -> None:
        """From the greeting to the end."""
        await self.say("greeting")
        commands: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self.ehlo, "STARTTLS": self.starttls, "AUTH": self.auth, "DATA": self.data,
        }  # fmt: skip
        while line := (await self.reader.readline()).decode("latin-1").rstrip("\r\n"):
            word = line.split(" ")[0].upper()
            self.stub.heard.append(f"{'TLS' if self.encrypted else 'clear'} {line}")
            if word in commands:
                await commands[word](line)
            elif word in FINE:
                await self.say(word)
            else:
                self.writer.write(b"500 what?\r\n")
            if word == "QUIT":
                return

    async def ehlo(self, _: str) -> None:
        offers = [*self.stub.offers, *(["STARTTLS"] if self.stub.tls and not self.encrypted else [])]
        await self.say("EHLO", "\r\n".join([*(f"250-{offer}" for offer in ("stub.test", *offers)), "250 8BITMIME"]))

    async def starttls(self, _: str) -> None:
        if await self.say("STARTTLS") and self.stub.tls is not None:
            await self.writer.start_tls(self.stub.tls)
            self.encrypted = True

    async def auth(self, line: str) -> None:
        _, kind, *first = line.split(" ")
        sent = first[0] if first else await self.asked("334 ")
        said = base64.b64decode(sent).decode()
        if kind == "LOGIN":
            said = f"\0{said}\0" + base64.b64decode(await self.asked("334 UGFzc3dvcmQ6")).decode()
        right = said == f"\0{USER}\0{PASSWORD}"
        await self.say("AUTH", None if right else f"535 5.7.8 no such password for {USER}")

    async def asked(self, prompt: str) -> str:
        self.writer.write(f"{prompt}\r\n".encode())
        return (await self.reader.readline()).decode().strip()

    async def data(self, _: str) -> None:
        if not await self.say("DATA"):
            return
        lines: list[bytes] = []
        while (line := await self.reader.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        if await self.say("end"):
            self.stub.taken.append(b"".join(lines))


@asynccontextmanager
async def smtp_stub(stub: StubSmtp | None = None) -> AsyncIterator[StubSmtp]:
    """Serve on a free port of this machine until the end of the context."""
    stub = stub or StubSmtp()
    talks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stub.connections += 1
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(ConnectionError, ssl.SSLError, _Gone, asyncio.CancelledError):
            await _Talk(stub, reader, writer).go_on()
        writer.close()

    first_byte = stub.tls if stub.from_the_first_byte else None
    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=first_byte)
    stub.port = server.sockets[0].getsockname()[1]
    try:
        yield stub
    finally:
        server.close()
        for talk in talks:
            talk.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()
