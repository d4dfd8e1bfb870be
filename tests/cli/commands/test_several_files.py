"""Several files applied as one, tested before; the database written as several; a configuration held against the world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from newapi.base.errors import CallerError, UpstreamError
from newapi.ops import channel_probe
from newapi.ops.local import open_local
from newapi.ops.online import check_online
from tests.cli.commands.conftest import Run

MORE = """\
[channels.second]
type = "openai"
key = "env:UPSTREAM_KEY"
models = ["my-model"]
"""


@pytest.fixture
def more(config: Path) -> Path:
    path = config.with_name("more.toml")
    path.write_text(MORE)
    return path


def test_files_are_applied_as_one(run: Run, config: Path, more: Path) -> None:
    assert run("apply", str(config), str(more), "--yes").code == 0
    assert set(run("channel", "list", "-o", "name").out.split()) == {"main", "second"}
    assert run("diff", str(config), str(more), "--exit-code").code == 0
    assert "- channels.second" in run("diff", str(config)).out


def test_what_two_files_say_is_told_with_both_places(run: Run, config: Path, more: Path) -> None:
    more.write_text(MORE.replace("second", "main"))
    done = run("apply", str(config), str(more), "--yes")
    assert done.code == 2
    assert "`channels.main` is declared twice" in done.err
    assert f"first at {config}:" in done.err
    assert f"--> {more}:1:" in done.err
    assert run("diff", str(config), str(config)).code == 2


@pytest.mark.parametrize(("error", "code"), [("", 0), ("401 Unauthorized", 8)])
def test_channels_that_change_are_asked_first(
    run: Run, config: Path, more: Path, monkeypatch: pytest.MonkeyPatch, error: str, code: int
) -> None:
    run("apply", "--yes")
    asked: list[str] = []

    def probe_all(local: Any, views: Any, **_: Any) -> list[Any]:
        asked.extend(view.name for view in views)
        return [channel_probe.Tested(view.name, "my-model", 12, error) for view in views]

    monkeypatch.setattr(channel_probe, "probe_all", probe_all)
    done = run("apply", str(config), str(more), "--test", "--yes")
    assert (done.code, asked) == (code, ["second"])
    assert (f"Channel second failed: {error}" if error else "Channel second answers, 12 ms") in done.err
    assert ("second" in run("channel", "list", "-o", "name").out) is (code == 0)


def test_the_database_in_several_files(run: Run, config: Path, tmp_path: Path) -> None:
    run("apply", "--yes")
    there = tmp_path / "split"
    done = run("export", "--split", str(there))
    assert done.code == 0, done.err
    assert {Path(line).name for line in done.out.splitlines()} == {
        "groups.toml",
        "models.toml",
        "channels.toml",
        "tokens.toml",
        "config.toml",
    }
    text = (there / "config.toml").read_text()
    (there / "config.toml").write_text(f'{text}\n[server]\ndatabase = "sqlite:///{tmp_path}/test.db"\n')
    same = run("diff", str(there / "config.toml"), "--exit-code")
    assert (same.code, same.out) == (0, ""), same.err
    assert run("export", "--split", str(there)).code == 7
    assert run("export", "--split", str(there), "--yes").code == 0
    assert run("export", "--split", str(there), "--only", "channels").code == 2


def test_a_configuration_held_against_the_world(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = open_local(config)
    found = check_online(local, ask=lambda spec, key: ["my-model"])
    assert (found.problems, found.notes) == ((), ())
    found = check_online(local, ask=lambda spec, key: ["other"])
    assert found.notes == ("channel main: its upstream does not list my-model",)

    def refuse(spec: Any, key: Any) -> list[str]:
        raise UpstreamError(f"401: no such key {key.reveal()}")

    (problem,) = check_online(local, ask=refuse).problems
    assert (problem.line, problem.key, "sk-upstream" in problem.message) == (11, "channels.main", False)

    def unlisted(spec: Any, key: Any) -> list[str]:
        raise CallerError("it has no list")

    assert check_online(local, ask=unlisted).notes == ("channel main: it has no list",)
    monkeypatch.delenv("UPSTREAM_KEY")
    (problem,) = check_online(local, ask=refuse).problems
    assert problem.key == "channels.main.key"
    assert "a reference does not resolve: env:UPSTREAM_KEY" in problem.message


def test_a_name_that_is_mapped_twice_is_looked_for_where_its_chain_ends(run: Run, config: Path) -> None:
    mapped = 'model_mapping = { "my-model" = "small", "small" = "m" }'
    config.write_text(config.read_text().replace("[channels.main]", f"[channels.main]\n{mapped}"))
    assert check_online(open_local(config), ask=lambda spec, key: ["m"]).notes == ()
    run("apply", "--yes")
    assert run("channel", "models", "main").out == "my-model\tm\n"


def test_validate_online(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPSTREAM_KEY")
    assert run("validate").code == 0
    done = run("validate", "--online")
    assert (done.code, "does not resolve" in done.err) == (8, True)
    assert run("validate", "--online", "-").code == 2
