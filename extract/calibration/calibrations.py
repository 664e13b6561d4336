"""Which calibration of a run a command goes on with: its number and what of it is committed. Needs no torch."""

import dataclasses
import json

from extract.calibration.settings import Settings
from extract.config import RunConfig
from extract.errors import DatabaseRefusal
from extract.store import Store


@dataclasses.dataclass(frozen=True)
class Known:
    """One calibration of the run: its row's number, settings as JSON, device, the windows that are committed, versions."""

    number: int
    quick: bool
    windows: int
    config: dict[str, object]
    device: str
    done: frozenset[int]
    versions: dict[str, object]

    @property
    def complete(self) -> bool:
        """Whether every window is committed."""
        return len(self.done) == self.windows


def known(store: Store, run_id: str) -> list[Known]:
    """The calibrations of a run, in order."""
    committed = 'select distinct calibration, "window" from intervention_window where run_id = ?'
    done = [(int(str(row["calibration"])), int(str(row["window"]))) for row in store.rows(committed, run_id)]
    return [
        Known(
            number=int(str(row["calibration"])),
            quick=bool(row["quick"]),
            windows=int(str(row["windows"])),
            config=json.loads(str(row["config"])),
            device=str(row["device"]),
            done=frozenset(window for number, window in done if number == row["calibration"]),
            versions=json.loads(str(row["versions"])),
        )
        for row in store.rows("from calibration where run_id = ? order by calibration", run_id)
    ]


def goes_on(there: list[Known], asked: Settings, where: str, *, again: bool, chosen: bool) -> Known | int:
    """The calibration to go on with, or the number of a new one. `chosen` says that the user gave numbers of their own.

    A quick one is asked for by who wants some price: any complete calibration is one. Raises DatabaseRefusal where one of the same kind
    was made with other settings, unless `again`."""
    wanted = json.loads(asked.to_json())
    for calibration in reversed(there):
        if calibration.config == wanted or (asked.quick and not chosen and not again and calibration.complete):
            return calibration
    of_kind = [calibration for calibration in there if calibration.quick == asked.quick]
    if of_kind and not again:
        before = of_kind[-1].config
        differing = [key for key in sorted(before.keys() | wanted.keys()) if before.get(key) != wanted.get(key)]
        shown = ", ".join(f"{key} ({before.get(key)}, now {wanted.get(key)})" for key in differing[:4])
        fix = "repeat it as it was, or add --again to calibrate anew beside it"
        raise DatabaseRefusal(f"the run was calibrated with other {shown}", where, fix)
    return 1 + max((calibration.number for calibration in there), default=-1)


def of_run(config: RunConfig, run: dict[str, object]) -> RunConfig:
    """The run as it was measured: the run file's name, model, text and device, and of all else what the database holds.

    A model is edited where all of it lies on one device."""
    stored: dict[str, object] = json.loads(str(run["config"]))
    names = {field.name for field in dataclasses.fields(RunConfig)} - {"name", "model", "corpus", "revision", "weights_sha256", "device"}
    return RunConfig(**vars(config) | {name: stored[name] for name in names & stored.keys()} | {"device_map": None})
