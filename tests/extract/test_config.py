"""Run files: what is read, what a flag overrides, and what is refused."""

import sys
from pathlib import Path

import pytest

from extract.config import RunConfig, is_hidden, plain_text, read, run_name
from extract.errors import UsageRefusal
from extract.text_file import read_text

RUNS = Path(__file__).parents[2] / "runs"


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    path = tmp_path / "run.toml"
    path.write_text('name = "A run"\nmodel = "embedded"\ncorpus = "texts"\nwindows = 8\nshards = 4\n', encoding="utf-8")
    return path


def test_every_published_run_file_can_be_read() -> None:
    runs = {path.name: read(path) for path in RUNS.glob("*.toml")}
    models = ["embedded", "gpt2-xl", "gpt2"]
    assert sorted(runs) == sorted(f"{model}{text}.toml" for model in models for text in ("", "-code"))
    for model in models:
        prose, code = runs[f"{model}.toml"], runs[f"{model}-code.toml"]
        assert (code.model, code.revision, code.window, code.corpus) == (prose.model, prose.revision, prose.window, "python")
    assert runs["embedded.toml"] == RunConfig("SmolLM2-135M", "embedded", "embedded", window=512, windows=64, shards=64)
    assert runs["gpt2-xl.toml"].revision == "15ea56dee5df4983c59b2538573817e1667135e2"
    # The embedded text fills 1,016 windows of GPT-2's tokens: twenty-four are left for a calibration.
    assert (runs["gpt2-xl.toml"].windows, runs["gpt2-xl.toml"].calibration_windows) == (976, 16)
    assert all((run.repeated_windows, run.repeated_tokens, run.repeated_copies) == (64, 25, 2) for run in runs.values())


def test_what_a_run_file_leaves_out_has_a_default(run_file: Path) -> None:
    assert read(run_file) == RunConfig("A run", "embedded", "texts", windows=8, shards=4)


def test_a_flag_overrides_the_run_file_and_none_does_not(run_file: Path) -> None:
    config = read(run_file, window=32, dtype="float64", device=None)
    assert (config.window, config.dtype, config.device) == (32, "float64", "auto")


def test_another_model_drops_the_pins_of_the_files_own_model() -> None:
    config = read(RUNS / "gpt2-xl.toml", model="weights/gpt2-xl", name="Mine")
    assert (config.revision, config.weights_sha256) == (None, None)
    assert read(RUNS / "gpt2-xl.toml", model="openai-community/gpt2-xl").revision is not None


def test_another_model_needs_a_name_and_another_corpus_does_not(run_file: Path) -> None:
    with pytest.raises(UsageRefusal) as refusal:
        read(run_file, model="./mine")
    told = "--model names another model than the run file of 'A run' (run.toml); fix: add --name \"...\", the title of its charts"
    assert str(refusal.value) == f"error: {told}"
    assert read(run_file, model="./mine", name="Mine").name == "Mine"
    assert read(run_file, model="embedded", corpus="mine").name == "A run"
    run_file.write_text('name = "Any model"\ncorpus = "texts"\n', encoding="utf-8")
    assert read(run_file, model="./mine").name == "Any model"


def test_fewer_windows_than_shards_lower_the_shards_when_a_flag_asks_for_them(run_file: Path) -> None:
    assert read(run_file, windows=3).shards == 3


