from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from newapi import __version__
from newapi.cli import app as app_module
from newapi.cli.app import Group, split_examples

ROOT = Path(__file__).parents[2]
COMMANDS = ROOT / "newapi" / "cli" / "commands"
NAMES = sorted(
    path.relative_to(COMMANDS).with_suffix("").as_posix().replace("_", "-").rstrip("-").split("/")
    for path in COMMANDS.rglob("*.py")
    if not path.stem.startswith("_")
)
HEAVY = ("litestar", "httpx", "textual", "keyring", "peewee", "cryptography", "rich", "tomlkit", "uvicorn", "msgspec")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Commands of our own: `hello`, `import`, `boom`, `deep down-there`."""
    package = tmp_path / "made_commands"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "_private.py").write_text("raise RuntimeError('not a command')")
    (package / "hello.py").write_text(
        "def hello(name: str, loud: bool = False) -> None:\n"
        '    """Greet.\n\n    At length.\n\n    Examples:\n        newapi hello you\n    """\n'
        "    print(name.upper() if loud else name)\n"
    )
    (package / "import_.py").write_text('def import_() -> None:\n    """Import."""\n    print("imported")\n')
    (package / "boom.py").write_text(
        "from newapi.base import errors\n\n\n"
        'def boom(kind: str) -> None:\n    """Fail."""\n'
        '    raise KeyboardInterrupt if kind == "interrupt" else getattr(errors, kind)("no")\n'
    )
    (package / "deep" / "__init__.py").write_text('"""Deep things."""\n')
    (package / "deep" / "down_there.py").write_text(
        'def down_there() -> None:\n    """Look down."""\n    print("deep")\n'
    )
    (package / "broken.py").write_text('"""No command."""\nraise RuntimeError("imported")\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(Group, "folder", package)
    monkeypatch.setattr(Group, "package", "made_commands")
    yield package
    for name in [n for n in sys.modules if n.startswith("made_commands")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        (["hello", "you"], "you\n"),
        (["hello", "you", "--loud"], "YOU\n"),
        (["import"], "imported\n"),
        (["deep", "down-there"], "deep\n"),
        (["--version"], f"newapi {__version__}\n"),
        (["-V"], f"newapi {__version__}\n"),
    ],
)
@pytest.mark.usefixtures("made")
def test_what_runs(newapi: Callable[..., Any], argv: list[str], out: str) -> None:
    assert newapi(*argv) == (0, out, "")


@pytest.mark.usefixtures("made")
def test_only_the_module_that_runs_is_imported(newapi: Callable[..., Any]) -> None:
    ran = newapi("--help")
    assert ran.code == 0
    assert "  hello   Greet\n" in ran.out
    assert "  deep    Deep things\n" in ran.out
    assert "private" not in ran.out
    assert not [n for n in sys.modules if n.startswith("made_commands.")]
    newapi("hello", "you")
    assert [n for n in sys.modules if n.startswith("made_commands.")] == ["made_commands.hello"]


@pytest.mark.usefixtures("made")
def test_help_begins_with_examples(newapi: Callable[..., Any]) -> None:
    for flag in ("-h", "--help"):
        out = newapi("hello", flag).out
        assert out.index("newapi hello you") < out.index("Greet.") < out.index("At length.") < out.index("--loud")
        assert "--no-color" in out
        assert "Examples:\n  newapi hello you\n" in out


@pytest.mark.parametrize(
    ("argv", "message", "hint"),
    [
        (["helo", "you"], "No such command 'helo'. Did you mean 'hello'?", "newapi --help"),
        (["zzz"], "No such command 'zzz'.", "newapi --help"),
        (["_private"], "No such command '_private'.", "newapi --help"),
        (["deep", "down"], "No such command 'down'. Did you mean 'down-there'?", "newapi deep --help"),
        (["deep", "downthere"], "No such command 'downthere'. Did you mean 'down-there'?", "newapi deep --help"),
        (["hello"], "Missing argument 'name'.", "newapi hello --help"),
        (["hello", "a", "--lod"], "No such option: --lod. Did you mean --loud?", "newapi hello --help"),
        (["hello", "a", "b"], "Got unexpected extra argument(s) (b)", "newapi hello --help"),
    ],
)
@pytest.mark.usefixtures("made")
def test_wrong_usage(newapi: Callable[..., Any], argv: list[str], message: str, hint: str) -> None:
    assert newapi(*argv) == (2, "", f"error: {message}\n  help: {hint}\n")


@pytest.mark.usefixtures("made")
def test_no_command_shows_help(newapi: Callable[..., Any]) -> None:
    for argv in ([], ["deep"]):
        code, out, err = newapi(*argv)
        assert (code, out) == (2, "")
        assert err.startswith("Usage: newapi")


@pytest.mark.parametrize(
    ("kind", "code", "err"),
    [
        ("NewapiError", 1, "error: no\n"),
        ("StoreError", 1, "error: no\n"),
        ("NotFound", 5, "error: no\n"),
        ("Conflict", 6, "error: no\n"),
        ("interrupt", 130, ""),
    ],
)
@pytest.mark.usefixtures("made")
def test_how_a_command_ends(newapi: Callable[..., Any], kind: str, code: int, err: str) -> None:
    assert newapi("boom", kind) == (code, "", err)


@pytest.mark.usefixtures("made")
def test_a_bug_is_not_hidden(newapi: Callable[..., Any]) -> None:
    with pytest.raises(AttributeError):
        newapi("boom", "Nothing")


@pytest.mark.parametrize("flags", [["-o", "json"], ["-ojson"], ["--output", "json"], ["--output=json"]])
@pytest.mark.usefixtures("made")
def test_errors_for_programs(newapi: Callable[..., Any], flags: list[str]) -> None:
    code, out, err = newapi("helo", *flags)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert msgspec.json.decode(err) == {
        "error": {
            "code": "usage",
            "message": "No such command 'helo'. Did you mean 'hello'?",
            "hint": "newapi --help",
            "exit": 2,
            "location": None,
        }
    }


@pytest.mark.usefixtures("made")
def test_no_color_anywhere(newapi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert newapi("boom", "NotFound").err == "\x1b[31;1merror:\x1b[0m no\n"
    assert newapi("boom", "NotFound", "--no-color").err == "error: no\n"
    monkeypatch.delenv("NO_COLOR")
    assert newapi("--no-color", "boom", "NotFound").err == "error: no\n"


@pytest.mark.parametrize(
    ("doc", "text", "examples"),
    [
        ("One.", "One.", ""),
        ("One.\n\nExamples:\n    newapi a\n    newapi b", "One.", "newapi a\nnewapi b"),
        ("One.\n\nExamples:\n\n    newapi a \\\n        --b", "One.", "newapi a \\\n    --b"),
    ],
)
def test_examples_of_a_docstring(doc: str, text: str, examples: str) -> None:
    assert split_examples(doc) == (text, examples)


# all commands there are


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_every_command_has_help(newapi: Callable[..., Any], name: list[str]) -> None:
    code, out, err = newapi(*name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: newapi {' '.join(name)} ")
    assert "Examples:\n  " in out


def test_help_lists_every_command(newapi: Callable[..., Any]) -> None:
    listed = re.findall(r"^  (\S+)", newapi("--help").out.partition("Commands:")[2], re.MULTILINE)
    assert {name[0] for name in NAMES} == set(listed)


HERE_ALONE = {
    # A file, and the database that is open beside it.
    *("db backup", "db copy", "db migrate", "db restore", "import"),
    # This machine, and what runs on it.
    *("config path", "config show", "doctor", "fmt", "serve", "validate"),
}
"""Commands that act on this machine's gateway and on no other."""
NO_GATEWAY = {
    *("channel types", "completion", "demo", "init", "man", "mock", "schema", "version"),
    *("context add", "context list", "context remove", "context use", "login", "logout"),
}
"""Commands that act on no gateway, or are told which in another way."""


