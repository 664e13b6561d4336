"""Ctrl-C and SIGTERM at seeded moments, some twice: one line says how to go on, what is finished is published, and the rest is resumed."""

import random
import signal
from collections.abc import Callable

import pytest
from kill_toy import Toy
from trials import Difference, after, check_told, compare

Record = Callable[[str, str], None]
SEED = 20260
TITLE = "Processes that are asked to stop"
ONCE = {"SIGINT": (signal.SIGINT,), "SIGTERM": (signal.SIGTERM,)}
TWICE = {
    "SIGINT, then SIGTERM": (signal.SIGINT, signal.SIGTERM),
    "SIGINT twice": (signal.SIGINT,) * 2,
    "SIGTERM three times": (signal.SIGTERM,) * 3,
}


@pytest.mark.parametrize("signals", [ONCE, TWICE], ids=["one signal", "several signals"])
def test_a_signal_at_any_moment_ends_in_good_order(toy: Toy, signals: dict[str, tuple[int, ...]], whole: bool, record: Record) -> None:
    draw, found = random.Random(f"{SEED} {list(signals)}"), []
    for number in range(15 if whole else 2):
        name, out = draw.choice(list(signals)), toy.fresh(number)
        moment = after(
            draw.uniform(0.0, toy.seconds), *signals[name], between=draw.choice((0.0, 0.01, 0.1)), begun=toy.server.folder / "log"
        )
        ended = toy.run(out, kill=moment)
        try:
            if ended.status:
                check_told(ended, f"trial {number}, {name}")
            there = toy.check(out, ended.committed)
            if there and compare(toy.whole, out, toy.folder / "scratch", complete=False) != there:
                raise Difference("not published")
            toy.resume(out)
            outcome = "exit 130, one line, published; resumed to the same tables" if ended.status else "had ended before"
            record(f"extract run, {name}", outcome)
        except Difference as difference:
            record(f"extract run, {name}", "LOST, torn or not told")
            found.append(str(difference))
    assert not found, found
