"""Embed that is disturbed: stopped by Ctrl-C and killed midway, as a process of its own, and with workers that die."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jobs import embed
from schemas.config import Config
from schemas.errors import StoreError
from tests.support.processes import kill, kill_all, processes, started, within, workers
from tests.support.pubmed.pubmed_files import configured
from tests.support.stores.embedded_stores import (
    PARTS,
    SETTINGS,
    Vectors,
    alive_vectors,
    assert_close,
    copied_store,
    vector_folder,
    vector_parts,
)

COMMAND = [*(word for setting in SETTINGS for word in ("--set", setting)), "embed"]
WAIT, STOP = 120, 60
"""Seconds that something may take, and that a stop may take, on a machine however busy."""
ENCODER = "EncodeRange"


@pytest.fixture
def config(embedded: Path, tmp_path: Path) -> Config:
    """An ingested store without vectors."""
    return copied_store(embedded / "store", tmp_path, vectors=False)


@pytest.fixture(scope="module")
def undisturbed(embedded: Path) -> Vectors:
    return alive_vectors(configured(embedded / "store", *SETTINGS))


def assert_whole(config: Config, undisturbed: Vectors) -> None:
    """Every part is there, and every article as if nothing had happened."""
    assert len(vector_parts(config)) == PARTS
    assert_close(alive_vectors(config), undisturbed)


def assert_finishes(config: Config, undisturbed: Vectors) -> None:
    """Run again: what is missing is made, and what is there is left alone."""
    done = vector_parts(config)
    assert 0 < len(done) < PARTS
    assert embed.run(config).embedded_parts == PARTS - len(done)
    assert vector_parts(config) | done == vector_parts(config)
    assert_whole(config, undisturbed)


def leave_half_a_part(embedded: Path, config: Config) -> None:
    """Leave what a kill leaves while a part is being written."""
    done = set(vector_parts(config))
    [missing, *_] = sorted(set(vector_parts(configured(embedded / "store"))) - done)
    written = next(embedded.glob(f"store/vectors/*/abstract/{missing}.parquet")).read_bytes()
    (vector_folder(config) / f".{missing}.parquet.0123abcd.tmp").write_bytes(written[: len(written) // 2])


def kill_midway(config: Config) -> None:
    """Run it as a process, and kill all of it as soon as there is a part more."""
    done = vector_parts(config)
    with started(config.store, *COMMAND):
        within(WAIT, lambda: len(vector_parts(config)) > len(done))
        kill_all(config.store)
    assert vector_parts(config) | done == vector_parts(config)


@pytest.mark.whole
def test_stopped_by_ctrl_c_then_killed_and_run_again_is_as_never_disturbed(
    embedded: Path, config: Config, undisturbed: Vectors
) -> None:
    with started(config.store, *COMMAND) as process:
        within(WAIT, lambda: vector_parts(config))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=STOP)
        within(STOP, lambda: not processes(config.store))
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == "pubray: stopped; what is finished is kept, run it again to go on"
    assert "Traceback" not in err
    assert out == ""
    leave_half_a_part(embedded, config)
    kill_midway(config)
    assert_finishes(config, undisturbed)


@pytest.mark.whole
def test_killed_twice_and_run_again_is_as_never_killed(embedded: Path, config: Config, undisturbed: Vectors) -> None:
    kill_midway(config)
    leave_half_a_part(embedded, config)
    kill_midway(config)
    assert_finishes(config, undisturbed)


def test_an_encoder_that_dies_is_replaced_and_nothing_is_lost(config: Config, undisturbed: Vectors) -> None:
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(embed.run, config)
        within(WAIT, lambda: vector_parts(config))
        [encoder] = workers(ENCODER)
        assert len(vector_parts(config)) < PARTS
        kill(encoder)
        assert running.result(WAIT).embedded_parts == PARTS
    assert_whole(config, undisturbed)


@pytest.mark.whole
def test_encoders_that_die_again_and_again_end_in_one_line_and_what_is_written_is_kept(
    config: Config, capfd: pytest.CaptureFixture[str]
) -> None:
    def ended() -> bool:
        for encoder in workers(ENCODER):
            kill(encoder)
        return running.done()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(embed.run, config)
        within(WAIT, lambda: vector_parts(config))
        within(WAIT, ended)
        with pytest.raises(StoreError) as caught:
            running.result()
    assert str(caught.value).startswith("a worker of embed died 3 times at one range, or while")
    assert "\n" not in str(caught.value)
    assert "Traceback" not in capfd.readouterr().err
    assert 0 < len(vector_parts(config)) < PARTS
