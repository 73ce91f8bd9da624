"""A store in a bucket of S3, or of what speaks its protocol with conditional writes (Ceph, MinIO)."""

import datetime
import email.utils
import hashlib
import shutil
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from actors.store.lease_object import held, read_lease, told_of
from actors.store.node_cache import NodeCache
from actors.store.s3_client import asked, body_of, client, condition_failed, range_client
from retrieval.files.checked import HEAD_BYTES, file_digest
from retrieval.files.disk_errors import told
from retrieval.files.parquet import opened
from schemas.errors import IntegrityError, StoreError
from schemas.layout import FOLDERS, Layout
from schemas.manifest import FileDigest
from schemas.store import Stored
from schemas.writers import Holder

RANGE = 16 << 20
"""Bytes that are fetched by one request, each tried again by itself."""
SMALL = 4 << 20
"""So large an object is fetched without a look at it first, which takes two requests."""
PIECE = 16 << 20
"""Of an upload that is made in pieces, which are held in memory."""
THREADS = 4
"""Requests at a time, of one process that fetches or brings."""
GAP = 2048
"""So many bytes between two ranges are fetched too, rather than asked for by two requests."""
SWAPS = 4
"""So often a condition is tried that should hold: the server refuses it too while others ask for the same."""
SWAPPED = (Layout.current, Layout.lease, Layout.runs)
HEAD = f"bytes=0-{HEAD_BYTES - 1}"
UPLOAD = "?uploadId="
"""Between the key and the id of an upload that was not finished."""


