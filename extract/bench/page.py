"""The page on speed, from a bench.json: prose without a figure of its own, and the tables. The same file gives the same page."""

from typing import cast

from extract.bench import tables
from extract.bench.result_file import measured_on

_PROCESSOR_TIME = "Times are processor time of all threads, which neighbours on the machine disturb less than the clock."
_CLOCK = "Times are by the clock, the device waited for."
_NO_CUDA = "No GPU was at hand when this was measured: the branch for CUDA has not been run. "
KEYS = ("machine", "versions", "results", "breakdown")

_TOP = """<!-- Generated: python -m extract bench --page {source} > docs/speed.md -->
# Speed: where the milliseconds go

Every statistic of every head is to cost little more than the forward pass that it describes. `make bench` times both, and other ways to the
same numbers, on the same tokens in the same process, in turns; a round runs every method once, the first round is thrown away, and a ratio
is formed within its round. {time}

What is timed is the text itself. A run also makes one forward per held-out window for the heads' means, another for checks, and short ones
over repeated random tokens; loading, the self-test and the weights' factors come once.

{measured_on}

- **plain** – the model's own forward with its own attention kernel, without the output embedding: the limit.
- **headcount** – the measures on natural text, their sums and histograms, but for effective keys, deviation and examples, which have lines
  of their own; a run makes all of them. It leaves the forward after the last attention, as a run does: of twelve layers that saves half a
  layer and more, of forty-eight next to nothing. A model cut short in depth therefore runs to its end.
- **eager** – `output_attentions=True`, and masses, entropy, distance and output norms from whole attention patterns, layer by layer.
- **transformer_lens** – its bridge around the same weights, nothing folded; patterns and heads' outputs from its cache, reduced likewise.

The last two give fewer numbers than headcount does: no chance levels, no positions apart, no shares by the first key's norm. They are
timed with reductions written here, a matrix at a time, no more tuned than such reductions usually are; a test compares what they give.
Random weights are drawn so that rows of attention are spread over about a hundred keys, and random tokens so that they repeat as words
do. Examples are timed at the beginning of a run, when most of them are new.

## Ratio to a plain forward

Median and, in brackets, quartiles over {rounds} rounds.

"""

_LONGEST = """
## Seconds and memory

{batch} tokens per forward. Memory is the most that a process of its own had resident in a forward, the model and all libraries included,
and what was resident once the model was loaded.

"""

_LINEAR = """
## More text

Each window is forgotten when its sums are added, so ten windows should need the memory of one and ten times its time; the table says
whether they did. One window is that of a new process for memory; the last column compares with the first windows of the same process.
Each peak is one sample, and the memory that a process holds differs from run to run by more than the bound: a verdict on memory, either
way, is worth little until it has been repeated.

"""

_PARTS = """
## Per layer

{what}. Processor time, timed from outside the engine by running each part again on what the layer saw. A measure pays for what
it is the first to ask for, in the order of the names.

"""

_END = """
## Run it

```sh
make bench                     # all of it; writes build/bench.json
make bench QUICK=1             # a few lines of it, rough
make bench LAYERS=48           # GPT-2 xl at its full depth; wants memory
make bench DEVICE=cuda         # time by the clock, memory as the GPU counts it
```

{cuda}TransformerLens is installed by `make bench` as the extra `bench`, beside the same pinned packages; without it, its line is left
out, and that is said.
"""


def render(found: dict[str, object], source: str) -> str:
    """The page in Markdown; `source` is the path that its first line names."""
    machine = cast(dict[str, object], found["machine"])
    timed = tables.timed(found)
    shown = {
        "source": source,
        "time": _CLOCK if machine["device"] != "cpu" else _PROCESSOR_TIME,
        "measured_on": measured_on(found),
        "rounds": " or ".join(sorted({str(record["rounds"]) for record in timed})),
    }
    batch = " or ".join(sorted({f"{int(str(r['tokens'])) * int(str(r['batch'])):,}" for r in timed}))
    parts = [_TOP.format(**shown), tables.ratios(found), _LONGEST.format(batch=batch), tables.longest(found)]
    if linear := tables.linear(found):
        parts += [_LINEAR, linear]
    if breakdown := tables.breakdown(found):
        first = tables.records(found, "breakdown")[0]
        parts += [_PARTS.format(what=f"Case {first['case']}, one window of {int(str(first['tokens'])):,} tokens"), breakdown]
    end = _END.lstrip("\n").format(cuda=_NO_CUDA if machine["device"] == "cpu" else "")
    return "\n".join([*(part.rstrip("\n") + "\n" for part in parts), end]).replace("\n\n\n", "\n\n")
