"""What is said of a bucket's server that refuses or is silent."""

import pytest

from mutoscope.blobs.sentences import sentence

SILENT = (
    "Generic S3 error: error sending request for url (http://127.0.0.1:40307/films/videos/med_x403) operation timed out"
)
FORBIDDEN = "Generic S3 error: Server returned non-2xx status code: 403 Forbidden: "


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (SILENT, "does not answer"),
        (FORBIDDEN, "may not put"),
        ("<Error><Code>AccessDenied</Code></Error>", "may not put"),
        ("<Error><Code>SlowDown</Code></Error>", "too busy"),
        ("<Error><Code>TeaPot</Code></Error>", "refused to put: TeaPot"),
    ],
)
def test_a_port_or_a_name_is_not_taken_for_a_refusal(said: str, words: str) -> None:
    assert words in sentence(said, "put")
