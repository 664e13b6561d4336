"""Signals: one that hits a query of DuckDB is a signal like any other."""

import signal

import pytest

from extract.interrupt import Stop, obeyed


def test_what_duckdb_makes_of_a_signal_is_an_interruption() -> None:
    """The words of DuckDB 2.0; tests/torture/test_interrupt.py sends real signals to real queries."""
    with pytest.raises(KeyboardInterrupt), obeyed():
        raise RuntimeError("Query interrupted")


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="something else"), obeyed():
        raise RuntimeError("something else")


def test_an_outer_stop_knows_that_the_inner_one_was_asked() -> None:
    with Stop():
        with pytest.raises(KeyboardInterrupt), Stop():
            signal.raise_signal(signal.SIGINT)
        # Raises nothing: what follows the first signal is not torn by a second.
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_from_the_start_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        try:
            with Stop():
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            pytest.fail("it was taken over")
        with pytest.raises(KeyboardInterrupt), Stop():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
