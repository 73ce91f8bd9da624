"""The image, built for real, and what runs in it as the user that it names."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
BUILD = ROOT / "tests" / "support" / "image" / "build.sh"
USER = "10001"
LARGEST = 2.2e9
"""Bytes."""
UNITS = {"MB": 1e6, "GB": 1e9}
COMMIT = "c0ffee"


@pytest.mark.whole
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("buildah") or not shutil.which("mmdebstrap"),
    reason="only root can build it here, with buildah and mmdebstrap",
)
def test_the_image_is_small_and_does_what_a_node_does(tmp_path: Path) -> None:
    buildah = tmp_path / "buildah"

    def say(*command: str | Path) -> str:
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    say(BUILD, tmp_path, COMMIT)
    try:
        value, unit = say(buildah, "images", "--format", "{{.Size}}", "localhost/pubray").split()
        size = float(value) * UNITS[unit]
        print(f"image: {size / 1e9:.2f} GB")  # noqa: T201
        assert size < LARGEST
        container = say(buildah, "from", "localhost/pubray")
        certificates = os.environ.get("PIP_CERT")
        given = ["--volume", f"{certificates}:/certificates.pem:ro", "--env", "PIP_CERT=/certificates.pem"]

        def inside(*command: str) -> str:
            options = ["--isolation", "chroot", "--network", "host", *(given if certificates else [])]
            return say(buildah, "run", *options, container, "--", *command)

        assert inside("id", "-u") == USER
        assert "nightly" in inside("pubray", "--help")
        assert "all-MiniLM-L6-v2" in inside("env", "PUBRAY_STORE=/tmp/store", "pubray", "demo", "--articles", "100")
        inside("sh", "-c", "ray start --head --port=6399 --num-cpus=1 && ray stop")
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)
