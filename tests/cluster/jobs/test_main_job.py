"""The main job on Ray, end to end: a few hundred real citations to re-ranked hits over HTTP."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow.parquet as pq
import pytest

from actors.embed.towers import ArticleTower
from actors.search.index_searcher import IndexSearcher
from actors.service.assembly import load_service
from actors.store.local_store import LocalStore
from jobs import embed, index, ingest, promote, rollback, serve, status
from schemas.config import Config
from schemas.errors import PubrayError
from schemas.layout import Layout
from schemas.manifest import IndexVersion
from schemas.protocols import ArticleText
from schemas.search import SearchRequest
from tests.cluster.conftest import QUERIES, Service
from tests.support.stores.parquet_files import vectors_at


def test_the_version_holds_every_live_article_with_an_abstract_once(version: IndexVersion, config: Config) -> None:
    objects = LocalStore(config.store)
    expected: set[int] = set()
    for part in ("pubmed20n0014", "pubmed21n1298"):
        table = pq.read_table(objects.path(Layout.article_part(part)), columns=["pmid", "abstract"])
        expected |= {row["pmid"] for row in table.to_pylist() if row["abstract"]}
    searcher = IndexSearcher(objects, version)
    pmids = [int(p) for segment in searcher.segments for p in segment.pmids]
    assert len(pmids) == len(set(pmids)) == version.articles
    assert set(pmids) == expected
    assert len(version.segments) == 2
    assert version.checks.recall.at_10 >= 0.98


def first_part(config: Config, version: IndexVersion, source: str) -> Path:
    """The vector part of the first 64 rows of a source file."""
    [path] = (
        LocalStore(config.store)
        .path(Layout.vector_parts(version.fingerprint, version.selection))
        .glob(f"{source}-0-64-*")
    )
    return path


def test_a_vector_of_the_pipeline_is_the_encoders_own(version: IndexVersion, config: Config) -> None:
    objects = LocalStore(config.store)
    pmids, vectors, present = vectors_at(first_part(config, version, "pubmed21n1298"))
    articles = {
        row["pmid"]: ArticleText(row["title"], row["abstract"])
        for row in pq.read_table(
            objects.path(Layout.article_part("pubmed21n1298")), columns=["pmid", "title", "abstract"]
        ).to_pylist()
    }
    own = ArticleTower(config, 2).encode([articles[int(p)] for p in pmids[present]])
    cosines = np.einsum("nd,nd->n", vectors[present].astype(np.float32), own)
    assert cosines.min() > 0.9995


def test_a_second_run_does_nothing(version: IndexVersion, config: Config, sources: Path) -> None:
    assert ingest.run(config, source=str(sources)).ingested == 0
    assert embed.run(config).embedded_parts == 0
    assert index.run(config).built is False
    assert promote.run(config, version=version.id).promoted is False


def test_a_rerun_makes_only_the_lost_vector_part(version: IndexVersion, config: Config) -> None:
    path = first_part(config, version, "pubmed20n0014")
    before = vectors_at(path)
    path.unlink()
    assert embed.run(config).embedded_parts == 1
    after = vectors_at(path)
    assert before[0].tolist() == after[0].tolist()
    assert np.allclose(before[1], after[1], atol=2e-3)


def test_a_truncated_source_file_fails_by_name_and_the_others_complete(
    cluster: None, config: Config, sources: Path, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    whole = (sources / "pubmed20n0014.xml.gz").read_bytes()
    (mixed / "pubmed20n0014.xml.gz").write_bytes(whole)
    (mixed / "pubmed20n0015.xml.gz").write_bytes(whole[: len(whole) // 2])
    own = config.with_values(store=str(tmp_path / "store"))
    with pytest.raises(PubrayError, match=r"pubmed20n0015\.xml\.gz"):
        ingest.run(own, source=str(mixed))
    objects = LocalStore(own.store)
    assert [p.name for p in objects.path("articles").glob("[!.]*")] == ["pubmed20n0014.parquet"]
    assert not (Path(objects.root) / "snapshots").exists()


@pytest.fixture(scope="module")
def url(real_service: Service) -> str:
    return real_service.url


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query["text"])
def test_a_demo_query_finds_what_answers_it(url: str, version: IndexVersion, query: dict[str, Any]) -> None:
    answer = httpx.post(f"{url}/v1/search", json={"query": query["text"], "k": 10}, timeout=60).json()
    found = [int(hit["id"]) for hit in answer["hits"]]
    assert len(set(found) & set(query["relevant"])) >= 5
    assert found[0] in query["relevant"]
    assert answer["version"] == version.id


def test_hits_are_in_order_of_the_score_that_the_request_asks_for(url: str) -> None:
    request = {"query": "insulin in diabetes", "k": 5}
    reranked = httpx.post(f"{url}/v1/search", json=request, timeout=60).json()
    plain = httpx.post(f"{url}/v1/search", json={**request, "rerank": False}, timeout=60).json()
    for answer, kind in ((reranked, "fused"), (plain, "inner_product")):
        scores = [hit["score"] for hit in answer["hits"]]
        assert scores == sorted(scores, reverse=True)
        assert [hit["rank"] for hit in answer["hits"]] == [1, 2, 3, 4, 5]
        assert {hit["score_kind"] for hit in answer["hits"]} == {kind}
    assert all(hit["rerank_score"] is None for hit in plain["hits"])


def test_documents_are_re_ranked(url: str) -> None:
    documents = ["A randomised trial.", "Statins\nMuscle pain under statins.", "Hay fever in children."]
    answer = httpx.post(f"{url}/v1/rerank", json={"query": "muscle pain under statins", "documents": documents})
    found = answer.json()["results"]
    assert found[0]["index"] == 1  # has the query's very words
    assert sorted(result["index"] for result in found) == [0, 1, 2]
    scores = [result["relevance_score"] for result in found]
    assert scores == sorted(scores, reverse=True)


def test_the_service_says_what_it_serves_and_documents_itself(url: str, version: IndexVersion) -> None:
    assert httpx.get(f"{url}/version").json()["articles"] == version.articles
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    assert "/v1/search" in httpx.get(f"{url}/openapi.json").json()["paths"]


def test_requests_at_once_are_answered_as_alone(url: str) -> None:
    queries = ["insulin", "blood pressure in rats", "vaccine", "cancer therapy", "bacterial infection", "surgery"]

    async def ask(together: bool) -> list[list[str]]:
        async with httpx.AsyncClient(timeout=60) as client:
            posts = [client.post(f"{url}/v1/search", json={"query": q, "rerank": False}) for q in queries]
            answers = await asyncio.gather(*posts) if together else [await post for post in posts]
        return [[hit["id"] for hit in answer.json()["hits"]] for answer in answers]

    assert asyncio.run(ask(together=True)) == asyncio.run(ask(together=False))


def test_two_shards_behind_http_answer_as_one_searcher_of_both(url: str, version: IndexVersion, config: Config) -> None:
    bodies: list[dict[str, Any]] = [
        {"query": "insulin and glucose", "k": 50},
        {"query": "blood pressure in rats", "k": 300, "rerank": False, "include_retracted": True},
        {"query": "vaccine", "rerank": False, "filters": [{"field": "year", "op": ">=", "value": 2000}]},
    ]
    served = [httpx.post(f"{url}/v1/search", json=body, timeout=60).json()["hits"] for body in bodies]
    bodies.append({"query": served[1][-1]["id"]})  # its PMID, which one shard alone knows
    served.append(httpx.post(f"{url}/v1/search", json=bodies[-1], timeout=60).json()["hits"])
    assert [len(hits) for hits in served] == [50, min(300, version.articles), 10, 10]
    assert served[3][0]["id"] == bodies[3]["query"]
    service = load_service(config, version)

    async def alone() -> list[Any]:
        answers = [await service.search(SearchRequest.model_validate(body)) for body in bodies]
        return [answer.model_dump(mode="json", exclude_unset=True)["hits"] for [answer] in answers]

    assert served == asyncio.run(alone())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": ""}, 422),
        ({"query": "x" * 20_000}, 422),
        ({"query": "x" * 1_100_000}, 413),
        ({"query": "x", "k": 0}, 422),
        ({"query": "x", "k": 10_000}, 422),
        ({"query": "x", "unknown": 1}, 422),
    ],
)
def test_a_bad_request_gets_a_problem(url: str, body: dict[str, object], code: int) -> None:
    answer = httpx.post(f"{url}/v1/search", json=body)
    assert answer.status_code == code
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == code
    assert len(answer.text) < 500


def test_the_port_is_refused_while_it_is_in_use(real_service: Service) -> None:
    config = real_service.config
    with pytest.raises(PubrayError, match=str(config.serve.port)):
        serve.deploy(config)


def test_rollback_needs_a_version_before(version: IndexVersion, config: Config) -> None:
    with pytest.raises(PubrayError, match="nothing was changed"):
        rollback.run(config)
    assert status.run(config, verify=True).current == version.id
