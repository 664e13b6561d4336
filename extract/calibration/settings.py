"""Settings: what a calibration is asked for. The same settings again go on with the same calibration."""

import dataclasses
import json

from extract.config import GREATEST, LEAST_WINDOW, RunConfig
from extract.errors import UsageRefusal

# The threshold of the activation figure, and the bands and ranges that figures are drawn with unless they say otherwise.
FIGURE_THRESHOLD = 0.5
BAND_EDGES = (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)
RANGES = 4
QUICK_THRESHOLDS = (1 / 3, 1 / 2, 3 / 4)
WINDOWS, QUICK_WINDOWS, QUICK_TOKENS = 16, 10, 128
LEAST_THRESHOLD, LARGEST_THRESHOLD = 1 / 4, 1.0


@dataclasses.dataclass(frozen=True)
class Settings:
    """One calibration: `windows` windows of which `tokens` tokens are read, the start token included.

    quick: the short list of interventions. threshold: that of the run's figure, in r. draws: how often each random control is drawn.
    band_edges in %, ranges of layers. ablated_windows: windows on which `ablated_heads` single heads are ablated."""

    quick: bool
    windows: int
    tokens: int
    seed: int
    threshold: float = FIGURE_THRESHOLD
    draws: int = 1
    band_edges: tuple[float, ...] = BAND_EDGES
    ranges: int = RANGES
    ablated_windows: int = 1
    ablated_heads: int = 30

    def to_json(self) -> str:
        """As table calibration keeps it."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)


def choose(config: RunConfig, *, quick: bool, windows: int | None, tokens: int | None) -> Settings:
    """The settings for a run; what is None is chosen. Raises UsageRefusal for numbers out of bounds."""
    if windows is not None and not 1 <= windows <= GREATEST:
        raise UsageRefusal(f"{windows} windows", "--windows", f"give a whole number from 1 to {GREATEST}")
    if tokens is not None and not LEAST_WINDOW <= tokens <= config.window:
        fix = f"give {LEAST_WINDOW} to {config.window}, the run's window"
        raise UsageRefusal(f"{tokens} tokens of each window", "--tokens", fix)
    if quick:
        return Settings(True, windows or QUICK_WINDOWS, tokens or min(QUICK_TOKENS, config.window), config.seed)
    windows = windows or WINDOWS
    return Settings(False, windows, tokens or config.window, config.seed, draws=2, ablated_windows=min(4, windows))
