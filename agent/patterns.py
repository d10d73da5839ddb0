"""Patterns: the fixed turns of phrase in which places, absence and backgrounds are named."""

from __future__ import annotations

import re
from typing import Literal

from agent import words

Side = Literal["left of", "right of", "above", "below"]
SIDES: dict[str, Side] = {
    "left": "left of",
    "right": "right of",
    "above": "above",
    "below": "below",
}

_NEAR = r"(?:high|higher|up|down|directly|right|just|immediately|straight|somewhere)"
_SIDE = r"(?:(?:far|very|upper|lower|immediate) )?(left|right)(?: hand)?(?: side)?"
_POSED = r"(?:sitting|standing|perched|resting|lying|placed|balanced|sits|stands)"
RELATIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?:to|on|at|in) (?:the )?{_SIDE} (?:of|from)\b"), ""),
    (re.compile(r"(left|right)(?:wards?)? (?:of|from)\b"), ""),
    (re.compile(r"(?:on|at|to) (?:the )?top of\b|atop\b|higher (?:up )?than\b"), "above"),
    (re.compile(rf"(?:{_NEAR} )?(?:above|over)\b"), "above"),
    (re.compile(rf"{_POSED} on(?! (?:the |its )?(?:left|right|top|bottom)\b)"), "above"),
    (re.compile(r"lower (?:down )?than\b"), "below"),
    (re.compile(rf"(?:{_NEAR} )?(?:below|under|beneath|underneath)\b"), "below"),
)
ANCHORED = re.compile(r"(?:to|on|at) (?:its|their|his|her) (left|right)(?: hand)?(?: side)?\b")
PLACES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"(?:(?:to|on|at|in) )?the {_SIDE}\b|(?:on|to|at) (left|right)\b"), ""),
    (re.compile(r"(?:at|on|in|near|along) the (?:very )?top\b|(?:on|at) top\b"), "above"),
    (re.compile(r"(?:at|on|in|near|along) the (?:very )?bottom\b"), "below"),
)
NEGATION = re.compile(
    r"(?:(?:should|must|may|shall|can|could|do|does|will|would) (?:not|never) "
    r"(?:be|have|include|contain|draw|add|want|put|show|use|need|paint|feature|see|like|get"
    r"|give me|make)(?: any)?"
    r"|(?:not|never) (?:include|including|draw|add|put|show|use|have|having|paint)(?: any)?"
    r"|avoid(?:ing)?|exclud(?:e|es|ing)|except(?: for)?|leav(?:e|ing) out|skip|free of|minus"
    r"|lacking|instead of|rather than|without(?: any| a single)?|not any|not a single|neither|nor"
    r"|not (?=(?:an?|any|the)\b)|not with|no)\b"
)
NOTHING_ELSE = re.compile(
    r"(?:and |with |but )?(?:absolutely )?(?:nothing (?:else|more)|no (?:other|more) \w+"
    r"|no one else|nobody else|not (?:anything) else|(?:all )?(?:by|on) (?:itself|themselves)"
    r"|alone)\b"
)
ONLY = re.compile(r"(?:only|just|exactly|precisely|solely|nothing but|nothing except)\b")
INEXACT = re.compile(r"(?:at least|at most|up to|(?:more|fewer|less) than|about|around|roughly)\b")
RESETS = {"but", "plus", "with", "showing", "containing", "featuring", "including"}

_COLOUR = "|".join(sorted(words.COLOURS | words.COLOUR_ALIASES.keys()))
_SHADED = (
    rf"(?:(?:{'|'.join(sorted(words.SHADES))}|simple|flat|uniform|clean|empty|all|completely|nice"
    r"|very|monochrome|single) )*"
)
_BACK = r"(?:background|backdrop|bg|backround|backgroud)"
_INTO = r"\b(?:(?:on|with|against|over|in|and|has|have|having|at|upon|use|put|all|before|it) )*"
BACKGROUNDS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_INTO}(?:(?:a|an|the|some) )?{_SHADED}\b({_COLOUR})(?: colou?red)? {_BACK}\b",
        rf"{_INTO}(?:(?:make|set|keep|colou?r|paint) )?(?:(?:a|the|its) )?(?:colou?r of the )?"
        rf"{_BACK}(?:[ ,:=]+(?:that|which|is|are|should|must|to|be|in|of|colou?r|needs|has|painted"
        rf"|as|all|being))*[ :=]+(?:an? )?{_SHADED}({_COLOUR})\b",
        rf"\b({_COLOUR}) (?:for|as|in) the {_BACK}\b",
        rf"\b({_COLOUR}) (?:(?:ground|wall|paper) )?behind(?: (?:it|them|him|her))?(?= ?(?:$|,))",
        rf"\b(?:on|against|over) (?:(?:a|an|plain|solid|pure|all) )*({_COLOUR})"
        r"(?= ?(?:$|,|and\b|with\b|please\b|but\b))",
    )
)
OTHER_BACKGROUND = re.compile(rf"(?:the )?{_BACK} (?:\w+ )?not (?:be )?(?:\w+ )?(?:{_COLOUR})\b")
SCENERY = re.compile(
    rf"(?<!covered )\b(?:(?:on|in|at|by|against|under) )+(?:(?:a|an|the) )?(?:(?!of\b)[a-z]+ )?"
    rf"({'|'.join(sorted(words.SCENERY))})(?: (?:{_BACK}|scene))?"
    r"(?= ?(?:$|,|and\b|with\b|please\b|but\b))"
)
STYLES = re.compile(
    r"\b(?:in )?(?:the )?style of [^,]*|\b(?:inspired|drawn|painted) by [^,]*|\btrending on \w+"
    r"|\b(?:shallow )?depth of field\b|\bfilm noir\b|\bstill life\b|\bblack and white(?= ?(?:$|,))"
)
PARTLY = re.compile(
    r"\b(?:one|two|three|four|half|some|most|\d) of (?:them|these|those|which)\b[^,]*"
)
_QUOTED = r"(?:\"[^\"]*\"|“[^”]*”|'[^']*'(?!\w)|[A-Z][A-Z0-9!?&-]*(?: [A-Z][A-Z0-9!?&-]*)*\b)"
LETTERING = re.compile(
    rf"\b(?:(?:that|which) )?(?:says?|saying|reads?|reading|spells|spelling|labell?ed) {_QUOTED}"
    rf"|\b(?:with|bearing|showing) (?:the )?(?:words?|text|letters|inscription) {_QUOTED}"
)
TOKEN = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|,")
