"""The configuration: one TOML file, typed. Unknown keys are refused with the nearest known one."""

import math
import re
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)

from schemas.base import Frozen, first_wrong, nearest_key
from schemas.encoder import EncoderSpec
from schemas.errors import UsageError
from schemas.run import Outcome
from schemas.training import MineConfig, RerankerTrainConfig, TrainConfig


class SelectionConfig(Frozen):
    """Which live articles are indexed."""

    rule: Literal["all", "abstract", "pmids"] = "abstract"
    """All, those with an abstract, or the PMIDs listed in a file."""
    file: str | None = None
    """For `pmids`: one PMID per line, `#` starts a comment."""


def _address(contact: str) -> str:
    if not re.fullmatch(r"https?://[!-~]+|[!-?A-~]+@[!-?A-~]+", contact):
        raise ValueError("give an e-mail address, or a URL with https://")
    return contact


class IngestConfig(Frozen):
    """Where articles come from, and when a new baseline is believed."""

    ncbi_url: str = "https://ftp.ncbi.nlm.nih.gov/pubmed"
    """For `--source ncbi`: what holds baseline/ and updatefiles/."""
    contact: Annotated[str, AfterValidator(_address)] | None = None
    """For what is fetched from NCBI: an e-mail address or URL, by which they can tell who asks and write to you."""
    jitter_seconds: NonNegativeFloat = 3
    """At most so long, by chance, NCBI is not asked yet: nights begin at the full hour everywhere."""
    patience: NonNegativeFloat = 900
    """Seconds that a night waits for files that NCBI lists and that are not whole yet; then it goes on without them."""
    max_vanished: float = Field(0.01, ge=0, le=1)
    """Share of the articles that a new baseline may lack; one that lacks more is refused."""


class EngineConfig(Frozen):
    """What runs a model. None of it changes a vector beyond rounding."""

    kind: Literal["auto", "torch", "openvino"] = "auto"
    """`auto`: torch on a CUDA device, OpenVINO on a CPU."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto`: a CUDA device where there is one and the engine can use it."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto`: bfloat16 where the device computes in it natively."""
    batch_tokens: PositiveInt = 4096
    """Padded tokens per forward pass: bounds its memory."""
    compile: bool = False
    """For torch: let TorchInductor compile the model at the first batch, which takes a minute or more and pays in long
    runs."""


class EmbedConfig(Frozen):
    """The embedding pipeline."""

    rows_per_part: PositiveInt = 8192
    """Rows of an article part per vector part: what a crash loses at most, per actor. With another number every
    article is embedded anew."""
    actors: PositiveInt | Literal["auto"] = "auto"
    """Encoder actors. `auto`: as many as GPUs can be had for, as nodes come and go; without GPUs one a node."""
    max_actors: PositiveInt = 64
    """Where they are `auto`."""
    threads: NonNegativeInt = 0
    """CPU threads per actor; 0: the cores of its node, divided by the actors there."""
    num_gpus: NonNegativeFloat = 0
    """GPUs per actor; a fraction shares one."""
    min_agreement: float = Field(0.99, ge=-1, le=1)
    """An encoder whose vectors of articles that have one already have a lower median cosine with those writes none."""
    published_url: str = "https://ftp.ncbi.nlm.nih.gov/pub/lu/MedCPT/pubmed_embeddings"
    """For `--import-npy ncbi`: what holds MedCPT's vectors of all articles up to 2023."""

    @property
    def fewest(self) -> int:
        """How many actors there are at least."""
        return 1 if self.actors == "auto" else self.actors


class IndexConfig(Frozen):
    """How segments are built and searched. Zeros are set by rules from the number of articles."""

    type: str = "RR{dimension},IVF{nlist},RaBitQ"
    """FAISS factory string, with its two numbers left open."""
    num_shards: PositiveInt = 1
    nlist: NonNegativeInt = 0
    nprobe: NonNegativeInt = 0
    candidates: PositiveInt = 200
    """Rows per query that survive the first stage and are scored exactly; more where many hits are wanted."""
    target_recall: float = Field(0, ge=0, le=1)
    """Above 0: `index` measures which nprobe, and if need be more candidates, reach this recall@10."""
    rows_per_worker: PositiveInt = 131_072
    """Bounds a worker: 1.2 GB with 65,536 lists of 768 dimensions, and 2 * dimension + 3,000 bytes a row: 1.8 GB."""
    min_workers: PositiveInt = 2
    sample: NonNegativeInt = 0
    """Vectors that the quantizer is trained on at most; held once, 2 * dimension bytes each."""
    seed: int = 0
    recall_queries: PositiveInt = 200
    recall_floor: float = Field(0.95, ge=0, le=1)
    """A night promotes no version with a lower recall@10."""
    max_removed: float = Field(0.05, ge=0, le=1)
    """Share of its parent's articles that a version may lack; a night promotes none that lacks more."""
    canaries: str | None = None
    """A TOML file of queries and the PMIDs that each must find among the first ten."""
    canary_floor: float = Field(0.9, ge=0, le=1)
    """A night promotes no version of which a smaller share of the canaries finds all of theirs."""
    max_canary_change: float = Field(0.2, ge=0, le=1)
    """Nor one that answers them otherwise than its parent did, by a larger share, though the articles are the same."""
    dead_ceiling: float = Field(0.5, ge=0, le=1)
    """Nor one of which a larger share of the rows is dead …"""
    rejected_ceiling: float = Field(0.05, ge=0, le=1)
    """… one whose new source files had a larger share of records that were rejected …"""
    max_encoded: PositiveFloat = 3
    """… or one with so many times more new texts, per source file, than the median of the nights before it."""
    max_deltas: PositiveInt = 7
    """Deltas of a shard; more are merged into its base by `compact`."""
    max_dead: float = Field(0.05, ge=0, le=1)
    """Share of dead rows; with more, `compact` drops them."""


