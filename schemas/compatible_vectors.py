"""The JSON by which other services are asked for vectors: OpenAI's and infinity's, TEI's, Cohere's.

TEI is Hugging Face's text-embeddings-inference.
"""

from typing import Literal

from pydantic import Field

from schemas.base import Frozen
from schemas.compatible_texts import CompatibleRequest, Inputs, Right, Usage
from schemas.encoder import Pooling

Tower = Literal["query", "article"]
Purpose = Literal[
    "query",
    "search_query",
    "retrieval.query",
    "document",
    "passage",
    "article",
    "search_document",
    "retrieval.passage",
    "classification",
    "clustering",
    "separation",
    "text-matching",
]
"""What texts are for, as Cohere, Jina and the prompts of sentence-transformers say it."""

MODEL = (
    "NAME:query or NAME:article, see /v1/models. NAME alone, or none: for queries, unless the request says otherwise."
)
DIMENSIONS = "The encoder's own, if given: vectors are not cut."


def tower_for(purpose: Purpose | None) -> Tower:
    """Return the tower for texts of a purpose; for texts of none that for queries: articles are in the index."""
    return "query" if purpose is None or purpose.endswith("query") else "article"


class EmbeddingsRequest(CompatibleRequest):
    """What OpenAI's clients send: `POST /v1/embeddings`; infinity's too: `POST /embeddings`."""

    model: str | None = Field(None, description=MODEL)
    input: Inputs = Field(
        description="A text, or a list of them. An article's first line is its title, the rest its abstract."
    )
    encoding_format: Literal["float", "base64"] = Field(
        "float", description="base64: of the vector's little-endian float32."
    )
    dimensions: int | None = Field(None, description=DIMENSIONS)
    task: Purpose | None = Field(None, description="Jina's; chooses the tower of a plain NAME.")


class Embedding(Frozen):
    """One vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: tuple[float, ...] | str


class EmbeddingsResponse(Frozen):
    """Vectors, in the order of the texts."""

    object: Literal["list"] = "list"
    data: tuple[Embedding, ...]
    model: str
    usage: Usage


class Model(Frozen):
    """One tower."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the index version was made, in seconds since 1970.")
    owned_by: str = "pubray"


class Models(Frozen):
    """What `model` of an embeddings request may be: `GET /v1/models`."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class TeiEmbedRequest(CompatibleRequest):
    """What TEI's clients send: `POST /embed`. A text longer than the tower reads is always cut, at its end."""

    inputs: Inputs = Field(description="A text, or a list of them; the answer is a list in any case.")
    prompt_name: Purpose | None = Field(None, description="Chooses the tower; without one it is that for queries.")
    normalize: bool = Field(True, description="Vectors of length 1; false: as the encoder makes them.")
    dimensions: int | None = Field(None, description=DIMENSIONS)
    truncation_direction: Right = "right"


class TeiModelType(Frozen):
    """An encoder."""

    class Embedding(Frozen):
        """How it makes one vector of many."""

        pooling: Pooling

    embedding: Embedding


class TeiInfo(Frozen):
    """What TEI tells of the model that it serves: `GET /info`; of its fields those that can be told here."""

    model_id: str
    model_sha: None = None
    model_dtype: Literal["float32"] = Field("float32", description="Of the vectors that are answered.")
    model_type: TeiModelType
    max_input_length: int = Field(description="Tokens that the query tower reads.")
    max_client_batch_size: int = Field(description="Texts of one request, at most.")
    auto_truncate: Literal[True] = True
    version: str = Field(description="The index version that answers.")


class CohereEmbedRequest(CompatibleRequest):
    """What Cohere's clients send: `POST /v2/embed`."""

    model: str | None = Field(None, description=MODEL)
    texts: Inputs = Field(description="An article's first line is its title.")
    input_type: Purpose | None = Field(None, description="Chooses the tower of a plain NAME.")
    embedding_types: tuple[Literal["float", "base64"], ...] = ("float",)
    output_dimension: int | None = Field(None, description=DIMENSIONS)


class CohereEmbeddings(Frozen):
    """The vectors, in the order of the texts, in each form that was asked for."""

    float_: tuple[tuple[float, ...], ...] | None = Field(None, alias="float")
    base64: tuple[str, ...] | None = Field(None, description="Of the vector's little-endian float32.")


class CohereTokens(Frozen):
    """How many the tower read."""

    input_tokens: int


class CohereMeta(Frozen):
    """Beside the vectors."""

    class ApiVersion(Frozen):
        """Cohere's."""

        version: Literal["2"] = "2"

    api_version: ApiVersion = ApiVersion()
    billed_units: CohereTokens
    tokens: CohereTokens


class CohereEmbedResponse(Frozen):
    """Vectors in Cohere's form."""

    id: str
    embeddings: CohereEmbeddings
    texts: tuple[str, ...] = Field(description="As they were sent, less blanks at their ends.")
    meta: CohereMeta
