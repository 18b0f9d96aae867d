"""Our signed addresses against those of botocore, which is the reference: the same string for the same input."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

import cast
from mutoscope.blobs.s3 import S3Place
from mutoscope.blobs.sigv4 import LONGEST_S, Signer
from mutoscope.domain.ids import SECOND, Millis
from mutoscope.domain.media import Kind, Variant, key_for

# What a signer is given is an address whose path is not quoted, so a key may not hold what ends a path.
TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="?#"), min_size=1)
OUR_KEYS = st.builds(
    key_for,
    st.sampled_from(Kind),
    st.builds(lambda: cast.ids.new("med")),
    st.sampled_from(Variant),
    st.just("video/mp4"),
)
HOSTS = st.sampled_from(
    [
        "https://films.s3.eu-central-1.amazonaws.com",
        "https://s3.eu-central-1.amazonaws.com/fi.lms",
        "http://127.0.0.1:9000/films",
        "http://storage.example:80/films",
        "https://storage.example:443/films",
        "https://Storage.Example/films",
        "http://[::1]:9000/films",
        "http://[::1]/films",
    ]
)
SIGNERS = st.builds(
    Signer,
    access_key_id=st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=4, max_size=32),
    secret_access_key=st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1, max_size=64),
    region=st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2", "garage"]),
    session_token=st.none() | st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), min_size=1),
)
TIMES = st.integers(0, 4_102_444_799).map(lambda seconds: seconds * SECOND)
"""Until 2099."""
QUERIES = st.sampled_from([{}, {"uploads": ""}, {"uploads": "", "prefix": "videos/med_"}]) | st.fixed_dictionaries(
    {"uploadId": TEXTS}
)


def botocore_signs(signer: Signer, url: str, at: Millis, seconds: int, method: str, query: Mapping[str, str]) -> str:
    """The address that botocore makes of the same."""
    parts = urlsplit(url)
    asked = AWSRequest(
        method, f"{parts.scheme}://{parts.netloc}{quote(parts.path, safe='/~')}", params=dict(query) or None
    )
    keys = Credentials(signer.access_key_id, signer.secret_access_key, signer.session_token)
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(at // 1000, UTC)):
        S3SigV4QueryAuth(keys, "s3", signer.region, seconds).add_auth(asked)
    assert asked.url is not None
    return asked.url


def in_order(url: str) -> tuple[str, list[str]]:
    """The address, with the parts of its query in one order: servers sort them before they look at the signature."""
    address, _, query = url.partition("?")
    return address, sorted(query.split("&"))


@given(
    SIGNERS,
    HOSTS,
    OUR_KEYS | TEXTS,
    TIMES,
    st.integers(1, LONGEST_S),
    st.sampled_from(["GET", "PUT", "DELETE"]),
    QUERIES,
)
def test_an_address_is_the_one_that_botocore_makes(
    signer: Signer, host: str, key: str, at: Millis, seconds: int, method: str, query: dict[str, str]
) -> None:
    url = f"{host}/{key}"
    theirs = botocore_signs(signer, url, at, seconds, method, query)
    assert in_order(signer.sign(url, at, seconds, method, query)) == in_order(theirs)


@given(SIGNERS.filter(lambda signer: signer.session_token is None), OUR_KEYS, TIMES, st.integers(1, LONGEST_S))
def test_an_address_of_an_object_by_a_lasting_key_is_the_same_to_the_letter(
    signer: Signer, key: str, at: Millis, seconds: int
) -> None:
    url = f"https://films.s3.eu-central-1.amazonaws.com/{key}"
    assert signer.sign(url, at, seconds) == botocore_signs(signer, url, at, seconds, "GET", {})


PLACES = [
    S3Place(bucket="films", region="eu-central-1"),
    S3Place(bucket="films", region="us-east-1"),
    S3Place(bucket="my.films", region="us-west-2"),
    S3Place(bucket="films", region="garage", endpoint="http://127.0.0.1:3900"),
    S3Place(bucket="my.films", endpoint="https://storage.example"),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.address)
def test_the_whole_client_of_botocore_asks_for_the_same_address(place: S3Place) -> None:
    signer = Signer(access_key_id="AKID", secret_access_key="s" * 40, region=place.region)
    key, at = "videos/a b+ü.mp4", 0
    client: Any = Session().create_client(
        "s3", region_name=place.region, endpoint_url=place.endpoint,
        aws_access_key_id="AKID", aws_secret_access_key="s" * 40,
        config=Config(signature_version="s3v4", s3={"us_east_1_regional_endpoint": "regional", "addressing_style": style(place)}),
    )  # fmt: skip
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(at, UTC)):
        theirs = client.generate_presigned_url("get_object", {"Bucket": place.bucket, "Key": key}, 600)
    assert signer.sign(f"{place.address}/{key}", at, 600) == theirs


def style(place: S3Place) -> str:
    """How botocore is told what we do by ourselves."""
    return "path" if place.endpoint or "." in place.bucket else "virtual"


@pytest.mark.parametrize("seconds", [0, -1, LONGEST_S + 1])
def test_an_address_for_longer_than_s3_allows_is_refused(seconds: int) -> None:
    signer = Signer(access_key_id="AKID", secret_access_key="secret", region="us-east-1")
    with pytest.raises(ValueError, match="1 second to 7 days"):
        signer.sign("https://films.s3.amazonaws.com/a", 0, seconds)