class RerankConfig(Frozen):
    """The second stage."""

    kind: Literal["maxsim", "cross-encoder", "none"] = "maxsim"
    model: str | None = None
    """For `cross-encoder`: a folder or a hub name of a sequence-classification model with one label."""
    revision: str | None = None
    bin_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """Trust in a model that is published as pytorch_model.bin only: the sha256 of that file. It is then converted."""
    max_length: PositiveInt = 512
    candidates: PositiveInt = 20
    seconds: PositiveFloat = 5
    """A search whose re-ranker takes longer, or does not answer, returns its hits as retrieved, and says so."""
    degrade: bool = True
    """false: such a search fails instead."""


class DeploymentConfig(Frozen):
    """One Ray Serve deployment."""

    min_replicas: PositiveInt = 1
    max_replicas: PositiveInt = 1
    target_ongoing_requests: PositiveFloat = 2
    """Calls in progress per replica that autoscaling aims at, and that an api replica makes at most: what comes
    meanwhile goes together in the next. One gathers the largest calls; with two a large one holds up no others."""
    upscale_delay_s: PositiveFloat = 30
    """Load that lasts so long brings replicas, whose start comes on top: shorter where requests come in bursts."""
    downscale_delay_s: PositiveFloat = 600
    """Load that is gone for so long takes them away: longer where a replica loads a large model, shorter where an idle
    one holds a GPU that others pay for."""
    max_ongoing_requests: PositiveInt = 4
    """Calls that a replica takes at a time."""
    num_cpus: NonNegativeFloat = 0.25
    num_gpus: NonNegativeFloat = 0
    max_replicas_per_node: PositiveInt | None = None
    """So that a node that is lost takes no more of them along. None: any."""
    max_batch_size: PositiveInt = 16
    """Items of a call, at most."""
    max_waiting: PositiveInt = 256
    """Items that wait for that in an api replica; requests beyond them are refused."""

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas {self.max_replicas} is below min_replicas {self.min_replicas}")
        return self

    @property
    def calls(self) -> int:
        """Calls that an api replica has under way here, at most: autoscaling counts them, not what waits."""
        return math.ceil(self.max_replicas * self.target_ongoing_requests)


CorsOrigin = Annotated[str, Field(pattern=r"^(\*|https?://[^/\s]+)$")]


class ServeConfig(Frozen):
    """The search service."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(8000, ge=1, le=65535)
    proxies: Literal["head", "every node"] = "head"
    """Where HTTP is listened to: on the head, or on every node that has replicas, for a load balancer in front."""
    seconds: PositiveFloat = 10
    """How long a request may take."""
    cached: NonNegativeInt = 1000
    """Requests whose answers an api replica keeps, some 30 kB each."""
    api_keys: str | None = None
    """A file with the sha256 of one API key per line, in hex; `#` starts a comment. None: no key is needed."""
    cors_origins: tuple[CorsOrigin, ...] = ()
    """Whose pages may call the API from a browser, such as `https://example.org`; `*`: anybody's."""
    log_queries: bool = False
    """Log lines have the text of queries, which may say more of a person than is to be kept."""
    api: DeploymentConfig = DeploymentConfig(target_ongoing_requests=32, max_ongoing_requests=256)
    encoder: DeploymentConfig = DeploymentConfig(target_ongoing_requests=1)
    searcher: DeploymentConfig = DeploymentConfig(target_ongoing_requests=1)
    reranker: DeploymentConfig = DeploymentConfig()


Stage = Literal["ingest", "embed", "index", "promote", "compact", "promote after compact", "service"]
"""Of a night."""


