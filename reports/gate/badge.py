"""A badge: what a report comes down to, as a picture for a README."""

from __future__ import annotations

from reports.evidence.judgement import LEAKING, REFUTED, UNBROKEN, UNJUDGED

COLOURS = {REFUTED: "#b3261e", UNJUDGED: "#6b6f76", LEAKING: "#c4540a", UNBROKEN: "#2b6a8f"}
"""No green: that the attacks here found nothing is no proof of privacy."""
SAID = {REFUTED: "claim refuted", UNJUDGED: "cannot be judged", UNBROKEN: "nothing shown"}
LETTER, ROOM, HIGH = 6.6, 10, 20
"""Width of a letter of 11 px, room beside a text, height; in px."""


def badge(word: str, label: str = "leakage") -> str:
    """An SVG of two fields, the label and what a word of `WORDS` says."""
    said = SAID.get(word, word)
    left, right = (round(len(text) * LETTER + 2 * ROOM) for text in (label, said))
    wide, middle, base = left + right, HIGH - 6, COLOURS[word]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{HIGH}" role="img" '
        f'aria-label="{label}: {said}"><title>{label}: {said}</title>'
        f'<rect width="{wide}" height="{HIGH}" rx="3" fill="#3c4043"/>'
        f'<path d="M{left} 0h{right - 3}a3 3 0 0 1 3 3v{HIGH - 6}a3 3 0 0 1-3 3h-{right - 3}z" '
        f'fill="{base}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{left / 2:g}" y="{middle}">{label}</text>'
        f'<text x="{left + right / 2:g}" y="{middle}">{said}</text></g></svg>\n'
    )
