"""The pages are checked like code: links, the tree, commands, paths, configuration keys, the store, the plan."""

import argparse
import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from actors.store.local_store import WRITER
from jobs.__main__ import JOBS, main, module_of
from jobs.common.options import add_options
from retrieval.operate.store_metrics import METRICS
from schemas.config import Config
from schemas.formats import FORMATS, NEWEST
from schemas.layout import (
    DEMO_SOURCES,
    PUBLISHED_CHUNKS,
    PUBLISHED_INDICES,
    SEGMENT_MANIFEST,
    SELECTIONS,
    SOURCES,
    Layout,
    Named,
)

ROOT = Path(__file__).parents[2]
ROOMS = ("jobs", "actors", "retrieval", "schemas", "infra")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_NAME = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
README = BY_NAME["README.md"]
A_PAGE = pytest.mark.parametrize("name", BY_NAME)
KILOBYTE = 1000


def prose(name: str) -> str:
    """A page without what is shown of files and terminals."""
    return "".join(BY_NAME[name].split("```")[::2])


def code(name: str) -> list[str]:
    """What a page shows of commands: in blocks line by line, and between backticks."""
    blocks = BY_NAME[name].split("```")[1::2]
    return [*"\n".join(blocks).splitlines(), *re.findall(r"`([^`\n]+)`", prose(name))]


def anchors(text: str) -> set[str]:
    """The names that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_can_be_read_in_some_minutes() -> None:
    assert 12 * KILOBYTE <= len(README.encode()) <= 15 * KILOBYTE


@A_PAGE
def test_every_link_leads_somewhere(name: str) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)]+)\)", prose(name)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / name).parent / file if file else ROOT / name
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            lost.append(link)
    assert lost == []


def test_every_page_is_linked_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", README.replace("[CONTRIBUTING](CONTRIBUTING)", "")))
    assert sorted(set(BY_NAME) - {"README.md"} - linked) == []


def tree() -> dict[str, int]:
    """The paths of the tree, each with its folders, and how often it is there."""
    shown = README.split("## The tree")[1].split("```")[1]
    folders: list[str] = []
    paths: dict[str, int] = {}
    for line in shown.strip("\n").splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[: depth - 1], line.split()[0].rstrip("/")]
        path = "/".join(folders)
        paths[path] = paths.get(path, 0) + 1
    return paths


def is_ours(folder: Path) -> bool:
    """Whether a folder holds anything but leftovers of Python."""
    return any(file.is_file() and "__pycache__" not in file.parts for file in folder.rglob("*"))


def test_the_tree_is_that_of_the_folders() -> None:
    rooms = [*ROOMS, "tests", "benchmarks", "docs"]
    inside = [folder for room in ROOMS for folder in (ROOT / room).rglob("*")]
    inside += [folder for room in ("tests", "docs") for folder in (ROOT / room).iterdir()]
    folders = {
        folder.relative_to(ROOT).as_posix()
        for folder in inside
        if folder.is_dir() and "__pycache__" not in folder.parts and is_ours(folder)
    }
    assert tree() == dict.fromkeys([*folders, *rooms], 1)


def grid() -> dict[str, set[str]]:
    """What CONTRIBUTING's table of rooms and stages has of each room."""
    [table] = re.findall(r"^\| stage \|.*(?:\n\|.*)*", BY_NAME["CONTRIBUTING.md"], re.MULTILINE)
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    rooms = [name for name in head if name.startswith("`")]
    return {room.strip("`/"): set(re.findall(r"`([\w./]+?)/?`", " ".join(columns[room]))) for room in rooms}


def test_the_grid_has_every_stage_and_every_command() -> None:
    shown = grid()
    assert sorted(shown) == ["actors", "jobs", "retrieval"]
    missing = [f"{room}/{path}" for room in shown for path in shown[room] if not (ROOT / room / path).exists()]
    assert missing == []
    for room in ("retrieval", "actors"):
        stages = {folder.name for folder in (ROOT / room).iterdir() if is_ours(folder)}
        assert {path for path in shown[room] if "/" not in path} == stages
    assert {path.removesuffix(".py") for path in shown["jobs"] if "/" not in path} == {
        module_of(job).partition(".")[2] for job in JOBS
    }


def test_the_order_of_stages_is_that_which_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    orders = {" → ".join(contract["layers"]) for contract in contracts if contract["type"] == "layers"}
    orders = {order for order in orders if not order.startswith("__main__")}  # of commands, which are no stages
    assert set(re.findall(r"`([a-z]+(?: → [a-z]+)+)`", BY_NAME["CONTRIBUTING.md"])) == orders


PATH = re.compile(rf"\b((?:{'|'.join((*ROOMS, 'tests', 'benchmarks', 'docs'))})/[\w./-]*\w/?)(?![\w*<…-])")


@A_PAGE
def test_every_path_of_ours_exists(name: str) -> None:
    coming = {"retrieval/words"}
    shown = {path.rstrip("/") for text in code(name) for path in PATH.findall(text) if not text.startswith("GET ")}
    assert [path for path in sorted(shown - coming) if not (ROOT / path).exists()] == []


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser of what comes before a job's name, and that of each job."""
    before = argparse.ArgumentParser(exit_on_error=False)
    before.add_argument("--config")
    before.add_argument("--set", action="append", default=[])
    before.add_argument("job", choices=JOBS)
    before.add_argument("rest", nargs=argparse.REMAINDER)
    jobs = {}
    for job in JOBS:
        jobs[job] = argparse.ArgumentParser(exit_on_error=False)
        add_options(jobs[job], importlib.import_module(module_of(job)).run)
        jobs[job].add_argument("--json", action="store_true")
    return before, jobs


