"""Planner mix: single requests joined, followed up, refused, misspelt; the whole training set.

`planner_data.py` writes one request about one picture; this file makes conversations of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from miniature.train.planner_data import Example, compact
from miniature.train.planner_follow import FollowUps
from miniature.train.planner_phrases import WORDS, expand, plural, tidy
from miniature.train.planner_scenes import Entry, Scene
from miniature.world.language import article

TALK = ("hello", "thanks", "bye", "help", "who", "okay", "unclear")
NEIGHBOURS = {
    "a": "sq",
    "e": "wr",
    "i": "uo",
    "o": "ip",
    "t": "ry",
    "n": "mb",
    "s": "ad",
    "r": "et",
}


class Mixer(FollowUps):
    """Writes examples of every family; one seed, one sequence."""

    def example(self) -> Example:
        """One example of a family drawn at random, roughened as people write."""
        families: list[tuple[Callable[[], Example], int]] = [
            (self.draw, 38), (self.look, 26), (self.nothing_to_look_at, 7),
            (self.draw_and_look, 11), (self.draw_and_it, 7), (self.look_twice, 6),
            (self.several, 4), (self.two_pictures, 2), (self.follow_up, 5), (self.missing, 4),
            (self.edit, 5), (self.cannot, 12), (self.talk, 8), (self.partly, 2), (self.what, 3),
            (self.change, 42), (self.reading, 21), (self.retrieve, 8), (self.layout, 5),
            (self.draw_and_change, 7), (self.change_twice, 5), (self.change_and_look, 6),
            (self.change_on, 7), (self.look_and_draw, 3), (self.learn, 2), (self.plain, 14),
        ]  # fmt: skip
        made = self.rng.choices([f for f, _ in families], [w for _, w in families])[0]()
        if not made.last and self.rng.random() < 0.12:
            made.last = compact(self.write.draw()[1])
            made.handles = made.handles or (
                ["img1"] if made.target.startswith('{"reply":"h') else []
            )
            made.last = made.last if made.handles else ""
        self.write.near = []
        made.text = roughen(made.text, self.rng, self.write.words)
        return made

    def draw(self) -> Example:
        handles = self.write.pictures() if self.rng.random() < 0.25 else []
        text, plan = self.write.draw()
        return Example(text, handles, compact(plan))

    def look(self) -> Example:
        handles = self.write.pictures()
        text, plan = self.write.look(handles)
        return Example(text, handles, compact(plan))

    def nothing_to_look_at(self) -> Example:
        rng = self.rng
        write = rng.choice([self.write.look, self.write.change, self.write.reading])
        text = write(["img1"], it="" if rng.random() < 0.3 else "this picture", image="x")[0]
        if rng.random() < 0.2:
            text = self.write.say("both_caption")
        return Example(text, [], compact({"reply": "picture"}))

    def draw_and_look(self) -> Example:
        """A picture to draw, then one or two looks at it."""
        rng, write = self.rng, self.write
        text, plan = write.draw()
        text = text.rstrip("?.! ")
        names = "(it|it|the (result|picture|image|drawing|new picture)|that|what you drew)"
        for _ in range(rng.choice([1, 1, 1, 1, 2])):
            it = expand(names, rng)
            if rng.random() < 0.25:
                said, found = write.pick("after_caption"), [{"caption": "@c1"}]
                join = rng.choice(write.words["joins"])
            else:
                said, found = write.look(["@c1"], it, "@c1")
                question = said.endswith("?") and rng.random() < 0.7
                join = rng.choice(write.words["ask_joins" if question else "joins"])
            text, plan = text + join + said.rstrip("?"), plan + found
        handles = write.pictures() if rng.random() < 0.2 else []
        return Example(tidy(text) + rng.choice(["", "", "?"]), handles, compact(plan))

    def draw_and_it(self) -> Example:
        """One thing, or several alike, to draw, and what is done with them then."""
        rng, write = self.rng, self.write
        o, count = write.noun(), rng.choice([1, 1, 1, 2, 3])
        scene = Scene([(count, write.adjective(), o)])
        ways: list[tuple[str, Entry]] = [
            ("then_ground", {"ground": "@c1", "phrases": [o]}),
            ("then_segment", {"segment": "@c1", "phrase": o}),
            ("then_count", {"vqa": "@c1", "question": f"how many {plural(o)} are there?"}),
            ("then_colour", {"vqa": "@c1", "question": f"what color is the {o}?"}),
        ]
        frame, entry = rng.choice([way for way in ways if (count > 1) == (way[0] == "then_count")])
        said = write.say(frame, it="it", o=o, os=plural(o))
        text = write.say("generate", s=write.said(scene)).rstrip("?.! ")
        join = rng.choice(write.words["ask_joins" if said.endswith("?") else "joins"])
        return Example(tidy(text + join + said), [], compact([scene.entry(), entry]))

    def look_twice(self) -> Example:
        """Two things asked about the same picture."""
        rng, write = self.rng, self.write
        handles = write.pictures()
        if rng.random() < 0.35:
            o, o2 = write.noun(), write.noun()
            image, it = write.refer(handles)
            if rng.random() < 0.5:
                text = expand("(is there|do you see|can you find|are there)", rng)
                text += f" {article(o)} (and|or) {article(o2)} in {it}?".replace(
                    "(and|or)", rng.choice(["and", "or"])
                )
                asked = [f"is there {article(o)}?", f"is there {article(o2)}?"]
            else:
                text = expand("(how many|count the|the number of)", rng)
                text += f" {plural(o)} and {rng.choice(['', 'how many '])}{plural(o2)} in {it}"
                asked = [f"how many {plural(o)} are there?", f"how many {plural(o2)} are there?"]
            plan: list[Entry] = [{"vqa": image, "question": question} for question in asked]
            return Example(tidy(text), handles, compact(plan))
        text, plan = write.look(handles)
        it = rng.choice(["it", "it", "the picture", "that picture", "there"])
        more, plan_2 = write.look(handles, it, next(iter(plan[0].values())))
        join = rng.choice(
            [*write.words["joins"], *write.words["ask_joins"], "? ", ". also, ", "; "]
        )
        return Example(tidy(text.rstrip("?. ") + join + more), handles, compact(plan + plan_2))

    def look_and_draw(self) -> Example:
        """A look at a picture that is there, then a drawing that has nothing to do with it."""
        rng, write = self.rng, self.write
        handles = write.pictures()
        text, plan = write.look(handles)
        scene = write.scene()
        said = write.say("new_drawing", s=write.said(scene))
        text = text.rstrip("?.! ") + rng.choice(write.words["joins"]) + said
        return Example(tidy(text), handles, compact([*plan, scene.entry()]))

    def learn(self) -> Example:
        """A thing to learn from all pictures of the conversation."""
        write, handles = self.write, self.write.pictures(2)
        number = WORDS[len(handles)]
        whole = "both" if len(handles) == 2 else "all"
        named = f"({whole}|these|these {number}|the {number}|all {number}) (pictures|photos|images)"
        name = write.pick("names")
        text = write.say(
            "customize_all", those=expand(named, self.rng), thing=write.noun(), called=name
        )
        return Example(text, handles, compact([{"customize": handles, "name": name}]))

    def several(self) -> Example:
        """The same thing asked about each picture."""
        rng, write = self.rng, self.write
        handles = write.pictures(2)[: rng.choice([2, 2, 3])]
        handles = handles if len(handles) > 1 else ["img1", "img2"]
        roll = rng.random()
        named = " and ".join(handles)
        entry: Entry
        if roll < 0.35:
            text, entry = write.say("both_caption"), {"caption": "@"}
            if rng.random() < 0.3:
                text = expand(f"(describe|compare|caption|tell me about|contrast) {named}", rng)
        elif roll < 0.65:
            entry = rng.choice([write.exist, write.count, write.colour, write.backdrop])()[1]
            text = write.say("each_frames", q=str(entry["question"]).rstrip("?"))
        elif roll < 0.8:
            o = write.noun()
            text = write.say("which_more", o=o, os=plural(o))
            many = plural(o) in text and o != plural(o)
            question = f"how many {plural(o)} are there?" if many else f"is there {article(o)}?"
            entry = {"vqa": "@", "question": question}
        else:
            scene = write.scene()
            scene.absent = ""
            text, entry = (
                write.say("which_fits", t=scene.caption()),
                {"score": "@", "text": scene.caption()},
            )
        plan = [{k: handle if v == "@" else v for k, v in entry.items()} for handle in handles]
        return Example(text, handles, compact(plan))

    def two_pictures(self) -> Example:
        first, second = self.write.scene(), self.write.scene()
        text = self.write.say("two_pictures", s=self.write.said(first), s2=self.write.said(second))
        return Example(text, [], compact([first.entry(), second.entry()]))

    def missing(self) -> Example:
        """A picture named that does not exist."""
        handles = self.write.pictures()[:3]
        place = self.rng.randrange(len(handles), len(handles) + 4)
        ordinals = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
        number, ordinal = place + 1, ordinals[place]
        names = f"(img{number}|img{number}|picture {number}|the {ordinal} (picture|image|one))"
        write = self.rng.choice([self.write.look, self.write.change, self.write.reading])
        text = write(handles, expand(names, self.rng), "x")[0]
        if str(number) not in text and ordinal not in text:
            text = f"describe {expand(names, self.rng)}"
        return Example(text, handles, compact({"reply": "missing"}))

    def _refused(self, frame: str, kind: str, chance: float) -> Example:
        write = self.write
        handles = write.pictures() if self.rng.random() < chance else []
        it = write.refer(handles)[1] if handles else "this picture"
        colours, noun = write.words["colours"], write.noun()
        text = write.say(
            frame, it=it, o=noun, o2=write.noun(), a="a",
            c=self.rng.choice(colours), b=f"{article(self.rng.choice(colours))} one",
            s=write.said(write.scene()), n=self.rng.choice(WORDS[2:]),
        )  # fmt: skip
        return Example(text, handles, compact({"reply": kind}))

    def edit(self) -> Example:
        return self._refused("edit", "edit", 0.9)

    def cannot(self) -> Example:
        made = self._refused("cannot", "cannot", 0.45)
        if self.rng.random() < 0.25:
            made.text = expand("(can|could|would) you (please |)", self.rng) + made.text
        return made

    def partly(self) -> Example:
        """Something drawn or seen, then something that no tool does."""
        rng, write = self.rng, self.write
        kind = rng.choice(["cannot", "edit"])
        handles = write.pictures() if rng.random() < 0.4 else []
        text, plan = write.look(handles) if handles else write.draw()
        tail = write.say(f"also_{kind}", o=write.noun())
        return Example(text.rstrip("?.! ") + " " + tail, handles, compact([*plan, {"reply": kind}]))

    def what(self) -> Example:
        """A request that says too little: a question goes back."""
        handles = self.write.pictures() if self.rng.random() < 0.6 else []
        return Example(self.write.pick("what"), handles, compact({"reply": "what"}))

    def change(self) -> Example:
        handles = self.write.pictures()
        text, plan = self.write.change(handles)
        return Example(text, handles, compact(plan))

    def reading(self) -> Example:
        handles = self.write.pictures()
        text, plan = self.write.reading(handles)
        return Example(text, handles, compact(plan))

    def plain(self) -> Example:
        """What is asked most, in the fewest words, about the one picture there is."""
        rng, write = self.rng, self.write
        o, w, c = write.thing(), article(write.thing()), rng.choice(write.words["colours"])
        k = rng.choice([2, 3, 4])
        ways: list[tuple[str, Entry]] = [
            (f"(remove|remove|delete|erase) the {o}", {"remove": "img1", "phrase": o}),
            ("(describe|caption|describe) (it|this|the picture|the image)", {"caption": "img1"}),
            (
                f"make the background {c}",
                {"edit": "img1", "instruction": f"change the background to {c}"},
            ),
            (f"make the {o} {c}", {"edit": "img1", "instruction": f"make the {o} {c}"}),
            (f"add {w}", {"edit": "img1", "instruction": f"add {w}"}),
            (
                f"(replace the {o} with|swap the {o} for) {w}",
                {"replace": "img1", "phrase": o, "prompt": w},
            ),
            (
                f"(upscale|enlarge) (it|img1|the picture) by {k}",
                {"upscale": "img1", "factor": k},
            ),
            ("(upscale|enlarge) (it|img1|the picture|the image)", {"upscale": "img1"}),
            ("(read|what is) the text(| in it| in the picture)", {"ocr": "img1"}),
            (f"(cut out|segment|mask) the {o}", {"segment": "img1", "phrase": o}),
            (f"(find|locate|where is) the {o}", {"ground": "img1", "phrases": [o]}),
            (f"(find|show me) {w} in my (photos|pictures)", {"retrieve": w}),
        ]
        frame, entry = rng.choice(ways)
        return Example(expand(frame, rng), ["img1"], compact([entry]))

    def retrieve(self) -> Example:
        handles = self.write.pictures() if self.rng.random() < 0.25 else []
        text, entry = self.write.retrieve()
        return Example(text, handles, compact([entry]))

    def layout(self) -> Example:
        handles = self.write.pictures() if self.rng.random() < 0.2 else []
        text, entry = self.write.layout()
        return Example(text, handles, compact([entry]))

    def draw_and_change(self) -> Example:
        """A picture to draw, or to find, and what is done with it then."""
        rng, write = self.rng, self.write
        text, plan = write.draw() if rng.random() < 0.85 else _listed(write.retrieve())
        it = expand("(it|it|the (result|picture|image|drawing)|that)", rng)
        then = rng.choice([write.change, write.change, write.reading])
        said, more = then(["@c1"], it, "@c1")
        handles = write.pictures() if rng.random() < 0.15 else []
        text = text.rstrip("?.! ") + rng.choice(write.words["joins"]) + said.rstrip("?")
        return Example(tidy(text), handles, compact(plan + more))

    def change_twice(self) -> Example:
        """One change after the other, the second on what the first gives."""
        rng, write = self.rng, self.write
        handles = write.pictures()
        text, plan = write.change(handles)
        said, more = write.change(["@c1"], rng.choice(["it", "the result", "that"]), "@c1")
        text = text.rstrip("?.! ") + rng.choice(write.words["joins"]) + said.rstrip("?")
        return Example(tidy(text), handles, compact(plan + more))

    def change_and_look(self) -> Example:
        """A change, and a look at what came of it; or a look first."""
        rng, write = self.rng, self.write
        handles = write.pictures()
        if rng.random() < 0.3:
            text, plan = write.look(handles)
            image = next(iter(plan[0].values()))
            said, more = write.change(handles, rng.choice(["it", "the picture"]), image)
            join = rng.choice(write.words["joins"])
        else:
            text, plan = write.change(handles)
            said, more = write.look(["@c1"], rng.choice(["it", "the result"]), "@c1")
            join = rng.choice(write.words["ask_joins" if said.endswith("?") else "joins"])
        return Example(tidy(text.rstrip("?.! ") + join + said), handles, compact(plan + more))

    def talk(self) -> Example:
        kind = self.rng.choice(TALK)
        handles = self.write.pictures() if self.rng.random() < 0.4 else []
        return Example(self.write.pick(kind), handles, compact({"reply": kind}))


def _listed(made: tuple[str, Entry]) -> tuple[str, list[Entry]]:
    return made[0], [made[1]]


def roughen(text: str, rng: random.Random, words: dict[str, list[str]]) -> str:
    """The text as people write: greeted, capitalised or not, with slips of the finger."""
    if rng.random() < 0.1:
        text = rng.choice(words["before"]) + text
    if rng.random() < 0.12:
        text += rng.choice(words["behind"])
    if rng.random() < 0.3:
        text = text.rstrip("?. ") or text
    if rng.random() < 0.15:
        text = text.replace("'", "")
    if rng.random() < 0.18:
        tokens = text.split(" ")
        for _ in range(rng.choice([1, 1, 2])):
            place = rng.randrange(len(tokens))
            if tokens[place].isalpha() and len(tokens[place]) > 3:
                tokens[place] = _slip(tokens[place], rng)
        text = " ".join(tokens)
    if rng.random() < 0.35:
        text = text[0].upper() + text[1:]
    elif rng.random() < 0.03:
        text = text.upper()
    if rng.random() < 0.12 and text[-1] not in "?.!":
        text += rng.choice([".", "!", " ...", "?"])
    return text.strip()


def _slip(word: str, rng: random.Random) -> str:
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(4)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    if kind == 2:
        return word[:at] + word[at] + word[at:]
    return word[:at] + rng.choice(NEIGHBOURS.get(word[at], "xk")) + word[at + 1 :]


def dataset(count: int, seed: int) -> list[Example]:
    """`count` different examples; a bare word of talk may come up to four times."""
    mixer = Mixer(seed)
    seen: dict[str, int] = {}
    made: list[Example] = []
    while len(made) < count:
        example = mixer.example()
        key = f"{example.text}|{example.last}|{len(example.handles)}"
        seen[key] = seen.get(key, 0) + 1
        if seen[key] == 1:
            made.append(example)
    return made
