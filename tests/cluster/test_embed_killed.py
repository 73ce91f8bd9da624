"""Embed as a process of its own: killed midway and run again, stopped by Ctrl-C, and with workers that die."""

import os
import signal
from pathlib import Path

import pytest

from jobs import embed
from schemas.config import Config
from tests.support.embedded_stores import (
    PARTS,
    SETTINGS,
    Vectors,
    alive_vectors,
    assert_close,
    copied_store,
    vector_folder,
    vector_parts,
)
from tests.support.processes import kill, kill_all, processes, started, within
from tests.support.pubmed_files import configured

COMMAND = [*(word for setting in SETTINGS for word in ("--set", setting)), "embed"]
WAIT = 120
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


def test_killed_twice_and_run_again_is_as_never_killed(embedded: Path, config: Config, undisturbed: Vectors) -> None:
    with started(config.store, *COMMAND):
        within(WAIT, lambda: vector_parts(config))
        kill_all(config.store)
    done = vector_parts(config)
    assert 0 < len(done) < PARTS - 1
    # What a kill leaves while a part is being written.
    [missing, *_] = sorted(set(vector_parts(configured(embedded / "store"))) - set(done))
    written = next(embedded.glob(f"store/vectors/*/abstract/{missing}.parquet")).read_bytes()
    (vector_folder(config) / f".{missing}.parquet.0123abcd.tmp").write_bytes(written[: len(written) // 2])

    with started(config.store, *COMMAND):
        within(WAIT, lambda: len(vector_parts(config)) > len(done))
        kill_all(config.store)
    assert vector_parts(config) | done == vector_parts(config)
    assert_finishes(config, undisturbed)


def test_ctrl_c_ends_within_seconds_with_one_line_and_a_rerun_completes(config: Config, undisturbed: Vectors) -> None:
    with started(config.store, *COMMAND) as process:
        within(WAIT, lambda: vector_parts(config))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
        within(30, lambda: not processes(config.store))
    assert process.returncode == 130, err
    assert err.strip().splitlines()[-1] == "pubray: stopped; what is finished is kept, run it again to go on"
    assert "Traceback" not in err
    assert out == ""
    assert_finishes(config, undisturbed)


def test_an_encoder_that_dies_is_replaced_and_nothing_is_lost(config: Config, undisturbed: Vectors) -> None:
    with started(config.store, *COMMAND) as process:
        within(WAIT, lambda: vector_parts(config))
        [encoder] = processes(config.store, ENCODER)
        assert len(vector_parts(config)) < PARTS
        kill(encoder)
        _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert_whole(config, undisturbed)


def test_encoders_that_die_again_and_again_end_in_one_line_and_what_is_written_is_kept(
    config: Config, undisturbed: Vectors
) -> None:
    with started(config.store, *COMMAND) as process:
        within(WAIT, lambda: vector_parts(config))

        def ended() -> bool:
            for encoder in processes(config.store, ENCODER):
                kill(encoder)
            return process.poll() is not None

        within(WAIT, ended)
        _, err = process.communicate()
    assert process.returncode == 1, err
    assert err.strip().splitlines()[-1].startswith("pubray: a worker of embed died 3 times at one range, or while")
    assert "Traceback" not in err
    assert 0 < len(vector_parts(config)) < PARTS
