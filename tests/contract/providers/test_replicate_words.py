"""Replicate's words alone: outputs of any shape, errors, refusals for the content, times to wait, progress in the logs."""

import json
from typing import Any

import pytest

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer
from mutoscope.providers.replicate import wire


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ("https://a.replicate.delivery/1.png", 1),
        (["https://a.replicate.delivery/1.png", "https://a.replicate.delivery/2.png"], 2),
        ([None, "https://a.replicate.delivery/2.png", 7], 1),
        ({"seed": 7, "film": "https://a.replicate.delivery/1.mp4", "more": {"still": ["https://b.example/2"]}}, 2),
        (None, 0), ([], 0), ({}, 0), ("words", 0), ("data:image/png;base64,AAAA", 0), (True, 0),
        ([[[[[[["https://a.replicate.delivery/1.png"]]]]]]], 0),
    ],
)  # fmt: skip
def test_an_output_of_any_shape_gives_its_addresses_in_order(output: Any, found: int) -> None:
    outputs = wire.outputs_of(wire.Prediction(id="p", output=output))
    assert len(outputs) == found
    assert [one.url for one in outputs] == sorted(str(one.url) for one in outputs)


@pytest.mark.parametrize(
    ("words", "moderated"),
    [
        ("The input or output was flagged as sensitive. Please try again with different inputs. (E005)", True),
        ("All generated images contained NSFW content. Try running it again with a different prompt.", True),
        ("Content was flagged by the safety system. Try different prompts or inputs.", True),
        ("Request blocked: The uploaded audio was flagged by Google safety review.", True),
        ("CUDA out of memory", False), ("prompt is required", False), ("E1001", False),
        ("disable_safety_checker: Invalid value", False), ("the server is busy", False), ("", False),
    ],
)  # fmt: skip
def test_a_refusal_for_the_content_is_told_from_other_failures(words: str, moderated: bool) -> None:
    assert wire.is_moderated(words) is moderated


def answered(status: int, body: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={}, body=content, where="api.replicate.com/v1/predictions")


@pytest.mark.parametrize(
    ("asked", "status", "body", "kind"),
    [
        ("submit", 422, {"title": "Invalid version or not permitted", "detail": "..."}, FailureKind.RETIRED),
        ("submit", 422, {"detail": "- input: prompt is required\n"}, None),
        ("submit", 404, {"detail": "could not be found"}, FailureKind.RETIRED),
        ("submit", 404, b"<html>a gateway", None), ("question", 404, b"<html>a gateway", None),
        ("question", 404, {"detail": "could not be found"}, FailureKind.EXPIRED),
        ("question", 422, {"detail": "flagged as sensitive"}, None),
        ("submit", 400, {"title": None, "detail": [{"msg": "flagged as sensitive"}]}, FailureKind.MODERATED),
        ("submit", 500, {"detail": "flagged as sensitive"}, None), ("submit", 503, b"\xff", None),
    ],
)  # fmt: skip
def test_errors_mean_what_replicate_says_and_a_gateway_on_the_way_ends_nothing(
    asked: Any, status: int, body: Any, kind: FailureKind | None
) -> None:
    assert wire.kind_of(answered(status, body), asked) is kind


@pytest.mark.parametrize(
    ("status", "body", "wait_ms"),
    [
        (429, {"detail": "Request was throttled. Your rate limit resets in ~30s."}, 30_000),
        (429, {"detail": "Request was throttled. Expected available in 1 second."}, 1_000),
        (429, {"detail": "Reduced to 6 requests per minute. Your rate limit resets in ~10s.", "retry_after": 4}, 4_000),
        (429, {"detail": "Request was throttled."}, None), (429, b"slow down", None),
        (429, {"retry_after": 1e9}, 3_600_000), (503, {"detail": "resets in ~30s"}, None),
    ],
)  # fmt: skip
def test_how_long_to_wait_is_read_from_the_words_too(status: int, body: Any, wait_ms: int | None) -> None:
    assert wire.retry_after_ms(answered(status, body)) == wait_ms


@pytest.mark.parametrize(
    ("logs", "progress"),
    [(None, None), ("", None), ("seed: 50%", None), ("  0%|   | 0/4\r 75%|###| 3/4\ndone", 0.75), (["x"], None)],
)
def test_progress_is_the_last_bar_in_the_logs(logs: Any, progress: float | None) -> None:
    assert wire.progress_of(wire.Prediction(id="p", logs=logs)) == progress