@pytest.mark.parametrize("name", NAMES, ids=" ".join)
def test_every_command_says_where_it_acts(newapi: Callable[..., Any], name: list[str]) -> None:
    told = " ".join(name)
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", newapi(*name, "--help").out, re.MULTILINE)
    if told not in HERE_ALONE | NO_GATEWAY:
        assert {"--server", "--context"} <= {*options}
        return
    for option in ("--server", "--context"):
        code, out, err = newapi(*name, option, "x")
        assert (code, out) == (2, "")
        alone = f"error: `newapi {told}` acts on this machine's gateway alone: there is no {option} for it\n"
        assert (alone in err) == (told in HERE_ALONE), err


# what only a process has


def run(*argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        check=False, args=[sys.executable, "-m", "newapi", *argv], capture_output=True, text=True, cwd=ROOT, **more
    )


@pytest.mark.parametrize("argv", [["--help"], ["--version"], ["validate", "--help"], ["nope"], []])
def test_nothing_heavy_is_imported(argv: list[str]) -> None:
    code = (
        "import sys; sys.argv = ['newapi', *sys.argv[1:]]\n"
        "from newapi.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"loaded = [n for n in {HEAVY} if n in sys.modules]\n"
        "sys.exit(f'LOADED {loaded}' if loaded else 0)"
    )
    done = subprocess.run(
        check=False, args=[sys.executable, "-c", code, *argv], capture_output=True, text=True, cwd=ROOT
    )
    assert "LOADED" not in done.stderr
    assert done.returncode == 0


