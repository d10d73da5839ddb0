"""Planner follow: turns that mean something only after the one before."""

from __future__ import annotations

from typing import Any

from miniature.train.planner_data import Example, Writer, compact
from miniature.train.planner_phrases import expand, plural
from miniature.train.planner_scenes import Entry, Scene
from miniature.world.language import article
from miniature.world.vocabulary import BACKGROUNDS


class FollowUps:
    """Writes follow-ups; one seed, one sequence."""

    def __init__(self, seed: int) -> None:
        self.write = Writer(seed)
        self.rng = self.write.rng

    def follow_up(self) -> Example:
        """A turn that means something only after the one before."""
        rng, write = self.rng, self.write
        handles, roll = write.pictures(), rng.random()
        if roll < 0.25:
            plan = write.draw()[1]
            plan[0].pop("seed", None)
            return Example(
                write.pick("again"), handles, compact([{**plan[0], "again": True}]), compact(plan)
            )
        if roll < 0.65:
            return self._redraw(handles)
        o = write.noun()
        image = rng.choice(handles)
        many = f"how many {plural(o)} are there?"
        ways: list[tuple[Any, str, Entry]] = [
            (write.exist, "follow_exist", {"vqa": image, "question": f"is there {article(o)}?"}),
            (write.count, "follow_count", {"vqa": image, "question": many}),
            (write.ground, "follow_where", {"ground": image, "phrases": [o]}),
            (write.colour, "follow_where", {"vqa": image, "question": f"what color is the {o}?"}),
        ]
        before, frame, after = rng.choice(ways)
        last = {k: image if v == "@" else v for k, v in before()[1].items()}
        text = write.say(frame, o=o, os=plural(o))
        if rng.random() < 0.25 and len(handles) > 1:
            other, it = write.refer(handles)
            text = expand(f"(and|what about|how about|same for|now) (in |){it}?", rng)
            after = {k: other if v == image else v for k, v in last.items()}
        return Example(text, handles, compact([after]), compact([last]))

    def _redraw(self, handles: list[str]) -> Example:
        rng, write = self.rng, self.write
        scene = write.scene()
        while scene.open or not scene.things:
            scene = write.scene()
        changed = Scene(list(scene.things), scene.relation, scene.background, scene.absent)
        count, adjective, noun = scene.things[0]
        roll = rng.random()
        if roll < 0.35 and len(scene.things) == 1:
            c = rng.choice(write.words["colours"])
            changed.things[0] = (count, c, noun)
            text = write.say("change_colour", c=c)
        elif roll < 0.65 and len(scene.things) == 1:
            o = write.noun()
            changed.things[0] = (count, adjective if count > 1 else "", o)
            text = write.say("change_object", o=o, a=article(o).split()[0])
        else:
            changed.background = rng.choice([*BACKGROUNDS])
            text = write.say("change_background", b=changed.background)
        return Example(text, handles, compact([changed.entry()]), compact([scene.entry()]))

    def change_on(self) -> Example:
        """A change that is clear only from the turn before."""
        ways = [
            (self._sized, 30), (self._recoloured, 15), (self._other_thing, 20),
            (self._other_picture, 15), (self._added, 12), (self._removed, 8),
        ]  # fmt: skip
        handles = self.write.pictures(2 if self.rng.random() < 0.4 else 1)
        return self.rng.choices([w for w, _ in ways], [n for _, n in ways])[0](handles)

    def _sized(self, handles: list[str]) -> Example:
        rng, write, o = self.rng, self.write, self.write.noun()
        word = rng.choice(["bigger", "smaller"])
        text = write.say("follow_size" if word == "bigger" else "follow_size_small")
        drawn: Entry = {"generate": article(f"{write.adjective(0.4)} {o}".strip())}
        colour = rng.choice(write.words["colours"])
        edited: Entry = {"edit": handles[0], "instruction": f"make the {o} {colour}"}
        after = {"edit": handles[-1], "instruction": f"make the {o} {word}"}
        return _turn(text, handles, after, rng.choice([drawn, edited]))

    def _recoloured(self, handles: list[str]) -> Example:
        o, (c, c2) = self.write.noun(), self.rng.sample(self.write.words["colours"], 2)
        last = {"edit": handles[0], "instruction": f"make the {o} {c}"}
        after = {"edit": handles[-1], "instruction": f"make the {o} {c2}"}
        return _turn(self.write.say("follow_colour", c=c2), handles, after, last)

    def _other_thing(self, handles: list[str]) -> Example:
        """The same done to another thing; on what a change gave, or on what was looked at."""
        rng, write = self.rng, self.write
        o, o2, c = write.noun(), write.noun(), rng.choice(write.words["colours"])
        ways: list[tuple[Entry, Entry]] = [
            ({"remove": handles[0], "phrase": o}, {"remove": handles[-1], "phrase": o2}),
            ({"segment": handles[0], "phrase": o}, {"segment": handles[0], "phrase": o2}),
            (
                {"edit": handles[0], "instruction": f"make the {o} {c}"},
                {"edit": handles[-1], "instruction": f"make the {o2} {c}"},
            ),
        ]
        last, after = rng.choice(ways)
        return _turn(write.say("follow_other_thing", o=o2), handles, after, last)

    def _other_picture(self, handles: list[str]) -> Example:
        write, handles = self.write, ["img1", "img2"]
        last = self.rng.choice([write.look, write.change, write.reading])(["img2"])[1][0]
        first = next(iter(last))
        other = {first: ["img1"] if isinstance(last[first], list) else "img1"}
        return _turn(write.say("follow_other_picture"), handles, last | other, last)

    def _added(self, handles: list[str]) -> Example:
        write = self.write
        w = article(f"{write.adjective(0.3)} {write.noun()}".strip())
        added: Entry = {"edit": handles[0], "instruction": f"add {article(write.noun())}"}
        last = self.rng.choice([added, {"caption": handles[-1]}])
        after = {"edit": handles[-1], "instruction": f"add {w}"}
        return _turn(write.say("follow_add", w=w), handles, after, last)

    def _removed(self, handles: list[str]) -> Example:
        o, new = self.write.noun(), handles[-1]
        last: Entry = self.rng.choice(
            [{"ground": new, "phrases": [o]}, {"segment": new, "phrase": o}]
        )
        after = {"remove": new, "phrase": o}
        return _turn(self.write.say("follow_remove"), handles, after, last)


def _turn(text: str, handles: list[str], after: Entry, last: Entry) -> Example:
    return Example(text, handles, compact([after]), compact([last]))
