"""Words to colours and forms: a small vocabulary, and dice thrown by the whole prompt for all that it does not know."""

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np

from mutoscope.domain.search import words
from mutoscope.providers.local.art.colour import Colours, Lch, one, ramp
from mutoscope.providers.local.art.pixels import Dice

VERSION = "1"
"""Of the drawing: another version draws other pictures from the same words."""


class Tone(msgspec.Struct, frozen=True, kw_only=True):
    """What a word does to the colours: sets hues (degrees), shifts lightness, multiplies chroma."""

    hue: float | None = None
    accent: float | None = None
    light: float = 0.0
    chroma: float = 1.0


_TONES: dict[str, Tone] = {
    "red crimson scarlet blood ruby": Tone(hue=25),
    "orange copper rust": Tone(hue=55),
    "amber gold golden honey brass": Tone(hue=62, accent=90),
    "yellow lemon": Tone(hue=105),
    "green emerald jade moss": Tone(hue=150),
    "teal turquoise cyan": Tone(hue=195),
    "blue azure cobalt sapphire": Tone(hue=255),
    "indigo ultramarine": Tone(hue=275),
    "purple violet lavender amethyst lilac": Tone(hue=305),
    "pink rose magenta blossom cherry": Tone(hue=350),
    "brown earth wood coffee": Tone(hue=60, chroma=0.55, light=-0.04),
    "night midnight dark": Tone(light=-0.16),
    "moon moonlight moonlit": Tone(hue=260, light=-0.14, chroma=0.6),
    "noir shadow shadows gothic": Tone(light=-0.12, chroma=0.12),
    "monochrome grey gray black white graphite charcoal": Tone(chroma=0.0),
    "sepia vintage nostalgic old": Tone(hue=70, accent=55, chroma=0.5),
    "pastel soft gentle watercolour watercolor": Tone(light=0.12, chroma=0.7),
    "neon cyberpunk synthwave": Tone(hue=320, accent=210, light=-0.08, chroma=1.5),
    "vivid jewel joyful carnival tropical": Tone(chroma=1.35),
    "melancholy sad rain rainy overcast mist misty fog foggy": Tone(chroma=0.45, light=0.02),
    "fire flame flames ember embers lava volcano inferno": Tone(hue=40, accent=85, light=-0.08, chroma=1.35),
    "candle candlelight lantern campfire": Tone(hue=60, accent=85, light=-0.08),
    "ocean sea wave waves underwater": Tone(hue=235, accent=195),
    "forest jungle woods meadow": Tone(hue=150, accent=105),
    "desert dune dunes sand": Tone(hue=62, accent=40),
    "sunset dusk golden-hour evening": Tone(hue=35, accent=320, chroma=1.15),
    "dawn sunrise morning": Tone(hue=20, accent=265, light=0.05),
    "winter snow ice frost arctic glacier": Tone(hue=235, accent=260, light=0.08, chroma=0.45),
    "autumn fall": Tone(hue=45, accent=85),
    "spring": Tone(hue=140, accent=350, light=0.08),
    "summer sun sunny": Tone(hue=85, accent=230, light=0.05),
    "space galaxy cosmos cosmic universe nebula": Tone(hue=285, accent=345, light=-0.12, chroma=1.1),
    "aurora northern borealis": Tone(hue=160, accent=300, light=-0.12),
    "warm": Tone(hue=45, accent=80),
    "cool cold": Tone(hue=235, accent=195),
}

_FORMS: dict[str, str] = {
    "landscape": "landscape mountain mountains hill hills valley desert dune dunes forest jungle woods tree trees sunset "
    "sunrise dawn dusk evening morning moon mist fog snow winter autumn lake island meadow field village road canyon",
    "ocean": "ocean sea wave waves beach shore coast sail ship boat whale horizon summer",
    "aurora": "aurora arctic northern polar ice glacier borealis",
    "nebula": "space galaxy star stars cosmos cosmic nebula universe planet astronaut sky cloud clouds heaven",
    "ink": "ink smoke watercolour watercolor underwater mist fog dream dreamlike ghost breath jellyfish tea",
    "silk": "silk flow liquid marble fabric oil wind music paint abstract ribbon dance velvet honey impressionist",
    "glass": "glass stained cathedral mosaic window crystal church jewel tile leaf butterfly",
    "moire": "pattern interference ripple ripples sound hypnotic echo signal radio vibration deco",
    "veil": "veil strange chaos lace feather thread dust spirit sculpture smoke ghost angel bird wing x-ray",
    "bokeh": "city street lights neon rain candle candlelight lantern party firefly fireflies bubble bubbles night "
    "christmas interior cyberpunk traffic noir",
    "papercut": "paper cut contour map topographic layers canyon cave coral geometric woodblock origami terrain",
    "ember": "fire flame flames ember embers lava volcano inferno campfire dragon phoenix forge",
}

