"""The families of pictures. Adding one is a module and a line here, and words for it in `theme`."""

from mutoscope.providers.local.art.canvas import Family
from mutoscope.providers.local.art.families.aurora import aurora
from mutoscope.providers.local.art.families.bokeh import bokeh
from mutoscope.providers.local.art.families.ember import ember
from mutoscope.providers.local.art.families.glass import glass
from mutoscope.providers.local.art.families.ink import ink
from mutoscope.providers.local.art.families.landscape import landscape
from mutoscope.providers.local.art.families.moire import moire
from mutoscope.providers.local.art.families.nebula import nebula
from mutoscope.providers.local.art.families.ocean import ocean
from mutoscope.providers.local.art.families.papercut import papercut
from mutoscope.providers.local.art.families.silk import silk
from mutoscope.providers.local.art.families.veil import veil

FAMILIES: dict[str, Family] = {
    "aurora": aurora,
    "bokeh": bokeh,
    "ember": ember,
    "glass": glass,
    "ink": ink,
    "landscape": landscape,
    "moire": moire,
    "nebula": nebula,
    "ocean": ocean,
    "papercut": papercut,
    "silk": silk,
    "veil": veil,
}

FILMED = tuple(FAMILIES)
"""Those that move."""
