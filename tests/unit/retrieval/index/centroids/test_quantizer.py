from functools import cache

import faiss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.index.centroids import quantizer as nearest_module
from retrieval.index.centroids import quantizer_training
from retrieval.index.centroids.quantizer import Centroids, Quantizer, fast_dtype
from retrieval.index.centroids.quantizer_training import train_quantizer
from schemas.arrays import Floats
from schemas.errors import InputError, UsageError
from tests.support.stores import corpus

DTYPES = [torch.bfloat16, torch.float32]


def scores(vectors: Floats, centroids: Floats, *, is_l2: bool) -> Floats:
    """Return what is highest for the nearest centroid, in float64."""
    c = centroids.astype(np.float64)
    return vectors.astype(np.float64) @ c.T - (np.square(c).sum(axis=1) / 2 if is_l2 else 0)


@pytest.mark.parametrize("is_l2", [True, False])
@settings(max_examples=60)
@given(st.data())
def test_no_centroid_is_nearer_however_rough_the_products(is_l2: bool, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    dimension, k = data.draw(st.integers(1, 80)), data.draw(st.integers(1, 60))
    spread = 10.0 ** data.draw(st.integers(-4, 1))
    centre = rng.standard_normal(dimension) * data.draw(st.sampled_from([0, 1, 10]))
    centroids = (centre + spread * rng.standard_normal((k, dimension))).astype(np.float32)
    vectors = (centre + spread * rng.standard_normal((30, dimension))).astype(np.float32)
    exact = scores(vectors, centroids, is_l2=is_l2)
    longest = np.linalg.norm(centroids, axis=1).max()
    last_bits = dimension * np.finfo(np.float32).eps * longest * (longest + np.linalg.norm(vectors, axis=1))
    for dtype in DTYPES:
        found = Centroids(centroids, is_l2=is_l2, dtype=dtype).nearest(vectors)
        missed = exact.max(axis=1) - exact[np.arange(30), found]
        assert (missed <= 4 * last_bits).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_lower_number(dtype: torch.dtype) -> None:
    centroids = np.repeat(corpus.vectors(0, 5).astype(np.float32), 4, axis=0)
    found = Centroids(centroids, is_l2=True, dtype=dtype).nearest(centroids)
    assert found.tolist() == np.repeat(np.arange(5) * 4, 4).tolist()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_vector_has_the_same_centroid_in_any_company(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    centroids, vectors = (corpus.vectors(seed, 300).astype(np.float32) for seed in (0, 1))
    whole = Centroids(centroids, is_l2=True, dtype=dtype).nearest(vectors)
    monkeypatch.setattr(nearest_module, "PRODUCTS", 7 * 300)
    monkeypatch.setattr(nearest_module, "PAIRS", 5)
    parts = Centroids(centroids, is_l2=True, dtype=dtype)
    assert parts.nearest(vectors).tolist() == whole.tolist()
    assert [int(parts.nearest(vector[None])[0]) for vector in vectors] == whole.tolist()


def test_the_fast_format_is_bfloat16_only_where_the_processor_multiplies_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert fast_dtype() == (torch.bfloat16 if has else torch.float32)


SAMPLE = corpus.vectors(0, 400)
RAW = corpus.vectors(0, 400, normalize=False)
TYPES = [
    ("RR16,IVF8,RaBitQ", "l2"),
    ("RR16,IVF8,RaBitQ", "inner_product"),
    ("IVF8,SQ8", "l2"),
    ("IVF8,Flat", "inner_product"),
    ("RR8,IVF8,Flat", "l2"),
    ("IVF8,PQ4x4np", "l2"),
    ("OPQ4_16,IVF8,PQ4x4", "l2"),
    ("IVF8_HNSW32,Flat", "inner_product"),
]


@cache
def graph_and_plain(metric: str) -> tuple[Quantizer, Quantizer]:
    """With a graph over 512 centroids, and the same without."""
    rows = corpus.vectors(4, 2000, normalize=metric == "l2")
    factories = ("RR16,IVF512_HNSW32,RaBitQ", "RR16,IVF512,RaBitQ")
    graph, plain = (corpus.quantizer(factory, rows, metric) for factory in factories)
    return graph, plain


def content(factory: str, metric: str, seed: int = 0) -> bytes:
    return train_quantizer(SAMPLE if metric == "l2" else RAW, factory, metric=metric, seed=seed)[0]


def coarse(data: bytes) -> faiss.Index:
    index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    ivf = faiss.extract_index_ivf(index)
    ivf.own_fields = False  # the coarse quantizer outlives it
    return faiss.downcast_index(ivf.quantizer)


def centroids(data: bytes) -> Floats:
    found: Floats = coarse(data).reconstruct_n()
    return found


@pytest.mark.parametrize(("factory", "metric"), TYPES)
def test_a_written_and_read_quantizer_does_the_same(factory: str, metric: str) -> None:
    data = content(factory, metric)
    first = Quantizer(data)
    second = Quantizer(faiss.serialize_index(first._index).tobytes())
    vectors = corpus.vectors(1, 200, normalize=metric == "l2").astype(np.float32)
    rotated = first.rotate(vectors)
    lists = first.assign(rotated)
    assert second.rotate(vectors).tolist() == rotated.tolist()
    assert second.assign(rotated).tolist() == lists.tolist()
    assert second.encode(rotated, lists).tolist() == first.encode(rotated, lists).tolist()
    assert len(np.unique(lists)) > 4


@pytest.mark.parametrize(("factory", "metric"), TYPES)
def test_rotation_lists_and_codes_are_those_of_faiss(factory: str, metric: str) -> None:
    data = content(factory, metric)
    quantizer = Quantizer(data)
    index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    ivf = faiss.extract_index_ivf(index)
    vectors = corpus.vectors(2, 200, normalize=metric == "l2").astype(np.float32)
    expected = index.chain.at(0).apply(vectors) if hasattr(index, "chain") else vectors
    rotated = quantizer.rotate(vectors)
    assert rotated == pytest.approx(expected, abs=1e-5)
    lists = quantizer.assign(rotated)
    _, coarse = ivf.quantizer.search(rotated, 1)
    assert lists.tolist() == coarse[:, 0].tolist()
    index.add(vectors)
    for number in range(ivf.nlist):
        size = ivf.invlists.list_size(number)
        assert size == (lists == number).sum()
        if factory.startswith("IVF") and size:  # a rotation's last bits differ, and so may a code
            codes = faiss.rev_swig_ptr(ivf.invlists.get_codes(number), size * ivf.code_size).reshape(size, -1)
            mine = quantizer.encode(rotated, lists)[lists == number]
            assert codes.tolist() == mine.tolist()


@pytest.mark.parametrize(("factory", "metric"), TYPES)
def test_probes_are_those_of_faiss(factory: str, metric: str) -> None:
    data = content(factory, metric)
    quantizer = Quantizer(data)
    index = faiss.deserialize_index(np.frombuffer(data, np.uint8))
    ivf = faiss.extract_index_ivf(index)
    probes = quantizer.probe(corpus.queries(3, 21), 5)
    distances, lists = ivf.quantizer.search(probes.rotated, 5)
    assert probes.lists.tolist() == lists.tolist()
    assert probes.distances == pytest.approx(distances, abs=1e-4)


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
def test_training_again_gives_the_same_file_and_another_seed_another(metric: str) -> None:
    again = content("RR16,IVF8,RaBitQ", metric)
    assert again == content("RR16,IVF8,RaBitQ", metric)
    assert again != content("RR16,IVF8,RaBitQ", metric, seed=1)


def test_centroids_are_spherical_for_inner_products_only() -> None:
    _, record = train_quantizer(RAW, "IVF8,Flat", metric="inner_product", seed=0)
    assert record.spherical
    lengths = np.linalg.norm(centroids(content("IVF8,Flat", "inner_product")), axis=1)
    assert lengths == pytest.approx(np.ones(8), abs=1e-5)
    assert np.linalg.norm(centroids(content("IVF8,Flat", "l2")), axis=1).max() < 0.999


def test_the_record_says_how_it_was_trained() -> None:
    data, record = train_quantizer(SAMPLE, "IVF8,Flat", metric="l2", seed=3)
    assert (record.factory, record.metric, record.spherical) == ("IVF8,Flat", "l2", False)
    assert (record.seed, record.trained_on) == (3, 400)
    quantizer = Quantizer(data)
    assert (quantizer.dimension, quantizer.nlist, quantizer.code_size) == (16, 8, 64)


def test_loading_leaves_the_quantizers_own_centroids_in_place() -> None:
    quantizer = Quantizer(content("IVF8,Flat", "l2"))
    assert quantizer._ivf.quantizer.ntotal == 8
    shell = faiss.deserialize_index(quantizer._shell)
    assert shell.quantizer.ntotal == 0


def test_many_lists_are_found_by_a_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    few = content("IVF8,Flat", "l2")
    monkeypatch.setattr(quantizer_training, "GRAPH_LISTS", 8)
    many = content("IVF8,Flat", "l2")
    assert [isinstance(coarse(data), faiss.IndexHNSW) for data in (few, many)] == [False, True]
    assert centroids(many).tolist() == centroids(few).tolist()


@pytest.mark.parametrize("metric", ["l2", "inner_product"])
def test_with_a_graph_rows_get_the_same_lists_and_queries_nearly(metric: str) -> None:
    graph, plain = graph_and_plain(metric)
    vectors = corpus.vectors(1, 200, normalize=metric == "l2").astype(np.float32)
    rotated = graph.rotate(vectors)
    lists = graph.assign(rotated)
    assert lists.tolist() == plain.assign(rotated).tolist()
    assert graph.encode(rotated, lists).tolist() == plain.encode(rotated, lists).tolist()
    queries = corpus.queries(2, 100)
    near, exact = graph.probe(queries, 8), plain.probe(queries, 8)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact.lists, near.lists, strict=True)]) > 0.98
    same = (near.lists == exact.lists).all(axis=1)
    assert near.distances[same] == pytest.approx(exact.distances[same], abs=1e-4)


