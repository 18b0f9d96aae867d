"""What servers that are not OpenAI answer, and what it means."""

import json
from typing import Any

import pytest

from mutoscope.domain.generation import FailureKind, Output, ProviderJob
from mutoscope.outgoing import Answer
from mutoscope.providers.openai_videos import wire
from mutoscope.providers.openai_videos.adapter import VideoServer
from mutoscope.providers.port import Finished
from stubs.vendor import KEY


def answer(status: int, said: Any) -> Answer:
    """An answer, as it comes in."""
    body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
    return Answer(status=status, headers={}, body=body, where="films.example")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        # vLLM-Omni's answer to an order, as its documentation has it.
        ({"id": "video-123", "status": "queued", "created_at": 1701234567}, wire.Video(id="video-123", status="queued")),
        # SGLang Diffusion, whose films go to a bucket.
        (
            {"id": "a", "status": "completed", "progress": 100, "seconds": "5", "url": "https://films.example/a?sig=1"},
            wire.Video(id="a", status="completed", progress=1.0, url="https://films.example/a?sig=1"),
        ),
        ({"id": "a", "status": "in_progress", "seconds": 5, "progress": "half", "size": None}, wire.Video(id="a", status="in_progress")),
        ({"id": "a", "status": "completed", "url": "/v1/files/a"}, wire.Video(id="a", status="completed")),
        ({"id": "a", "status": "in_progress", "progress": 250}, wire.Video(id="a", status="in_progress", progress=1.0)),
        ({"id": "a"}, wire.Video(id="a")),
        ({"id": "", "status": "queued"}, None),
        ({"status": "queued"}, None),
        (["a"], None),
    ],
)  # fmt: skip
def test_answers_are_read_leniently(said: Any, read: wire.Video | None) -> None:
    assert wire.video_of(answer(200, said)) == read


@pytest.mark.parametrize(
    ("status", "said", "kind"),
    [
        (404, {"error": {"message": "The model `wan` does not exist.", "type": "NotFoundError", "param": "model", "code": 404}}, FailureKind.RETIRED),
        (404, {"error": {"message": "No such.", "code": "model_not_found"}}, FailureKind.RETIRED),
        (404, {"detail": "Not Found"}, None),
        (400, {"error": {"message": "The LoRA of this model was not found.", "code": 400}}, None),
        (400, {"error": {"message": "Blocked.", "type": "invalid_request_error", "code": "content_policy_violation"}}, FailureKind.MODERATED),
        (400, {"error": {"message": "Stop.", "code": "billing_hard_limit_reached"}}, FailureKind.OUT_OF_CREDIT),
        (429, {"error": {"message": "Stop.", "type": "insufficient_quota", "code": None}}, FailureKind.OUT_OF_CREDIT),
        (429, {"error": {"message": "Slower.", "type": "requests", "code": "rate_limit_exceeded"}}, None),
        (422, {"detail": [{"loc": ["body", "seconds"], "msg": "String should match pattern"}]}, None),
        (401, {"error": "Unauthorized"}, None),
        (502, "<html>", None),
    ],
)  # fmt: skip
def test_a_refusal_means_what_its_words_say(status: int, said: Any, kind: FailureKind | None) -> None:
    assert wire.kind_of(answer(status, said), "submit") is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"detail": "Video not found"}, FailureKind.EXPIRED),
        ({"error": {"message": "Video not found", "type": "Not Found", "param": None, "code": 404}}, FailureKind.EXPIRED),
        ({"detail": "Not Found"}, None),
        ({"error": {"message": "Not Found", "type": "Not Found", "param": None, "code": 404}}, None),
        ("<html>nginx</html>", None),
    ],
)  # fmt: skip
def test_only_a_server_that_knows_of_films_can_say_that_one_is_gone(said: Any, kind: FailureKind | None) -> None:
    assert wire.kind_of(answer(404, said), "question") is kind


def test_a_server_that_says_when_to_ask_again_is_heard() -> None:
    assert wire.poll_after_ms({"openai-poll-after-ms": "2500"}) == 2500
    assert wire.poll_after_ms({"openai-poll-after-ms": "soon"}) is None
    assert wire.poll_after_ms({}) is None


@pytest.mark.asyncio
async def test_a_film_in_a_bucket_is_fetched_there(monkeypatch: pytest.MonkeyPatch) -> None:
    server = VideoServer("one", "https://gateway.example/v1", KEY, slots=2)
    said = {"id": "a", "status": "completed", "url": "https://films.example/a?sig=1"}

    async def ask(*_: Any, **__: Any) -> Answer:
        return answer(200, said)

    monkeypatch.setattr(server, "ask", ask)
    found = await server.poll(ProviderJob(id="a", reference="gen_1"))
    await server.close()
    assert found == Finished(outputs=(Output(url="https://films.example/a?sig=1", media_type="video/mp4"),))
