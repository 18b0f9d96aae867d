"""Search: how an item becomes terms, and how what a person types becomes a query over terms.

A term is a normalised word (NFKC, case folded), a pair of neighbouring CJK characters, or a field and a value such as
``kind:video``. A term holds no white space. An item has two sets: *open*, that strangers may search, and *withheld*.
A query is a conjunction; the answer is in the order of publication, newest first. A store needs to know no more.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec

from mutoscope.domain.errors import Invalid
from mutoscope.domain.ids import Millis
from mutoscope.domain.media import Media

QUERY_CHARS = 500
QUERY_TERMS = 20
TERM_CHARS = 64

CJK = r"\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{CJK}]+|(?:(?![{CJK}])[^\W_])+(?:['’](?:(?![{CJK}])[^\W_])+)*")

_NO_TEXT = re.compile("[\0\ud800-\udfff]")
"""What no database takes as text: NUL, and halves of characters."""

FIELDS = ("kind", "model", "provider", "tag", "category", "owner", "orientation")
"""Fields that are terms."""
BOUNDS = ("after", "before", "longer", "shorter")


def words(text: str) -> list[str]:
    """The terms of a text, in order, with repeats.

    >>> words("The Café's 夜空 2026")
    ["the", "café's", "夜空", "2026"]
    """
    terms: list[str] = []
    for run in _RUNS.findall(unicodedata.normalize("NFKC", text).casefold()):
        if re.match(f"[{CJK}]", run) and len(run) > 1:
            terms += (run[i : i + 2] for i in range(len(run) - 1))
        else:
            terms.append(run.replace("’", "'")[:TERM_CHARS])
    return terms


def field(name: str, value: str) -> str:
    """The term for a field's value; white space becomes a hyphen.

    >>> field("tag", "Film Noir")
    'tag:film-noir'
    """
    return f"{name}:" + "-".join(_NO_TEXT.sub("", unicodedata.normalize("NFKC", value)).casefold().split())[:TERM_CHARS]


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an item is found by. The two sets are disjoint."""

    open: frozenset[str]
    withheld: frozenset[str]


GALLERY = "in:gallery"
EVERYTHING = "in:everything"


def library(owner_id: str) -> str:
    """The scope of one person's items that are not in the trash."""
    return f"in:library:{owner_id}"


def trash(owner_id: str) -> str:
    """The scope of one person's trash."""
    return f"in:trash:{owner_id}"


def terms_of(item: Media, owner_name: str) -> Terms:
    """The terms of an item. What came from the prompt, and the settings, are withheld while it is locked."""
    open_ = {
        EVERYTHING,
        field("kind", item.facts.kind),
        field("owner", owner_name),
        field("orientation", item.facts.orientation),
    }
    open_.add(trash(item.owner_id) if item.trashed_at is not None else library(item.owner_id))
    if item.listed:
        open_.add(GALLERY)
    open_.add(field("category", item.category))
    own: set[str] = set()
    derived: set[str] = {field("model", item.model), field("provider", item.provider), *words(item.prompt)}
    for name, text in (("title", item.title), ("description", item.description)):
        (derived if name in item.prompt_words else own).update(words(text))
    for tag in item.tags:
        (derived if "tags" in item.prompt_words else own).update({field("tag", tag), *words(tag)})
    open_ |= own
    if not item.locked:
        return Terms(open=frozenset(open_ | derived), withheld=frozenset())
    return Terms(open=frozenset(open_), withheld=frozenset(derived - open_))


Sort = Literal["newest", "oldest", "longest", "shortest", "popular", "liked"]
"""``popular``: most views first; ``liked``: most likes first."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Items that have every term of ``all``, a term beginning with each of ``prefixes``, and none of ``none``.

    Bounds are half-open: after <= published < before; longer <= duration_s <= shorter.
    """

    all: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    after: Millis | None = None
    before: Millis | None = None
    longer_s: float | None = None
    shorter_s: float | None = None
    sort: Sort = "newest"


_TOKEN = re.compile(r'(-?)(?:([a-z]+):)?(?:"([^"]*)"|(\S+))', re.IGNORECASE)


def parse(text: str, sort: Sort = "newest") -> Query:
    """What a person typed, as a query.

    Words must all be there; ``-word`` must not; ``word*`` matches a beginning; ``tag:noir``, ``kind:video``,
    ``owner:alice``, ``model:local/dream``, ``category:...``, ``orientation:portrait`` match fields;
    ``after:2026-11-01``, ``before:2026-12-01``, ``longer:5`` and ``shorter:10`` (seconds) are bounds. What is none of
    these is read as words. Raises Invalid when it is too long, or a bound is excluded or is no date or number.
    """
    if len(text) > QUERY_CHARS:
        raise Invalid(f"A search may have {QUERY_CHARS} characters.", {"q": "too long"})
    wanted: list[str] = []
    prefixes: list[str] = []
    unwanted: list[str] = []
    bounds: dict[str, float | int] = {}
    for minus, name, quoted, bare in _TOKEN.findall(text):
        name, value = name.lower(), quoted or bare
        if minus and name in BOUNDS:
            raise Invalid("A bound cannot be excluded: turn it around.", {"q": f"write {name}: without the minus"})
        if name in ("after", "before"):
            bounds[name] = day(value, "q")
        elif name in ("longer", "shorter"):
            bounds[f"{name}_s"] = seconds(value, "q")
        elif name in FIELDS:
            (unwanted if minus else wanted).append(field(name, value))
        else:
            found = words(f"{name} {value}" if name else value)
            if value.endswith("*") and found and not minus and len(found[-1]) > 1:
                prefixes.append(found.pop())
            (unwanted if minus else wanted).extend(found)
    if len(wanted) + len(prefixes) + len(unwanted) > QUERY_TERMS:
        raise Invalid(f"A search may have {QUERY_TERMS} words.", {"q": "too many words"})
    return Query(
        all=_once(wanted),
        prefixes=_once(prefixes),
        none=_once(unwanted),
        sort=sort,
        **bounds,  # pyright: ignore[reportArgumentType]  # the names are the bounds' own
    )


def _once(terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(terms))


def day(text: str, name: str) -> Millis:
    """The start of a day such as 2026-11-22 (UTC), in milliseconds. Raises Invalid, naming the field."""
    try:
        moment = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError:
        raise Invalid("A date is written like 2026-11-22.", {name: f"{text[:40]!r} is not a date"}) from None
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def seconds(text: str, name: str) -> float:
    """A number of seconds. Raises Invalid, naming the field."""
    if not re.fullmatch(r"\d{1,6}(\.\d{1,3})?", text):
        raise Invalid("A length is a number of seconds.", {name: f"{text[:40]!r} is not a number of seconds"})
    return float(text)