@pytest.mark.parametrize("nprobe", [128, 512])
def test_where_a_graph_would_look_at_all_centroids_the_lists_are_exact(nprobe: int) -> None:
    graph, plain = graph_and_plain("l2")
    near, exact = (quantizer.probe(corpus.queries(2, 20), nprobe) for quantizer in (graph, plain))
    assert near.lists.tolist() == exact.lists.tolist()
    assert near.distances.tolist() == exact.distances.tolist()


def test_lists_found_by_a_graph_do_not_depend_on_the_batch() -> None:
    quantizer, _ = graph_and_plain("l2")
    queries = corpus.queries(2, 50)
    together = quantizer.probe(queries, 8)
    for i in range(50):
        alone = quantizer.probe(queries[i : i + 1], 8)
        assert [a.tolist() for a in alone] == [a[i : i + 1].tolist() for a in together]


def test_the_file_does_not_depend_on_the_number_of_threads() -> None:
    rows = corpus.vectors(4, 2000)
    before = torch.get_num_threads(), faiss.omp_get_max_threads()
    files = set()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            faiss.omp_set_num_threads(threads)
            files.add(train_quantizer(rows, "RR16,IVF512_HNSW32,RaBitQ", metric="l2", seed=0)[0])
            assert faiss.omp_get_max_threads() == threads
    finally:
        torch.set_num_threads(before[0])
        faiss.omp_set_num_threads(before[1])
    assert len(files) == 1


