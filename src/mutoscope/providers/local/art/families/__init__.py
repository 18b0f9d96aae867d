"""The families of pictures. Adding one is a module and a line here, and words for it in `theme`."""

from mutoscope.providers.local.art.canvas import Family
from mutoscope.providers.local.art.families.silk import silk

FAMILIES: dict[str, Family] = {
    "silk": silk,
}

FILMED = tuple(FAMILIES)
"""Those that move."""
