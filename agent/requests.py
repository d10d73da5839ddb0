"""Requests: which words of a request describe a picture that is to be drawn."""

from __future__ import annotations

import re

from agent.patterns import LETTERING

CONTRACTIONS = (
    (r"n['’]t\b", " not"),
    (r"\bca not\b", "can not"),
    (r"\bwo not\b", "will not"),
    (r"['’]d\b", " would"),
    (r"['’]m\b", " am"),
    (r"['’]ll\b", " will"),
    (r"['’]re\b", " are"),
    (r"['’]ve\b", " have"),
    (r"\blet['’]s\b", "let us"),
    (r"\b(there|it|that|what|where|who|how|here)['’]s\b", r"\1 is"),
    (r"['’]s?\b", ""),
    (r"\bdont\b", "do not"),
    (r"\b(?:p+l+[sz]+|plse|pleas)\b", "please"),
    (r"\bgimme\b", "give me"),
    (r"\blemme\b", "let me"),
    (r"\bwanna\b", "want to"),
    (r"\b(?:u|ya)\b", "you"),
    (r"\b(what|that)s\b", r"\1 is"),
    (r"\bpics?\b|\bpictrue\b|\bimge\b|\bimg\b|\bpicure\b|\bdoodle of\b", "picture of"),
    (r"\bpicture of (?:of|with)\b", "picture of"),
    (r"\bsmth\b", "something"),
    (r"&", " and "),
    (r"\b(?:with|using|and)? ?seed (?:number )?\d+", " "),
    (r"\bcannot\b", "can not"),
    (r"[\"“”‘’`*_#]", " "),
    (r"[()\[\]{}]|\s[-–—]+\s|[–—]", " , "),
    (r"([a-z])-(colou?red|background|sized|hand|side)\b", r"\1 \2"),
    (r"\bimg\d+\b", " "),
    (r"[^a-z0-9.,;:!?\n'-]", " "),
    (r"(\d)\s*x\s+(?=[a-z])", r"\1 "),
)
DRAW = (
    r"(?:re)?(?:draw|paint|sketch|mak|creat|generat|render|produc|design|illustrat|imagin"
    r"|visuali[sz]|depict|compos|doodl|craft|build|picture|print|prepar)(?:e|ing|s)?"
)
DRAW_VERB = rf"(?:{DRAW}|show(?:ing)?|giv(?:e|ing)|whip up|come up with|put together|get|have|see)"
MEDIUM = (
    r"(?:picture|image|photo|photograph|drawing|painting|illustration|sticker|scene|sketch"
    r"|portrait|cartoon|artwork|graphic|pic|icon|emoji|version|variation|render|rendering)s?"
)
JOINED = (
    r"(?:of|with|showing|shows|containing|that (?:shows|has|contains|depicts|includes)"
    r"|which (?:shows|has|contains)|in which|where|featuring|depicting|having|including|for me of"
    r"|please|that is|:|,|)"
)
POLITE = (
    r"(?:hi there|hello there|hey there|hi|hello|hey|ok|okay|so|well|please|kindly|now|then"
    r"|first|next|also|and|great|thanks|just|quick|yo|right|actually|dear|again"
    r"|good (?:morning|evening|afternoon|day))"
)
LEADS = tuple(
    re.compile(rf"^(?:{POLITE}\s*[,:!]*\s+)*{lead}")
    for lead in (
        rf"(?:can|could|would|will|might) (?:you|we) (?:(?:please|kindly|maybe|possibly|just|try"
        rf" to|also|help me) )*{DRAW_VERB}\b",
        rf"would you mind {DRAW}\b",
        r"(?:would you be so kind as|is it possible(?: for you)?|are you able|i ask you"
        rf"|your task is|the task is|feel free|be so kind as) to {DRAW}\b",
        rf"do you think you (?:can|could) {DRAW}\b",
        r"(?:can|could|may|might) i (?:please )?(?:get|have|see)\b",
        r"(?:i|we) (?:(?:would (?:(?:really|just|also) )*(?:like|love))"
        r"|(?:(?:do|will|really|just|also|am|are) )*"
        r"(?:want|need|wish for|wish|require|fancy|looking for|after|thinking of|thinking about))"
        rf"(?: (?:for )?(?:you )?to (?:please )?{DRAW_VERB})?\b(?! to\b| how\b| what\b)",
        rf"(?:let us|let me) {DRAW_VERB}\b",
        r"my [a-z]+ (?:wants|needs|would like|asked for|wishes for|asks for)\b",
        r"(?:how|what) about\b",
        rf"try (?:to )?{DRAW_VERB}\b",
        rf"{DRAW_VERB}\b",
    )
)
AFTER_LEAD = re.compile(
    r"^(?:[\s,:]*(?:me|us|for me|for us|up|please|again|in|out|kindly|just)\b)*[\s,:]*"
)
COUNTED = r"(?:a|an|the|one|some|another|two|three|four|five|six|seven|eight|\d+|this|my)"
MEDIUM_LEAD = re.compile(
    rf"^(?:{COUNTED} )?(?:(?!of\b|with\b)[a-z-]+ ){{0,3}}?{MEDIUM}"
    rf"(?: (?:please|for me))?[\s,]*(?:{JOINED}\b|[:,]|$)[\s,:]*"
)
ALSO_NOUNS = (
    r"(?:count|finds?|score|rate|check|list|name|book|order|pick|tag|mark|box|highlight|spot|point"
    r"|run|play|report|help|crop|label|search|answer|guess|match|judge|measure|look|segment|save)"
    r"(?= (?:an?|the|it|its|them|me|this|that|these|those|all|every|each|which|what|where|whether"
    r"|how|if|out|at|for|your|my|one|object|in)\b)"
)
OTHER_WORK = (
    r"(?:tell|describe|captions?(?! for\b)|detect|locate|classify|verify|say|ask|explain|identify"
    r"|compare|what|how many|how well|how|where is|where are|which|who|why|when|is|are|was|does"
    r"|did|do|has|can you (?:see|tell|find|describe|count|read|detect|spot|explain|identify)"
    r"|could you (?:tell|find|describe|count|explain)|read|evaluate|translate|transcribe|send"
    r"|assign|pinpoint|whereabouts|put (?:a|some) box(?:es)?|bounding box(?:es)?|zero-shot"
    r"|similarity|alt text|draw (?:a )?box(?:es)? (?:around|round)|summari[sz]e|write|remove|erase"
    r"|replace|rotate|resize|recolou?r|delete|undo|upload|open|load|show me where|show where"
    rf"|give me (?:a|the) (?:caption|description|score|list|count)|{ALSO_NOUNS})"
)
OTHER_SENTENCE = re.compile(rf"^(?:{POLITE}\s*[,:!]*\s+)*(?:please )?{OTHER_WORK}\b(?! not\b)")
OTHER_CLAUSE = re.compile(
    rf"(?:,? and(?: then| also)?|,? then|,? afterwards|,) (?:please )?(?:{OTHER_WORK})\b"
    rf"(?<!, is)(?<!and is)(?<!and are)(?! not\b).*?"
    rf"(?=(?:,|\band\b|\bthen\b) (?:then )?(?:draw|paint|sketch|generate|create)\b|$)"
)
SMALL_TALK = re.compile(
    r"^(?:hi|hello|hey|thanks|thank you|ok|okay|yes|no|yep|nope|good (?:morning|evening|night"
    r"|afternoon|job)|bye|goodbye|sorry|great|nice|cool|wow|perfect|awesome|help|surprise"
    r"|never ?mind|well done|cheers|lol|sup|see|please|sure|stop|cancel|again|more|another)"
    r"(?: (?:there|me|us|you|so much|a lot|very much|for .*|to .*|again|bot|assistant"
    r"|everyone|all))*$"
)
STATEMENT = re.compile(r"^(?:i|you|we|he|she|my|your|who|they|his|her)\b")
EXISTING = re.compile(
    r"\b(?:this|that|attached|uploaded|given|my|existing|previous|last) (?:\w+ )?"
    r"(?:picture|image|photo|photograph|drawing|one|pic)\b"
)
EDIT = re.compile(
    r"^(?:make|turn|change|paint|colou?r|move|add|swap|set|put)"
    r" (?:it|them|its|that|this|these|those|(?:the|its) (?!background\b))"
)
QUESTION_ABOUT = re.compile(
    rf"\b(?:this|that|the|attached|uploaded|given|my|these|those) (?:\w+ )?{MEDIUM}\b|\bimg\d+\b"
    r"|\b(?:describe|caption) (?:this|it|that)\b|^(?:what is|who is|what are) (?:this|that|these)\b"
)