def test_a_graph_is_searched_wider_than_the_lists_wanted() -> None:
    """FAISS by itself looks at as many centroids as lists are wanted."""
    graph, plain = graph_and_plain("l2")
    queries = corpus.queries(2, 100)
    near, exact = graph.probe(queries, 4), plain.probe(queries, 4)
    assert np.mean([np.isin(a, b).mean() for a, b in zip(exact.lists, near.lists, strict=True)]) > 0.99


def test_a_projection_is_trained_in_its_own_space_and_a_rotation_in_any() -> None:
    rotated, plain = (content(factory, "l2") for factory in ("RR16,IVF8,Flat", "IVF8,Flat"))
    assert centroids(rotated) == pytest.approx(Quantizer(rotated).rotate(centroids(plain)), abs=1e-5)
    projected = Quantizer(content("RR8,IVF8,Flat", "l2"))
    rows = projected.rotate(SAMPLE.astype(np.float32))
    lists = projected.assign(rows)
    means = np.stack([rows[lists == number].mean(axis=0) for number in range(8)])
    assert centroids(content("RR8,IVF8,Flat", "l2")) == pytest.approx(means, abs=0.02)


def test_codes_of_pq_are_trained_without_the_polysemous_search() -> None:
    assert content("IVF8,PQ4x4", "l2") == content("IVF8,PQ4x4np", "l2")


