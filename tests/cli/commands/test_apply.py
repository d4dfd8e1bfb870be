from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from newapi.ops.local import open_local
from newapi.store import audit, snapshot
from newapi.store.keys import hash_key
from tests.cli.commands.conftest import CONFIG, Run


def newapi(*argv: str, config: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "NEWAPI_CONFIG": str(config), "NO_COLOR": "1", "UPSTREAM_KEY": "x"}
    return subprocess.run(
        [sys.executable, "-m", "newapi", *argv], env=env, input=stdin or "", capture_output=True, text=True, check=False
    )


def test_the_plan_is_for_people_and_the_keys_are_data(run: Run, config: Path) -> None:
    done = run("apply", "--yes")
    assert done.code == 0
    name, key = done.out.strip().split("\t")
    assert (name, key[:3], len(key)) == ("ci", "sk-", 51)
    assert "+ channels.main" in done.err
    assert "Plan: 4 to add, 0 to change, 0 to delete." in done.err
    assert "Applied: generation 1." in done.err
    assert key not in done.err
    assert "sk-upstream" not in done.out + done.err
    stored = snapshot.load(open_local(config).db)
    assert stored.tokens[0].key_hash == hash_key(key)
    assert stored.tokens[0].remaining == 5_000_000


def test_nothing_to_do_says_so(run: Run) -> None:
    run("apply", "--yes")
    done = run("apply")
    assert (done.code, done.out) == (0, "")
    assert "Nothing to do" in done.err


def test_a_dry_run_does_nothing(run: Run, config: Path) -> None:
    done = run("apply", "--dry-run")
    assert (done.code, done.out) == (0, "")
    assert "dry run" in done.err
    assert snapshot.load(open_local(config).db).channels == ()


@pytest.mark.parametrize("flags", [(), ("--no-input",)])
def test_without_a_terminal_nothing_is_done(run: Run, config: Path, flags: tuple[str, ...]) -> None:
    done = run("apply", *flags)
    assert (done.code, done.out) == (7, "")
    assert "--yes" in done.err
    assert snapshot.load(open_local(config).db).channels == ()


def test_keys_go_to_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("# mine\n")
    path.chmod(0o644)
    done = run("apply", "--yes", "--write-tokens", str(path))
    assert (done.code, done.out) == (0, "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith('# mine\nci = "sk-')


def test_a_file_that_cannot_be_written_stops_it_all(run: Run, tmp_path: Path, config: Path) -> None:
    done = run("apply", "--yes", "--write-tokens", str(tmp_path / "no" / "keys"))
    assert done.code == 1
    assert "nothing was applied" in done.err
    assert snapshot.load(open_local(config).db).tokens == ()


def test_keys_as_json(run: Run) -> None:
    done = run("apply", "--yes", "-o", "json")
    items = done.json()["items"]
    assert isinstance(items, list)
    assert items[0]["name"] == "ci"


def test_what_the_file_no_longer_has(run: Run, config: Path) -> None:
    run("apply", "--yes")
    config.write_text(CONFIG.partition("[tokens.ci]")[0])
    assert run("apply", "--yes", "--no-prune").err.startswith("Nothing to do")
    done = run("apply", "--yes")
    assert "- tokens.ci" in done.err
    assert snapshot.load(open_local(config).db).tokens == ()


def test_only_what_is_chosen(run: Run, config: Path) -> None:
    assert run("apply", "--yes", "--only", "groups").code == 0
    stored = snapshot.load(open_local(config).db)
    assert (list(stored.groups), stored.channels) == (["vip"], ())
    assert run("apply", "--yes", "--only", "chanels").code == 2


def test_what_the_database_finds_wrong_has_its_place(run: Run, config: Path) -> None:
    config.write_text(CONFIG + 'user = "nobody"\n')
    done = run("apply", "--yes", "-o", "json")
    assert done.code == 2
    error = msgspec.json.decode(done.err)["error"]
    assert error["message"] == "there is no user `nobody` to own token `ci`"
    assert error["location"] == {"file": str(config), "line": 21, "column": 8}
    config.write_text(CONFIG + 'key = "env:NOWHERE"\n')
    done = run("apply", "--yes")
    assert done.code == 2
    assert "config.toml:21:7" in done.err
    assert "export NOWHERE=" in done.err


def test_who_and_whence(run: Run, config: Path) -> None:
    run("apply", "--yes", "--source", "commit 1a2b3c")
    (entry,) = audit.entries(open_local(config).db)
    assert entry.source == "commit 1a2b3c"
    assert entry.who


def test_another_file(run: Run, config: Path) -> None:
    other = config.with_name("other.toml")
    other.write_text(CONFIG.replace("test.db", "other.db").replace("channels.main", "channels.second"))
    assert run("apply", str(other), "--yes").code == 0
    assert [c.name for c in snapshot.load(open_local(other).db).channels] == ["second"]
    assert snapshot.load(open_local(config).db).channels == ()


def test_someone_was_faster(run: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the plan and the yes, another apply went through: exit 6, nothing of ours."""
    from newapi.cli.commands import _apply
    from newapi.config.schema import Config, GroupSpec
    from newapi.ops.apply import apply

    def ask(*_: object, **__: object) -> None:
        apply(open_local(config), Config(groups={"other": GroupSpec()}), who="someone")

    monkeypatch.setattr(_apply, "confirm", ask)
    done = run("apply")
    assert (done.code, done.out) == (6, "")
    assert "Generation 1 was applied meanwhile" in done.err
    assert list(snapshot.load(open_local(config).db).groups) == ["other"]


def test_a_process_leaves_with_what_it_says(config: Path) -> None:
    refused = newapi("apply", config=config)
    assert (refused.returncode, refused.stdout) == (7, "")
    done = newapi("apply", "--yes", config=config)
    assert done.returncode == 0
    assert done.stdout.startswith("ci\tsk-")
    assert newapi("diff", "--exit-code", config=config).returncode == 0


def test_two_processes_at_once(config: Path) -> None:
    """However they meet, each either applies or is told; the database is what one of them said."""
    files = []
    for n in range(3):
        file = config.with_name(f"c{n}.toml")
        file.write_text(CONFIG.replace("channels.main", f"channels.n{n}"))
        files.append(file)
    newapi("apply", "--yes", config=config)
    env = {**os.environ, "NO_COLOR": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "newapi", "apply", str(f), "--yes"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for f in files
    ]
    errors = [p.communicate()[1].decode() for p in started]
    codes = [p.returncode for p in started]
    assert set(codes) <= {0, 6}, errors
    assert 0 in codes
    stored = snapshot.load(open_local(config).db)
    assert stored.generation == 1 + codes.count(0)
    assert [c.name for c in stored.channels] in [["n0"], ["n1"], ["n2"]]