@dataclass(frozen=True)
class S3Store:
    """See `schemas.store.Store`."""

    root: str
    cache: NodeCache
    lease_seconds: float = 60
    """How long who writes, and is silent, is waited for."""
    _tags: dict[str, tuple[bytes | None, str]] = field(default_factory=dict, repr=False, compare=False)
    """What is swapped, as it was last read: what was just read need not be read again."""

    @property
    def _bucket(self) -> str:
        return self.root.removeprefix("s3://").partition("/")[0]

    def _key(self, key: str) -> str:
        """Return a key of the bucket."""
        prefix = self.root.removeprefix("s3://").partition("/")[2]
        return f"{prefix}/{key}" if prefix else key

    def name(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _call(self, operation: str, key: str, method: str, **values: Any) -> Any:
        """Make one request of S3's; FileNotFoundError: there is no such object."""
        of_key = {"Key": self._key(key)} if key else {}
        return asked(
            operation,
            self._bucket,
            self._key(key),
            lambda: client().call_s3(method, Bucket=self._bucket, **of_key, **values),
        )

    def read(self, key: str) -> bytes | None:
        found, _ = self._tagged(key)
        return found

    def _tagged(self, key: str) -> tuple[bytes | None, str]:
        """Return a small object and its tag."""

        def get() -> tuple[bytes, str]:
            answer = client().call_s3("get_object", Bucket=self._bucket, Key=self._key(key))
            return body_of(answer), answer["ETag"]

        found: tuple[bytes | None, str] = None, ""
        with suppress(FileNotFoundError):
            found = asked("read", self._bucket, self._key(key), get)
        if key in SWAPPED:
            self._tags[key] = found
        return found

    def facts(self, key: str) -> Stored | None:
        try:
            answer = self._call("look", key, "head_object")
        except FileNotFoundError:
            return None
        return Stored(key, answer["ContentLength"], _ns(answer["LastModified"]))

    def names(self, folder: str) -> Iterator[str]:
        prefix = self._key(f"{folder}/" if folder else "")
        for page in self._pages("list_objects_v2", Prefix=prefix, Delimiter="/"):
            found = [one["Key"] for one in page.get("Contents", ())]
            found += [one["Prefix"].rstrip("/") for one in page.get("CommonPrefixes", ())]
            yield from (name for key in found if (name := key.removeprefix(prefix)))

    def entries(self, folder: str) -> Iterator[Stored]:
        prefix, root = self._key(f"{folder}/" if folder else ""), self._key("")
        for page in self._pages("list_objects_v2", Prefix=prefix):
            for one in page.get("Contents", ()):
                yield Stored(one["Key"].removeprefix(root), one["Size"], _ns(one["LastModified"]))

    def unfinished(self) -> Iterator[Stored]:
        root = self._key("")
        answer = self._call("list uploads", "", "list_multipart_uploads", Prefix=root)
        for one in answer.get("Uploads", ()):
            key = f"{one['Key'].removeprefix(root)}{UPLOAD}{one['UploadId']}"
            yield Stored(key, 0, _ns(one["Initiated"]))

    def _pages(self, method: str, **values: Any) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            page = self._call("list", "", method, **values, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def now(self) -> int:
        answer = self._call("look", "", "head_bucket")
        date = email.utils.parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return _ns(date)

    def swap(self, key: str, expected: bytes | None, new: bytes) -> bool:
        """Put under a condition. A client whose reply is lost puts again, and is refused for its own success.

        If somebody has replaced that too before it looked, it is said not to have been made.
        """
        known = self._tags.get(key)
        found, tag = known if known and known[0] == expected else self._tagged(key)
        if found != expected:
            return found == new
        for plain in (False, True) * SWAPS:
            # Ceph before version 18 refuses the tag as it gave it, and knows it without the quotes.
            condition = {"IfNoneMatch": "*"} if expected is None else {"IfMatch": tag.strip('"') if plain else tag}
            try:
                self._call("replace", key, "put_object", Body=new, **condition)
                return True
            except FileNotFoundError:  # to be replaced, and gone
                return False
            except OSError as error:
                if not condition_failed(error):
                    raise
            found, tag = self._tagged(key)
            if found != expected:
                return found == new
        raise StoreError(f"{self.name(key)}: its server does not know it by its tag; it has no conditional writes")

    def remove(self, key: str) -> None:
        if UPLOAD in key:
            of, _, upload = key.partition(UPLOAD)
            self._call("abort", of, "abort_multipart_upload", UploadId=upload)
            return
        # Manifests first: nobody takes for whole what is not.
        manifests = FOLDERS.values()
        below = sorted((one.key for one in self.entries(key)), key=lambda one: one.rpartition("/")[2] not in manifests)
        for one in (key, *below):
            self._call("remove", one, "delete_object")

    @contextmanager
    def incoming(self, key: str, last: str | None = None, *, again: bool = False) -> Iterator[Path]:
        try:
            folder = self.cache.arriving()
        except OSError as error:
            raise told(error, self.cache.folder) or error from None
        path = folder / Path(key).name
        try:
            yield path
            if path.is_dir():
                self._bring_folder(path, key, last or "")
            else:
                self._bring(path, key)
                if again and (found := self.facts(key)):
                    self.cache.adopt(path, self._at(key), _when(found))
        except OSError as error:
            raise told(error, str(path)) or error from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _bring_folder(self, path: Path, key: str, last: str) -> None:
        if self.facts(f"{key}/{last}") is not None:
            return
        files = [file for file in sorted(path.rglob("*")) if file.is_file() and file != path / last]
        keys = [f"{key}/{file.relative_to(path)}" for file in files]
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._bring, files, keys))
        self._bring(path / last, f"{key}/{last}")
        for file, of in zip(files, keys, strict=True):
            self.cache.adopt(file, self._at(of), file_digest(file).sha256)

    def _bring(self, path: Path, key: str) -> None:
        to = self._at(key)
        asked(
            "write",
            self._bucket,
            self._key(key),
            lambda: client().put_file(str(path), to, chunksize=PIECE, max_concurrency=THREADS),
        )

    def check(self, key: str, digest: FileDigest, *, whole: bool = False) -> None:
        if whole:
            self._check_whole(key, digest)
            return
        if not digest.bytes:  # of which no range can be asked for
            self._check_size(key, 0)
            return

        def get() -> tuple[bytes, int]:
            answer = client().call_s3("get_object", Bucket=self._bucket, Key=self._key(key), Range=HEAD)
            return body_of(answer), int(answer["ContentRange"].rpartition("/")[2])

        try:
            head, size = asked("read", self._bucket, self._key(key), get)
        except (FileNotFoundError, StoreError):
            self._check_size(key, digest.bytes)  # which says what is wrong with it
            raise
        if size != digest.bytes:
            self._check_size(key, digest.bytes)
        self._check_sha256(key, hashlib.sha256(head).hexdigest(), digest.head)

    def _check_whole(self, key: str, digest: FileDigest) -> None:
        self._check_size(key, digest.bytes)
        found = hashlib.sha256()
        with self._source(key) as source:
            for start in range(0, digest.bytes, RANGE):
                found.update(asked("read", self._bucket, self._key(key), partial(source.read_at, RANGE, start)))
        self._check_sha256(key, found.hexdigest(), digest.sha256)

    def _check_sha256(self, key: str, found: str, wanted: str) -> None:
        if found != wanted:
            says = f"its manifest says {wanted[:12]}…"
            raise IntegrityError(f"{self.name(key)}: sha256 {found[:12]}…, {says}; restore it from a copy")

    def _check_size(self, key: str, bytes: int) -> None:
        found = self.facts(key)
        if found is None or found.bytes != bytes:
            what = f"{found.bytes} bytes, its manifest says {bytes}" if found else "file is missing"
            raise IntegrityError(f"{self.name(key)}: {what}; restore it from a copy")

    def local(self, key: str, digest: FileDigest | None = None) -> Path:
        if digest:
            tag, bytes = digest.sha256, digest.bytes
        elif (found := self.facts(key)) is not None:
            tag, bytes = _when(found), found.bytes
        else:
            raise StoreError(f"{self.name(key)}: no such object; run the job that writes it")
        return self.cache.path(self._at(key), tag, lambda path: self._fetch(key, path, bytes), bytes, digest)

    def check_room(self, bytes: int) -> None:
        if bytes > (limit := self.cache.bytes):
            raise StoreError(
                f"store {self.root}: {bytes / 1e9:,.1f} GB are to be here at a time, the cache {self.cache.folder} "
                f"holds {limit / 1e9:,.1f} GB; set cache_bytes, PUBRAY_CACHE to a larger disk, or more index.num_shards"
            )

    def cached(self) -> tuple[int, int] | None:
        return self.cache.used, self.cache.bytes

    def _at(self, key: str) -> str:
        """Return a key as s3fs and Arrow know it."""
        return f"{self._bucket}/{self._key(key)}"

    def _fetch(self, key: str, path: Path, bytes: int) -> str:
        """Fetch an object, a large one in ranges, several at a time; return its sha256."""
        if bytes <= SMALL:
            content = self.read(key)
            if content is None or len(content) != bytes:
                self._check_size(key, bytes)  # which says what is wrong with it
            path.write_bytes(content or b"")
            return hashlib.sha256(content or b"").hexdigest()
        at = self._at(key)

        def fetch(start: int) -> None:
            content = asked("read", self._bucket, self._key(key), lambda: source.read_at(RANGE, start))
            with path.open("r+b") as file:
                file.seek(start)
                file.write(content)

        self._check_size(key, bytes)
        try:
            source = asked("read", self._bucket, self._key(key), lambda: _whole(at, bytes))
            found = hashlib.sha256()
            with source, path.open("rb", buffering=0) as arrived, ThreadPoolExecutor(THREADS) as pool:
                for _ in pool.map(fetch, range(0, bytes, RANGE)):  # the first ranges, while the others are on their way
                    found.update(arrived.read(RANGE))
        except FileNotFoundError:
            raise StoreError(f"{self.name(key)} went while it was fetched (by pubray gc?); run it again") from None
        return found.hexdigest()

    @contextmanager
    def parquet(self, key: str) -> Iterator[pq.ParquetFile]:
        try:
            with opened(self._source(key), self.name(key)) as file:
                yield file
        except IntegrityError as error:
            if "AWS Error" not in str(error):
                raise
            raise StoreError(f"{self.name(key)}: cannot be read ({error}); run again") from None

    def _source(self, key: str) -> pa.NativeFile:
        at = self._at(key)
        try:
            return asked("read", self._bucket, self._key(key), lambda: range_client().open_input_file(at))
        except FileNotFoundError:
            raise StoreError(f"{self.name(key)}: no such file; run the job that writes it") from None

    def ranges(self, key: str, starts: Sequence[int], size: int) -> bytes:
        runs = list[range]()  # each is one request
        for start in starts:
            if runs and start <= runs[-1].stop + GAP:
                runs[-1] = range(runs[-1].start, start + size)
            else:
                runs.append(range(start, start + size))
        at, firsts, ends = self._at(key), [run.start for run in runs], [run.stop for run in runs]

        def fetch() -> list[bytes]:
            found: list[bytes] = client().cat_ranges([at] * len(runs), firsts, ends, on_error="raise")
            return found

        found = asked("read", self._bucket, self._key(key), fetch) if runs else []
        pieces = (found[place := bisect_right(firsts, start) - 1][start - firsts[place] :][:size] for start in starts)
        return b"".join(pieces)

    def work(self, folder: str) -> Path:
        return Path(self.cache.folder, "work", hashlib.sha256(self.root.encode()).hexdigest()[:16], folder)

    def keep(self, path: Path, key: str) -> None:
        self._bring(path, key)
        path.unlink()

    @contextmanager
    def writing(self, holder: Holder) -> Iterator[bool]:
        with held(self, holder, self.lease_seconds):
            yield True

    def writer(self) -> str | None:
        try:
            _, lease = read_lease(self)
        except IntegrityError as error:
            return f"somebody ({error})"
        return told_of(lease).rstrip(",") if lease and lease.expires > self.now() else None

    def end_writing(self) -> None:
        self.remove(Layout.lease)


def _whole(at: str, bytes: int) -> pa.NativeFile:
    """Open an object of so many bytes; an OSError: its server says another number, or none."""
    source = range_client().open_input_file(at)
    if (size := source.size()) != bytes:
        raise OSError(f"{size} bytes, {bytes} were announced")
    return source


def _when(found: Stored) -> str:
    """Return the tag in the cache of what has no digest."""
    return f"{found.modified}-{found.bytes}"


def _ns(when: datetime.datetime) -> int:
    """Return a time in ns since 1970."""
    return int(when.timestamp()) * 1_000_000_000
