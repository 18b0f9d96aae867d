"""What may stand in the words that people type: titles, tags, descriptions, prompts.

Letters of every script and joined emoji are fine. Control characters say nothing and break terminals and files;
characters that turn the direction of writing let a title pose as another one, or spill over what stands beside it.
"""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
_TURN = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""Bidi embeddings, overrides and isolates (UAX 9); the marks U+200E and U+200F stay, right-to-left scripts need them."""

_UNSEEN = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]*"
)
"""White space, and what Unicode calls Default_Ignorable_Code_Point: zero-width characters, fillers, selectors."""


def is_blank(text: str) -> bool:
    """Whether there is nothing in it to see: white space and zero-width characters alone, or nothing at all."""
    return _UNSEEN.fullmatch(text) is not None


def wrong_in_text(text: str) -> str | None:
    """What is wrong with a text of several lines, as half a sentence; None when nothing is."""
    if _CONTROL.search(text.replace("\r\n", "\n")):
        return "holds a control character: type it anew, or paste it as plain text"
    return None


def wrong_in_line(text: str) -> str | None:
    """What is wrong with a text of one line, such as a title or tag, as half a sentence; None when nothing is."""
    if _BREAK.search(text):
        return "must be one line, without tabs"
    if _TURN.search(text):
        return "holds a character that turns the direction of writing: leave it out"
    return wrong_in_text(text)


def one_line(text: str) -> str:
    """The text as one line that `wrong_in_line` has nothing against."""
    return " ".join(_CONTROL.sub(" ", _TURN.sub("", text)).split())
