"""Everything that is fetched from elsewhere is pinned – packages, npm's packages, actions – and the bill of materials names all of it."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from extract import assets
from report import console_files

ROOT = Path(__file__).parents[1]
# Installed by exact version: every index has builds of torch of its own, and its CUDA build brings packages that no other does.
OF_TORCH = re.compile(r"torch|triton|nvidia-.*|cuda-.*")
LISTS = ("tools", "report", "cluster", "dev", "bench")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.!+]+)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    found = {normal(pair.group(1)): pair.group(2) for pair in pairs if pair}
    assert len(found) == len(lines)
    return found


def listed(name: str) -> dict[str, tuple[str, list[str]]]:
    """Version and hashes of each entry of one list."""
    text = (ROOT / ".requirements" / f"{name}.txt").read_text(encoding="utf-8").partition("\n")[2]
    entries = [re.match(r"([\w.-]+)==([\w.!+]+)", entry) or pytest.fail(entry) for entry in re.split(r"(?m)^(?=\w)", text) if entry]
    return {
        normal(entry.group(1)): (entry.group(2), re.findall(r"--hash=sha256:([0-9a-f]{64})(?= |\n)", entry.string)) for entry in entries
    }


def test_this_environment_holds_what_is_pinned_in_no_other_version() -> None:
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("not the environment that make has made, .venv: others may hold what they like")
    pinned = constraints()
    held = {normal(found.metadata["Name"]): found.version for found in importlib.metadata.distributions()}
    del held["headcount"]
    # A build of its own, as +cpu, is the same version.
    other = {name: version for name, version in held.items() if version.partition("+")[0] != pinned.get(name)}
    assert other == {}


def test_every_pinned_package_is_installed_by_the_hashes_of_its_files_but_torch() -> None:
    pinned = constraints()
    lists = {name: listed(name) for name in LISTS}
    both = {package: entry for entries in lists.values() for package, entry in entries.items()}
    assert {package: version for package, (version, _) in both.items()} == {
        package: version for package, version in pinned.items() if not OF_TORCH.fullmatch(package)
    }
    assert [package for package, (_, hashes) in both.items() if not hashes] == []
    assert set(lists["tools"]) == {"pip", "setuptools"}
    assert lists["tools"].keys() & {package for name in LISTS[1:] for package in lists[name]} == set()


def test_each_list_holds_what_its_extras_ask_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    base = set(listed("report")) | {"torch"}
    for name, requirements in {
        "report": [*asked, *extras["extract"], *extras["report"]],
        "dev": extras["dev"],
        "bench": extras["bench"],
    }.items():
        wanted = {normal(re.split(r"[\[<>=! ]", requirement)[0]) for requirement in requirements} - {"headcount"}
        assert wanted - base - set(listed(name)) == set(), name
    assert {re.split(r"[<>=]", requirement)[0] for requirement in project["build-system"]["requires"]} <= set(listed("tools"))


def test_every_package_of_npm_is_known_by_its_hash() -> None:
    lock = json.loads((ROOT / "tests" / "site" / "package-lock.json").read_text(encoding="utf-8"))
    packages = {place: about for place, about in lock["packages"].items() if place}
    assert len(packages) > 100
    assert [place for place, about in packages.items() if not re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", about.get("integrity", ""))] == []
    assert [place for place, about in packages.items() if about.get("link") or about.get("hasInstallScript")] == []
    asked = json.loads((ROOT / "tests" / "site" / "package.json").read_text(encoding="utf-8"))
    assert asked["devDependencies"] == lock["packages"][""]["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in asked["devDependencies"].values())
    for package in console_files.packages():
        assert re.fullmatch(r"@?[\w/-]+@\d+\.\d+\.\d+", package.requirement)
        assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package.integrity)
        assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) for file in package.files)


def test_every_action_is_pinned_by_the_hash_of_its_commit() -> None:
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    uses = [line for text in texts for line in text.splitlines() if "uses:" in line]
    assert len(uses) >= 6
    assert [line for line in uses if not re.search(r"uses: [\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line)] == []


def commands() -> list[str]:
    """Every line of the Makefile, of CI and of the workflows."""
    places = [ROOT / "Makefile", ROOT / ".ci" / "run", *sorted((ROOT / ".github" / "workflows").glob("*.yml"))]
    return [line for place in places for line in place.read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]


def test_packages_are_installed_from_the_lists_and_npms_from_its_lock_file() -> None:
    pip = [line for line in commands() if re.search(r"\b(?:pip|PIP\))\s.*\b(?:install|download|wheel)\b", line) and "apt-get" not in line]
    allowed = (
        "--require-hashes --no-deps",
        "--constraint constraints.txt --only-binary :all: torch",
        "--no-deps --no-build-isolation --editable .",
    )
    assert len(pip) == 3
    assert [line for line in pip if not any(words in line for words in allowed)] == []
    npm = [
        line
        for line in commands()
        if re.search(r"\bnpm (?!ci --prefix tests/site )|\b(?:npx|yarn|pnpm)\b", line.replace("command -v npm", ""))
    ]
    assert npm == []
    assert [line for line in commands() if re.search(r"\b(?:curl|wget|git clone|uv|pipx|playwright install)\b", line)] == []


def test_mkdocs_has_no_plugin_that_fetches_and_no_font_from_elsewhere() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert settings["plugins"] == ["search"]
    assert settings["theme"]["font"] is False


def bill(path: Path) -> bytes:
    """The bill of materials, as the command writes it."""
    # Whatever order sets and the folders of packages have, the bill's is its own.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "random"}
    subprocess.run([sys.executable, ".requirements/sbom.py", str(path)], check=True, capture_output=True, cwd=ROOT, env=environment)
    return path.read_bytes()


def test_the_bill_of_materials_names_everything_and_is_the_same_twice(tmp_path: Path) -> None:
    first = bill(tmp_path / "one.json")
    assert first == bill(tmp_path / "two.json")
    parts = {part["bom-ref"]: part for part in json.loads(first)["components"]}
    for found in importlib.metadata.distributions():
        name, version = normal(found.metadata["Name"]), found.version.replace("+", "%2B")
        assert name == "headcount" or f"pkg:pypi/{name}@{version}" in parts
    content = {entry["content"] for part in parts.values() for entry in part.get("hashes", [])}
    assert {assets.MODEL.file_sha256, assets.CORPUS.file_sha256} < content
    files = {one["name"]: one["hashes"][0]["content"] for part in parts.values() for one in part.get("components", [])}
    assert files == {file.name: file.sha256 for package in console_files.packages() for file in package.files}
    assert parts["assets/vega-bundle.js"]["licenses"] == [{"license": {"id": "BSD-3-Clause"}}]
    # The one says nothing of its licence in its package.json.
    assert [name for name, part in parts.items() if not part.get("licenses")] == ["pkg:npm/parse-cache-control@1.0.1"]
    assert parts["pkg:npm/axe-core@4.14.1"]["scope"] == "excluded"


def test_the_bill_of_materials_is_cyclonedx(tmp_path: Path) -> None:
    validation = pytest.importorskip(
        "cyclonedx.validation.json", reason="the schema comes with cyclonedx-python-lib, which is not installed here"
    )
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    written = bill(tmp_path / "bill.json").decode()
    assert validator.validate_str(written) is None
    assert validator.validate_str(written.replace('"type": "library"', '"type": "librarian"', 1)) is not None
