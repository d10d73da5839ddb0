"""Storage by URL: Postgres and S3-type storage, shared by processes, away and back, well told."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from agent.claims import one_claim
from agent.database import Sql
from agent.storage import open_bucket, open_database, open_store
from agent.store import Origin, Store
from tests.storage_servers import PASSWORD, S3, Postgres
from tools.errors import InvalidInput, ToolError, Unavailable
from tools.values import Image
from ui import doctor

ROOT = Path(__file__).resolve().parent.parent
UPLOAD = Origin(tool="upload")


def picture(shade: int) -> Image:
    return Image.from_pixels(np.full((4, 6, 3), shade, np.uint8))


def told(error: BaseException) -> str:
    """All that a log would hold of an error."""
    return "".join(traceback.format_exception(error))


def found(about: str) -> doctor.Finding:
    return next(each for each in doctor._storage() if each.about == about)


def test_without_urls_all_lies_in_the_home_folder(tmp_path: Path) -> None:
    open_store(tmp_path).put(picture(1), UPLOAD)
    open_store(tmp_path, "ann").put(picture(2), UPLOAD)
    assert (tmp_path / "store" / "store.sqlite").is_file()
    assert len(list(tmp_path.glob("owners/ann/store/pictures/*/*.png"))) == 1
    assert found("database").detail.startswith("SQLite")
    assert found("picture storage").detail == "files in the home folder"


def test_a_machine_sees_what_another_wrote_and_owners_see_their_own(
    postgres: Postgres, s3: S3, tmp_path: Path
) -> None:
    one, other = open_store(tmp_path / "one"), open_store(tmp_path / "other")
    talk = one.conversation()
    one.put(picture(1), Origin(tool="generate", checkpoint="abc", seed=4))
    one.name(talk, picture(1).id)
    assert other.handles(talk) == {"img1": picture(1).id}
    assert other.sizes(talk, "abc") == {"img1": (6, 4), "": (6, 4)}
    assert other.get(picture(1).id) == picture(1)
    assert other.path(picture(1).id).is_file()
    assert not (tmp_path / "other" / "store" / "store.sqlite").exists()
    with pytest.raises(InvalidInput, match="no picture"):
        open_store(tmp_path / "one", "ann").get(picture(1).id)
    assert found("database").detail.startswith("Postgres")
    assert found("picture storage").detail.startswith("s3://")


def test_processes_that_write_at_once_do_not_get_into_each_others_way(
    postgres: Postgres, tmp_path: Path
) -> None:
    program = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from agent.storage import open_store; from agent.store import Origin\n"
        "from tools.values import Image\n"
        "store = open_store(Path(sys.argv[1]))\n"
        "for shade in range(12):\n"
        "    one = Image.from_pixels(np.full((4, 4, 3), 20 * int(sys.argv[3]) + shade, np.uint8))\n"
        "    store.name(sys.argv[2], store.put(one, Origin(tool='upload')))\n"
        "    store.count_batches('abc', [('draw', 1, 1.0)])\n"
    )
    store = open_store(tmp_path)
    talk = store.conversation()
    writers = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path, talk, str(n)], cwd=ROOT)
        for n in range(3)
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert list(store.handles(talk)) == [f"img{number}" for number in range(1, 37)]


def test_a_server_that_was_away_is_used_again(postgres: Postgres, tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put(picture(1), UPLOAD)
    postgres.stop()
    try:
        with pytest.raises(Unavailable, match=rf"127.0.0.1:{postgres.port}.*cannot be used"):
            store.put(picture(2), UPLOAD)
        assert found("database").state == "missing"
    finally:
        postgres.start()
    assert store.get(picture(1).id) == picture(1)
    store.put(picture(2), UPLOAD)
    postgres.stop()
    postgres.start()  # the connection in hand is dead, and nobody was asked meanwhile
    assert store.get(picture(2).id) == picture(2)


def test_what_fails_in_the_middle_leaves_nothing(postgres: Postgres, tmp_path: Path) -> None:
    store = open_store(tmp_path)

    def write(then: Callable[[Sql], object]) -> None:
        with store._database.transaction() as sql:
            sql("INSERT INTO conversations (id, made) VALUES ('one', 1.0)")
            then(sql)

    with pytest.raises(Unavailable, match="syntax error"):
        write(lambda sql: sql("no query at all"))
    with pytest.raises(ZeroDivisionError):
        write(lambda _: 1 / 0)
    assert store.conversations() == ()
    with pytest.raises(InvalidInput, match="NUL"):
        store.begin_turn(store.conversation(), "a\0b")
    talk = store.conversation()
    assert store.begin_turn(talk, "50% of what? :it") == 1
    assert store.turns(talk)[0].request == "50% of what? :it"


def test_recipes_of_any_length_are_kept_once(postgres: Postgres, tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(32, 127, 20_000, np.uint8).tobytes().decode()
    origin = Origin(tool="generate", input={"prompt": words})
    store = open_store(tmp_path)
    for _ in range(2):
        store.put(picture(1), origin)
    assert store.lineage(picture(1).id)[0].origins == (origin,)


@pytest.mark.parametrize(
    "wrong", ["{user}:nonsense@{at}/x", "{user}:s%zz@{at}/x", "{user}:a%40secret@127.0.0.1:1/x"]
)
def test_no_error_tells_the_password(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wrong: str
) -> None:
    at = f"127.0.0.1:{postgres.port}"
    monkeypatch.setenv("SIGHTLOOP_DATABASE", "postgresql://" + wrong.format(user="tester", at=at))
    with pytest.raises(ToolError) as caught:
        open_store(tmp_path)
    for secret in (PASSWORD, "a@secret", "nonsense", "s%zz"):
        assert secret not in told(caught.value)
        assert secret not in str(found("database"))


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SIGHTLOOP_DATABASE", "mysql://u:word@h/x", "SIGHTLOOP_DATABASE is postgresql://"),
        ("SIGHTLOOP_PICTURES", "s3://key:word@bucket", "keys stand in AWS_ACCESS_KEY_ID"),
        ("SIGHTLOOP_PICTURES", "bucket", "s3://BUCKET/PREFIX"),
    ],
)
def test_other_urls_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, says: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidInput, match=says) as caught:
        open_store(tmp_path)
    assert "word" not in told(caught.value)


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in ("psycopg", "boto3"):
        monkeypatch.setitem(sys.modules, module, None)  # as if not installed
    for module in ("agent.postgres", "agent.bucket"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setenv("SIGHTLOOP_DATABASE", "postgresql://127.0.0.1:1/x")
    monkeypatch.setenv("SIGHTLOOP_PICTURES", "s3://bucket")
    with pytest.raises(Unavailable, match=r"pip install 'sightloop\[postgres\]'"):
        open_database(tmp_path / "any.sqlite")
    with pytest.raises(Unavailable, match=r"pip install 'sightloop\[s3\]'"):
        open_bucket()


def test_pictures_stay_readable_and_none_is_promised_while_the_storage_is_away(
    s3: S3, tmp_path: Path
) -> None:
    store, other = open_store(tmp_path / "one"), Store(tmp_path / "other", bucket=open_bucket())
    for each in (store, other):
        each.put(picture(1), UPLOAD)
    for path in tmp_path.glob("other/pictures-*/*/*.png"):
        path.unlink()  # copies may be deleted at any time
    s3.stop()
    try:
        with pytest.raises(Unavailable, match="AWS_ENDPOINT_URL"):
            store.put(picture(2), UPLOAD)
        with pytest.raises(InvalidInput, match="no picture"):
            store.get(picture(2).id)
        assert store.get(picture(1).id) == picture(1)
        with pytest.raises(Unavailable, match="cannot be used"):
            other.get(picture(1).id)
        assert found("picture storage").state == "missing"
    finally:
        s3.start()  # without its buckets
    with pytest.raises(Unavailable, match="NoSuchBucket"):
        store.put(picture(2), UPLOAD)
    bucket = open_bucket()
    assert bucket is not None
    s3.make(bucket.where.split("/")[2])
    store.put(picture(2), UPLOAD)
    assert store.get(picture(2).id) == picture(2)
    with pytest.raises(Unavailable, match="cannot be read"):
        other.get(picture(1).id)  # it went with the storage


def test_a_bucket_named_later_leaves_the_pictures_of_before_alone(s3: S3, tmp_path: Path) -> None:
    Store(tmp_path).put(picture(1), UPLOAD)
    moved = Store(tmp_path, bucket=open_bucket())
    assert not moved.path(picture(1).id).exists()  # told as missing, not taken for uploaded
    moved.put(picture(1), UPLOAD)
    assert moved.get(picture(1).id) == picture(1)
    assert Store(tmp_path).get(picture(1).id) == picture(1)


def test_wishes_of_an_older_store_keep_their_order(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "store.sqlite")
    database.executescript(
        "CREATE TABLE conversations (id TEXT PRIMARY KEY, made REAL NOT NULL);"
        "CREATE TABLE wishes (conversation TEXT NOT NULL, text TEXT NOT NULL, claim TEXT,"
        " PRIMARY KEY (conversation, text));"
        "INSERT INTO conversations VALUES ('old', 1.0);"
        "INSERT INTO wishes VALUES ('old', 'z', NULL), ('old', 'a', NULL);"
    )
    database.commit()
    database.close()
    store = Store(tmp_path)
    store.strike("old", "m")
    store.strike("old", "z")
    store.add_claim("old", one_claim("no bar"))
    assert store.wishes("old").struck == ("a", "m", "z")
    assert Store(tmp_path).wishes(Store(tmp_path).branch("old")) == store.wishes("old")
