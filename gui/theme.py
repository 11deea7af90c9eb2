"""Colours: dark for the bedside, light for paper. The hues are Okabe & Ito's, safe for the colour-blind.

Each has one meaning: a kind of trace, ``good`` (live, and cleaned as it should be), ``bad`` (look here:
filled where what is shown cannot be relied on, an outline where it can), ``held`` (as a person chose:
paused, a replay).

Their purple is made lighter in the dark theme and darker in the light one: people without blue cones could
not tell it from the orange (a test measures this).

Okabe & Ito, "Color Universal Design", https://jfly.uni-koeln.de/color/
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``; each kind of trace, each part of the screen."""

    name: str
    background: str
    panel: str
    raised: str
    line: str
    text: str
    quiet: str
    grid_small: str
    grid_large: str
    raw: str
    cleaned: str
    reference: str
    residual: str
    good: str
    held: str
    bad: str

    @property
    def st(self) -> str:
        """The ST view is cleaned too, in a lane of its own."""
        return self.cleaned


DARK = Theme(
    name="dark",
    background="#05080b",
    panel="#0d1318",
    raised="#182129",
    line="#27333d",
    text="#e8eef2",
    quiet="#93a3b0",
    grid_small="#0d1820",
    grid_large="#162934",
    raw="#e69f00",
    cleaned="#56b4e9",
    reference="#f0c8e4",
    residual="#f0e442",
    good="#00b386",
    held="#93a3b0",
    bad="#ff6a13",
)
LIGHT = Theme(
    name="light",
    background="#ffffff",
    panel="#f5f6f7",
    raised="#ffffff",
    line="#c9cfd4",
    text="#15191d",
    quiet="#56616b",
    grid_small="#fbeaea",
    grid_large="#f0c4c4",
    raw="#b86500",
    cleaned="#0072b2",
    reference="#6a1b60",
    residual="#6b6b00",
    good="#007a5a",
    held="#56616b",
    bad="#c44400",
)
THEMES = {theme.name: theme for theme in (DARK, LIGHT)}
