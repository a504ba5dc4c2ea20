"""Replaces values that a schema cannot describe, in requests that are meant to be valid.

Only the server makes consistency tokens and cursors, only its hosts say which images there are, a key is good for one
request, and a range in a duration is not a pattern. Without these hooks such requests would be refused at the door.

Each request also names an address of its own. A round sends hundreds of requests without a good token, and the rate
limit of a single address would answer 429 to those that have to be answered 401.
"""

import itertools
import time
import uuid

import requests
import schemathesis

IMAGE = "ubuntu-22.04"

# 10.0.0.1 and up.
addresses = (f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}" for n in itertools.count(1))


def name_an_address(adapter, request, **kwargs):
    request.headers["X-Forwarded-For"] = next(addresses)


# Below schemathesis: a header that a hook adds to a case would make a case with a missing header a valid one.
requests.adapters.HTTPAdapter.add_headers = name_an_address


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if case.headers:
        case.headers.pop("NovaCron-Consistency-Token", None)
        if "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if case.query:
        case.query.pop("cursor", None)
    if case.operation.path.endswith("/metrics"):
        now = int(time.time() * 1_000)
        values = {"from": str(now - 3_600_000), "to": str(now), "step": "60"}
        case.query = {**(case.query or {}), **{k: v for k, v in values.items() if k in (case.query or {})}}
    if case.operation.path.endswith("/wait"):
        case.query = {**(case.query or {}), "timeout": "0.2"}
    if isinstance(case.body, dict) and isinstance(case.body.get("config"), dict):
        case.body["config"]["image"] = IMAGE
        case.body.pop("zone", None)
