"""Asking S3: the clients of a process, what is tried again, and what a user is told when that does not help.

s3fs is for control and whole files, Arrow's own client for ranges (docs/decisions/store.md has the figures of both).
Both take the standard credential chain, AWS_ENDPOINT_URL and AWS_REGION, and repeat by themselves what fails while a
server is busy.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import aiohttp
import botocore.exceptions
import botocore.session
import fsspec.asyn
import pyarrow.fs
import s3fs

from schemas.errors import StoreError

ATTEMPTS = 10
"""Of one request, by the client; eight times 503 SlowDown took 36 to 60 s."""
TRIES = 4
"""Of what the client has given up."""
DENIED_SECONDS = 30.0
"""S3 says 403 under load too: so long it is asked again, if it has allowed something before."""
CHECKSUMS = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
"""As before 2025: other servers than Amazon's know no other."""
AMAZON = "amazonaws.com"
"""Whose endpoints Arrow's client knows by the region."""

Result = TypeVar("Result")


@cache
def client() -> Any:
    """Return the s3fs of this process."""
    config = {"retries": {"mode": "adaptive", "max_attempts": ATTEMPTS}, **CHECKSUMS}
    return s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True, config_kwargs=config)


@cache
def range_client() -> pyarrow.fs.S3FileSystem:
    """Return Arrow's client of this process, which asks where the other one does."""
    client().connect()
    found = client().s3.meta
    own = None if AMAZON in found.endpoint_url else found.endpoint_url
    return pyarrow.fs.S3FileSystem(
        endpoint_override=own,
        region=found.region_name,
        retry_strategy=pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def body_of(answer: Any) -> bytes:
    """Return what an answer of the client brings."""

    async def read() -> bytes:
        async with answer["Body"] as body:
            found: bytes = await body.read()
            return found

    found: bytes = fsspec.asyn.sync(client().loop, read)
    return found


_allowed = set[str]()
"""Buckets that have answered in this process."""


def asked(
    operation: str,
    bucket: str,
    key: str,
    call: Callable[[], Result],
    *,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Return what a call returns; try again what may succeed then. FileNotFoundError goes through: there is no object.

    Raises:
        StoreError: the server does not allow it, or cannot be asked; names bucket, key, operation and credentials.
    """
    start, tries = clock(), 0
    while True:
        try:
            result = call()
        except FileNotFoundError as error:
            if _code(error) == "NoSuchBucket":
                raise StoreError(f"s3://{bucket}: there is no such bucket; make it, or name another") from None
            _allowed.add(bucket)
            # An upload whose end was asked for twice, as the first reply was lost: it is made once more.
            if _code(error) != "NoSuchUpload" or (tries := tries + 1) >= TRIES:
                raise
        except PermissionError as error:
            if bucket not in _allowed or clock() - start > DENIED_SECONDS:
                raise StoreError(
                    f"s3://{bucket}/{key}: {operation} is not allowed ({error}) with {credentials()}; give their owner "
                    "the right, or name others"
                ) from None
            tries += 1
        except botocore.exceptions.NoCredentialsError:
            raise StoreError(
                f"s3://{bucket}/{key}: {operation}: no AWS credentials were found; set AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID, or give this machine a role"
            ) from None
        except (OSError, botocore.exceptions.BotoCoreError, aiohttp.ClientError) as error:
            if condition_failed(error):
                raise
            tries += 1
            if tries >= TRIES:
                reason = " ".join(str(error).split()) or type(error).__name__
                raise StoreError(
                    f"s3://{bucket}/{key}: {operation}: {reason}; look after the bucket, the network and "
                    "AWS_ENDPOINT_URL, then run again"
                ) from None
        else:
            _allowed.add(bucket)
            return result
        pause(min(2.0**tries, 10.0))


def condition_failed(error: BaseException) -> bool:
    """Return whether a conditional write found other content than it was to replace."""
    return _code(error) in ("PreconditionFailed", "ConditionalRequestConflict")


def _code(error: BaseException) -> str | None:
    """Return what S3 calls an error."""
    return getattr(error.__cause__, "response", {}).get("Error", {}).get("Code")


def credentials() -> str:
    """Say which credentials are taken, never their values."""
    found = botocore.session.get_session().get_credentials()
    return f"the credentials by {found.method}" if found else "no credentials"
