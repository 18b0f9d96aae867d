"""How the command line reaches a studio: through the socket of the one that runs, or by opening it in this process.

Either way it speaks the same requests to the same application, so there is one path for both.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from json import loads as decode
from typing import Any

import httpx2

from mutoscope.cli.doors import address, operator_socket, short_path
from mutoscope.settings import Settings
from mutoscope.web.operator import create_operator_app
from mutoscope.wiring import open_studio

TIMEOUT_S = 60.0
UNREACHABLE = "{} does not answer from this machine."
GONE = "The studio stopped answering. What it had accepted is kept, and goes on when it runs again."


class Failed(Exception):
    """The studio refused: ``code`` is its stable word, ``detail`` the sentence for the person."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class Client:
    """Requests to a studio, as its operator or as one person. ``runs``: whether it runs, and was not opened for this."""

    def __init__(self, http: httpx2.AsyncClient, runs: bool) -> None:
        self._http, self.runs = http, runs

    async def get(self, path: str, **params: Any) -> Any:
        """A JSON answer. Raises Failed."""
        return await self._send("GET", path, params={k: v for k, v in params.items() if v is not None})

    async def post(self, path: str, json: Any = None, **more: Any) -> Any:
        """A JSON answer. Raises Failed."""
        return await self._send("POST", path, json=json, **more)

    async def delete(self, path: str) -> None:
        """Take something away. Raises Failed."""
        await self._send("DELETE", path)

    async def lines(self, path: str, json: Any) -> AsyncGenerator[Any, None]:
        """An answer of lines of JSON, as they come. Raises Failed."""
        try:
            async with self._http.stream("POST", path, json=json) as response:
                if not response.is_success:
                    raise _failed(response.status_code, response.headers, await response.aread())
                async for line in response.aiter_lines():
                    yield decode(line)
        except httpx2.TransportError as e:
            raise Failed(0, "gone", GONE) from e

    @asynccontextmanager
    async def open(self, address: str, as_person: bool = False) -> AsyncGenerator[httpx2.Response]:
        """What somebody gets who opens that address, as a stream: one who has not signed in, or the person with their token,
        which goes to the studio alone. Raises Failed for no answer.

        Where the studio runs, a whole address is opened over the network, as everybody does; a path goes its own way.
        """
        token = self._http.headers.get("Authorization") if as_person else None
        headers = {"Authorization": token} if token else {}
        near = address.startswith("/") or (not self.runs and address.startswith(str(self._http.base_url)))
        try:
            if near:
                request = self._http.build_request("GET", address)
                if not as_person:
                    request.headers.pop("Authorization", None)
                response = await self._http.send(request, stream=True)
                async with aclosing(response):
                    yield response
                return
            async with (
                httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True) as http,
                http.stream("GET", address, headers=headers) as response,
            ):
                yield response
        except httpx2.TransportError as e:
            raise Failed(0, "unreachable", UNREACHABLE.format(httpx2.URL(address).host)) from e

    async def sign_in(self, name: str, password: str) -> Any:
        """As a browser does, and then by a token, as programs do; goes on so. Returns the person. Raises Failed."""
        credentials = {"name": name, "password": password}
        response = await self._response("POST", "/api/auth/sign-in", json=credentials)
        # By hand: the jar would not send a cookie that is for HTTPS alone through the socket.
        session = {"Cookie": response.headers["set-cookie"].partition(";")[0]}
        person = (await self._response("GET", "/api/me", headers=session)).json()
        answer = await self.post("/api/auth/token", credentials)
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return person

    async def become(self, name: str | None) -> str:
        """Go on as that person (without a name: the first administrator); returns the name."""
        answer = await self.post("/operator/tokens", {"name": name})
        self._http.headers["Authorization"] = f"Bearer {answer['access_token']}"
        return str(answer["name"])

    async def _send(self, method: str, path: str, **more: Any) -> Any:
        response = await self._response(method, path, **more)
        return response.json() if response.content else None

    async def _response(self, method: str, path: str, **more: Any) -> httpx2.Response:
        try:
            response = await self._http.request(method, path, **more)
        except httpx2.TransportError as e:
            raise Failed(0, "gone", GONE) from e
        finally:
            self._http.cookies.clear()
        if response.is_success:
            return response
        raise _failed(response.status_code, response.headers, response.content)


def _failed(status: int, headers: Mapping[str, str], content: bytes) -> Failed:
    if "json" in headers.get("content-type", ""):
        problem = httpx2.Response(status, content=content).json()
        fields = "".join(f"\n  {name}: {text}" for name, text in (problem.get("fields") or {}).items())
        return Failed(status, str(problem.get("code", status)), str(problem.get("detail", "")) + fields)
    return Failed(status, str(status), content[:200].decode(errors="replace"))


@asynccontextmanager
async def studio_client(settings: Settings, work: bool = False) -> AsyncGenerator[Client]:
    """A client to the studio of that data folder, whether it runs or not; with ``work`` jobs go on in either case.

    Raises CannotOpen, SettingsError.
    """
    path = operator_socket(settings)
    if path is not None:
        with short_path(path) as name:
            async with _http(httpx2.AsyncHTTPTransport(uds=name), "http://localhost") as http:
                if await _answers(http):
                    yield Client(http, runs=True)
                    return
    running = await open_studio(settings, address(settings, settings.port))
    try:
        if work:
            running.worker.start()
        app = create_operator_app(running.studio, running.backup, running.app)
        async with _http(httpx2.ASGITransport(app=app), running.studio.base_url) as http:  # pyright: ignore[reportArgumentType]  # ASGI under another name
            yield Client(http, runs=False)
    finally:
        await running.close()


async def _answers(http: httpx2.AsyncClient) -> bool:
    """Whether somebody listens. A socket that was left behind by a kill is replaced by the next `serve`."""
    try:
        await http.get("/operator/")
    except httpx2.TransportError:
        return False
    return True


def _http(transport: httpx2.AsyncBaseTransport, base_url: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=transport, base_url=base_url, timeout=TIMEOUT_S)