def stand_in(words: list[str]) -> list[str]:
    """The words of a command, numbers where letters stand for them."""
    return ["1" if word in ("N", "SHARE", "HOURS") else word for word in words]


@A_PAGE
def test_every_command_of_a_page_is_one(name: str) -> None:
    before, jobs = parsers()
    for line in code(name):
        found = re.match(
            r"(?:\$ )?(?:[A-Z_]+=\S+ )*pubray (?!JOB|[a-z]+:)([a-z-][^;&]*)", line
        )  # a shell's `&` and `;` end it
        command = shlex.split(found[1], comments=True) if found else []
        if not command or "…" in command:
            continue
        options = before.parse_args(command)
        words = stand_in(options.rest)
        if words == ["--help"]:
            continue
        assert options.config is None or (ROOT / options.config).exists(), line
        if words or options.job not in ("ingest", "nightly", "search"):  # mentioned, without what it must have
            jobs[options.job].parse_args(words)
        for value in options.set:
            assert is_key(value.partition("=")[0]), line


def test_every_job_is_told_of() -> None:
    commands = " ".join(code("README.md"))
    assert [job for job in JOBS if not re.search(rf"pubray (--config \S+ )?{job}\b", commands)] == []


@A_PAGE
def test_every_command_of_make_is_one(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {found for line in code(name) for found in re.findall(r"(?:^|\s)make ([a-z-]+)", line)}
    assert used - targets == set()


@A_PAGE
def test_every_benchmark_is_one(name: str) -> None:
    modules = {found for line in code(name) for found in re.findall(r"python -m (benchmarks(?:\.\w+)+)", line)}
    files = {module: ROOT / module.replace(".", "/") for module in modules}
    assert [m for m, f in files.items() if not (f.with_suffix(".py").exists() or (f / "__main__.py").exists())] == []


def is_key(key: str) -> bool:
    """Whether there is such a key in the configuration."""
    fields, at = Config.model_fields, None
    for part in key.split("."):
        if part not in fields:
            return False
        at = fields[part].annotation
        fields = at.model_fields if isinstance(at, type) and issubclass(at, BaseModel) else {}
    return True


@A_PAGE
def test_every_key_is_one_of_the_configuration(name: str) -> None:
    tables = "|".join(name for name, field in Config.model_fields.items() if field.annotation is not str)
    keys = re.findall(rf"`((?:{tables})\.[a-z_.]+)(?: = [^`]+)?`", prose(name))
    assert [key for key in keys if not is_key(key) and not key.endswith((".toml", ".py"))] == []


def layout_keys() -> set[str]:
    """Every key and folder that `schemas.layout` names, `<argument>` for what differs; folders of others left out."""
    keys = {member.key for member in vars(Layout).values() if isinstance(member, Named)} - {Layout.source.key}
    keys |= {
        Layout.current,
        Layout.lease,
        Layout.runs,
        SOURCES,
        DEMO_SOURCES,
        SELECTIONS,
        PUBLISHED_CHUNKS,
        PUBLISHED_INDICES,
        WRITER,
    }
    return {key for key in keys if not any(other.startswith(f"{key}/") for other in keys - {DEMO_SOURCES})}


def test_the_table_of_the_store_is_whole() -> None:
    first, segment = BY_NAME["docs/store.md"].split("## In a segment")
    assert set(re.findall(r"^\| `([^`]+)` \|", first, re.MULTILINE)) == layout_keys()
    names = [cell for row in re.findall(r"^\| (`.*?) \|", segment, re.MULTILINE) for cell in row.split(", ")]
    assert sorted(names) == sorted(f"`{name}`" for name in (*FORMATS[NEWEST].files, SEGMENT_MANIFEST))


def test_every_metric_of_a_store_is_told_of() -> None:
    rows = re.findall(r"^\| `(pubray_\w+)(?:{[\w,]+})?` \| (.*) \|$", BY_NAME["docs/operate.md"], re.MULTILINE)
    assert {name: f"{means[0].upper()}{means[1:]}." for name, means in rows} == METRICS


def decisions() -> dict[str, list[str]]:
    """The items of each page of decisions."""
    pages = {name: text for name, text in BY_NAME.items() if name.startswith("docs/decisions/")}
    return {name: re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE) for name, text in pages.items()}


@pytest.mark.parametrize("name", decisions())
def test_what_was_decided_has_its_reason(name: str) -> None:
    items = decisions()[name]
    assert items
    for item in items:
        assert "**Decided:**" not in item or re.search(r"\*(Because|Not run yet|Rejected)", item), item


def test_code_names_pages_that_exist() -> None:
    files = [ROOT / "ray_cluster.yaml", ROOT / "pyproject.toml", ROOT / "Makefile"]
    files += [f for room in (*ROOMS, "benchmarks") for f in (ROOT / room).rglob("*") if f.suffix in (".py", ".toml")]
    named = {path for file in files for path in re.findall(r"\bdocs/[\w/-]+\.(?:md|png)", file.read_text())}
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_plan_for_pubmed_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = BY_NAME["docs/operate.md"]
    [(command, shown)] = re.findall(r"^```\n\$ pubray (plan [^\n]*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    monkeypatch.setattr(sys, "argv", ["pubray", *command.split()])
    monkeypatch.delenv("PUBRAY_STORE", raising=False)
    assert main() == 0
    assert capsys.readouterr().out == shown
