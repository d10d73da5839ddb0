"""Words: the closed classes of English that the checklist's grammar stands on.

Nouns are open: whatever is in none of these classes is taken for one.
"""

from __future__ import annotations

import re


def _each(text: str) -> frozenset[str]:
    return frozenset(text.split())


COLOURS = _each(
    "red orange yellow green blue purple pink brown black white gray cyan turquoise teal violet "
    "magenta maroon navy beige gold silver lime indigo lavender crimson scarlet"
)
COLOUR_ALIASES = {"grey": "gray", "golden": "gold", "violet": "purple"}
SHADES = _each("light dark bright pale deep vivid pastel neon soft solid plain")
NOT_A_COLOUR = frozenset(
    {
        ("orange", "juice"),
        ("orange", "tree"),
        ("orange", "slice"),
        ("red", "panda"),
        ("blue", "whale"),
        ("black", "hole"),
        ("black", "bear"),
        ("brown", "bear"),
        ("green", "tea"),
        ("gold", "medal"),
        ("gold", "retriever"),
        ("gold", "hour"),
        ("blue", "hour"),
        ("blue", "jay"),
        ("red", "fox"),
        ("red", "wine"),
        ("white", "wine"),
        ("red", "carpet"),
        ("white", "noise"),
    }
)

NUMBERS = {
    word: value
    for value, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six"),
            *("seven", "eight", "nine", "ten", "eleven", "twelve"),
        )
    )
} | {"single": 1, "lone": 1, "dozen": 12}
NUMBER_WORDS = {value: word for word, value in NUMBERS.items() if word not in ("single", "lone")}
GROUPS = _each("bunch group lot lots number set row pack herd flock pile handful crowd variety")
DETERMINERS = _each(
    "a an the this that these those its his her their my our your some any another other all "
    "both each every few several many multiple various more such"
)
DEFINITE = _each("the this that these those its his her their all both")
HOLDING = _each("wearing holding carrying with having hugging")
SETTLED = _each("in on at")  # prepositions of where, and what follows them is there
PRONOUNS = _each("it them they him she he itself they one ones")

ADJECTIVES = _each(
    "big small large little tiny huge giant mini tall short long wide narrow thick thin fat "
    "round square flat old new young fresh ripe shiny glossy fluffy furry cute happy sad angry "
    "funny smiling sleepy lovely beautiful pretty nice good great simple minimal minimalist "
    "modern vintage classic cool fancy colorful colourful wooden metal metallic plastic wild "
    "hungry juicy sweet tasty delicious lonely single lone cheerful friendly adorable elegant "
    "smooth rusty dirty clean empty full open closed bold clear detailed realistic "
    "photorealistic cartoon cartoonish abstract different similar identical same separate "
    "random real brave fast slow quiet busy magical mysterious gentle calm sunny cloudy rainy "
    "snowy striped spotted whole entire typical ordinary normal regular standard proper main "
    "particular special medium medium-sized fierce playful curious bright dark light pale deep "
    "vivid pastel neon soft solid plain elderly adult empty ornate rustic cozy misty foggy moonlit "
    "cold warm frozen wet dry cinematic dramatic moody shallow intricate isometric aerial "
    "macro futuristic surreal gothic rainbow giant antique bare dense lush"
)
NOT_A_SIZE = frozenset({("giant", "panda"), ("big", "ben"), ("little", "finger")})
SIZES = {
    **dict.fromkeys(("small", "little", "tiny", "mini"), "small"),
    **dict.fromkeys(("big", "large", "huge", "giant"), "large"),
}
NAMED_AFTER = _each("light")  # adjectives that end a name: `traffic light`
ADVERBS = _each(
    "high low please also too just only exactly precisely very really quite rather somewhat "
    "slightly directly right immediately positioned located placed situated arranged far close "
    "together "
    "maybe perhaps ideally preferably probably somewhere anywhere there here now then again "
    "thanks thank you me us i we for as well altogether total instead still always already first "
    "second third last once done out better whatever bit of side hand kind sort anything "
    "something everything nothing else"
)
VERBS = _each(
    "is are was were be been being am has have had having do does did should must shall will "
    "would can could may might need needs want wants sits stands jumps runs flies lies chases "
    "eats holds wears plays sleeps looks rides swims hangs floats walks faces carries drives "
    "contains contain shows show includes include features feature appears appear rests rest sit "
    "stand lie put place add make makes draw paint keep let get give use see go goes stay stays "
    "fly hang float painted drawn colored coloured parked seated surrounded covered filled made "
    "set laid stuck depicts depict displays touching called named"
)
LY_NOUNS = _each(
    "fly butterfly dragonfly firefly family jelly lily belly bully holly assembly doily dolly ally "
    "monopoly gully"
)
ING_NOUNS = _each(
    "ring king wing building painting swing string earring pudding lightning wedding ceiling "
    "clothing dumpling evening morning spring sling sibling duckling seedling railing"
)
FUNCTION_WORDS = _each(
    "and or but nor plus with without not no on in at to of from by near beside behind between "
    "into onto inside outside against around across along through among under over above below "
    "beneath underneath atop beyond than so if because while when where which who whose that "
    "what how why there next front like via per about towards toward off up down neither either "
    "never except excluding including containing featuring showing depicting versus vs alongside "
    "amid"
)
META_NOUNS = _each(
    "picture image photo photograph drawing painting illustration sticker icon scene sketch "
    "portrait cartoon artwork art graphic version variation background backdrop bg style quality "
    "detail left right top bottom middle center centre corner side color colour time way favor "
    "favour thing object item element resolution lighting canvas frame view shot foreground size "
    "place position front emoji clipart wallpaper composition result something anything nothing "
    "everything stuff lot one ones help idea example hand emptiness world 4k 8k hd start request "
    "subject option try logo poster mood trouble row choice wait mate lol cheers cheer power "
    "caption description coordinate probability odds still seed today tomorrow pleasure tone "
    "card deck same watercolor watercolour gouache hour angle photography render rendering anime "
    "manga tone palette mood bokeh focus contrast exposure atmosphere ambience vibe aesthetic "
    "texture masterpiece 3d 2d hdr octane artstation telephoto close-up closeup perspective macro "
    "design print grain vignette collage doodle lighting glow symmetry minimalism realism "
    "surrealism impressionism cubism noir vaporwave cyberpunk steampunk"
)
MEDIA = _each(
    "pencil paper ink oil charcoal acrylic crayon pastel canvas film light sunlight moonlight "
    "daylight darkness rain fog mist ice wind night morning evening afternoon noon midnight dawn "
    "dusk winter autumn summer spring fall nature fantasy sepia"
)
"""Nouns that name no thing when nothing is before them, as in `oil on canvas`, `early morning`."""
SCENERY = _each(
    "beach forest desert field meadow street city park garden kitchen room sea ocean lake space "
    "sky snow grass night sunset sunrise jungle farm mountains lawn road sand floor ground water "
    "river countryside"
)
IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "kids": "kid",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "leaves": "leaf",
    "wolves": "wolf",
    "knives": "knife",
    "loaves": "loaf",
    "shelves": "shelf",
    "buses": "bus",
    "cacti": "cactus",
    "octopi": "octopus",
    "oxen": "ox",
    "shoes": "shoe",
    "toes": "toe",
    "cookies": "cookie",
    "pies": "pie",
    "ties": "tie",
    "movies": "movie",
    "zombies": "zombie",
    "selfies": "selfie",
    "axes": "axe",
    "houses": "house",
    "horses": "horse",
    "roses": "rose",
    "noses": "nose",
    "vases": "vase",
    "cases": "case",
}
UNCHANGED = _each(
    "sheep fish deer moose bus glass dress grass gas cactus octopus scissors glasses pants jeans "
    "shorts sunglasses trousers binoculars walrus hippopotamus rhinoceros platypus iris lens "
    "compass cross boss bass moss tennis chess class mess princess goddess species series "
    "headphones mars paris"
)
CONTAINERS = _each("cup glass mug bowl piece slice plate bottle bag basket loaf jar stack bouquet")
PAIRS = _each("scissors glasses pants jeans shorts sunglasses trousers binoculars headphones")
DRINKS = _each("wine champagne cocktail beer water milk martini whisky")
ALWAYS_SINGULAR_OR_PLURAL = _each("sheep fish deer moose species series")


