"""An item: one picture or film that is kept, with everything that is known of it."""

import re
from enum import StrEnum
from typing import Any

import msgspec

from mutoscope.domain.ids import ULID, Millis
from mutoscope.domain.text import is_blank, one_line


class Kind(StrEnum):
    """What an item is."""

    IMAGE = "image"
    VIDEO = "video"


class Visibility(StrEnum):
    """Who may find an item: its owner; anyone with the address; everyone."""

    PRIVATE = "private"
    UNLISTED = "unlisted"
    PUBLIC = "public"


class Variant(StrEnum):
    """The files of an item. The master is the provider's bytes, untouched."""

    MASTER = "master"
    POSTER = "poster"
    THUMB_SMALL = "thumb-320"
    THUMB_MEDIUM = "thumb-640"
    THUMB_LARGE = "thumb-1280"
    PREVIEW = "preview"
    STORYBOARD = "storyboard"
    STORYBOARD_VTT = "storyboard-vtt"
    BLURRED = "blurred"
    BLURRED_SMALL = "blurred-320"
    BLURRED_PREVIEW = "blurred-preview"


BLURRED = frozenset({Variant.BLURRED, Variant.BLURRED_SMALL, Variant.BLURRED_PREVIEW})
"""What strangers see of a locked item."""

THUMB_WIDTHS_PX = {Variant.THUMB_SMALL: 320, Variant.THUMB_MEDIUM: 640, Variant.THUMB_LARGE: 1280}


class Previews(StrEnum):
    """The step after publication that makes the preview loop and the storyboard."""

    PENDING = "pending"
    DONE = "done"
    NONE = "none"
    """Nothing to make: a picture, or a film of one frame."""
    FAILED = "failed"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What decoding a file told of it. ``duration_s`` and ``fps`` are None for a picture."""

    kind: Kind
    mime_type: str
    codec: str
    width: int
    height: int
    size_bytes: int
    sha256: str
    duration_s: float | None = None
    fps: float | None = None
    frames: int | None = None
    has_audio: bool = False

    @property
    def orientation(self) -> str:
        """landscape, portrait or square (within 2 percent)."""
        if abs(self.width - self.height) * 50 <= max(self.width, self.height):
            return "square"
        return "landscape" if self.width > self.height else "portrait"


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One variant in the blob store. ``width`` and ``height`` in pixels, 0 where there is no picture."""

    key: str
    mime_type: str
    size_bytes: int
    width: int = 0
    height: int = 0


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """One item. ``seq`` is its place in the order of publication, given by the store."""

    id: str
    owner_id: str
    generation_id: str | None
    facts: Facts
    files: dict[Variant, StoredFile]
    placeholder: str
    """ThumbHash (https://evanw.github.io/thumbhash/), base64."""
    title: str
    description: str
    prompt: str
    negative_prompt: str
    category: str
    tags: tuple[str, ...]
    category_selections: dict[str, list[str]]
    prompt_words: frozenset[str]
    """Which of title, description and tags came from the prompt and not from the owner; withheld with it."""
    model: str
    provider: str
    seed: int | None
    parameters: dict[str, Any]
    visibility: Visibility
    created_at: Millis
    updated_at: Millis
    unlock_price: int = 0
    is_blurred: bool = False
    blur_intensity: int = 80
    blurred: int | None = None
    """Of which intensity the blurred files are; None without them."""
    views: int = 0
    unlocks: int = 0
    likes: int = 0
    ai_generated: bool = True
    hidden: bool = False
    """Taken out of sight by an administrator."""
    trashed_at: Millis | None = None
    previews: Previews = Previews.NONE
    previews_attempts: int = 0
    fence: int = 0
    version: int = 1
    seq: int = 0

    @property
    def locked(self) -> bool:
        """Whether a stranger has to pay, or may only see it blurred."""
        return self.is_blurred or self.unlock_price > 0

    @property
    def needs_blur(self) -> bool:
        """Whether it is locked and its blurred files are missing, also those of a preview that came later."""
        behind = Variant.PREVIEW in self.files and Variant.BLURRED_PREVIEW not in self.files
        return self.locked and (self.blurred != self.blur_intensity or behind)

    @property
    def listed(self) -> bool:
        """Whether strangers find it in the gallery."""
        return self.visibility is Visibility.PUBLIC and self.trashed_at is None and not self.hidden


EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
    "video/x-matroska": "mkv",
    "text/vtt": "vtt",
}

