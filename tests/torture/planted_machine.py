"""A machine that says everywhere whose it is: home folder, user, host, variables, tokens, version control, and folders of every name."""

import json
import os
import random
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from canaries import Words
from flip_toys import TEXT
from toy_checkpoint import save_checkpoint

ROOT = Path(__file__).parents[2]
_CODE = ("extract", "report", "docs", "runs", ".requirements", "tests/site", "mkdocs.yml", "CITATION.cff", "CHANGELOG.md", "pyproject.toml")
_VARIABLES = {
    "secret": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "AWS_SECRET_ACCESS_KEY", "WANDB_API_KEY", "DATABASE_URL"),
    "identity": (
        "USER",
        "LOGNAME",
        "USERNAME",
        "HOSTNAME",
        "HOST",
        "COMPUTERNAME",
        "SUDO_USER",
        "SLURM_JOB_USER",
        "EMAIL",
        "GIT_AUTHOR_NAME",
    ),
    "setting": ("EDITOR", "MAIL", "SSH_CLIENT", "PS1", "LANGUAGE", "LC_TIME", "SOME_SETTING"),
}
_FOLDERS = ("TMPDIR", "HEADCOUNT_CACHE", "HF_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "OLDPWD")
# What a test of a host's name needs: the right to a host name of one's own.
_NAMESPACES = (["unshare", "--uts"], ["unshare", "--user", "--map-root-user", "--uts"])
_RENAME = "import os, socket, sys; socket.sethostname(sys.argv[1]); os.execve(sys.argv[2], sys.argv[2:], os.environ)"


@dataclass(frozen=True)
class Machine:
    """`work` is the folder that commands run in, a copy of the code; `named` says whether the host has a planted name too."""

    words: Words
    base: Path
    work: Path
    python: Path
    environment: dict[str, str]
    prefix: tuple[str, ...]

    @property
    def named(self) -> bool:
        """Whether the host's own name is planted."""
        return bool(self.prefix)

    def folder(self, what: str) -> Path:
        """A folder whose name is a word."""
        path = self.base / self.words(what)
        path.mkdir(exist_ok=True)
        return path

    def command(self, *arguments: object) -> list[str]:
        """The command line of this machine's Python with these arguments."""
        return [*self.prefix, str(self.python), *map(str, arguments)]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run this machine's Python from the working folder; it must end well."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.work, env=self.environment, capture_output=True, text=True, check=False, errors="replace"
        )
        if done.returncode:
            raise AssertionError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


def machine(base: Path, words: Words) -> Machine:
    """A machine below this folder."""
    base = base / words("place: base")
    base.mkdir(parents=True)
    work, home = base / words("place: working folder"), base / words("identity: home folder")
    _code(work, words)
    _home(home, words)
    environment = {name: words(f"{kind}: {name}") for kind, names in _VARIABLES.items() for name in names}
    for name in _FOLDERS:
        folder = base / words(f"place: {name}")
        folder.mkdir()
        environment[name] = str(folder)
    tools = base / words("place: folder of PATH")
    tools.mkdir()
    environment |= {
        "HOME": str(home),
        "PWD": str(work),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        # A time zone of a name of its own, 13 hours and three quarters from Greenwich.
        "TZ": f"<{words('setting: time zone')}>-13:45",
        "LANG": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        "https_proxy": f"http://{words('secret: proxy user')}:{words('secret: proxy password')}@127.0.0.1:9",
    }
    return Machine(words, base, work, _python(base / words("place: Python prefix")), environment, _namespace(words("identity: host name")))


