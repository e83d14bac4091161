"""How wide a text will be, without a font at hand: an estimate on the safe side for the usual sans-serif ones."""

import unicodedata

WIDTHS: dict[str, float] = {
    **dict.fromkeys("il|!.,;:'", 0.29),
    **dict.fromkeys("jftI()[]/ \\-“”", 0.36),
    **dict.fromkeys("rs*", 0.46),
    **dict.fromkeys('JLckvxyz"', 0.53),
    **dict.fromkeys("mw%@…≥≤≠→", 0.88),
    **dict.fromkeys("MWO", 0.88),
    **dict.fromkeys("ABCDEGHKNPQRSTUVXYZ&+<>=#~_", 0.68),
}
USUAL = 0.58
BOLD = 1.09


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width in the picture's units of a text at a font size."""
    total = sum(WIDTHS.get(letter) or _width_of(letter) for letter in text)
    return total * size * (BOLD if bold else 1.0)


def fitted(text: str, limit: float, size: float, *, bold: bool = False) -> str:
    """The text, cut and ended with an ellipsis where it is wider than the limit."""
    if len(text) < 500 and text_width(text, size, bold=bold) <= limit:
        return text
    room = limit - text_width("…", size, bold=bold)
    kept = []
    for letter in text:
        room -= text_width(letter, size, bold=bold)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip() + "…"


def wrapped(text: str, limit: float, size: float, lines: int = 3) -> list[str]:
    """The text on at most so many lines, broken between words; the last line may be wider than the limit."""
    found: list[str] = []
    for word in text.split(" "):
        if found and (len(found) == lines or text_width(f"{found[-1]} {word}", size) <= limit):
            found[-1] += f" {word}"
        else:
            found.append(word)
    return found


def cleaned(text: str) -> str:
    """The text on one line and without what XML cannot hold or what turns the writing around."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _is_plain(letter) else " " for letter in text)


def _is_plain(letter: str) -> bool:
    return (
        unicodedata.category(letter) not in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
        and letter not in BIDI_CONTROLS
    )


def _width_of(letter: str) -> float:
    if letter.isascii():
        return USUAL
    if unicodedata.combining(letter) or unicodedata.category(letter) == "Cf":
        return 0.0
    wide = unicodedata.east_asian_width(letter) in ("W", "F")
    return 1.05 if wide else 0.66


BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