AI_TAG = "ai-generated"
AI_CATEGORY = "ai-generated"
DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for media made by a trained model."""
PROCEDURAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicMedia"
"""IPTC's term for media made by an algorithm that was not trained: what the `local` provider makes."""

BLUR_INTENSITY_MAX = 100
UNLOCK_PRICE_MAX = 1_000_000
"""Tokens."""

TITLE_CHARS = 80
DESCRIPTION_CHARS = 2_000


def key_for(kind: Kind, media_id: str, variant: Variant, mime_type: str) -> str:
    """Where a variant's bytes are stored: derived from the item alone, so that a retry overwrites its own objects."""
    return f"{kind.value}s/{media_id}/{variant.value}.{EXTENSIONS.get(mime_type, 'bin')}"


def blurred_key(item: Media, variant: Variant, mime_type: str) -> str:
    """Where a blurred variant is stored: by intensity and version, so that nothing takes one for an older one."""
    name = variant.value.replace("blurred", f"blurred{item.blur_intensity}v{item.version}")
    return f"{item.facts.kind.value}s/{item.id}/{name}.{EXTENSIONS.get(mime_type, 'bin')}"


def blurred_prefix(item: Media) -> str:
    """What the keys of all blurred files of an item begin with."""
    return f"{item.facts.kind.value}s/{item.id}/blurred"


def begins_blur(before: Media | None, after: Media) -> bool:
    """Whether a change of an item begins the making of its blurred files, anew where it was under way."""
    if before is None or not before.needs_blur:
        return after.needs_blur
    came = Variant.PREVIEW in after.files and Variant.PREVIEW not in before.files
    return after.needs_blur and (came or before.blur_intensity != after.blur_intensity)


def without_old_blur(item: Media) -> Media:
    """The item without blurred files of another intensity than it has now: they may show more than is wanted."""
    if item.blurred in (None, item.blur_intensity):
        return item
    files = {variant: file for variant, file in item.files.items() if variant not in BLURRED}
    return msgspec.structs.replace(item, files=files, blurred=None)


def source_key(generation_id: str, mime_type: str) -> str:
    """Where the picture that a job starts from is stored."""
    return f"sources/{generation_id}.{EXTENSIONS.get(mime_type, 'bin')}"


_KEY = re.compile(
    rf"(?:(?:images|videos)/med_{ULID}/[a-z0-9]{{1,20}}(?:-[a-z0-9]{{1,10}})?|sources/gen_{ULID})\.[a-z0-9]{{1,5}}"
)


def is_key(text: str) -> bool:
    """Whether ``text`` has one of the two shapes of key that this program makes; nothing else reaches a blob store."""
    return _KEY.fullmatch(text) is not None


def title_from(prompt: str, kind: Kind) -> str:
    """A title made from a prompt: its first clause, cut at a word; a plain name where there is no prompt."""
    clauses = (one_line(clause) for clause in re.split(r"[.;:!?]+(?=\s|$)|\n|,\s", prompt))
    clause = next((clause for clause in clauses if re.search(r"\w", clause) and not is_blank(clause)), "")
    if not clause:
        return "Untitled picture" if kind is Kind.IMAGE else "Untitled film"
    title = clause[0].upper() + clause[1:]  # first, as some letters become two
    return title if len(title) <= TITLE_CHARS else title[: TITLE_CHARS - 1].rsplit(" ", 1)[0].rstrip() + "…"


def description_from(prompt: str, kind: Kind, model_name: str) -> str:
    """A description made from a prompt, with a good default where there is none."""
    text = " ".join(prompt.split())
    if is_blank(text):
        return f"A {'picture' if kind is Kind.IMAGE else 'film'} made with {model_name}."
    return text if len(text) <= DESCRIPTION_CHARS else text[: DESCRIPTION_CHARS - 1].rstrip() + "…"


def slug(text: str) -> str:
    """The form that tags have: lower case, words joined by hyphens; nothing where there is nothing to see."""
    if is_blank(text):
        return ""
    return "-".join(re.findall(r"\w+", text.casefold()))[:40].strip("-")


def tags_from(kind: Kind, selections: dict[str, list[str]]) -> tuple[str, ...]:
    """The tags of a generated item: that it is AI generated, its kind, and what was selected; each once, in order."""
    chosen = [slug(option) for options in selections.values() for option in options]
    return tuple(dict.fromkeys(tag for tag in [AI_TAG, kind.value, *chosen] if tag))
