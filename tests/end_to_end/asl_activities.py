"""Activities of the tests of Amazon States Language; the workers import this file. TOKENS_DB keeps task tokens."""

import os
import sqlite3
from contextlib import closing
from typing import Any

from stepwell import ActivityContext, ActivityError, activity

TOKENS = "CREATE TABLE IF NOT EXISTS tokens (name TEXT PRIMARY KEY, token TEXT)"


@activity("double", timeout=30)
def double(n: int) -> dict[str, int]:
    """Twice a number."""
    return {"n": 2 * n}


@activity("flaky", timeout=30)
def flaky(good_at: int, context: ActivityContext) -> str:
    """Fails until a try."""
    if context.attempt < good_at:
        raise ActivityError("Busy", f"try {context.attempt}")
    return f"good at try {context.attempt}"


@activity("items.read", timeout=30)
def read(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - S3's own words
    """An object of a bucket, as S3 answers."""
    return {"Body": "id,n\na,1\nb,2\nc,3\n", "Bucket": Bucket, "Key": Key}


@activity("tokens.keep", timeout=30)
def keep(QueueUrl: str, MessageBody: dict[str, str]) -> dict[str, str]:  # noqa: N803 - SQS's own words
    """Keep a task token where the test finds it."""
    with closing(sqlite3.connect(os.environ["TOKENS_DB"], timeout=20)) as db, db:
        db.execute(TOKENS)
        db.execute("INSERT OR REPLACE INTO tokens VALUES (?, ?)", (MessageBody["name"], MessageBody["token"]))
    return {"MessageId": "m-1"}
