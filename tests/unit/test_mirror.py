"""The tests of a file are found where the file is: tests/unit/<its folder>/test_<its name>.py."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = Path(__file__).parent
ROOMS = ("schemas", "retrieval", "actors", "jobs")

WITHOUT_TESTS = {
    "schemas/arrays.py": "names of types",
    "schemas/protocols.py": "types",
    "schemas/store.py": "types",
    "schemas/run.py": "types",
    "schemas/canary.py": "types, which the tests of retrieval/evaluate/canaries.py fill",
    "schemas/writers.py": "types",
    "schemas/pair.py": "types and an Arrow schema, which the tests of retrieval/train/pairs/pair_sets.py fill",
    "schemas/problem.py": "types",
    "schemas/snapshot.py": "types and an Arrow schema",
    "schemas/report.py": "types, which the tests of jobs fill",
    "schemas/quality_report.py": "the same",
    "schemas/night_report.py": "the same",
    "jobs/common/cluster/ray_metrics.py": "Ray's metrics exist in a cluster alone: tests/cluster/jobs/test_metrics.py",
    "jobs/common/cluster/scaling.py": "Ray's autoscaler has to be there: tests/cluster/nodes/test_scaled_cluster.py",
    "jobs/steps/index/commit.py": "it starts tasks and waits for them: tests/cluster/jobs/test_nights.py",
    "jobs/mine.py": "tests/cluster/train/test_mine.py",
    "jobs/steps/train/mining.py": "the same",
    "actors/train/pairs/pair_miner.py": "the same",
    "jobs/train_retriever.py": "tests/cluster/train/test_train_retriever.py",
    "jobs/train_reranker.py": "tests/cluster/train/test_train_reranker.py",
    "jobs/train_demo.py": "tests/cluster/train/test_train_demo.py",
    "jobs/steps/train/train_run.py": "those of both commands",
    "jobs/steps/train/training.py": "the same",
    "jobs/steps/train/comparing.py": "the same",
    "actors/train/learner.py": "types",
    "actors/train/saved_models.py": "tests/unit/actors/train/retriever/test_retriever_learner.py",
    "actors/train/retriever/saved_towers.py": "the same",
    "actors/train/retriever/found_ndcg.py": "the same",
    "actors/train/held_out.py": "tests of both learners, tests/unit/actors/train/*/test_*_learner.py",
    "actors/train/forward_pass.py": "the same",
    "actors/train/mined_pairs.py": "the same, and tests/unit/actors/train/retriever/test_training_pairs.py",
    "actors/train/reranker/ordered_ndcg.py": "tests/unit/actors/train/reranker/test_reranker_learner.py",
    "actors/train/reranker/query_groups.py": "the same",
    "actors/train/reranker/trained_reranker.py": "the same",
    "actors/train/peers.py": "tests/unit/actors/train/retriever/test_gradients.py, with two and three of them",
    "schemas/training_report.py": "types, which the tests of jobs fill",
    "actors/service/meter.py": "a protocol, and a class that does nothing",
}
WITHOUT_SOURCE = {
    "actors/embed/test_exactness.py": "vectors and scores beside the authors' own procedures, over towers and engines",
    "actors/train/retriever/test_wrong_gradients.py": "actors/train/retriever/gradients.py, made wrong",
    "actors/web/page/test_page_html.py": "the templates in assets/, as a reader of the page sees them",
    "infra/test_alerts.py": "infra/monitoring",
    "infra/test_aws.py": "infra/aws, and the instances of ray_cluster.yaml",
    "infra/test_config_files.py": "infra/config",
    "infra/test_demo_data.py": "infra/demo",
    "infra/test_environment.py": "constraints.txt, and what is installed",
    "infra/test_image.py": "the Dockerfile",
    "infra/test_kuberay.py": "infra/kuberay, as kustomize renders it",
    "infra/test_run_night.py": "infra/run-night",
    "infra/test_start_night.py": "infra/kuberay/start_night.py",
    "infra/test_ray_cluster.py": "ray_cluster.yaml",
    "retrieval/ingest/pubmed/test_stream_damaged.py": "damaged files, through all of pubmed/",
    "test_shown_fields.py": "what follows from DisplayArticle, in three rooms",
    "jobs/test_old_store.py": "a store written before, through three commands",
    "test_mirror.py": "the tests themselves",
    "test_docs.py": "README.md, CONTRIBUTING.md, docs/",
    "test_house.py": "the rooms and their names",
}


def sources() -> set[str]:
    """The files that are to have tests."""
    return {str(path.relative_to(ROOT)) for room in ROOMS for path in (ROOT / room).rglob("*.py")}


def written() -> set[str]:
    """The files of tests, by their path below tests/unit."""
    return {str(path.relative_to(UNIT)) for path in UNIT.rglob("test_*.py")}


def mirror_of(source: str) -> str:
    path = Path(source)
    return str(path.with_name(f"test_{path.name}"))


def test_every_file_has_its_tests_or_a_reason_to_have_none() -> None:
    tests = written()
    assert {source for source in sources() if mirror_of(source) not in tests} == {*WITHOUT_TESTS}


def test_every_file_of_tests_has_its_source_or_a_reason_to_have_none() -> None:
    assert written() - {mirror_of(source) for source in sources()} == {*WITHOUT_SOURCE}


def test_every_file_of_tests_has_one() -> None:
    assert [path for path in written() if "def test_" not in (UNIT / path).read_text()] == []
