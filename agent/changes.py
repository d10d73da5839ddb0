"""Changes: claims in a request to change a picture that is there, "all else unchanged" included.

The same reading serves the words of a person and the instruction that a planner made of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from agent import words
from agent.checklist import Claim, compile_checklist
from agent.phrases import read_noun_phrase
from agent.requests import normalised

COLOUR = "|".join(sorted(words.COLOURS | words.COLOUR_ALIASES.keys()))
SHADE = rf"(?:(?:{'|'.join(sorted(words.SHADES))}|all|completely|more) )*"
THE = r"(?:the|that|this|my|its|his|her|their|every|each|all the|both)"
THING = r"(?P<thing>[a-z][a-z' -]*?)"
NEW = r"(?P<new>(?:an?|the|some|two|three|four|one|another|\d) ?[a-z][a-z' -]*?)"
POLITE = (
    r"(?:(?:please|now|then|and|also|just|only|but|can you|could you|would you|i want you to"
    r"|i would like you to|hey|ok|okay|so|in this picture|in the picture) ?,? ?)*"
)
IN_IT = (
    r"(?: (?:in|on|from|of|to|into|onto) (?:it|there|here|(?:the|this|that|my) "
    r"(?:\w+ )?(?:picture|image|photo|drawing|one|scene|pic)))?"
)
END = rf"{IN_IT}(?: (?:please|instead|now|too|as well|thanks|for me))*$"
BACK = r"(?:background|backdrop|bg)"
REMOVE = r"(?:remove|erase|delete|get rid of|take out|take away|drop|eliminate|wipe out|clear away)"
REPLACE = r"(?:replace|swap|exchange|substitute|switch)"
MAKE = r"(?:make|turn|paint|colou?r|recolou?r|dye|tint|change|render|let)"
UNCHANGED = re.compile(
    r"(?:,|;|\.|\band\b|\bbut\b)? ?(?:\b(?:keep|leave|change|touch|alter|let|with)\b )?"
    r"(?:everything else|all else|the rest|nothing else|anything else|the other things?"
    r"|everything|all the rest)\b"
    r"(?: (?:in it|of it|of the (?:picture|image|photo)))?"
    r"(?: (?:must|should|shall|has to|is|stays?|remains?|be|stay|remain|to|the|as|it|is|was|same"
    r"|unchanged|alone|untouched|changes?|exactly|way|like|changed|intact|identical|still))*"
)


def _colour(match: re.Match[str]) -> list[Claim]:
    noun, _ = _thing(match["thing"])
    return _described(words.article(f"{match['colour']} {noun}"), "colour")


def _background(match: re.Match[str]) -> list[Claim]:
    return list(compile_checklist(f"a picture on a {match['colour']} background"))


def _removed(match: re.Match[str]) -> list[Claim]:
    found = []
    for part in re.split(r",| and ", match["thing"]):
        noun, colour = _thing(part)
        if noun and noun not in words.PRONOUNS and noun not in words.META_NOUNS:
            text = f"there is no {words.coloured(noun, colour)}"
            found.append(Claim(kind="absent", text=text, subject=noun, colour=colour))
    return found


def _replaced(match: re.Match[str]) -> list[Claim]:
    new = _described(match["new"])
    gone = [
        claim
        for claim in _removed(match)
        if all(claim.subject != one.subject or claim.colour != one.colour for one in new)
    ]
    return [*new, *(claim for claim in gone if not _same_noun(claim, new))]


def _added(match: re.Match[str]) -> list[Claim]:
    return _described(match["new"])


def _sized(match: re.Match[str]) -> list[Claim]:
    size = "large" if re.search(r"big|larg|huge|grow|enlarge|up", match["size"]) else "small"
    noun, _ = _thing(match["thing"])
    than_before = match["size"] not in words.SIZES or "twice as" in match[0]
    how = f"{'bigger' if size == 'large' else 'smaller'} than before" if than_before else size
    claim = {"text": f"the {noun} is {how}", "size": size, "than_before": than_before}
    return [Claim.model_validate({"kind": "size", "subject": noun, **claim})]


WANT = r"(?:i want|i would like)"
MUST = r"(?:should|must|shall|needs to|has to)"
INTO = r"(?:to |into |in |be )?"
IN_PLACE = r"(?:instead of|in place of)"
GO = rf"(?:{MUST} (?:go|disappear|vanish|go away)|should not be there)"
ABIT = r"(?:a bit |a little |much |slightly |twice as )?"
PAINTED = rf"{SHADE}(?P<colour>{COLOUR})"
WAYS: dict[Callable[[re.Match[str]], list[Claim]], tuple[str, ...]] = {
    _background: (
        rf"(?:{MAKE}|set|put) (?:{THE} )?(?:colou?r of (?:{THE} )?)?{BACK}(?: colou?r)?"
        rf"(?: of (?:it|the picture))? ?{INTO}(?:a )?{PAINTED}(?: one)?",
        rf"{REPLACE} {THE} {BACK} (?:with|by|for) (?:an? )?{PAINTED}(?: one| {BACK})?",
        rf"{THE} {BACK} {MUST} be {PAINTED}",
        rf"(?:put|place|set) (?:it|them|everything|{THE} {THING}) (?:on|against|before) an? "
        rf"{PAINTED} {BACK}",
        rf"(?:put|place|add|give it|use|{WANT}) an? {PAINTED} {BACK}",
    ),
    _replaced: (
        rf"{REPLACE} {THE} {THING} (?:with|by|for|to) {NEW}",
        rf"(?:turn|change|transform|convert|morph|make) {THE} {THING} (?:into|to) "
        r"(?P<new>(?:an?|some|two|three|four) [a-z][a-z' -]*?)",
        rf"(?:{WANT}|put|draw|show) {NEW} {IN_PLACE} {THE} {THING}",
        rf"{IN_PLACE} {THE} {THING},? (?:put|draw|show|place|{WANT}) {NEW}",
    ),
    _removed: (
        rf"{REMOVE} (?:{THE} |an? |any |all )?{THING}",
        rf"(?:i do not want|no) (?:{THE} |an? |any )?{THING}",
        rf"{THE} {THING} {GO}",
    ),
    _sized: (
        rf"{MAKE} {THE} {THING} {ABIT}"
        r"(?P<size>bigger|larger|big|large|huge|smaller|small|tiny|tinier)",
        rf"(?P<size>enlarge|shrink|grow|scale up|scale down|reduce) {THE} {THING}",
        rf"{THE} {THING} {MUST} be {ABIT}(?P<size>bigger|larger|smaller|tiny)",
    ),
    _colour: (
        rf"{MAKE} {THE} (?:colou?r of {THE} )?{THING}(?:'s colou?r)? {INTO}{PAINTED}",
        rf"{THE} {THING} {MUST} be (?:in )?{PAINTED}",
        rf"give {THE} {THING} an? {PAINTED} (?:colou?r|coat|tint|paint)",
        rf"{WANT} {THE} {THING} (?:to be |in )?{PAINTED}",
    ),
    _added: (
        rf"(?:add|insert|include|put|place) {NEW}(?: (?:next to|beside|near|by) .*)?",
        rf"(?:there should be|it needs|give it) {NEW}",
        rf"{WANT} {NEW}(?= (?:in|on|to) (?:it|there|the (?:picture|image|photo))\b)",
    ),
}
RULES = tuple(
    (re.compile(rf"^{POLITE}{pattern}{END}"), make)
    for make, patterns in WAYS.items()
    for pattern in patterns
)
"""Tried in this order; the first that fits a clause decides."""


def compile_changes(text: str) -> tuple[Claim, ...]:
    """The claims in a request to change a picture, in the order of the words; () if it is none.

    Whatever is changed, all else must stay as it was: that is a claim too.

    Args:
        text: plain English, such as "make the car blue and remove the dog".
    """
    plain = UNCHANGED.sub("", normalised(text)).strip(" .!?;,")
    found: list[Claim] = []
    for clause in _clauses(plain):
        fitting = ((pattern.match(clause), make) for pattern, make in RULES)
        claims = next((make(match) for match, make in fitting if match), None)
        if claims is None:  # `draw a dog. the dog should be red` asks for a picture
            return ()
        found += claims
    kinds = {claim.kind for claim in found}
    if not found or "background" in kinds:  # then nearly every pixel is another
        return tuple(dict.fromkeys(found))
    return (*dict.fromkeys(found), UNTOUCHED)


UNTOUCHED = Claim(kind="unchanged", text="everything else is unchanged")
VERBS = (
    rf"{MAKE}|{REMOVE}|{REPLACE}|add|insert|include|put|place|set|give|draw|enlarge|shrink|i want"
    r"|i would like|there should be|instead of|in place of"
)


def _clauses(text: str) -> list[str]:
    """Parts that each ask for one change."""
    parts = re.split(
        rf"(?:[.;!?]|, (?:and )?then|,? and then|,? then|,? and|,)\s+(?=(?:{VERBS})\b)|[.;!?]+\s*",
        text,
    )
    clauses = [part.strip(" ,") for part in parts if part and part.strip(" ,")]
    return [one for clause in clauses for one in _each_coloured(clause)]


def _each_coloured(clause: str) -> list[str]:
    """`make the boat blue and the sail white` asks for two changes."""
    parts = re.split(rf" and (?={THE} [a-z ]+? (?:{COLOUR})$)", clause)
    return [parts[0], *(f"make {part}" for part in parts[1:])]


def _thing(phrase: str) -> tuple[str, str | None]:
    """Noun in the singular, and its one colour."""
    tokens = re.findall(r"[a-z0-9]+(?:['-][a-z0-9]+)*", phrase)
    read = read_noun_phrase(tokens, 0)
    if read is None or not read[0].noun:
        return words.singular(phrase.strip()), None
    found = read[0]
    return found.noun, found.colours[0] if len(found.colours) == 1 else None


def _described(phrase: str, *kinds: str) -> list[Claim]:
    """Claims of a description, of some kinds only if any are named."""
    claims = compile_checklist(f"draw {phrase}")
    return [claim for claim in claims if not kinds or claim.kind in kinds]


def _same_noun(claim: Claim, new: list[Claim]) -> bool:
    """Whether what is gone comes back in another colour: then its colour is claimed already."""
    return claim.colour is None and any(one.subject == claim.subject for one in new)
