"""The tables of a benchmark, in Markdown, for the terminal and for the page: every figure is one of bench.json."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

Record = Mapping[str, object]

_GIB = 2.0**30
LEAST = 0.001
"""Measures below this share of a layer are shown together."""


def text(found: Record) -> str:
    """All tables, each under a line that says what it is."""
    titled = {
        "Processor time over that of plain: median (quartiles)": ratios(found),
        "The longest window": longest(found),
        "More windows": linear(found),
        "Processor milliseconds per layer": breakdown(found),
    }
    return "\n\n".join(f"{title}\n\n{table}" for title, table in titled.items() if table)


def records(found: Record, name: str) -> list[Record]:
    """One of the lists of bench.json."""
    return cast(list[Record], found[name])


def timed(found: Record) -> list[Record]:
    """The records of times, linearity left out."""
    return [record for record in records(found, "results") if record["case"] != "linear"]


def ratios(found: Record) -> str:
    """A row per case, type and method, a column per window."""
    tokens = sorted({int(str(record["tokens"])) for record in timed(found)})
    cells: dict[tuple[str, str, str], dict[int, str]] = {}
    for record in timed(found):
        if record["ratio_to_plain"] is not None and record["method"] != "plain":
            key = (_case(record), str(record["dtype"]), str(record["method"]))
            cells.setdefault(key, {})[int(str(record["tokens"]))] = _spread(record, "ratio_to_plain", 2)
    rows = [[*key, *[there.get(window, "–") for window in tokens]] for key, there in cells.items()]
    return _table(["Case", "Type", "Method", *(f"T = {window:,}" for window in tokens)], rows)


def longest(found: Record) -> str:
    """Seconds per forward and memory, where memory was taken; on a GPU, where it is taken everywhere, of the longest window."""
    window = max((int(str(record["tokens"])) for record in timed(found)), default=0)
    rows = []
    for record in timed(found):
        if record["tokens"] == window:
            memory = [_number(record.get(name), 2, _GIB) for name in ("peak_bytes", "loaded_bytes")]
            times = [_spread(record, name, 2) for name in ("cpu_s", "wall_s")]
            rows.append([_case(record), str(record["dtype"]), str(record["method"]), *times, *memory])
    return _table(["Case", "Type", "Method", "Processor, s", "Clock, s", "Peak, GiB", "Model loaded, GiB"], rows)


def linear(found: Record) -> str:
    """One window and ten: time and memory, each with its bound and whether it holds."""
    rows = []
    for record in records(found, "results"):
        if record["case"] == "linear":
            times = [
                _number(record["cpu_s"], 2),
                _number(record.get("ratio_to_one"), 2),
                _number(record.get("bound"), 1),
                _holds(record, "holds"),
            ]
            memory = [_number(record["peak_bytes"], 3, _GIB), _number(record.get("peak_to_one"), 3), _number(record.get("memory_bound"), 2)]
            memory += [_holds(record, "memory_holds"), _number(record.get("peak_to_first_windows"), 3)]
            rows.append([str(record["model"]), str(record["windows"]), *times, *memory])
    time = ["Processor, s", "Over one window", "At most", "Holds"]
    return _table(["Model", "Windows", *time, "Peak, GiB", "Over one window", "At most", "Holds", "Over the same process's first"], rows)


def _holds(record: Record, name: str) -> str:
    return {True: "yes", False: "**no**", None: ""}[cast(bool | None, record.get(name))]


def breakdown(found: Record) -> str:
    """A row per part; milliseconds per layer, and as a share of a layer of the model."""
    dtypes = list(dict.fromkeys(str(record["dtype"]) for record in records(found, "breakdown")))
    of_model = {dtype: _sum(record for record in records(found, "breakdown") if _is(record, dtype, "the model")) for dtype in dtypes}
    groups: dict[str, dict[str, dict[str, float]]] = {}
    for record in records(found, "breakdown"):
        cells = groups.setdefault(str(record["group"]), {}).setdefault(str(record["part"]), {})
        cells[str(record["dtype"])] = float(str(record["cpu_ms"]))
    rows: list[list[str]] = []
    for group, parts in groups.items():
        for part, times in _folded(parts, of_model).items():
            rows.append([group, part, *(cell for dtype in dtypes for cell in _share(times.get(dtype, 0.0), of_model[dtype]))])
        totals = {dtype: sum(times.get(dtype, 0.0) for times in parts.values()) for dtype in dtypes}
        rows.append([group, "**together**", *(cell for dtype in dtypes for cell in _share(totals[dtype], of_model[dtype]))])
    heads = [title for dtype in dtypes for title in (f"{dtype}, ms", "of the model, %")]
    return _table(["Time of", "Part", *heads], rows)


def _folded(parts: dict[str, dict[str, float]], of_model: dict[str, float]) -> dict[str, dict[str, float]]:
    """The measures that hardly cost anything, as one part at the end."""
    small = {
        part: times
        for part, times in parts.items()
        if part.startswith("measure ") and all(abs(ms) < LEAST * of_model[dtype] for dtype, ms in times.items())
    }
    if len(small) < 2:
        return parts
    together = {dtype: sum(times.get(dtype, 0.0) for times in small.values()) for dtype in of_model}
    return {part: times for part, times in parts.items() if part not in small} | {f"{len(small)} other measures": together}


def _is(record: Record, dtype: str, group: str) -> bool:
    return record["dtype"] == dtype and record["group"] == group


def _sum(records_of_model: Iterable[Record]) -> float:
    return sum(float(str(record["cpu_ms"])) for record in records_of_model)


def _share(ms: float, of_model: float) -> list[str]:
    return [f"{ms:.2f}", f"{100 * ms / of_model:.1f}" if of_model else ""]


def _case(record: Record) -> str:
    return f"{record['case']}, {record['layers']} × {record['heads']} heads, {record['width']:,} wide"


def _spread(record: Record, name: str, digits: int) -> str:
    low, high = (_number(record[f"{name}_{end}"], digits) for end in ("low", "high"))
    return f"{_number(record[name], digits)} ({low}–{high})"


def _number(value: object, digits: int, unit: float = 1.0) -> str:
    return "" if value is None else f"{float(str(value)) / unit:.{digits}f}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Empty where there are no rows. Methods have no bars in their names, so nothing needs to be escaped."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    numeric = [all(cell.lstrip("-")[:1].isdigit() or cell in ("", "–") for cell in column) for column in zip(*rows, strict=True)]
    lines = [[head.ljust(width) for head, width in zip(heads, widths, strict=True)]]
    lines += [["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]]
    lines += [
        [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(row, widths, numeric, strict=True)] for row in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
