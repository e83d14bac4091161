"""The colours of a picture, light and dark, as plain CSS rules, which every viewer of SVG understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Theme = Literal["auto", "light", "dark"]
THEMES: tuple[Theme, ...] = ("auto", "light", "dark")


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by what they are for."""

    canvas: str
    card: str
    panel: str
    border: str
    text: str
    muted: str
    line: str
    label: str
    accents: Mapping[str, str]
    tints: Mapping[str, str]
    marks: Mapping[str, tuple[str, str]]


LIGHT = Palette(
    canvas="#fbfcfe",
    card="#ffffff",
    panel="#f1f5f9",
    border="#cbd5e1",
    text="#16202c",
    muted="#586879",
    line="#8291a3",
    label="#ffffff",
    accents={
        "task": "#2f6fd6",
        "wait": "#b9770e",
        "choice": "#7c4ddb",
        "parallel": "#0f7f89",
        "map": "#0f7f89",
        "compensation": "#c9541a",
        "pass": "#64748b",
        "succeed": "#1a8449",
        "fail": "#cb3232",
        "errors": "#cb3232",
        "missing": "#cb3232",
        "unknown": "#64748b",
    },
    tints={"succeed": "#e9f8ef", "fail": "#fdeeee", "errors": "#fdeeee", "compensation": "#fff3ec"},
    marks={
        "green": ("#16924c", "#e3f7ea"),
        "red": ("#d32f2f", "#fde9e9"),
        "blue": ("#1f6feb", "#e2eeff"),
        "amber": ("#c07a06", "#fff3d8"),
        "violet": ("#8250df", "#f1e9ff"),
        "teal": ("#0b8388", "#def5f5"),
        "grey": ("#6b7887", "#edf1f5"),
    },
)
DARK = Palette(
    canvas="#0e141b",
    card="#1a232d",
    panel="#131b24",
    border="#374553",
    text="#e7edf3",
    muted="#9fb0c0",
    line="#74869a",
    label="#131b24",
    accents={
        "task": "#4c8df0",
        "wait": "#d1932a",
        "choice": "#9a74ee",
        "parallel": "#24a3ad",
        "map": "#24a3ad",
        "compensation": "#e2733a",
        "pass": "#74869a",
        "succeed": "#2fa765",
        "fail": "#e25555",
        "errors": "#e25555",
        "missing": "#e25555",
        "unknown": "#74869a",
    },
    tints={"succeed": "#14291f", "fail": "#2f1a1d", "errors": "#2f1a1d", "compensation": "#2b1e17"},
    marks={
        "green": ("#35b56f", "#12301f"),
        "red": ("#f06262", "#3a1a1d"),
        "blue": ("#5aa2ff", "#14294a"),
        "amber": ("#e0a53a", "#33270f"),
        "violet": ("#a98bf5", "#271d42"),
        "teal": ("#35b8bd", "#0f2f31"),
        "grey": ("#8b9aab", "#222c37"),
    },
)
MARK_COLOURS: Mapping[str, str] = {
    **dict.fromkeys(("covered", "succeeded", "completed", "added", "passed"), "green"),
    **dict.fromkeys(("missed", "failed", "removed", "uncovered", "quarantined"), "red"),
    **dict.fromkeys(("active", "running", "current"), "blue"),
    **dict.fromkeys(("waiting", "partial", "changed", "retrying", "timedOut"), "amber"),
    **dict.fromkeys(("undone", "compensated"), "violet"),
    **dict.fromkeys(("visited",), "teal"),
    **dict.fromkeys(("skipped", "ignored", "cancelled"), "grey"),
}
OTHER_COLOURS = ("violet", "teal", "amber", "grey", "blue")
DASHED = frozenset({"missed", "removed", "uncovered", "skipped"})
FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Noto Sans',sans-serif"
TONES: Mapping[str, str] = {"catch": "fail", "error": "fail", "timeout": "wait"}


def styles(theme: Theme, marks: Sequence[str]) -> str:
    """The rules of a picture; `marks` are its words in the order of their classes m0, m1, …"""
    shape = _shape_rules()
    if theme == "dark":
        return shape + _colour_rules(DARK, marks)
    light = shape + _colour_rules(LIGHT, marks)
    return (
        light
        if theme == "light"
        else f"{light}@media(prefers-color-scheme:dark){{{_colour_rules(DARK, marks)}}}"
    )


