"""Files inside JSON: the same as the real reader of JSON gives, wherever the stream is cut into chunks."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutoscope.outgoing.embedded import Embedded, base64_field
from mutoscope.outgoing.scanner import NotEmbedded


async def chunked(content: bytes, sizes: list[int]) -> AsyncIterator[bytes]:
    at = 0
    for size in sizes:
        yield content[at : at + size]
        at += size
    yield content[at:]


async def read(content: bytes, wanted: list[str], sizes: list[int], rest_bytes: int = 10_000) -> tuple[Any, Any]:
    embedded = Embedded(chunked(content, sizes), wanted, rest_bytes)
    files: dict[str, bytes] = {}
    async for place, pieces in embedded.files():
        files[place] = b"".join([piece async for piece in pieces])
    return files, embedded.rest


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.text(max_size=6).filter(lambda key: key not in {"data", "video"})
BASE64 = st.binary(min_size=1, max_size=200).map(lambda b: base64.b64encode(b).decode())


def spelled(text: str, dice: st.DataObject) -> str:
    """A JSON string of base64 as other writers spell it: escaped slashes and plus signs, broken lines."""
    out = []
    for letter in text:
        ways = {"/": ["/", "\\/", "\\u002f"], "+": ["+", "\\u002B"], "=": ["=", "\\u003d"]}.get(letter, [letter])
        out.append(dice.draw(st.sampled_from(ways)))
    return '"' + dice.draw(st.sampled_from(["", "\\n", "\\r\\n"])).join(["".join(out[:76]), "".join(out[76:])]) + '"'


@settings(max_examples=100, deadline=None)
@given(dice=st.data())
async def test_files_and_the_rest_are_what_the_json_module_reads(dice: st.DataObject) -> None:
    videos = dice.draw(st.lists(BASE64, max_size=3))
    fields: list[tuple[str, str]] = [
        ("data", "[" + ",".join(f'{{"b64_json" : {spelled(v, dice)}, "n": 1}}' for v in videos) + "]"),
        *((key, json.dumps(value)) for key, value in dice.draw(st.dictionaries(KEYS, VALUES, max_size=4)).items()),
    ]  # fmt: skip
    single = dice.draw(st.none() | BASE64)
    fields += [("video", spelled(single, dice))] if single is not None else []
    fields = dice.draw(st.permutations(fields))
    white = dice.draw(st.sampled_from(["", " ", "\n\t "]))
    content = ("{" + ("," + white).join(f"{json.dumps(k)}{white}:{white}{v}" for k, v in fields) + "}" + white).encode()
    sizes = dice.draw(st.lists(st.integers(0, 40), max_size=60))

    files, rest = await read(content, ["video", "data[].b64_json"], sizes)
    whole = json.loads(content)
    expected = {}
    if isinstance(whole.get("video"), str) and single is not None:
        expected["video"], whole["video"] = base64.b64decode(whole["video"]), ""
    for place, item in enumerate(whole["data"]):
        expected[f"data[{place}].b64_json"], item["b64_json"] = base64.b64decode(item["b64_json"]), ""
    assert files == expected
    assert rest == whole


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), max_size=40), stop=st.integers(0, 83))
async def test_json_that_is_cut_anywhere_is_an_error(sizes: list[int], stop: int) -> None:
    content = json.dumps({"seed": 7, "video": base64.b64encode(b"film" * 9).decode(), "end": "x"}).encode()
    assert len(content) == 84
    with pytest.raises(NotEmbedded):
        await read(content[:stop], ["video"], sizes)


@pytest.mark.parametrize(
    "content",
    [
        b'{"video": "AA*A"}', b'{"video": "AAA"}', b'{"video": "AA==AAAA"}', b'{"video": "A\\u00e9AA"}',
        b'{"video": "AAA\\""}', b'{"video": "====" }', b'{"video": "data:video/mp4"}', b'{"video": "QUJD", "video": "QUJD"}',
        b'{"video": "QUJD"', b'{"video": "QUJD"}}', b'{"video": "QUJD"]', b'"video": "QUJD"', b"", b"<html>", b'{"video" "QUJD"}',
        b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", b'{"' + b"k" * 2_000 + b'": 1}', b'{"a": "' + b"x" * 20_000 + b'"}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("sizes", [[], [1] * 200])
async def test_what_is_not_right_is_said(content: bytes, sizes: list[int]) -> None:
    with pytest.raises(NotEmbedded):
        await read(content, ["video"], sizes)


async def test_places_are_told_apart() -> None:
    content = b'{"artifacts": [{"base64": "QQ=="}, {"base64": "Qg=="}], "video": ["QQ=="], "x": {"video": "not base64!"}, "y": "video"}'
    files, rest = await read(content, ["video", "artifacts[1].base64"], [3, 5, 7])
    assert files == {"artifacts[1].base64": b"B"}
    assert rest["artifacts"] == [{"base64": "QQ=="}, {"base64": ""}]
    assert rest["x"] == {"video": "not base64!"}


async def test_a_data_address_is_read_and_an_empty_string_or_none_is_no_file() -> None:
    content = b'{"a": "data:image/png;base64,QUJD", "b": "", "c": null, "d": "data"}'
    files, rest = await read(content, ["a", "b", "c", "d"], [1] * 80)
    assert files == {"a": b"ABC", "d": base64.b64decode("data")}
    assert rest == {"a": "", "b": "", "c": None, "d": ""}


async def test_a_file_that_is_left_half_read_is_skipped() -> None:
    content = json.dumps({"data": [{"b": base64.b64encode(bytes([n]) * 999).decode()} for n in range(3)]}).encode()
    embedded = Embedded(chunked(content, [100] * 50), ["data[].b"])
    begun = []
    async for _, pieces in embedded.files():
        begun.append(await anext(pieces))
        await pieces.aclose()
        with pytest.raises(RuntimeError):
            _ = embedded.rest
    assert [piece[:1] for piece in begun] == [b"\0", b"\1", b"\2"]
    assert embedded.rest == {"data": [{"b": ""}] * 3}


async def test_one_field_alone_must_be_there() -> None:
    assert [piece async for piece in base64_field(chunked(b'{"image": "QUJD"}', []), "image")] == [b"ABC"]
    with pytest.raises(NotEmbedded, match="no image"):
        _ = [piece async for piece in base64_field(chunked(b'{"finish_reason": "CONTENT_FILTERED"}', []), "image")]
