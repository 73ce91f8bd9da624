"""What users' frameworks already speak, by those frameworks: LiteLLM, LangChain, LlamaIndex, Haystack.

Each runs in an environment of their own, beside ours: they want another cohere. It prints its answers by the client
within it that was asked.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.web.api import create_app
from actors.web.middleware.front import Front
from tests.support.service.seams import SECONDS, Favours, Shelf, joined
from tests.support.service.serving import served

PYTHON = Path(f"{sys.prefix}-clients/bin/python")
SCRIPTS = sorted((Path(__file__).parent / "clients").glob("ask_*.py"))
# None of them is to call home.
QUIET = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HAYSTACK_TELEMETRY_ENABLED": "False", "LANGSMITH_TRACING": "false"}
KEY = "a key"
FRONT = Front(key_digests=frozenset({hashlib.sha256(KEY.encode()).hexdigest()}))
QUERY, DOCUMENTS = "statins", ["About mice.", "Statins and muscle pain\nA trial.", "Statins."]

pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not PYTHON.exists(), reason=f"no client libraries in {PYTHON.parents[1]}: make clients"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(create_app(joined(Shelf([1]), Favours({1: 4.0, 2: 2.0})), SECONDS, FRONT)) as url:
        yield url


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_framework_gets_vectors_and_ranks(script: Path, url: str) -> None:
    asked = {"url": url, "key": KEY, "query": QUERY, "documents": DOCUMENTS}
    done = subprocess.run(
        [PYTHON, script], input=json.dumps(asked), capture_output=True, text=True, timeout=200, env=os.environ | QUIET
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    expected = {
        "query": [float(len(QUERY))],
        "article": [-float(len(DOCUMENTS[0]))],
        "of length 1": [[1.0]] * len(DOCUMENTS),
        "ranks": [1, 2, 0],
    }
    assert answers == {kind: dict.fromkeys(of_kind, expected[kind]) for kind, of_kind in answers.items()}
    assert answers.keys() >= {"query", "article", "ranks"}