def _code(work: Path, words: Words) -> None:
    """A copy of what the commands run, in a repository of version control with an address of its own."""
    for name in _CODE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("node_modules"))
        else:
            shutil.copy2(ROOT / name, work / name)
    git = work / ".git"
    for folder in ("objects", "refs/heads"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text(f"ref: refs/heads/{words('version control: branch')}\n", encoding="utf-8")
    address = f"https://{words('secret: token in a remote')}@localhost/{words('version control: remote')}"
    told = f'[remote "origin"]\n\turl = {address}\n[user]\n\tname = {words("version control: user.name of the repository")}\n'
    (git / "config").write_text(f"[core]\n\trepositoryformatversion = 0\n{told}", encoding="utf-8")


def _home(home: Path, words: Words) -> None:
    home.mkdir()
    told = f"[user]\n\tname = {words('version control: user.name')}\n\temail = {words('version control: user.email')}@example.org\n"
    (home / ".gitconfig").write_text(told, encoding="utf-8")
    hub = home / ".cache" / "huggingface"
    hub.mkdir(parents=True)
    (hub / "token").write_text(words("secret: token in a file"), encoding="utf-8")
    (home / ".netrc").write_text(
        f"machine localhost login {words('secret: login')} password {words('secret: password')}\n", encoding="utf-8"
    )


def _python(folder: Path) -> Path:
    """The Python at hand under a prefix of its own, with the same packages."""
    real = Path(sys.executable).resolve()
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin" / "python"
    python.symlink_to(real)
    (folder / "pyvenv.cfg").write_text(f"home = {real.parent}\ninclude-system-site-packages = false\n", encoding="utf-8")
    packages = folder / Path(sysconfig.get_path("purelib", vars={"base": ""})).as_posix().lstrip("/")
    packages.parent.mkdir(parents=True)
    packages.symlink_to(sysconfig.get_path("purelib"))
    return python


def _namespace(name: str) -> tuple[str, ...]:
    """What gives a command a host name of its own; nothing where there is no right to."""
    for unshare in _NAMESPACES:
        prefix = [*unshare, sys.executable, "-ESsc", _RENAME, name]
        with_name = [*prefix, sys.executable, "-ESsc", "import socket; print(socket.gethostname())"]
        try:
            done = subprocess.run(with_name, capture_output=True, text=True, check=False)
        except OSError:
            return ()
        if done.stdout.strip() == name:
            return tuple(prefix)
    return ()


def inputs(made: Machine, tokenizer_file: Path) -> Path:
    """A model, a text and a run file, each in a folder that is a word; gives the run file.

    The model's folder is reached by a link and holds words in its settings; that of the text is called as the user is, and has words in the
    names of folders in it and under keys that are not read. What is published by intention holds none: the model's own name, names of .txt
    files, titles of documents, the run's name."""
    words = made.words
    model = save_checkpoint(made.folder("place: folder of the model") / words("place: target of a link"), tokenizer_file)
    _sign(model, words)
    link = model.with_name("toy-model")
    link.symlink_to(model)
    # As on a shared disk, where every user has a folder of that name.
    texts = made.folder("place: folder of the text") / made.environment["LOGNAME"]
    below = texts / words("place: folder in the text")
    below.mkdir(parents=True)
    draw = random.Random(0)
    (texts / "a.txt").write_text(" ".join(draw.choices(TEXT.split(), k=300)), encoding="utf-8")
    row = {"text": " ".join(draw.choices(TEXT.split(), k=400)), "title": "A title", "author": words("inputs: author of a text")}
    row[words("inputs: key of a text")] = words("inputs: path of a text")
    (below / f"{words('place: file in the text')}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return write_run(made, link, texts)


def secret_run(made: Machine) -> Path:
    """A run over a text full of words, whose examples are not kept."""
    word = made.words("text: of a run without examples")
    text = made.folder("place: folder of the text") / "secret.txt"
    text.write_text(f"{word} {word} the river of {word} " * 200, encoding="utf-8")
    model = made.base / made.words("place: folder of the model") / "toy-model"
    return write_run(made, model, text, name="Secret", examples=False)


def write_run(made: Machine, model: Path, texts: Path, **settings: object) -> Path:
    """A run file: four windows of sixteen tokens in two shards."""
    given = {"name": "Toy", "model": str(model), "corpus": str(texts), "window": 16, "windows": 4, "shards": 2}
    given |= {"calibration_windows": 1, "repeated_windows": 2, "repeated_tokens": 7, "device": "cpu"} | settings
    path = made.folder("place: folder of the run file") / f"{made.words('place: run file of ' + str(given['name']))}.toml"
    comment = f"# by {made.words('inputs: comment of the run file')}\n"
    path.write_text(comment + "".join(f"{key} = {json.dumps(value)}\n" for key, value in given.items()), encoding="utf-8")
    return path


def tables_to_import(made: Machine) -> tuple[Path, Path]:
    """A table of heads, and one of counts."""
    folder = made.folder("place: folder of tables")
    heads, counts = (folder / f"{made.words(f'place: table of {what}')}.csv" for what in ("heads", "counts"))
    heads.write_text("layer,head,value\n0,0,.1\n0,1,.9\n1,0,.5\n1,1,.7\n", encoding="utf-8")
    shutil.copy(ROOT / "runs" / "gpt2-xl-published-counts.csv", counts)
    return heads, counts


def _sign(model: Path, words: Words) -> None:
    """What training programs leave in a checkpoint: where it was trained, and by whom."""
    for name in ("config.json", "tokenizer_config.json"):
        told = json.loads((model / name).read_text(encoding="utf-8"))
        told |= {"_name_or_path": f"/home/{words('inputs: path in the model')}", "trained_by": words("inputs: trainer of the model")}
        (model / name).write_text(json.dumps(told), encoding="utf-8")
    (model / "trainer_state.json").write_text(json.dumps({"by": words("inputs: state of a trainer")}), encoding="utf-8")