def colour(word: str) -> str | None:
    """The colour a word names, by its one name, or None."""
    word = COLOUR_ALIASES.get(word, word)
    return word if word in COLOURS else None


def number(word: str) -> int | None:
    """The number a word or its digits name, 0..99, or None."""
    if word.isdigit() and len(word) <= 2:
        return int(word)
    return NUMBERS.get(word)


def singular(noun: str) -> str:
    """The singular of an English noun, by rule and a list of exceptions."""
    if " of " in noun:
        head, _, rest = noun.partition(" of ")
        return f"{singular(head)} of {rest}"
    head, _, last = noun.rpartition(" ")
    if last == "glasses" and head in DRINKS:
        return f"{head} glass"
    return f"{head} {_singular(last)}" if head else _singular(last)


def plural(noun: str) -> str:
    """The plural of an English noun, by rule and the same exceptions."""
    if " of " in noun:
        head, _, rest = noun.partition(" of ")
        return f"{plural(head)} of {rest}"
    head, _, last = noun.rpartition(" ")
    return f"{head} {_plural(last)}" if head else _plural(last)


def article(phrase: str) -> str:
    """The phrase with `a` or `an` before it."""
    silent = phrase.startswith(("hour", "honest", "heir"))
    sounded = phrase.startswith(("uni", "use", "eu", "one "))
    vowel = (phrase[:1] in "aeiou" and not sounded) or silent
    return f"{'an' if vowel else 'a'} {phrase}"


def coloured(noun: str, colour: str | None) -> str:
    """The noun with its colour before it, if it has one: `red apple`."""
    return f"{colour} {noun}" if colour else noun


def _singular(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word in UNCHANGED or not word.endswith("s") or len(word) < 4:
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    if re.search(r"(?:s|x|z|ch|sh|to)es$", word):
        return word[:-2]
    if word.endswith(("ss", "us", "is")):
        return word
    return word[:-1]


def _plural(word: str) -> str:
    for many, one in IRREGULAR.items():
        if one == word:
            return many
    if word in ALWAYS_SINGULAR_OR_PLURAL or (word in UNCHANGED and word.endswith(("ses", "ors"))):
        return word
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    if re.search(r"(?:s|x|z|ch|sh|[tm]ato)$", word):
        return f"{word}es"
    return f"{word}s"
