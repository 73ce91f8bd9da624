"""What two workers do with a model that is spread over them is what one does with a whole one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from actors.fetch.stored_models import folder_of
from actors.store.local_store import LocalStore
from actors.train.peers import Alone
from actors.train.spread_models import placed
from actors.train.training_run import Kind
from schemas.config import Config
from schemas.errors import UsageError
from schemas.layout import Layout
from schemas.training import TrainConfig
from tests.support.training import made_pairs, made_queries, made_steps, spread_steps
from tests.support.training.spread_steps import CASES, HALF, RERANKER

ROOT = Path(__file__).parents[4]
SIZE = 2
NOTHING = ("classifier.bias",)
"""No order depends on it: its gradient is what is left of 0 by rounding, and AdamW makes steps of that."""


@pytest.fixture(scope="module")
def out(tiny_encoder: Path, tiny_classifier: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where both workers wrote what they had."""
    out = tmp_path_factory.mktemp("workers")
    config, snapshot = made_pairs.store_of(out, tiny_encoder)
    (out / "config.json").write_text(config.with_values(**spread_steps.VALUES).model_dump_json())
    (out / "snapshot").write_text(snapshot)
    command = [sys.executable, "-m", spread_steps.__name__, str(tiny_encoder), str(tiny_classifier), str(out)]
    running = [subprocess.Popen([*command, str(rank), str(SIZE)], cwd=ROOT) for rank in range(SIZE)]
    assert [one.wait() for one in running] == [0] * SIZE
    return out


def of_run(out: Path) -> list[dict[str, Any]]:
    """What each of them says of a run."""
    return [json.loads((out / f"whole-{rank}.json").read_text()) for rank in range(SIZE)]


def assert_close(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == wanted.keys()
    for name, of in wanted.items():
        assert torch.allclose(found[name], of, rtol=tolerance, atol=tolerance), name


@pytest.mark.parametrize("name", CASES)
def test_their_gradient_is_that_of_one(tiny_encoder: Path, out: Path, name: str) -> None:
    alone = made_steps.gradients(tiny_encoder, CASES[name], Alone())
    for of_worker in made_steps.of_workers(out, name, SIZE):
        assert_close(of_worker, alone, 1e-12)


def test_their_gradient_of_a_reranker_is_that_of_one(tiny_classifier: Path, out: Path) -> None:
    alone = made_queries.gradients(tiny_classifier, RERANKER, Alone())
    for of_worker in made_steps.of_workers(out, "reranker", SIZE):
        assert_close(of_worker, alone, 1e-12)


def test_in_bfloat16_it_is_nearly_so(tiny_encoder: Path, out: Path) -> None:
    alone = made_steps.gradients(tiny_encoder, HALF, Alone())
    theirs, _ = made_steps.of_workers(out, "half", SIZE)
    apart = torch.stack([(theirs[name] - of).norm() for name, of in alone.items()]).norm()
    assert 0 < apart < 0.05 * torch.stack([of.norm() for of in alone.values()]).norm()


def test_each_holds_a_part(tiny_encoder: Path, out: Path) -> None:
    towers, _, _ = made_steps.trained(tiny_encoder, spread_steps.RUN)
    held = [told["held"] for told in of_run(out)]
    assert held == [sum(of.numel() for of in towers.learnt().values()) / SIZE] * SIZE


def test_a_run_that_was_stopped_ends_in_the_bits_of_one_that_was_not(out: Path) -> None:
    store = LocalStore(str(out / "runs"))
    whole, again = (load_file(store.local(Layout.checkpoint(run, "00000003"))) for run in ("whole", "stopped"))
    assert whole.keys() == again.keys()
    assert all(torch.equal(of, again[name]) for name, of in whole.items())


def test_one_reads_their_states_and_comes_to_the_same(tiny_encoder: Path, out: Path) -> None:
    theirs, own = LocalStore(str(out / "runs")), LocalStore(str(out / "alone"))
    alone = spread_steps.run(own, "whole", tiny_encoder, Alone())
    norms = [step.facts.norm for step in alone[0].steps()]
    assert [told["norms"] for told in of_run(out)] == [pytest.approx(norms, abs=1e-9)] * SIZE
    of_theirs = spread_steps.vectors(theirs, "whole", spread_steps.run(theirs, "whole", tiny_encoder, Alone()))
    assert_close(of_theirs, spread_steps.vectors(own, "whole", alone), 1e-9)
    for of_worker in made_steps.of_workers(out, "vectors", SIZE):
        assert_close(of_worker, of_theirs, 1e-12)


@pytest.mark.parametrize("kind", spread_steps.KINDS)
def test_their_model_is_that_of_one(out: Path, kind: Kind) -> None:
    config = Config.model_validate_json((out / "config.json").read_text())
    alone = spread_steps.model(config, (out / "snapshot").read_text(), kind, Alone(), out / "work")
    theirs, other = (json.loads((out / f"{kind}-{rank}.json").read_text()) for rank in range(SIZE))
    assert other == {"found": alone["found"], "values": {}}
    assert theirs["found"] == alone["found"]
    configured = [config.with_values(**of["values"]) for of in (theirs, alone)]
    folders = [folder_of(of.encoder.article if kind == "retriever" else of.rerank, of) for of in configured]
    assert (folders[0] / "config.json").read_bytes() == (folders[1] / "config.json").read_bytes()
    found, wanted = (load_file(folder / "model.safetensors") for folder in folders)
    assert_close(found, wanted | {name: found[name] for name in NOTHING if name in found}, 1e-5)


class Two(Alone):
    size = 2


def test_a_model_whose_layers_are_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="Linear has no layers that transformers marks; set spread = false"):
        placed(torch.nn.Linear(2, 2), TrainConfig(spread=True), Two(), "cpu")
