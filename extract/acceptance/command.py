"""`python -m extract acceptance`: its options. Nothing here loads torch before the environment is set for it."""

from pathlib import Path
from typing import Annotated

import typer

from extract import config
from extract.acceptance.published import RUN_FILES, SMALL, XL
from extract.bench import machine
from extract.checkpoint_files import in_hub_cache
from extract.errors import EnvironmentRefusal, UsageRefusal

_SHORT = {"xl": XL, "small": SMALL}


def acceptance(
    only: Annotated[str | None, typer.Option("--only", metavar="M", help="xl or small; both where it is not given.")] = None,
    device: Annotated[str, typer.Option(metavar="D", help="auto, cpu or cuda.")] = "auto",
    xl: Annotated[str | None, typer.Option("--xl", metavar="FOLDER", help="Read GPT-2 xl from here, not from the hub cache.")] = None,
    small: Annotated[str | None, typer.Option("--small", metavar="FOLDER", help="Read GPT-2 small from here.")] = None,
    corpus: Annotated[str, typer.Option(metavar="C", help="The natural text; embedded, or as a run file names it.")] = "embedded",
    reference: Annotated[
        Path | None, typer.Option(metavar="TABLE.csv", help="Published induction scores of all heads of GPT-2 xl: layer, head, value.")
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the results go.")] = Path("build/acceptance.json"),
) -> None:
    """Measure GPT-2 by the definitions of published figures, and print ours beside theirs; wants the weights."""
    if only is not None and only not in _SHORT:
        raise UsageRefusal(f"{only} is unknown", "--only", f"one of {', '.join(_SHORT)}")
    if device not in config.DEVICES:
        raise UsageRefusal(f"{device} is unknown", "--device", f"one of {', '.join(config.DEVICES)}")
    models = (XL, SMALL) if only is None else (_SHORT[only],)
    folders = {name: folder for name, folder in ((XL, xl), (SMALL, small)) if folder is not None}
    for name in models:
        if name not in folders:
            _require(name)
    machine.prepare()
    from extract.acceptance import check
    from extract.device import resolve

    check.run(check.Options(models, resolve(device), folders, corpus, reference), out)


def _require(name: str) -> None:
    """Refuse to begin without the weights: nobody wants to wait for six gigabytes that were not asked for."""
    revision = config.read(RUN_FILES[name]).revision
    if not in_hub_cache(name, revision):
        kinds = " ".join(f"--include '*.{kind}'" for kind in ("safetensors", "json", "txt"))
        fix = f"hf download {name} --revision {revision} {kinds}"
        raise EnvironmentRefusal(f"the weights of {name} are not in the hub cache", "acceptance", fix)
