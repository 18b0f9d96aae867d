"""Pages read as a browser reads them: whatever in them could run, or lead somewhere where something runs."""

from collections.abc import Iterator
from html.parser import HTMLParser

MARK = "qzxj7"
"""In everything that is planted, and nowhere else."""
RUNS = (
    f"<script>alert('{MARK}')</script>",
    f"\"'><img src=x onerror=alert('{MARK}')>",
    f"' onmouseover='alert(\"{MARK}\")' x='",
    f"</title></textarea></script><svg/onload=alert('{MARK}')>",
    f"javascript:alert('{MARK}')",
    f"{{{{7919*7907}}}}{{% raw %}}${{{MARK}}}",
)
REACHED = str(7919 * 7907)
"""What stands there when a template took the last of them for its own."""
PLANT = " ".join(RUNS)
"""All of them at once, for fields that take it."""
LINKS = {"href", "src", "action", "formaction", "srcset", "poster", "data", "xlink:href"}
ACTIVE = {"script", "iframe", "object", "embed", "base", "style"}
OURS = ("/assets/",)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        ours = tag == "script" and str(given.get("src")).startswith(OURS)
        if "http-equiv" in given or (tag in ACTIVE and not ours):
            self.wrong.append(f"<{tag} {given}>")
        for name, value in attrs:
            text = (value or "").strip().lower()
            led = name in LINKS and text.startswith(("javascript:", "vbscript:", "data:text"))
            if led or name.startswith("on") or name in ("style", "srcdoc"):
                self.wrong.append(f"<{tag} {name}={value!r}>")


def what_runs(page: str) -> list[str]:
    """Elements and attributes that would run something that is not our own, or take a browser to it."""
    reader = _Page()
    reader.feed(page)
    reader.close()
    return reader.wrong


def pieces(plant: str, most: int) -> Iterator[str]:
    """The plant as fields of so many characters take it."""
    yield from [run for run in RUNS if len(run) <= most] if len(plant) > most else [plant]