@pytest.mark.parametrize(("windows", "shards"), [(8, 8), (10, 4), (5, 3)])
def test_shards_hold_every_window_once_and_differ_by_at_most_one(windows: int, shards: int) -> None:
    config = RunConfig("n", "m", "c", windows=windows, shards=shards)
    parts = [config.windows_of_shard(shard) for shard in range(shards)]
    assert [window for part in parts for window in part] == list(range(windows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("widow = 3", "error: unknown key 'widow' (run.toml); fix: did you mean 'window'?"),
        ("xyz = 3", "error: unknown key 'xyz' (run.toml); fix: the keys are name, model,"),
        ('window = "512"', "error: window must be a whole number, not '512' (run.toml); fix: write window = 64"),
        ("window = true", "error: window must be a whole number, not True"),
        ("model = 3", "error: unusable"),
        ("window = 0", "error: window is 0 (run.toml); fix: give a whole number from 4 to"),
        ("batch = -1", "error: batch is -1"),
        ("seed = -1", "error: seed is -1"),
        ("seed = 9999999999", "error: seed is 9999999999"),
        ("calibration_windows = 0", "error: calibration_windows is 0 (run.toml); fix: give a whole number from 1 to"),
        ("repeated_windows = -1", "error: repeated_windows is -1 (run.toml); fix: give a whole number from 0 to"),
        ("repeated_tokens = 1", "error: repeated_tokens is 1 (run.toml); fix: give a whole number from 2 to"),
        ("repeated_copies = 1", "error: repeated_copies is 1 (run.toml); fix: give a whole number from 2 to"),
        ("repeated_tokens = 2.5", "error: repeated_tokens must be a whole number, not 2.5"),
        ("shards = 9", "error: 9 shards for 8 windows (run.toml); fix: a shard holds at least one window: shards = 8 or fewer"),
        ('dtype = "float16"', "error: dtype 'float16' is not known (run.toml); fix: did you mean 'bfloat16'?"),
        ('device = "tpu"', "error: device 'tpu' is not known"),
        ('revision = ""', "error: revision is empty"),
        ('weights_sha256 = "abc"', "error: weights_sha256 is no SHA-256"),
        ("window 512", "error: not valid TOML"),
    ],
)
def test_a_setting_that_cannot_be_followed_is_refused(tmp_path: Path, line: str, told: str) -> None:
    settings = {"name": '"A run"', "model": '"embedded"', "corpus": '"texts"', "windows": "8", "shards": "4"}
    settings.pop(line.split()[0], None)
    path = tmp_path / "run.toml"
    path.write_text("\n".join([*(f"{key} = {value}" for key, value in settings.items()), line]), encoding="utf-8")
    with pytest.raises(UsageRefusal) as refusal:
        read(path)
    assert str(refusal.value).startswith(told.replace("unusable", "model must be a text, not 3"))


def test_a_run_file_without_a_name_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('model = "m"\ncorpus = "c"', encoding="utf-8")
    with pytest.raises(UsageRefusal, match="name is missing"):
        read(tmp_path / "run.toml")
    with pytest.raises(UsageRefusal, match="no run file: No such file"):
        read(tmp_path / "absent.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(UsageRefusal, match="not UTF-8 at byte 8"):
        read(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "a\\b", "x\0y", "n" * 101, "x" * 300, "", "  ", "nul", ".hidden", "-x", "a\u202eb", "a\nb"]
)
def test_a_name_that_could_do_harm_is_refused(name: str) -> None:
    with pytest.raises(UsageRefusal):
        run_name(name, "--run")


@pytest.mark.parametrize("name", ["GPT-2 xl", "Modèle d'essai", "模型 1", "a.b_c (2)"])
def test_names_of_any_language_are_kept_in_composed_form(name: str) -> None:
    assert run_name(name, "--run") == name
    assert run_name("e\u0301", "--run") == "\u00e9"


def test_texts_are_capped_and_hold_no_control_characters() -> None:
    assert plain_text("  A source, 2024 ", "source", "--source") == "A source, 2024"
    with pytest.raises(UsageRefusal, match=r"source has 301 characters \(--source\); fix: use 300 or fewer"):
        plain_text("x" * 301, "source", "--source")
    with pytest.raises(UsageRefusal, match=r"control character U\+001B"):
        plain_text("red \x1b[31m", "source", "--source")


def test_controls_and_characters_that_turn_a_line_are_hidden_and_none_that_is_seen() -> None:
    hidden = [*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
    assert [f"U+{code:04X}" for code in hidden if not is_hidden(chr(code))] == []
    seen = filter(str.isprintable, map(chr, range(sys.maxunicode + 1)))
    # Joiners are part of words in Persian and in the languages of India, and of emoji.
    assert [f"U+{ord(character):04X}" for character in (*seen, "\u200c", "\u200d") if is_hidden(character)] == []


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u2069", "\u2028", "\x85", "\x9b"])
def test_a_text_with_a_hidden_character_is_refused_by_its_number(hidden: str) -> None:
    with pytest.raises(UsageRefusal, match=rf"title holds the control character U\+{ord(hidden):04X} \(--title\); fix: remove it"):
        plain_text(f"GPT-2{hidden}xl", "title", "--title")


def test_a_file_that_is_longer_than_it_says_is_refused_and_not_cut(tmp_path: Path) -> None:
    # Linux says of it that it has no bytes.
    with pytest.raises(UsageRefusal, match="larger than 0 MiB"):
        read_text(Path("/proc/self/status"), 100, missing="no run file", example="another")
    (tmp_path / "exact").write_text("x" * 100, encoding="utf-8")
    assert read_text(tmp_path / "exact", 100, missing="no run file", example="another") == "x" * 100