@pytest.mark.parametrize(
    ("factory", "advice"),
    [
        ("IMI2x3,Flat", "lists have one centroid each here; give IVF{nlist}"),
        ("IVF8(PQ4x4),Flat", "lists have one centroid each here; give IVF{nlist}"),
        ("IVF8,RaBitQ,RFlat", "rows are scored exactly anyway; leave out the refinement"),
    ],
)
def test_what_only_faiss_could_search_is_refused(factory: str, advice: str) -> None:
    with pytest.raises(UsageError) as caught:
        train_quantizer(SAMPLE, factory, metric="l2", seed=0)
    assert str(caught.value) == f"index.type gives {factory!r}: {advice}"


@pytest.mark.parametrize("factory", ["IVF8,PQ4x4fs", "IVF8,RaBitQfs"])
def test_fast_scan_is_refused(factory: str) -> None:
    with pytest.raises(UsageError, match=rf"^index.type gives '{factory}': fast-scan lists cannot be merged; leave"):
        train_quantizer(SAMPLE, factory, metric="l2", seed=0)


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        ("IVFx,Flat", "could not parse index string IVFx"),
        ("", "could not parse index string "),
        ("Flat", "Error: 'ivf' failed"),
        ("IVF8,PQ5", "The dimension of the vector (d) should be a multiple of the number of subquantizers (M)"),
    ],
)
def test_a_type_that_does_not_fit_is_refused_in_one_line(factory: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        train_quantizer(SAMPLE, factory, metric="l2", seed=0)
    message = str(caught.value)
    assert message.startswith(f"index.type gives {factory!r}: ")
    assert message.endswith("; give an IVF type such as IVF{nlist},RaBitQ")
    assert "\n" not in message
    assert ".cpp" not in message
    assert reason.removeprefix("Error: ") in message


@pytest.mark.parametrize("factory", ["IVF8,PQ4", "IVF101,Flat"])
def test_a_sample_that_is_too_small_is_refused_in_one_line(factory: str) -> None:
    with pytest.raises(InputError, match=r"^100 vectors cannot train .*; ") as caught:
        train_quantizer(SAMPLE[:100], factory, metric="l2", seed=0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("factory", ["PCA8,IVF8,Flat", "L2norm,IVF8,Flat"])
def test_a_transform_that_is_no_rotation_is_refused(factory: str) -> None:
    with pytest.raises(UsageError, match=r"^index.type: \w+ is not supported; use RR \(a rotation\) or none$"):
        Quantizer(content(factory, "l2"))
