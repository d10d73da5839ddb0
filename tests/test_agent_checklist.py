"""The checklist: what a request in plain English claims about the picture."""

from __future__ import annotations

import pytest

from agent.checklist import Claim, compile_checklist
from agent.refine import variants
from agent.requests import asks_about_a_picture
from agent.words import article, plural, singular

LEFT = "the {} is to the left of the {}"
TABLE: list[tuple[str, list[str]]] = [
    ("draw me a red apple", ["there is an apple", "the apple is red"]),
    ("I'd like a picture with three cats", ["there are exactly three cats"]),
    ("three cats", ["there are exactly three cats"]),
    ("3 bananas", ["there are exactly three bananas"]),
    ("2x red cars", ["there are exactly two cars", "the cars are red"]),
    ("a couple of birds", ["there are exactly two birds"]),
    (
        "can you paint two red apples left of a dog, no cats please, on a blue background",
        [
            "there are exactly two apples",
            "the apples are red",
            "there is a dog",
            "the apples are to the left of the dog",
            "there is no cat",
            "the background is blue",
        ],
    ),
    (
        "a red apple to the left of a dog on a blue background",
        [
            "there is an apple",
            "the apple is red",
            "there is a dog",
            LEFT.format("apple", "dog"),
            "the background is blue",
        ],
    ),
    (
        "Could you please draw an orange cat next to an orange?",
        ["there is a cat", "the cat is orange", "there is an orange"],
    ),
    ("an orange on a pink background", ["there is an orange", "the background is pink"]),
    (
        "generate an image of a banana and a strawberry, without any people",
        ["there is a banana", "there is a strawberry", "there is no person"],
    ),
    (
        "please make a sticker of a small blue fish on a yellow backdrop",
        ["the fish is small", "there is a fish", "the fish is blue", "the background is yellow"],
    ),
    (
        "I want two dogs and a cat. The cat should be to the left of the dogs. "
        "The background must be green.",
        [
            "there are exactly two dogs",
            "there is a cat",
            LEFT.format("cat", "dog"),
            "the background is green",
        ],
    ),
    ("a red apple and a green apple", ["there is a red apple", "there is a green apple"]),
    ("a red and a green apple", ["there is a red apple", "there is a green apple"]),
    (
        "two apples, one red and one green",
        [
            "there are exactly two apples",
            "there is exactly one red apple",
            "there is exactly one green apple",
        ],
    ),
    (
        "red, green and blue balloons",
        ["there is a red balloon", "there is a green balloon", "there are blue balloons"],
    ),
    ("draw only a dog", ["there is exactly one dog"]),
    (
        "a dog and nothing else on a white background",
        ["there is exactly one dog", "the background is white"],
    ),
    ("just one elephant please", ["there is exactly one elephant"]),
    (
        "no cats or dogs, just a bird",
        ["there is exactly one bird", "there is no cat", "there is no dog"],
    ),
    ("draw a bird but don't add any trees", ["there is a bird", "there is no tree"]),
    (
        "there should be a house and a car; the car must not be red",
        ["there is a house", "there is a car", "there is no red car"],
    ),
    (
        "a cat on the left and a dog on the right",
        ["there is a cat", "there is a dog", LEFT.format("cat", "dog")],
    ),
    (
        "on the left a cat, on the right a dog",
        ["there is a cat", "there is a dog", LEFT.format("cat", "dog")],
    ),
    (
        "a dog with a cat to its left",
        ["there is a dog", "there is a cat", LEFT.format("cat", "dog")],
    ),
    (
        "a dog with a bird above it",
        ["there is a dog", "there is a bird", "the bird is above the dog"],
    ),
    (
        "a dog, and above it a cat",
        ["there is a dog", "there is a cat", "the cat is above the dog"],
    ),
    (
        "to the left of the dog there is a cat",
        ["there is a dog", "there is a cat", LEFT.format("cat", "dog")],
    ),
    (
        "I need a scene containing a dog left of a cat and above a car",
        [
            "there is a dog",
            "there is a cat",
            "there is a car",
            LEFT.format("dog", "cat"),
            "the dog is above the car",
        ],
    ),
    (
        "a cat sitting on top of a box",
        ["there is a cat", "there is a box", "the cat is above the box"],
    ),
    (
        "a pink pig underneath a tree",
        ["there is a pig", "the pig is pink", "there is a tree", "the pig is below the tree"],
    ),
    (
        "i want to see a rocket flying over the moon",
        ["there is a rocket", "there is a moon", "the rocket is above the moon"],
    ),
    ("four pictures of a cat", ["there is a cat"]),
    (
        "Give me a picture where there are exactly two trucks and at least one bike",
        ["there are exactly two trucks", "there is a bike"],
    ),
    (
        "Hey, could I get a drawing of a purple car beneath a yellow sun, background: gray?",
        [
            "there is a car",
            "the car is purple",
            "there is a sun",
            "the sun is yellow",
            "the car is below the sun",
            "the background is gray",
        ],
    ),
    (
        "neither cats nor dogs, but a horse",
        ["there is a horse", "there is no cat", "there is no dog"],
    ),
    ("a dog, not a cat", ["there is a dog", "there is no cat"]),
    ("apples without worms", ["there are apples", "there is no worm"]),
    (
        "the apple should be red and the banana should be blue",
        ["there is an apple", "the apple is red", "there is a banana", "the banana is blue"],
    ),
    ("a cat that is blue", ["there is a cat", "the cat is blue"]),
    ("Show me an apple whose colour is green", ["there is an apple", "the apple is green"]),
    ("paint a cat. Make it blue.", ["there is a cat", "the cat is blue"]),
    (
        "draw a house in red and a tree in blue",
        ["there is a house", "the house is red", "there is a tree", "the tree is blue"],
    ),
    (
        "hot air balloon above a fire truck",
        [
            "there is a hot air balloon",
            "there is a fire truck",
            "the hot air balloon is above the fire truck",
        ],
    ),
    (
        "a blue cat left of a red cat",
        [
            "there is a blue cat",
            "there is a red cat",
            "the blue cat is to the left of the red cat",
        ],
    ),
    ("a cat and another cat", ["there are exactly two cats"]),
    (
        "A picture of four apples on yellow",
        ["there are exactly four apples", "the background is yellow"],
    ),
    ("draw a dog on a beach", ["there is a dog", "the background is a beach"]),
    ("put a cat on a blue background", ["there is a cat", "the background is blue"]),
    ("draw a cat but the background should not be blue", ["there is a cat"]),
    ("there are no cats. draw one dog", ["there is exactly one dog", "there is no cat"]),
    ("I'm thinking of a snowman; blue bg", ["there is a snowman", "the background is blue"]),
    (
        "Would you be so kind as to draw a yellow duck for me?",
        ["there is a duck", "the duck is yellow"],
    ),
    ("draw a cat and then tell me what colour it is", ["there is a cat"]),
    ("Draw a cat and a dog, then describe the picture", ["there is a cat", "there is a dog"]),
    ("caption this picture, then draw a dog", ["there is a dog"]),
    ("Draw a dog. How many dogs are there?", ["there is a dog"]),
    (
        "two cats (both orange) and a yellow lemon",
        [
            "there are exactly two cats",
            "the cats are orange",
            "there is a lemon",
            "the lemon is yellow",
        ],
    ),
    ("dog. cat. background blue.", ["there is a dog", "there is a cat", "the background is blue"]),
]
NOTHING = [
    "What is in this picture?",
    "how many dogs are there?",
    "Is there a cat in the image?",
    "hello",
    "Hi there!",
    "thanks a lot!",
    "describe img1",
    "make it blue",
    "find the red car in the photo",
    "show me where the cat is",
    "can you draw?",
    "who are you?",
    "draw something nice",
    "I love cats",
    "What can you do?",
    "how many legs does a spider have?",
    "please count the apples in this image",
    "remove the cat from img1",
    "",
]


