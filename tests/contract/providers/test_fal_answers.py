"""What fal's answers mean: results in their several shapes, errors by their types, what was blacked out."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contract.providers.vendors import VendorBench
from mutoscope.domain.generation import FailureKind, Output, State
from mutoscope.outgoing import Answer
from mutoscope.providers.fal import errors, wire
from mutoscope.providers.fal.adapter import FalProvider
from mutoscope.providers.port import ProviderError
from stubs.vendor import KEY

pytestmark = pytest.mark.asyncio(loop_scope="session")

OURS = pytest.mark.offers(lambda offer: offer.upstream.startswith("fal-ai/"))
PICTURES = pytest.mark.offers(lambda offer: offer.upstream == "fal-ai/flux/dev")


@pytest.fixture
async def fal() -> AsyncIterator[FalProvider]:
    """At an address where nobody is."""
    provider = FalProvider(KEY, "http://127.0.0.1:9")
    yield provider
    await provider.close()


def answer(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=json.dumps(body).encode(), where="queue.fal.run/x", keyed=True)


def typed(*types: str) -> dict[str, Any]:
    return {"detail": [{"loc": ["body"], "msg": "no", "type": type, "input": "a secret"} for type in types]}


@pytest.mark.parametrize(
    ("result", "urls", "withheld"),
    [
        ({"video": {"url": "https://v3.fal.media/a.mp4"}, "seed": 1}, ["https://v3.fal.media/a.mp4"], 0),
        ({"videos": [{"url": "u1"}, {"url": "u2"}]}, ["u1", "u2"], 0),
        ({"video": "u1", "image": {"url": "thumbnail"}}, ["u1"], 0),
        ({"images": [{"url": "u1"}, {"url": "u2"}], "has_nsfw_concepts": [True, False]}, ["u2"], 1),
        ({"images": [{"url": "u1"}], "has_nsfw_concepts": [False, True]}, ["u1"], 0),
        ({"images": ["u1"], "has_nsfw_concepts": None}, ["u1"], 0),
        ({"image": {"url": "u1"}, "has_nsfw_concepts": [True]}, [], 1),
        ({"video": None, "images": []}, [], 0),
        ({"video": {"url": None}}, [], 0),
        ({"text": "no media"}, [], 0),
    ],
)
async def test_results_are_found_in_their_several_shapes(result: Any, urls: list[str], withheld: int) -> None:
    found = wire.results_of(result)
    assert ([output.url for output in found.outputs], found.withheld) == (urls, withheld)


async def test_a_result_elsewhere_than_in_fals_own_stores_is_not_fetched(fal: FalProvider) -> None:
    for url in ("https://fal.media.evil.example/a.mp4", "http://v3.fal.media/a.mp4", "https://169.254.169.254/a"):
        with pytest.raises(ProviderError) as caught:
            await anext(aiter(fal.open(Output(url=url))))
        assert caught.value.kind is FailureKind.EXPIRED


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(422, typed("content_policy_violation")), "moderated"),
        (answer(422, typed("value_error", "content_policy_violation")), "moderated"),
        (answer(422, typed("image_too_small")), "invalid"),
        (answer(422, typed("a_new_type"), x_fal_retryable="true"), "unusable"),
        (answer(422, typed("a_new_type"), x_fal_retryable="false"), "invalid"),
        (answer(504, typed("generation_timeout")), "timed_out"),
        (answer(500, typed("internal_server_error")), "unusable"),
        (answer(504, {"detail": "Request timed out", "error_type": "request_timeout"}), "timed_out"),
        (answer(503, "", x_fal_error_type="runner_disconnected"), "unusable"),
        (answer(422, {"detail": "some words"}), "invalid"),
        (answer(500, {"detail": "Internal Server Error"}, x_fal_request_id="r-1"), "unusable"),
        (answer(500, {"detail": "Internal Server Error"}), None),
        (answer(503, {"detail": "Service unavailable"}, x_fal_request_id="r-1"), None),
        (answer(502, "<html>nginx</html>"), None),
        (answer(429, typed("anything")), None),
        (answer(401, {"detail": "no"}), None),
    ],
)
async def test_why_a_completed_request_has_no_result_is_told_by_type(given: Answer, kind: str | None) -> None:
    assert errors.ended(given, errors.NOTHING) == kind


async def test_what_the_person_wrote_is_not_quoted(fal: FalProvider) -> None:
    assert "a secret" not in fal.words_of(answer(422, typed("value_error")))


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (answer(403, {"detail": "User is locked. Reason: Exhausted balance. Top up at fal.ai"}), "out_of_credit"),
        (answer(403, {"detail": "User is locked. Reason: TOP_UP."}), "out_of_credit"),
        (answer(403, {"detail": "User is locked. Reason: Admin lock. Please contact support@fal.ai."}), "unauthorized"),
        (answer(403, {"detail": "Access denied"}), "unauthorized"),
        (answer(404, {"detail": "Application not found"}), "retired"),
        (answer(404, "<html>no such page</html>"), "invalid"),
        (answer(422, typed("content_policy_violation")), "moderated"),
        (answer(422, typed("value_error"), x_fal_retryable="true"), "invalid"),
        (answer(504, {"detail": "Gateway Timeout", "error_type": "request_timeout"}), "ambiguous"),
        (answer(503, {"detail": "Service unavailable"}), "ambiguous"),
    ],
)
async def test_what_an_answer_to_an_order_means(fal: FalProvider, given: Answer, kind: str) -> None:
    assert fal.refusal(given, "submit").kind == kind


async def test_a_request_that_fal_does_not_know_is_gone_and_a_page_of_something_else_says_nothing(
    fal: FalProvider,
) -> None:
    assert fal.refusal(answer(404, {"detail": "Request not found"}), "question").kind is FailureKind.EXPIRED
    assert fal.refusal(answer(404, "<html>"), "question").kind is FailureKind.UNAVAILABLE


@OURS
async def test_a_request_that_is_lost_at_fal_gives_the_tokens_back(vendor: VendorBench) -> None:
    job = await vendor.order(poll="lost", poll_times=-1)
    assert await vendor.failed(job) == "expired"


@PICTURES
async def test_pictures_that_were_blacked_out_are_neither_kept_nor_paid(vendor: VendorBench) -> None:
    job = await vendor.order(results=4, outputs=1)
    done = await vendor.ended(job, State.SUCCEEDED)
    assert (len(await vendor.bench.items(job)), done.captured) == (1, 10)
