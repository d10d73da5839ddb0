"""Bucket: the pictures of a store on S3-type storage, as PNG objects named by content.

Where it answers and with which key is what every S3 client reads: AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, a profile, or the role of the machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agent.database import StoreAway
from tools.errors import InvalidInput

SETTINGS = Config(
    connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 3}
)
ABSENT = ("NoSuchKey", "404")


class Bucket:
    """One prefix of a bucket.

    Attributes:
        where: its URL.
        mark: a short name of it, for the folder of copies.
    """

    def __init__(self, url: str, folder: str) -> None:
        """Args:
        url: s3://BUCKET or s3://BUCKET/PREFIX.
        folder: below that, whose pictures these are.

        Raises:
            InvalidInput: the URL is none of these.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc:
            raise InvalidInput(
                "the URL of the pictures is s3://BUCKET/PREFIX; keys stand in AWS_ACCESS_KEY_ID "
                "and AWS_SECRET_ACCESS_KEY"
            )
        self._bucket = parts.netloc
        self._prefix = "/".join(part for part in (parts.path.strip("/"), folder) if part)
        self._client = _client(os.environ.get("AWS_ENDPOINT_URL"))
        self.where = f"s3://{self._bucket}/{self._prefix}"
        self.mark = hashlib.sha256(self.where.encode()).hexdigest()[:8]

    def put(self, identity: str, png: bytes) -> None:
        """Keep a picture; once this returns it is there.

        Raises:
            StoreAway: the storage does not answer, or does not let us.
        """
        with self._mended():
            self._client.put_object(
                Bucket=self._bucket, Key=self._key(identity), Body=png, ContentType="image/png"
            )

    def get(self, identity: str) -> bytes | None:
        """The file of a picture, or None if there is none.

        Raises:
            StoreAway: the storage does not answer, or does not let us.
        """
        with self._mended():
            try:
                found = self._client.get_object(Bucket=self._bucket, Key=self._key(identity))
            except ClientError as error:
                if error.response["Error"]["Code"] in ABSENT:
                    return None
                raise
            data: bytes = found["Body"].read()
            return data

    def check(self) -> None:
        """See that the bucket answers.

        Raises:
            StoreAway: it does not, or does not let us.
        """
        with self._mended():
            self._client.head_bucket(Bucket=self._bucket)

    def _key(self, identity: str) -> str:
        return f"{self._prefix}/{identity[:2]}/{identity}.png"

    @contextlib.contextmanager
    def _mended(self) -> Iterator[None]:
        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise StoreAway(
                f"the picture storage {self.where} cannot be used: {error}; see whether it runs, "
                "and what SIGHTLOOP_PICTURES, AWS_ENDPOINT_URL and the AWS keys say"
            ) from error


@lru_cache(maxsize=8)
def _client(endpoint: str | None) -> Any:
    """The connections of this process to one storage; safe across threads."""
    return boto3.session.Session().client("s3", endpoint_url=endpoint, config=SETTINGS)