TONES = {word: tone for names, tone in _TONES.items() for word in names.split()}
FORMS: dict[str, tuple[str, ...]] = {}
for _family, _names in _FORMS.items():
    for _word in _names.split():
        FORMS[_word] = (*FORMS.get(_word, ()), _family)


class Theme(msgspec.Struct, frozen=True, kw_only=True):
    """What a scene is drawn with: dark parts in ``hue``, bright ones in ``accent`` (degrees).

    ``light`` goes from -0.3 (night) to 0.2 (pastel).
    """

    words: frozenset[str]
    hue: float
    accent: float
    light: float
    chroma: float

    def says(self, *names: str) -> bool:
        """Whether the prompt has one of the words."""
        return not self.words.isdisjoint(names)

    @property
    def dark(self) -> bool:
        """Whether it is night."""
        return self.light < -0.06

    def tone(self, lightness: float, chroma: float, between: float = 0.0) -> Lch:
        """A colour of the theme, from the main hue (0) to the accent (1)."""
        turn = (self.accent - self.hue + 180) % 360 - 180
        shifted = lightness + self.light * (1 - abs(2 * lightness - 1) * 0.6)
        hue = (self.hue + turn * between) % 360
        # The shadows of yellow are brown: at its own hue they would be olive.
        hue -= _yellow(hue) * max(0.0, 0.62 - shifted) * 75
        return Lch(min(max(shifted, 0.02), 0.99), chroma * self.chroma, hue)

    def sunlit(self) -> "Theme":
        """The same two hues, the warmer one as the accent: the sky is warm where the sun is."""
        cold, warm = sorted((self.hue, self.accent), key=lambda hue: abs((hue - 65 + 180) % 360 - 180), reverse=True)
        return msgspec.structs.replace(self, hue=cold, accent=warm)

    def colour(self, lightness: float, chroma: float, between: float = 0.0) -> Colours:
        """The same as linear light."""
        return one(self.tone(lightness, chroma, between))

    def ramp(self, *stops: tuple[float, float, float]) -> Colours:
        """A way through colours given as lightness, chroma, place between main hue and accent."""
        return ramp([self.tone(*stop) for stop in stops])


def _yellow(hue: float) -> float:
    """How near a hue is to yellow, 0 to 1."""
    return max(0.0, 1 - abs(hue % 360 - 92) / 40)


def dice_for(prompt: str, seed: int, purpose: str) -> Dice:
    """Dice that always fall the same for the same words and seed."""
    text = "\n".join([VERSION, purpose, str(seed), " ".join(words(prompt))])
    return np.random.Generator(np.random.PCG64(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")))


def theme_for(prompt: str, dice: Dice) -> Theme:
    """Colours from the words that are known, otherwise from the dice."""
    said = words(prompt)
    tones = [TONES[word] for word in said if word in TONES]
    hues = list(dict.fromkeys(tone.hue for tone in tones if tone.hue is not None))
    accents = [tone.accent for tone in tones if tone.accent is not None]
    hue = hues[0] if hues else float(dice.uniform(0, 360))
    offset = float(dice.choice([-60, 45, 70, 140, 180, -110]))
    accent = hues[1] if len(hues) > 1 else accents[0] if accents else hue + offset
    if _yellow(hue) > 0.3 and _yellow(hue) > _yellow(accent):
        # Families are dark in the main hue and bright in the accent, and yellow is only seen where it is bright.
        hue, accent = accent, hue
    # The hue wanders a little with the seed, so that ten blue pictures are not one blue.
    wander = float(dice.uniform(-9, 9))
    return Theme(
        words=frozenset(said),
        hue=hue + wander,
        accent=accent - wander,
        light=max(-0.3, min(0.2, sum(tone.light for tone in tones))),
        chroma=float(np.prod([tone.chroma for tone in tones])) if tones else float(dice.uniform(0.75, 1.15)),
    )


def family_for(prompt: str, families: Sequence[str], dice: Dice) -> str:
    """One of the families: of those that the words call for, by how often, otherwise of all."""
    votes = [family for word in words(prompt) for family in FORMS.get(word, ()) if family in families]
    if not votes:
        return str(dice.choice(list(families)))
    most = max(votes.count(family) for family in votes)
    return str(dice.choice([family for family in families if votes.count(family) == most]))