def normalised(text: str) -> str:
    """Lower case, contractions and brackets resolved, one space between words."""
    text = text.lower()
    for pattern, replacement in CONTRACTIONS:
        text = re.sub(pattern, replacement, text)
    return re.sub(r"[^\S\n]+", " ", text).strip()


def descriptions(text: str) -> list[str]:
    """The parts of a request that say what a picture shows, without the words around them.

    Questions, small talk, edits of a picture that exists, and work for other tools give none.
    """
    found: list[str] = []
    unlettered = normalised(LETTERING.sub(" ", text))
    for sentence in re.split(r"(?<=[.!?;\n])(?:\s|$)|(?<=[;\n])", unlettered):
        bare = sentence.strip(" ,:.!?;\n")
        asked = sentence.endswith("?") and _led(bare) is None
        described = "" if asked else _description(bare, bool(found))
        if described:
            found.append(described)
    return found


def asks_about_a_picture(text: str) -> bool:
    """Whether a request speaks of a picture that must already be there."""
    words = normalised(re.sub(r"\bimg(\d+)\b", "this picture", text.lower()))
    return not descriptions(text) and QUESTION_ABOUT.search(words) is not None


def _description(sentence: str, continues: bool) -> str:
    if not sentence or SMALL_TALK.match(sentence):
        return ""
    sentence = re.sub(rf"^(?:{POLITE}\s+)*(?:make sure|ensure)(?: that)? ", "", sentence)
    if continues:
        if STATEMENT.match(sentence) and not _led(sentence):
            return _led_after_comma(sentence)
        if OTHER_SENTENCE.match(sentence):
            return ""
    elif EDIT.match(sentence) or _about_existing(sentence):
        return _later_drawing(sentence)
    rest = _led(sentence)
    if rest is None:
        if OTHER_SENTENCE.match(sentence):
            return _later_drawing(sentence)
        if not continues and STATEMENT.match(sentence):
            return _led_after_comma(sentence)
        rest = re.sub(rf"^(?:{POLITE}\s*[,:!]*\s+)+(?=\w)", "", sentence)
    if re.match(rf"(?:where|what|how many|how|whether)\b|(?:the|a) {OTHER_WORK}\b", rest):
        return ""
    if re.match(r"(?:an? |the )?(?:caption|description|score|list|count|answer|help)\b", rest):
        return ""
    rest = MEDIUM_LEAD.sub("", rest, count=1)
    return OTHER_CLAUSE.sub("", f"{rest} ").strip(" ,")


def _led(sentence: str) -> str | None:
    """What follows `draw me`, `I would like` and so on, or None without such words."""
    for lead in LEADS:
        match = lead.match(sentence)
        if match:
            rest = AFTER_LEAD.sub("", sentence[match.end() :])
            return rest if rest and not rest.startswith("to ") else ""
    return None


def _later_drawing(sentence: str) -> str:
    """The drawing part of `caption this, then draw a cat`."""
    match = re.search(
        r"(?:\band\b|\bthen\b|,) (?:then |also |please )*"
        r"((?:draw|paint|sketch|generate|create)\b.*)",
        sentence,
    )
    return _description(match[1], continues=False) if match else ""


def _led_after_comma(sentence: str) -> str:
    """The drawing part of `I am bored, show me a dog`."""
    _, comma, rest = sentence.partition(", ")
    rest = re.sub(r"^(?:so|but|and|can you) ", "", rest)
    return _description(rest, continues=False) if comma and _led(rest) else ""


def _about_existing(sentence: str) -> bool:
    return EXISTING.search(sentence) is not None and not re.match(
        rf"(?:{POLITE} )*(?:draw|paint|sketch|generate|create)\b", sentence
    )
