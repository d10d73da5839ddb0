"""Planner data: requests written by a grammar, each with the compact plan it asks for.

`planner_grammar.yaml` holds the wordings; this file chooses among them, fills their slots and
writes the plan beside them. The compact language of plans is `agent/embedded_format.py`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from miniature.train.planner_change import Changes
from miniature.train.planner_phrases import WORDS, expand, plural, tidy
from miniature.train.planner_scenes import RELATIONS, Entry
from miniature.world.language import article
from miniature.world.vocabulary import BACKGROUNDS


@dataclass
class Example:
    """One request and its plan.

    Attributes:
        text: what the person writes.
        handles: pictures of the conversation, oldest first.
        target: the compact plan, JSON text.
        last: compact plan of the turn before; empty in a first turn.
    """

    text: str
    handles: list[str]
    target: str
    last: str = ""


class Writer(Changes):
    """Writes requests for one thing, with their plans; one seed, one sequence."""

    def draw(self) -> tuple[str, list[Entry]]:
        """A request for one picture, and its plan."""
        rng, roll = self.rng, self.rng.random()
        if roll < 0.2:
            said, scene = self.told() if roll < 0.15 else self.corrected()
            # a story begins the request, it does not follow "draw"
            text = said if roll < 0.15 else self.say("generate", s=said)
        else:
            scene = self.scene()
            text = self.say("generate", s=self.said(scene))
        self.near = [noun for _, _, noun in scene.things]
        entry, roll = scene.entry(), rng.random()
        if roll < 0.08:
            n = rng.choice([2, 3, 4, 5, 6, 8])
            entry["n"] = n
            text = self.say("many", s=self.said(scene), n=rng.choice([str(n), WORDS[n]]))
        elif roll < 0.11:
            entry["seed"] = rng.choice([rng.randrange(100), rng.randrange(100000)])
            text = self.say("seeded", g=text, v=str(entry["seed"]))
        elif roll < 0.13:
            entry["steps"] = rng.choice([5, 8, 10, 12, 15, 20, 25, 30, 40, 50])
            text = self.say("stepped", g=text, v=str(entry["steps"]))
        return text, [entry]

    # pictures to look at

    def pictures(self, least: int = 1) -> list[str]:
        count = max(least, self.rng.choices([1, 2, 3, 4, 5], [10, 4, 3, 1, 1])[0])
        return [f"img{i + 1}" for i in range(count)]

    def refer(self, handles: list[str]) -> tuple[str, str]:
        """A picture, and how a person calls it."""
        rng = self.rng
        newest = self.pick("newest")
        if len(handles) == 1:
            return handles[0], rng.choice([newest, newest, newest, handles[0]])
        if rng.random() < 0.3:
            return handles[-1], newest
        place = rng.randrange(len(handles))
        ordinal = ("first", "second", "third", "fourth", "fifth")[place]
        number = place + 1
        names = f"{handles[place]}|{handles[place]}|the {ordinal} (picture|image|photo|one)"
        names += f"|{handles[place]}|(picture|image|photo) {number}|image #{number}|the {ordinal}"
        if place == len(handles) - 1:
            names += "|the (last|newest|latest) (one|picture|image)"
        if place == 0:
            names += "|the (oldest|earliest|very first) (one|picture|image)"
        if len(handles) == 2:
            names += f"|the {('previous', 'newer')[place]} (one|picture|image|drawing)"
        return handles[place], expand(f"({names})", rng)

    def look(self, handles: list[str], it: str = "", image: str = "") -> tuple[str, list[Entry]]:
        """A request to look at one picture, and its plan; `it` and `image` force which."""
        makers: list[tuple[Callable[[], tuple[str, Entry]], int]] = [
            (self.caption, 5), (self.exist, 4), (self.count, 5), (self.colour, 3),
            (self.backdrop, 2), (self.relation, 3), (self.size, 1), (self.open_question, 5),
            (self.ground, 8), (self.score, 6), (self.classify, 6),
        ]  # fmt: skip
        return self.about(makers, handles, it, image)

    def change(self, handles: list[str], it: str = "", image: str = "") -> tuple[str, list[Entry]]:
        """A request to change one picture, and its plan."""
        return self.about(self.changes(), handles, it, image)

    def reading(self, handles: list[str], it: str = "", image: str = "") -> tuple[str, list[Entry]]:
        """A request to cut, map or learn one picture, and its plan."""
        return self.about(self.readings(), handles, it, image)

    def about(
        self,
        makers: list[tuple[Callable[[], tuple[str, Entry]], int]],
        handles: list[str],
        it: str,
        image: str,
    ) -> tuple[str, list[Entry]]:
        """What one of the makers writes, about a picture that is named where it must be."""
        rng = self.rng
        text, entry = rng.choices([m for m, _ in makers], [w for _, w in makers])[0]()
        if not it:
            image, it = self.refer(handles)
        if "{it}" in text:
            text = text.replace("in here", "here").replace("{it}", it)
        elif image != handles[-1]:
            text = rng.choice(
                [f"{it}: {text}", f"in {it}, {text}", f"{text} ({it})", f"for {it}: {text}"]
            )
        named = {"@": image}
        if isinstance(entry.get("customize"), list):
            entry["customize"] = [image]
        return tidy(text), [
            {
                key: named.get(value, value) if isinstance(value, str) else value
                for key, value in entry.items()
            }
        ]

    def caption(self) -> tuple[str, Entry]:
        return self.say(self.rng.choice(["caption", "caption", "caption_bare"])), {"caption": "@"}

    def _vqa(self, frame: str, question: str, **slots: str) -> tuple[str, Entry]:
        return self.say(frame, **slots), {"vqa": "@", "question": question}

    def exist(self) -> tuple[str, Entry]:
        noun, adjective = self.noun(), self.adjective(0.25)
        o, os = f"{adjective} {noun}".strip(), f"{adjective} {plural(noun)}".strip()
        return self._vqa("vqa_exist", f"is there {article(o)}?", o=o, os=os)

    def count(self) -> tuple[str, Entry]:
        adjective = self.adjective(0.15)
        os = f"{adjective} {plural(self.noun())}".strip()
        if self.rng.random() < 0.15:
            os = self.rng.choice(["animals", "people", "objects", "things", "vehicles", "fruits"])
        k = self.rng.choice(WORDS[1:7])
        return self._vqa("vqa_count", f"how many {os} are there?", os=os, k=k)

    def colour(self) -> tuple[str, Entry]:
        o, (c, c2) = self.noun(), self.rng.sample(self.words["colours"], 2)
        if self.rng.random() < 0.25:
            return self._vqa("vqa_is_colour", f"is there {article(f'{c} {o}')}?", o=o, c=c)
        return self._vqa("vqa_colour", f"what color is the {o}?", o=o, c=c, c2=c2)

    def backdrop(self) -> tuple[str, Entry]:
        if self.rng.random() < 0.25:
            c = self.rng.choice([*BACKGROUNDS])
            return f"is the background {c}?", {"vqa": "@", "question": f"is the background {c}?"}
        return self._vqa("vqa_background", "what is the background color?", o=self.noun())

    def relation(self) -> tuple[str, Entry]:
        o, o2 = self.noun(), self.noun()
        r = self.rng.choice([*RELATIONS])
        said = expand(f"({RELATIONS[r]})", self.rng)
        return self._vqa("vqa_relation", f"is the {o} {r} the {o2}?", o=o, o2=o2, r=said)

    def size(self) -> tuple[str, Entry]:
        o = self.noun()
        return self._vqa("vqa_size", f"is the {o} small or large?", o=o)

    def open_question(self) -> tuple[str, Entry]:
        q = " ".join(self.pick("vqa_open").split())
        return self._vqa("vqa_open_frames", f"{q}?", q=q)

    def ground(self) -> tuple[str, Entry]:
        rng = self.rng
        o, p2 = (f"{self.adjective(0.3)} {self.noun()}".strip() for _ in range(2))
        if rng.random() < 0.25:
            return self.say("ground_two", p=o, p2=p2), {"ground": "@", "phrases": [o, p2]}
        text = self.say("ground", o=o, p="{p}")
        if "{p}" in text and rng.random() < 0.4:
            return text.replace("{p}", plural(o)), {"ground": "@", "phrases": [o]}
        return text.replace("{p}", o), {"ground": "@", "phrases": [o]}

    def score(self) -> tuple[str, Entry]:
        scene = self.scene()
        scene.absent = ""
        t = scene.caption()
        quote = self.rng.choice(['"{}"', "'{}'", "{}", '"{}"', "“{}”"])
        return self.say("score", t=t, q=quote.format(t)), {"score": "@", "text": t}

    def classify(self) -> tuple[str, Entry]:
        rng = self.rng
        labels = [self.noun() for _ in range(rng.choice([2, 2, 3, 3, 4, 5]))]
        if rng.random() < 0.2:
            labels = rng.choice(self.words["also_classes"]).split(", ")
        labels = list(dict.fromkeys(labels))
        text = self.say("classify")
        if " a {l}" in text or rng.random() < 0.3:
            said = [article(label) for label in labels]
            text = text.replace(" a {l}", " {l}").replace(" an {l}", " {l}")
        else:
            said = labels
            text = text.replace(" an {l}", " {l}")
        joined = rng.choice([", ".join(said), " or ".join(said), "/".join(said)])
        if rng.random() < 0.6:
            joined = f"{', '.join(said[:-1])} or {said[-1]}" if len(said) > 1 else said[0]
        return text.replace("{l}", joined), {"classify": "@", "labels": labels}


def compact(entries: list[Entry] | Entry) -> str:
    """A plan as the model writes it: JSON without spaces."""
    return json.dumps(entries, separators=(",", ":"), ensure_ascii=False)
