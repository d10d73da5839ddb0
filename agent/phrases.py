"""Phrases: noun phrases found by grammar; nouns are open vocabulary."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent import words

PREDICATE = {"is", "are", "be", "in", "painted", "being", "all", "both", "one"}
"""Words after which `orange` is a colour without a noun."""


@dataclass
class NounPhrase:
    """One noun phrase as read, before it is known which thing it means."""

    noun: str
    colours: list[str]
    count: int | None
    determiner: str
    many: bool = False
    pronoun: bool = False
    size: str | None = None


def read_noun_phrase(tokens: list[str], start: int) -> tuple[NounPhrase, int] | None:
    """The noun phrase that begins at `tokens[start]`, and where it ends; None if none does."""
    at = start
    phrase = NounPhrase("", [], None, "")
    while at < len(tokens):
        word = tokens[at]
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if word in words.PRONOUNS and word not in ("one",) and not phrase.colours:
            if at > start:
                break
            return NounPhrase("", [], None, "the", pronoun=True), at + 1
        pairing = word in ("couple", "pair") and (following == "of" or _is_noun(tokens, at + 1))
        if pairing or (word == "dozen" and phrase.count is None):
            phrase.count = 12 if word == "dozen" else 2
            at += 2 if following == "of" else 1
        elif word in words.GROUPS and following == "of":
            at, phrase.many, phrase.determiner = at + 2, True, ""
        elif word in words.DETERMINERS:
            phrase.determiner, at = phrase.determiner or word, at + 1
        elif word == "one" and phrase.colours and not _is_noun(tokens, at + 1):
            break  # `a blue one`
        elif (value := words.number(word)) is not None and phrase.count is None:
            phrase.count, at = value, at + 1
            at += 1 if at < len(tokens) and tokens[at] == "of" else 0
        elif _is_colour(tokens, at):
            name = words.colour(word)
            assert name is not None
            phrase.colours.append(name)
            at += 1
            two = tokens[at : at + 1] == ["and"] and _is_colour(tokens, at + 1)
            if two and _is_noun(tokens, at + 2) and phrase.determiner in ("a", "an"):
                at += 1  # `a red and blue ball`
        elif (word in ("colored", "coloured") and phrase.colours) or (
            word in words.ADJECTIVES
            and (
                _is_noun(tokens, at + 1)
                or following in words.ADJECTIVES
                or (at + 1 < len(tokens) and _is_colour(tokens, at + 1))
            )
        ):
            if (word, words.singular(following)) not in words.NOT_A_SIZE:
                phrase.size = words.SIZES.get(word, phrase.size)
            at += 1
        else:
            break
    nouns: list[str] = []
    while len(nouns) < 4 and (_is_noun(tokens, at) or (nouns and _ends_name(tokens, at))):
        nouns.append(tokens[at])
        at += 1
    if len(nouns) == 1 and nouns[0] == "orange" and _is_noun(tokens, at):
        nouns.append(tokens[at])
        at += 1
    contained = bool(nouns) and words.singular(nouns[-1]) in words.CONTAINERS
    if contained and tokens[at : at + 1] == ["of"]:
        held, after = _contents(tokens, at + 1)
        nouns += ["of", *held] if held else []
        at = after if held else at
    if not nouns and not phrase.colours and phrase.count is None:
        return None
    bare = nouns and not phrase.determiner and phrase.count is None and not phrase.colours
    if bare and at < len(tokens) and _opens(tokens[at]):
        return None  # a bare word right before `a dog` or `me` is a verb nobody listed
    if not nouns and at < len(tokens) and tokens[at] in ("one", "ones"):
        at += 1
    noun = " ".join(nouns)
    phrase.noun = words.singular(noun) if noun else ""
    if phrase.noun == noun and noun.split()[-1:] in ([pair] for pair in words.PAIRS):
        phrase.count = (
            None if tokens[start : start + 2] in (["a", "pair"], ["pair", "of"]) else (phrase.count)
        )
    phrase.many = phrase.many or (bool(noun) and phrase.noun != noun)
    return phrase, at


def _contents(tokens: list[str], start: int) -> tuple[list[str], int]:
    """What a container holds, and where that ends: `hot chocolate`, `red wine`."""
    at = start
    while (
        at < len(tokens)
        and at < start + 3
        and (_is_noun(tokens, at) or (tokens[at] in words.ADJECTIVES and _is_noun(tokens, at + 1)))
    ):
        at += 1
    return tokens[start:at], at


def _ends_name(tokens: list[str], at: int) -> bool:
    """Whether an adjective is the last word of a name: `traffic light`."""
    named = tokens[at : at + 1] and words.singular(tokens[at]) in words.NAMED_AFTER
    return bool(named) and not _is_noun(tokens, at + 1)


def _opens(word: str) -> bool:
    """Whether a word can only begin a noun phrase or be one."""
    return word in words.DETERMINERS or word in words.PRONOUNS or word in ("me", "us", "you")


def _is_colour(tokens: list[str], at: int) -> bool:
    """Whether the word is used as a colour; `an orange` and `orange juice` are not."""
    if at >= len(tokens) or words.colour(tokens[at]) is None:
        return False
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    if _names_with_colour(tokens[at], following):
        return False
    if tokens[at] != "orange":
        return True
    before = tokens[at - 1] if at else ""
    if _is_noun(tokens, at + 1) or following in words.ADJECTIVES or following in ("one", "ones"):
        return True
    linked = following in ("and", "or", ",") and at + 2 < len(tokens)
    if linked and words.colour(tokens[at + 2]) is not None and _is_noun(tokens, at + 3):
        return before not in ("a", "an", "the")
    return before in PREDICATE


def _names_with_colour(word: str, following: str) -> bool:
    """Whether the colour is part of a name: `golden retriever`, `red wine`."""
    return (words.colour(word), words.singular(following)) in words.NOT_A_COLOUR


def _is_noun(tokens: list[str], at: int) -> bool:
    """Whether the word may be (part of) the name of a thing."""
    if at >= len(tokens):
        return False
    word = tokens[at]
    if not re.fullmatch(r"[a-z][a-z'-]+", word):
        return False
    closed = (
        word in words.FUNCTION_WORDS
        or word in words.DETERMINERS
        or word in words.PRONOUNS
        or word in words.VERBS
        or word in words.ADVERBS
        or words.number(word) is not None
        or word in ("left", "right", "top", "bottom")
    )
    if closed:
        return False
    if word in words.ADJECTIVES:
        before = tokens[at - 1] if at else ""
        named = before in words.DETERMINERS or words.colour(before) or words.number(before)
        return bool(named) and not _is_noun(tokens, at + 1)
    if words.colour(word) is not None:
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if _names_with_colour(word, following):
            return True
        return word == "orange" and not _is_colour(tokens, at)
    if word.endswith("ed") and len(word) > 5:
        return False  # `painted`, `voted`
    if word.endswith("ly") and word not in words.LY_NOUNS:
        return False  # `highly`
    return not (word.endswith("ing") and len(word) > 4 and word not in words.ING_NOUNS)