ALMOST_ALWAYS = ("pydantic", "httpx", "litestar", "uvicorn", "textual", "rich", "keyring", "tomlkit", "aiohttp")
"""What no everyday command loads whose output is plain, and that asks no server."""
DATABASE = ("peewee", "psycopg", "pymysql", "cryptography", "newapi.store.database")


@pytest.mark.parametrize(
    ("argv", "code", "not_either"),
    [
        ("version", 0, DATABASE),
        ("config path", 0, DATABASE),
        ("context list", 0, DATABASE),
        ("health --timeout 2s", 1, DATABASE),
        ("token list", 0, ()),
        ("channel list -o json", 0, ()),
        ("status", 0, ()),
        ("logs --since 1h", 0, ()),
    ],
)
def test_an_everyday_command_loads_what_it_needs(
    argv: str, code: int, not_either: tuple[str, ...], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[server]\nlisten = "127.0.0.1:1"\ndatabase = "sqlite:///newapi.db"\n')
    done = run(*argv.split(), env={**os.environ, "NEWAPI_CONFIG": str(config), "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == code, done.stderr
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "newapi.cli.app" in loaded
    assert not loaded & {*ALMOST_ALWAYS, *not_either}


def test_importing_the_package_costs_nothing() -> None:
    code = "import sys; before = set(sys.modules); import newapi; print(*(set(sys.modules) - before))"
    done = subprocess.run(check=False, args=[sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert set(done.stdout.split()) <= {"newapi", "__future__"}


def test_streams_and_exit_codes() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"newapi {__version__}\n", "")
    done = run("vldt")
    assert (done.returncode, done.stdout) == (2, "")
    done = run("validate", "-", input="version = 2\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: version 2 is not known\n --> <stdin>:1:11\n")


def test_a_broken_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = subprocess.run(
            [sys.executable, "-m", "newapi", "schema"],
            check=False,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "newapi", "validate", "config.example.toml", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        # Whoever runs the tests in the background has the signal ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"config.example.toml is valid\n"
    process.send_signal(signal.SIGINT)  # while it waits for its input
    out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_the_function_is_named_like_the_file() -> None:
    commands = ROOT / "newapi" / "cli" / "commands"
    for file in commands.rglob("[!_]*.py"):
        module = app_module.importlib.import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
        assert callable(getattr(module, file.stem)), file
