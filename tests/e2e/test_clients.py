"""What users' clients already speak, by those clients: openai, cohere, huggingface-hub, and rerankers for Jina and TEI.

Frameworks over them are in test_client_frameworks.py.
"""

import hashlib
from collections.abc import Iterator

import cohere
import numpy as np
import openai
import pytest
from huggingface_hub import InferenceClient
from rerankers.models.api_rankers import APIRanker

from actors.search.served_versions import ServedVersions
from actors.service.model_service import ModelService
from actors.web.api import create_app
from actors.web.middleware.front import Front
from schemas.arrays import Vector
from schemas.errors import OverloadedError
from schemas.protocols import ArticleText, Query
from tests.support.service.seams import SECONDS, VERSION, Favours, Lengths, Shelf, joined
from tests.support.service.serving import served

KEY = "a key"
FRONT = Front(key_digests=frozenset({hashlib.sha256(KEY.encode()).hexdigest()}))
DOCUMENTS = ["About mice.", "Statins and muscle pain\nA trial.", "Statins."]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(joined(Shelf([1]), Favours({1: 4.0, 2: 2.0})), SECONDS, FRONT)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


def test_openai_lists_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny:query", "tiny:article"]


def test_openai_gets_one_model(client: openai.OpenAI) -> None:
    assert client.models.retrieve("tiny:article") in client.models.list().data
    with pytest.raises(openai.NotFoundError, match="404 - model 'gpt': there are 'tiny:query' and") as error:
        client.models.retrieve("gpt")
    assert error.value.code == "not_found"


def test_openai_gets_vectors(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="tiny:query", input=["asthma", "statins and muscle pain"])
    assert [one.embedding for one in answer.data] == [[6.0], [23.0]]
    assert (answer.model, answer.usage.prompt_tokens, answer.usage.total_tokens) == ("tiny:query", 5, 5)
    plain = client.embeddings.create(model="tiny:article", input="Asthma\nIn mice.", encoding_format="float")
    assert [one.embedding for one in plain.data] == [[-14.0]]


def test_openai_gets_every_bit_either_way() -> None:
    vector = np.array([1 / 3, -1e-30, 3e38], np.float32)

    class Odd(Lengths):
        async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
            return [vector for _ in texts]

    service = joined(Shelf([1]))
    service.models = ModelService(ServedVersions(VERSION), Odd(), None)
    with served(create_app(service, SECONDS)) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="none") as client:
        [as_base64] = client.embeddings.create(model="tiny:query", input="x").data
        [as_floats] = client.embeddings.create(model="tiny:query", input="x", encoding_format="float").data
    assert as_base64.embedding == as_floats.embedding == vector.tolist()


def test_openai_raises_a_bad_request_that_says_why(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.embeddings.create(model="text-embedding-3-small", input="x")
    assert str(error.value) == (
        "Error code: 400 - model 'text-embedding-3-small': there are 'tiny:query' and 'tiny:article'"
    )
    assert error.value.code == "bad_request"
    assert error.value.request_id
    with pytest.raises(openai.BadRequestError, match="token ids are of another model's vocabulary"):
        client.embeddings.create(model="tiny:query", input=[[1, 2]])


def test_openai_raises_an_authentication_error(url: str) -> None:
    client = openai.OpenAI(base_url=f"{url}/v1", api_key="wrong")
    with client, pytest.raises(openai.AuthenticationError, match="401 - give an API key"):
        client.embeddings.create(model="tiny:query", input="x")


def test_openai_raises_a_rate_limit_error_and_tries_again_before() -> None:
    class Busy(Lengths):
        calls = 0

        async def encode(self, texts: list[Query | ArticleText]) -> list[Vector]:
            self.calls += 1
            raise OverloadedError("every encoder is busy; try again")

    busy, service = Busy(), joined(Shelf([1]))
    service.models = ModelService(ServedVersions(VERSION), busy, None)
    with served(create_app(service, SECONDS)) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=1)
        with client, pytest.raises(openai.RateLimitError, match="429 - every encoder is busy; try again"):
            client.embeddings.create(model="tiny:query", input="x")
    assert busy.calls == 2


@pytest.mark.parametrize("kind", [cohere.ClientV2, cohere.Client])
def test_cohere_gets_documents_ranked(url: str, kind: type[cohere.ClientV2 | cohere.Client]) -> None:
    with kind(KEY, base_url=url) as client:
        answer = client.rerank(model="favours", query="statins", documents=DOCUMENTS, top_n=2)
    assert [result.index for result in answer.results] == [1, 2]
    assert [round(result.relevance_score, 3) for result in answer.results] == [0.881, 0.731]
    assert answer.id


def test_cohere_gets_documents_back_where_it_asks_for_them(url: str) -> None:
    documents = [{"text": text} for text in DOCUMENTS]
    with cohere.Client(KEY, base_url=url) as client:
        answer = client.rerank(query="statins", documents=documents, return_documents=True)
    found = [result.document.text for result in answer.results if result.document]
    assert found == [DOCUMENTS[1], DOCUMENTS[2], DOCUMENTS[0]]


@pytest.mark.parametrize(("input_type", "sign"), [("search_query", 1), ("search_document", -1)])
def test_cohere_gets_vectors(url: str, input_type: str, sign: float) -> None:
    with cohere.ClientV2(KEY, base_url=url) as client:
        answer = client.embed(model="tiny", texts=["asthma", "x"], input_type=input_type, embedding_types=["float"])
    assert answer.embeddings.float_ == [[6 * sign], [sign]]
    assert answer.meta
    assert answer.meta.tokens
    assert (answer.texts, answer.meta.tokens.input_tokens) == (["asthma", "x"], 2)


def test_huggingface_hub_gets_vectors_of_tei(url: str) -> None:
    client = InferenceClient(model=f"{url}/embed", token=KEY)
    assert client.feature_extraction("asthma", normalize=False).tolist() == [[6]]
    assert client.feature_extraction("asthma", normalize=False, prompt_name="document").tolist() == [[-6]]
    assert client.feature_extraction("asthma", truncate=True, truncation_direction="right").tolist() == [[1]]


def test_cohere_raises_typed_errors(url: str) -> None:
    with (
        cohere.ClientV2(KEY, base_url=url) as client,
        pytest.raises(cohere.BadRequestError, match="there is 'favours'"),
    ):
        client.rerank(model="rerank-v3.5", query="statins", documents=DOCUMENTS)
    with cohere.ClientV2("wrong", base_url=url) as client, pytest.raises(cohere.UnauthorizedError, match="an API key"):
        client.rerank(model="favours", query="statins", documents=DOCUMENTS)


def test_a_client_of_jina_gets_documents_ranked(url: str) -> None:
    ranker = APIRanker("favours", KEY, "jina", verbose=0, url=f"{url}/v1/rerank")
    assert [result.doc_id for result in ranker.rank("statins", DOCUMENTS, doc_ids=[0, 1, 2]).results] == [1, 2, 0]


def test_a_client_of_tei_gets_texts_ranked(url: str) -> None:
    ranker = APIRanker("ignored", KEY, "text-embeddings-inference", verbose=0, url=f"{url}/rerank")
    results = ranker.rank("statins", DOCUMENTS, doc_ids=[0, 1, 2]).results
    assert [result.doc_id for result in results] == [1, 2, 0]
    assert [round(result.score, 3) for result in results] == [0.881, 0.731, 0.5]