def mark_colour(word: str, marks: Sequence[str]) -> str:
    """The colour's name of a word; words that are not known get one of the others by their place."""
    unknown = [other for other in marks if other not in MARK_COLOURS]
    return MARK_COLOURS.get(word) or OTHER_COLOURS[unknown.index(word) % len(OTHER_COLOURS)]


def _shape_rules() -> str:
    return (
        f".stepwell-graph text{{font-family:{FONT}}}"
        ".sw-heading{font-size:17px;font-weight:650}.sw-about{font-size:12px}"
        ".sw-title{font-size:13px;font-weight:600}.sw-detail,.sw-cluster-title,.sw-legend{font-size:11px}"
        ".sw-text{font-size:10.5px;text-anchor:middle}.sw-cluster-title{font-weight:600}"
        ".sw-box{stroke-width:1.2}"
        ".sw-icon{fill:none;stroke:#fff;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}"
        ".sw-line{fill:none;stroke-width:1.5}"
        ".sw-catch .sw-line,.sw-error .sw-line,.sw-timeout .sw-line{stroke-dasharray:5 4}"
        ".sw-missing>.sw-box,.sw-unknown>.sw-box{stroke-dasharray:5 4}.sw-strip{stroke-dasharray:3 3;fill:none}"
    )


def _colour_rules(palette: Palette, marks: Sequence[str]) -> str:
    rules = [
        f".sw-canvas,.sw-core{{fill:{palette.canvas}}}",
        f".sw-heading,.sw-title{{fill:{palette.text}}}",
        f".sw-about,.sw-detail,.sw-cluster-title,.sw-legend{{fill:{palette.muted}}}",
        f".sw-box{{fill:{palette.card};stroke:{palette.border}}}",
        f".sw-strip{{stroke:{palette.border}}}",
        f".sw-holder>.sw-box{{fill:{palette.panel}}}",
        f".sw-cluster{{fill:{palette.canvas};stroke:{palette.border}}}",
        f".sw-line{{stroke:{palette.line}}}.sw-tip{{fill:{palette.line}}}",
        f".sw-chip{{fill:{palette.label};stroke:{palette.border}}}.sw-text{{fill:{palette.text}}}",
        f".sw-mark,.sw-ring{{fill:{palette.text}}}.sw-undo{{fill:{palette.accents['compensation']}}}"
        f".sw-undo-arrow{{stroke:{palette.accents['compensation']}}}",
    ]
    rules += [f".sw-{kind}>.sw-tile{{fill:{colour}}}" for kind, colour in palette.accents.items()]
    for kind, tint in palette.tints.items():
        rules.append(f".sw-{kind}>.sw-box{{fill:{tint};stroke:{palette.accents[kind]}}}")
    alarm = palette.accents["missing"]
    rules.append(f".sw-missing>.sw-box{{stroke:{alarm}}}.sw-missing>.sw-title{{fill:{alarm}}}")
    for kind, tone in TONES.items():
        colour = palette.accents[tone]
        rules.append(f".sw-{kind} .sw-line{{stroke:{colour}}}.sw-{kind} .sw-tip{{fill:{colour}}}")
        rules.append(f".sw-{kind}>.sw-text{{fill:{colour}}}")
    rules += [_mark_rule(palette, number, word, marks) for number, word in enumerate(marks)]
    return "".join(rules)


def _mark_rule(palette: Palette, number: int, word: str, marks: Sequence[str]) -> str:
    stroke, tint = palette.marks[mark_colour(word, marks)]
    name = f".sw-m{number}"
    dash = ";stroke-dasharray:6 4" if word in DASHED else ""
    return (
        f"{name}>.sw-box{{fill:{tint};stroke:{stroke};stroke-width:2.2{dash}}}"
        f"{name} .sw-line{{stroke:{stroke};stroke-width:2.4}}{name} .sw-tip{{fill:{stroke}}}"
        f"{name}>.sw-mark{{fill:{stroke}}}{name}>.sw-chip{{stroke:{stroke}}}{name}>.sw-text{{fill:{stroke}}}{name}>.sw-undo{{fill:{stroke}}}"
        f"{name}>.sw-swatch{{fill:{tint};stroke:{stroke};stroke-width:2{dash}}}"
    )
