"""What HTTP says, as the error of a provider: a lost answer is never mistaken for a refusal, nor a refusal for a loss."""

import pytest

from mutoscope.domain.generation import FailureKind
from mutoscope.outgoing import Answer, Answered, NotAllowed, NotEmbedded, OutgoingError, Trouble, quoted
from mutoscope.providers.answers import MESSAGES, Asked, in_words, kind_of, refusal
from mutoscope.providers.port import ProviderError
from mutoscope.worker.moves import PASSING, REFUSALS, SURELY_NOT_TAKEN

K = FailureKind
UNSENT = [
    Trouble.NOT_ALLOWED, Trouble.NO_NAME, Trouble.NO_CONNECTION, Trouble.NO_TLS, Trouble.CONNECT_TIMEOUT, Trouble.BUSY,
    Trouble.CIRCUIT_OPEN, Trouble.UNREADABLE,
]  # fmt: skip


def said(status: int, keyed: bool = True) -> Answer:
    return Answer(status=status, headers={}, body=b"", where="far/x", retry_after_ms=7_000, keyed=keyed)


def raised(error: Exception, asked: Asked, table: dict[int, FailureKind] | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as caught, in_words("Far AI", asked, table):
        raise error
    return caught.value


@pytest.mark.parametrize("trouble", list(Trouble))
def test_a_submit_of_which_nothing_left_is_surely_not_taken_and_of_any_other_nobody_can_say(trouble: Trouble) -> None:
    sent = trouble not in UNSENT
    error = raised(OutgoingError(trouble, "far/x", sent=sent, retry_after_ms=5), "submit")
    assert (error.kind in SURELY_NOT_TAKEN, error.kind is K.AMBIGUOUS) == (not sent, sent)
    assert error.retry_after_ms == 5


@pytest.mark.parametrize("status", range(300, 600))
def test_to_a_submit_an_error_of_the_client_is_an_answer_and_one_of_the_server_is_unknown(status: int) -> None:
    kind = kind_of(said(status), "submit")
    if status >= 500 or status == 408:
        assert kind is K.AMBIGUOUS
    elif status in {425, 429, 301, 307, 308}:
        assert kind in SURELY_NOT_TAKEN
    elif status < 400:
        # "See other", say, is how some tell where to look for what they took.
        assert kind is K.AMBIGUOUS
    else:
        assert kind in REFUSALS


@pytest.mark.parametrize("status", range(300, 600))
def test_no_status_alone_ends_a_job_that_was_only_asked_for(status: int) -> None:
    assert kind_of(said(status), "question") in PASSING


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, K.INVALID), (413, K.INVALID), (404, K.UNAVAILABLE), (503, K.UNAVAILABLE), (303, K.UNAVAILABLE)],
)
def test_a_file_that_goes_before_an_order_is_refused_or_comes_again(status: int, kind: FailureKind) -> None:
    assert kind_of(said(status), "upload") is kind


@pytest.mark.parametrize(
    ("asked", "status", "keyed", "kind"),
    [
        ("submit", 429, True, K.RATE_LIMITED), ("submit", 402, True, K.OUT_OF_CREDIT), ("submit", 401, True, K.UNAUTHORIZED),
        ("submit", 422, True, K.INVALID), ("submit", 200, True, K.AMBIGUOUS),
        ("question", 404, True, K.UNAVAILABLE), ("question", 503, True, K.UNAVAILABLE), ("question", 401, True, K.UNAUTHORIZED),
        ("result", 404, True, K.EXPIRED), ("result", 403, True, K.UNAUTHORIZED), ("result", 403, False, K.EXPIRED),
        ("result", 500, False, K.UNAVAILABLE), ("result", 429, False, K.RATE_LIMITED),
    ],
)  # fmt: skip
def test_the_default_table(asked: Asked, status: int, keyed: bool, kind: FailureKind) -> None:
    assert raised(Answered(said(status, keyed)), asked).kind is kind
    assert raised(Answered(said(status, keyed)), asked, {status: K.RETIRED}).kind is K.RETIRED


def test_a_refusal_has_the_providers_words_for_the_administrator_and_ours_for_the_person() -> None:
    error = refusal(said(422), "Far AI", "submit", said="prompt: too long" + "x" * 10_000)
    assert error.detail.startswith("far/x answered 422: prompt: too long")
    assert len(error.detail) < 600
    assert "far/x" not in error.message
    assert "Far AI" in error.message
    assert error.retry_after_ms == 7_000


def test_a_result_that_may_not_be_asked_is_as_good_as_gone_and_a_question_is_asked_again() -> None:
    for trouble in (Trouble.NOT_ALLOWED, Trouble.REDIRECTED):
        assert raised(OutgoingError(trouble, "far/x", sent=False), "result").kind is K.EXPIRED
        assert raised(OutgoingError(trouble, "far/x", sent=False), "question").kind is K.UNAVAILABLE
    assert raised(OutgoingError(Trouble.CUT, "far/x", sent=True), "result").kind is K.UNAVAILABLE


def test_a_file_that_cannot_be_read_from_the_answer_to_a_submit_is_ambiguous() -> None:
    assert raised(NotEmbedded("cut"), "submit").kind is K.AMBIGUOUS
    assert raised(NotEmbedded("cut"), "result").kind is K.UNAVAILABLE


def test_an_id_of_the_providers_cannot_lead_to_another_path() -> None:
    assert quoted("a/b?c#d é%2e") == "a%2Fb%3Fc%23d%20%C3%A9%252e"
    for part in ("", ".", ".."):
        with pytest.raises(NotAllowed):
            quoted(part)
    assert raised(NotAllowed("no"), "question").kind is K.UNAVAILABLE


def test_every_kind_has_words() -> None:
    assert set(MESSAGES) == set(FailureKind)