class NightConfig(Frozen):
    """What a night does beside its stages, and how long it and they may take."""

    deadline_seconds: PositiveFloat = 43_200
    """A night that is not done then is broken off: it waits for what does not come, or the next one is near. `inf`: it
    never is."""
    stage_seconds: dict[Stage, PositiveFloat] = Field(default_factory=dict)
    """The same for some of its stages."""
    service_seconds: PositiveFloat = 900
    """So long a service may take to answer from what was promoted: it loads a version beside the one that it serves."""

    cores: PositiveInt = 4
    """K-means and checks take all cores that a node of their group has free, and so many where none is there yet, but
    comes as it is needed."""
    metrics: str | None = None
    """A file that its metrics are written to at its end, for node_exporter's textfile collector: `…/pubray.prom`."""


class NotifyConfig(Frozen):
    """Who is told how a night has ended."""

    url: SecretStr | None = None
    """A webhook. Whoever knows it can write there; PUBRAY_NOTIFY_URL keeps it out of the file."""
    format: Literal["json", "slack"] = "json"
    """`slack`: a text, as Slack, Mattermost and others take it."""
    on: tuple[Outcome, ...] = tuple(end for end in get_args(Outcome) if end not in ("running", "done", "nothing new"))
    """After which outcomes."""


NightWork = Literal["ingest", "tokenise", "encode", "train", "build", "merge", "check"]
ServiceWork = Literal["api", "query_encoder", "searcher", "reranker"]
Work = Literal[NightWork, ServiceWork]
"""What runs on a cluster."""


class PlacementConfig(Frozen):
    """On which nodes work runs: those whose label `pubray-group` is this; None: on any."""

    ingest: str | None = None
    """Source files → article parts, and snapshots."""
    tokenise: str | None = None
    """What embed does beside encoding: reading, looking for known vectors, writing."""
    encode: str | None = None
    train: str | None = None
    """k-means."""
    build: str | None = None
    """Worker shards."""
    merge: str | None = None
    """Of worker shards, and of deltas."""
    check: str | None = None
    """All that is looked at before a version is promoted."""
    api: str | None = None
    """HTTP, of the service."""
    query_encoder: str | None = None
    searcher: str | None = None
    reranker: str | None = None


class LeaseConfig(Frozen):
    """Who writes to a store in S3."""

    seconds: PositiveFloat = 60
    """So long a run that is silent, and may be dead, is waited for."""


class Config(Frozen):
    """All of it."""

    store: str = Field(min_length=1)
    """Root of the store: a folder that every node sees, or `s3://bucket/prefix`."""
    cache: str = "~/.cache/pubray"
    """A folder of each node, on its fastest disk: fetched models and data, and what is read of a store in S3. It can be
    deleted at any time."""
    models: str | None = None
    """A folder that holds models under their hub names, OWNER/NAME/ or NAME/: what it has is not asked of the hub."""
    stored: dict[str, str] = Field(default={})
    """Models that are in the store, by their names: jobs say it to their workers."""
    cache_bytes: PositiveInt | None = None
    """Of a store in S3 so much is kept there; None: 80 % of the disk."""
    lease: LeaseConfig = LeaseConfig()
    placement: PlacementConfig = PlacementConfig()
    night: NightConfig = NightConfig()
    notify: NotifyConfig = NotifyConfig()
    ingest: IngestConfig = IngestConfig()
    selection: SelectionConfig = SelectionConfig()
    encoder: EncoderSpec
    engine: EngineConfig = EngineConfig()
    embed: EmbedConfig = EmbedConfig()
    index: IndexConfig = IndexConfig()
    rerank: RerankConfig = RerankConfig()
    serve: ServeConfig = ServeConfig()
    mine: MineConfig = MineConfig()
    train: TrainConfig = TrainConfig()
    train_reranker: RerankerTrainConfig = RerankerTrainConfig()

    def with_values(self, **values: Any) -> "Config":
        """Return the configuration with other values; of a table that is a dict, with the others of its keys as here.

        `config.with_values(store="s", index={"nlist": 4})`; the values are checked as those of a file are.

        Raises:
            UsageError: one of them cannot be.
        """
        return parse_config(merged(self.model_dump(), values), "command line")


def merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Return values with others in their place; of a table in both, with the others of its keys."""
    tables = {key for key, new in changes.items() if isinstance(new, dict) and isinstance(values.get(key), dict)}
    return values | changes | {key: merged(values[key], changes[key]) for key in tables}


def parse_config(values: dict[str, Any], origin: str) -> Config:
    """Check `values` (from the file named `origin`, overrides applied).

    Raises:
        UsageError: names the first wrong key, its value and what is allowed.
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        first, reason = error.errors()[0], first_wrong(error)
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        raise UsageError(f"{origin}: unknown key {key!r}; the nearest known key is {nearest_key(Config, key)!r}")
    if first["type"] == "missing":
        raise UsageError(f"{origin}: key {key!r} is missing; give it a value there or with --set {key}=…")
    raise UsageError(f"{origin}: {reason}")