@pytest.mark.parametrize(("request_", "claims"), TABLE, ids=[row[0] for row in TABLE])
def test_a_request_compiles_to_its_claims(request_: str, claims: list[str]) -> None:
    assert sorted(claim.text for claim in compile_checklist(request_)) == sorted(claims)


@pytest.mark.parametrize("request_", NOTHING)
def test_what_asks_for_no_new_picture_claims_nothing(request_: str) -> None:
    assert compile_checklist(request_) == ()


def test_claims_carry_their_parts() -> None:
    claims = compile_checklist("two red apples left of a dog without cats on blue")
    by_kind = {claim.kind: claim for claim in claims}
    assert by_kind["count"] == Claim(
        kind="count", text="there are exactly two apples", subject="apple", count=2, several=True
    )
    assert (by_kind["colour"].subject, by_kind["colour"].colour) == ("apple", "red")
    relation = by_kind["relation"]
    assert (relation.subject, relation.relation, relation.other) == ("apple", "left of", "dog")
    assert by_kind["absent"].subject == "cat"
    assert by_kind["background"].background == "blue"


def test_the_same_request_gives_the_same_claims_whatever_the_voice() -> None:
    voices = [
        "draw a red apple to the left of a dog",
        "Please draw a red apple left of a dog!",
        "I would like to see a red apple on the left of a dog",
        "could you make an image of a red apple to the left of a dog, please?",
        "GENERATE A PICTURE SHOWING A RED APPLE LEFT OF A DOG",
    ]
    assert len({compile_checklist(voice) for voice in voices}) == 1


def test_a_bare_word_counts_as_a_thing_only_if_the_prompt_has_it_too() -> None:
    request = "sick drawing idea thingy, cow to the right of a tractor"
    texts = [claim.text for claim in compile_checklist(request, "a cow to the right of a tractor")]
    assert texts == [
        "there is a cow",
        "there is a tractor",
        "the cow is to the right of the tractor",
    ]
    asked = "a cow and a pig"  # what the request names in full is checked, prompt or not
    assert compile_checklist(asked, "a cow") == compile_checklist(asked)


def test_nouns_are_open_and_go_to_singular_and_back() -> None:
    for many, one in (
        ("butterflies", "butterfly"),
        ("cacti", "cactus"),
        ("foxes", "fox"),
        ("fish", "fish"),
        ("hot dogs", "hot dog"),
        ("buses", "bus"),
        ("strawberries", "strawberry"),
        ("mice", "mouse"),
    ):
        assert singular(many) == one
        assert plural(one) == many
    assert article("umbrella") == "an umbrella"
    assert article("unicorn") == "a unicorn"


def test_a_request_that_speaks_of_a_picture_is_known_as_such() -> None:
    assert asks_about_a_picture("what is in this picture?")
    assert asks_about_a_picture("caption img1")
    assert not asks_about_a_picture("draw a picture of a dog")
    assert not asks_about_a_picture("hello")


def test_repairs_word_the_claims_like_captions() -> None:
    claims = compile_checklist(
        "could you do a dog, to its left a red apple, no cats, on a blue background"
    )
    ways = variants("dog apple", "", 4.0, claims)
    assert [way.prompt for way in ways] == [
        "dog apple",
        "a red apple to the left of a dog on a blue background",
        "a dog to the right of a red apple on a blue background",
        "a red apple to the left of a dog on a blue background",
    ]
    assert ways[1].negative_prompt == "cat"
    assert ways[3].guidance == 6.0
