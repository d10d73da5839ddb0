"""Planner change: requests to change, cut, map, find and place, each with the call it asks for."""

from __future__ import annotations

from collections.abc import Callable

from miniature.train.planner_phrases import WORDS, expand
from miniature.train.planner_scenes import Entry, Scenes
from miniature.world.language import article

Made = tuple[str, Entry]
CORNERS = ("top left", "top right", "bottom left", "bottom right")
SIDES = ("left", "right", "top", "bottom")
FOLD = {2: "double", 3: "triple", 4: "quadruple"}
TIMES = {2: "twice", 3: "three times", 4: "four times"}


class Changes(Scenes):
    """Writes requests about a picture that is there; `@` stands for it in the call."""

    def thing(self, chance: float = 0.25) -> str:
        """Such as "dog" or "red car"."""
        return f"{self.adjective(chance)} {self.noun()}".strip()

    def changes(self) -> list[tuple[Callable[[], Made], int]]:
        """Makers of requests that change a picture, with their weights."""
        return [
            (self.recolour, 8), (self.backdrop_change, 5), (self.enlarge, 3), (self.addition, 4),
            (self.edit_free, 3), (self.removal, 8), (self.replacement, 8), (self.restyle, 6),
            (self.upscale, 4), (self.outpaint, 4), (self.insert_at, 3),
        ]  # fmt: skip

    def readings(self) -> list[tuple[Callable[[], Made], int]]:
        """Makers of requests that cut, map, read or learn a picture, or find others like it."""
        return [
            (self.segment, 8), (self.segment_all, 2), (self.ocr, 5), (self.depth, 2),
            (self.edges, 2), (self.pose, 2), (self.similar, 4), (self.control, 6),
            (self.customize, 4),
        ]  # fmt: skip

    # changes

    def _edit(self, frame: str, instruction: str, **slots: str) -> Made:
        return self.say(frame, **slots), {"edit": "@", "instruction": instruction}

    def recolour(self) -> Made:
        o, (c, c2) = self.noun(), self.rng.sample(self.words["colours"], 2)
        return self._edit("recolour", f"make the {o} {c}", o=o, c=c, c2=c2)

    def backdrop_change(self) -> Made:
        c, c2 = self.rng.sample(self.words["colours"], 2)
        slots = {"o": self.noun(), "c": c, "c2": c2}
        return self._edit("backdrop_change", f"change the background to {c}", **slots)

    def enlarge(self) -> Made:
        o, word = self.thing(0.1), self.rng.choice(["bigger", "smaller"])
        frame = "enlarge" if word == "bigger" else "reduce"
        return self._edit(frame, f"make the {o} {word}", o=o)

    def addition(self) -> Made:
        w = article(self.thing(0.35))
        text = self.say("addition", o=self.noun(), w=w)
        return text, {"edit": "@", "instruction": f"add {w}"}

    def edit_free(self) -> Made:
        text = self.say("edit_free", o=self.noun(), w=article(self.noun()))
        plain = text.replace("{it}", "the picture").rstrip("?. ")
        return text, {"edit": "@", "instruction": plain.removesuffix(" in the picture")}

    def removal(self) -> Made:
        o = self.thing()
        return self.say("removal", o=o), {"remove": "@", "phrase": o}

    def replacement(self) -> Made:
        o, w = self.thing(0.15), article(self.thing(0.35))
        return self.say("replacement", o=o, w=w), {"replace": "@", "phrase": o, "prompt": w}

    def restyle(self) -> Made:
        if self.rng.random() < 0.2:
            y = self.pick("artists")
            text = self.say("restyle_by", y=y)
            return text, {"restyle": "@", "prompt": f"in the style of {y}"}
        y = self.pick("styles")
        frame = "restyle_ify" if " " not in y and self.rng.random() < 0.15 else "restyle"
        return self.say(frame, y=y), {"restyle": "@", "prompt": y}

    def upscale(self) -> Made:
        roll = self.rng.random()
        if roll < 0.2:
            k = self.rng.choice([2, 3, 4])
            text = self.say("upscale_fold", fold=FOLD[k], times=TIMES[k])
            return text, {"upscale": "@", "factor": k}
        if roll < 0.5:
            k = self.rng.choice([2, 2, 3, 4, 4])
            said = self.rng.choice([str(k), WORDS[k]])
            return self.say("upscale_by", k=said), {"upscale": "@", "factor": k}
        return self.say("upscale"), {"upscale": "@"}

    def outpaint(self) -> Made:
        if self.rng.random() < 0.15:
            both = self.rng.sample(SIDES, 2)
            frame = self.rng.choice(["outpaint_both", "outpaint_sides"])
            text = self.say(frame, side=both[0], side2=both[1])
            sides = both if frame == "outpaint_both" else ["left", "right"]
            return text, {"outpaint": "@", "sides": sides}
        said, px = self.pick("sides"), self.rng.choice([16, 32, 48, 64, 100, 128, 200, 256])
        text = self.say("outpaint", side=said, px=str(px))
        side = {"upper edge": "top", "bottom edge": "bottom"}.get(said, said.split()[0])
        entry: Entry = {"outpaint": "@", "sides": [side] if said in text else [*SIDES]}
        return text, entry | ({"px": px} if str(px) in text else {})

    def insert_at(self) -> Made:
        p, w = self.rng.choice([*CORNERS, *SIDES, "middle"]), article(self.thing(0.35))
        return self.say("insert_at", p=self.placed(p), w=w), {"inpaint": "@", "prompt": w, "at": p}

    def placed(self, place: str) -> str:
        """A place as people call it."""
        if place in CORNERS and self.rng.random() < 0.35:
            return place.replace("top", "upper").replace("bottom", "lower")
        return self.rng.choice(["middle", "centre", "center"]) if place == "middle" else place

    # readings

    def segment(self) -> Made:
        o = self.thing()
        return self.say("segment", o=o), {"segment": "@", "phrase": o}

    def segment_all(self) -> Made:
        return self.say("segment_all"), {"segment": "@"}

    def ocr(self) -> Made:
        return self.say("ocr"), {"ocr": "@"}

    def depth(self) -> Made:
        return self.say("depth"), {"depth": "@"}

    def edges(self) -> Made:
        return self.say("edges"), {"edges": "@"}

    def pose(self) -> Made:
        return self.say("pose"), {"pose": "@"}

    def similar(self) -> Made:
        k = self.rng.choice([3, 4, 5, 6, 8])
        said = self.rng.choice([str(k), WORDS[k]])
        text = self.say("similar", k=said)
        return text, {"similar": "@"} | ({"k": k} if said in text.split() else {})

    def control(self) -> Made:
        kind, scene = self.rng.choice(["edges", "depth", "pose"]), self.scene()
        scene.absent = ""
        frame = "control" if kind == "depth" or self.rng.random() < 0.65 else f"control_{kind}"
        text = self.say(frame, s=self.said(scene), kind=self.pick(f"kinds_{kind}"))
        return text, {"control": "@", "kind": kind, "prompt": scene.caption()}

    def customize(self) -> Made:
        name = self.pick("names")
        said = name.capitalize() if self.rng.random() < 0.3 else name
        text = self.say("customize", called=said, thing=self.noun())
        return text, {"customize": ["@"], "name": name}

    # without a picture

    def retrieve(self) -> Made:
        """A search of the person's own pictures in words."""
        scene, k = self.scene(), self.rng.choice([2, 3, 4, 5, 6])
        scene.absent = ""
        said = self.rng.choice([str(k), WORDS[k]])
        text = self.say("retrieve", s=self.said(scene), k=said)
        counted = f"{said} pi" in text or f"{said} photo" in text or f"{said} image" in text
        return text, {"retrieve": scene.caption()} | ({"k": k} if counted else {})

    def layout(self) -> Made:
        """Things, each with its place in the picture."""
        rng = self.rng
        count = rng.choice([1, 2, 2, 2, 3, 3, 4])
        corners = rng.random() < 0.6 or count == 4
        places = rng.sample(CORNERS, count) if corners else self._sides(count)
        things, parts = [], []
        for place in places:
            w = article(self.thing(0.4))
            things.append([w, place])
            frame = "at_middle" if place == "middle" else "at_place" if corners else "at_side"
            parts.append(self.say(frame, w=w, p=self.placed(place)))
        join = rng.choice([", ", " and ", "; ", ", and "])
        body = ", ".join(parts[:-1]) + join + parts[-1] if parts[1:] else parts[0]
        entry: Entry = {"layout": things}
        if rng.random() < 0.2:
            c = rng.choice(self.words["colours"])
            body += expand(f"(, on a {c} background|, {c} background| on {c})", rng)
            entry["on"] = c
        return self.say("layout", s=body), entry

    def _sides(self, count: int) -> list[str]:
        pair = self.rng.choice([["left", "right"], ["top", "bottom"]])
        self.rng.shuffle(pair)
        if count == 1:
            return [self.rng.choice([*pair, "middle"])]
        return [pair[0], "middle", pair[1]] if count == 3 else pair
