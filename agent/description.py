"""Description: things, relations and background that a description of a picture names.

One reading from left to right, one rule for each construction; no model, no vocabulary of
nouns. What the grammar does not understand it leaves out: a check that nobody asked for
would be worse than one that is missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from agent import words
from agent.patterns import (
    ANCHORED,
    BACKGROUNDS,
    INEXACT,
    NEGATION,
    NOTHING_ELSE,
    ONLY,
    OTHER_BACKGROUND,
    PARTLY,
    PLACES,
    RELATIONS,
    RESETS,
    SCENERY,
    SIDES,
    STYLES,
    TOKEN,
    Side,
)
from agent.phrases import NounPhrase, read_noun_phrase


@dataclass(eq=False)
class Thing:
    """What one noun phrase, or several about the same thing, say."""

    noun: str
    colour: str | None = None
    count: int | None = None
    """As written; None for `a`, `some`, or a bare plural."""
    many: bool = False
    named: int = 1
    """How often it was brought up anew: `a cat and another cat` is 2."""
    single: bool = False
    """Named with `a` or `an`, which `only` turns into exactly one."""
    bare: bool = False
    """Named without article, number or colour: perhaps no thing at all."""
    held: bool = False
    """Named as worn, held or had by another: what is said next is of that one."""
    setting: bool = False
    """Bare and after `in`, `on` or `at`: a time, a medium or a place, as in `on Mars`."""
    place: Side | None = None
    size: str | None = None


@dataclass
class Description:
    """All that was found in the description of one picture."""

    things: list[Thing] = field(default_factory=list)
    absent: list[Thing] = field(default_factory=list)
    relations: list[tuple[Thing, Side, Thing]] = field(default_factory=list)
    background: str | None = None
    only: bool = False


def read_descriptions(sentences: Iterable[str]) -> Description:
    """Read sentences about one picture; later ones may refer to things of earlier ones."""
    found = Description()
    for sentence in sentences:
        plain = PARTLY.sub(" ", STYLES.sub(" , ", sentence))
        _Reader(found, _without_background(plain, found)).read()
    if not all(thing.bare for thing in found.things):  # else the style is that of a telegram
        found.things = [thing for thing in found.things if not thing.setting]
        found.relations = [
            relation
            for relation in found.relations
            if not (relation[0].setting or relation[2].setting)
        ]
    _relate_places(found)
    return found


def _without_background(sentence: str, found: Description) -> str:
    sentence = OTHER_BACKGROUND.sub(" , ", sentence)
    for pattern in BACKGROUNDS:
        for match in pattern.finditer(sentence):
            before = sentence[: match.start()].rstrip()
            if not before.endswith(("not", "no", "never", "without")):
                found.background = words.colour(match[1])
        sentence = pattern.sub(" , ", sentence)
    if NOTHING_ELSE.search(sentence):
        found.only = True
        sentence = NOTHING_ELSE.sub(" , ", sentence)
    if found.background is None and (scene := SCENERY.search(sentence)):
        found.background = scene[1]
    return SCENERY.sub(" , ", sentence)


def _relate_places(found: Description) -> None:
    for low, high in (("left of", "right of"), ("above", "below")):
        first = [thing for thing in found.things if thing.place == low]
        second = [thing for thing in found.things if thing.place == high]
        if len(first) == len(second) == 1 and not found.relations:
            side: Side = "left of" if low == "left of" else "above"
            found.relations.append((first[0], side, second[0]))


class _Reader:
    """Reads one sentence into a description."""

    def __init__(self, found: Description, sentence: str) -> None:
        self.found = found
        self.tokens = TOKEN.findall(sentence)
        self.at = 0
        self.last: Thing | None = found.things[-1] if found.things else None
        self.clause: list[tuple[Thing, bool]] = []  # things since the last conjunction; definite?
        self.negative = False
        self.denied = False  # `not` before a predicate or a relation
        self.joint = ""  # the last conjunction, if no thing came since
        self.exact = False
        self.inexact = False
        self.relating: tuple[Thing | None, Side] | None = None
        self.inverted: tuple[Side, Thing] | None = None
        self.subject: Thing | None = None  # of the last relation
        self.place: Side | None = None
        self.before = ""  # the word before the noun phrase that is read
        self.waiting: list[NounPhrase] = []  # `a red and` in `a red and a green apple`

    def read(self) -> None:
        while self.at < len(self.tokens):
            rest = " ".join(self.tokens[self.at :])
            if not (self._reads_pattern(rest) or self._reads_noun_phrase()):
                self._skip()
        self._give_up_waiting()

    def _reads_pattern(self, rest: str) -> bool:
        if match := NEGATION.match(rest):
            self.negative, self.joint, self.relating = True, "", None
        elif match := ANCHORED.match(rest):
            self._anchor(SIDES[match[1]])
        elif found := _first(RELATIONS, rest):
            match, side = found
            self._relate(side)
            if self._closes(self.at + len(match[0].split())):
                self._relate_back(side)
        elif found := _first(PLACES, rest):
            match, side = found
            if self.clause:
                self.clause[-1][0].place = side
            else:
                self.place = side
        elif match := ONLY.match(rest):
            self.exact = True
        elif match := INEXACT.match(rest):
            self.inexact = True
        else:
            return False
        self.at += len(match[0].split())
        return True

    def _reads_noun_phrase(self) -> bool:
        read = read_noun_phrase(self.tokens, self.at)
        if read is None:
            return False
        before = self.tokens[self.at - 1] if self.at else ""
        phrase, self.at = read
        self.before = before
        if phrase.pronoun:
            self._refer(self._antecedent())
        elif not phrase.noun:
            self._elided(phrase, before)
        elif _means_no_thing(phrase):
            self.relating = None
        else:
            for early in self.waiting:
                self._thing(NounPhrase(phrase.noun, early.colours, early.count, early.determiner))
            self.waiting = []
            self._thing(phrase)
        self.exact = self.inexact = self.denied = False
        return True

    def _skip(self) -> None:
        word = self.tokens[self.at]
        self.at += 1
        if word in (",", "and", "or", "but") or word in RESETS:
            self.joint = "," if word == "," and not self.joint else word
            self.clause = [] if word != "with" else self.clause
            self.relating = None
        if word in RESETS or word in words.SETTLED:
            self.negative = False
        if word == "not":
            self.denied = True

    def _thing(self, phrase: NounPhrase) -> None:
        fresh = phrase.determiner not in ("", "any") or bool(phrase.count)
        if self.negative and self.joint in (",", "and") and fresh:
            self.negative = False
        if self.negative or phrase.count == 0:
            colour = phrase.colours[0] if len(phrase.colours) == 1 else None
            self.found.absent.append(Thing(phrase.noun, colour))
            self.joint = ""
            return
        definite = phrase.determiner in words.DEFINITE
        told_more = phrase.colours and not phrase.determiner and phrase.count is None
        thing = self._known(phrase) if definite or told_more else None
        if thing is None:
            thing = self._new(phrase)
            thing.held = self.before in words.HOLDING
            thing.setting = thing.bare and self.before in words.SETTLED
        if self.joint and not self.relating:
            self.clause = []
        self.clause.append((thing, definite))
        self._refer(thing)

    def _known(self, phrase: NounPhrase) -> Thing | None:
        for thing in self.found.things:
            if thing.noun == phrase.noun and (
                not phrase.colours or thing.colour in (None, phrase.colours[0])
            ):
                if phrase.colours and thing.colour is None:
                    thing.colour = phrase.colours[0]
                return thing
        return None

    def _new(self, phrase: NounPhrase) -> Thing:
        colour = phrase.colours[0] if len(phrase.colours) == 1 else None
        count = None if self.inexact else phrase.count
        single = phrase.determiner in ("a", "an") and not phrase.many
        if self.exact and count is None and single:
            count = 1
        for thing in self.found.things:
            bare = not (single or phrase.count or phrase.determiner == "another")
            if thing.noun == phrase.noun and thing.colour == colour:
                if not bare:
                    thing.named += 1
                    if count is not None or thing.count is not None:
                        thing.count = (thing.count or 1) + (count or 1)
                return thing
        many = phrase.many or (self.inexact and (phrase.count or 1) > 1)
        plain = not (phrase.determiner or phrase.colours or phrase.count or many)
        thing = Thing(phrase.noun, colour, count, many, single=single, bare=plain)
        thing.size = phrase.size
        self.found.things.append(thing)
        return thing

    def _refer(self, thing: Thing | None) -> None:
        """A thing was named, anew or again: complete whatever waits for one."""
        if thing is None:
            return
        if self.inverted is not None:
            side, other = self.inverted
            self._add_relation(thing, side, other)
            self.inverted = None
        elif self.relating is not None:
            subject, side = self.relating
            self.relating = None
            if subject is None:  # `to the left of the dog there is a cat`
                self.inverted = (side, thing)
            else:
                self._add_relation(subject, side, thing)
                self.subject = subject
        if self.place is not None:
            thing.place, self.place = self.place, None
        self.last, self.joint = thing, ""

    def _add_relation(self, subject: Thing, side: Side, other: Thing) -> None:
        relation = (subject, side, other)
        if subject is not other and relation not in self.found.relations:
            self.found.relations.append(relation)

    def _relate(self, side: Side) -> None:
        if self.denied:
            self.denied = False
            return
        self.negative = False
        if not self.clause and self._pronoun_then_thing():
            self.relating = (None, side)
        elif self.clause:
            self.relating = (self._clause_subject(), side)
        elif self.joint == "and" and self.subject is not None:
            self.relating = (self.subject, side)
        elif self.last is not None and self.joint in ("", ","):
            self.relating = (self.last, side) if self._mentioned_here() else (None, side)
        else:
            self.relating = (None, side)

    def _closes(self, at: int) -> bool:
        """Whether nothing follows that a relation could be to: `a dog with a ball below`."""
        return at >= len(self.tokens) or self.tokens[at] == ","

    def _relate_back(self, side: Side) -> None:
        """Relate the last thing to the one before it."""
        self.relating = None
        things = self.found.things
        if len(things) > 1 and self.last is things[-1]:
            self._add_relation(things[-1], side, things[-2])

    def _mentioned_here(self) -> bool:
        """Whether this sentence has named a thing; else `to the left of X` opens it."""
        return self.at > 0 and self.last is not None and self.joint != ""

    def _pronoun_then_thing(self) -> bool:
        """Whether what follows reads `above it a cat`."""
        for ahead in range(self.at + 1, min(self.at + 6, len(self.tokens))):
            if self.tokens[ahead] in words.PRONOUNS:
                following = self.tokens[ahead + 1 : ahead + 4]
                return any(near in ("a", "an", "is", "there") for near in following[:2]) or any(
                    words.number(near) is not None for near in following[:1]
                )
        return False

    def _clause_subject(self) -> Thing:
        """What a predicate speaks of: the definite thing that opens the clause, or the last."""
        before = self.tokens[self.at - 1] if self.at else ""
        first, definite = self.clause[0]
        if definite and before in ("is", "are", "be"):
            return first
        last = self.clause[-1][0]
        return next((thing for thing, _ in reversed(self.clause) if not thing.held), last)

    def _anchor(self, side: Side) -> None:
        """`to its left`: relates the last thing to the one before it, or opens a clause."""
        things = self.found.things
        opens = not self.clause and self.last is not None
        if opens and self.last is not None:
            self.inverted = (side, self.last)
        elif self.clause and len(things) > 1:
            subject = self.clause[-1][0]
            other = next((t for t in reversed(things) if t is not subject), None)
            if other is not None:
                self._add_relation(subject, side, other)

    def _antecedent(self) -> Thing | None:
        subject = self.relating[0] if self.relating else None
        return next((t for t in reversed(self.found.things) if t is not subject), None)

    def _elided(self, phrase: NounPhrase, before: str) -> None:
        """A colour or number without a noun."""
        if phrase.colours and phrase.determiner in ("both", "all"):
            for thing in self.found.things:
                thing.colour = thing.colour or phrase.colours[0]
        elif self.last is None or (phrase.count is None and self._thing_follows()):
            self.waiting.append(phrase)
        elif not phrase.colours:
            return
        elif not phrase.determiner and phrase.count is None and before not in (",", "and"):
            target = self._clause_subject() if self.clause else self.last
            if self.denied or self.negative:
                self.negative = False
                self.found.absent.append(Thing(target.noun, phrase.colours[0]))
            elif target.colour is None:
                target.colour = phrase.colours[0]
        else:
            phrase.noun = self.last.noun
            self._thing(phrase)

    def _thing_follows(self) -> bool:
        """Whether only conjunctions and colours lie between here and the next noun."""
        at = self.at
        while at < len(self.tokens) and self.tokens[at] in (",", "and", "or"):
            at += 1
            read = read_noun_phrase(self.tokens, at)
            if read is None:
                continue
            if read[0].noun:
                return bool(read[0].colours) and not read[0].pronoun
            at = read[1]
        return False

    def _give_up_waiting(self) -> None:
        waiting, self.waiting = self.waiting, []
        for phrase in waiting:
            if self.last is not None and phrase.colours:
                phrase.noun = self.last.noun
                self._thing(phrase)


def _means_no_thing(phrase: NounPhrase) -> bool:
    """Whether a noun phrase names the picture, its style or its light."""
    last = phrase.noun.split()[-1]
    bare = not (phrase.determiner or phrase.colours or phrase.count or phrase.many)
    return last in words.META_NOUNS or (bare and last in words.MEDIA)


def _first(
    patterns: tuple[tuple[re.Pattern[str], str], ...], rest: str
) -> tuple[re.Match[str], Side] | None:
    for pattern, name in patterns:
        if match := pattern.match(rest):
            return match, SIDES[name or next(group for group in match.groups() if group)]
    return None
