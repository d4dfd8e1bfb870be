"""Editing in the editor of the terminal: the file that manages an object, or the object itself."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from newapi.base.errors import ConfigError
from newapi.config.load import load
from newapi.config.schema import ChannelSpec
from newapi.ops.channels import ChannelView
from newapi.ops.operations.board import Detach
from newapi.ops.operations.channels import EditChannel
from newapi.ops.toml import key
from newapi.tui.screen import failure
from newapi.tui.screens._grid import GridScreen, R, shell, toml_of
from newapi.tui.widgets.ask import Ask
from newapi.tui.widgets.choose import Choose


class Editing(GridScreen[R]):
    """What screens have in common whose rows can be edited."""

    def edit_channel(self, view: ChannelView) -> None:
        """Let a channel be edited: in its file where one manages it and is on this machine, else by itself."""
        if not view.managed:
            self._edit_alone(view)
            return
        place = self._place("channels", view.name)
        there = [("detach", "detach it: commands manage it from then on")]
        if place is not None:
            there.insert(0, ("file", f"open {_short(place[0])}, line {place[1]}"))

        def chosen(what: str | None) -> None:
            if what == "file" and place is not None:
                self._edit_file(*place)
            elif what == "detach":
                self._detach_channel(view)

        self.app.push_screen(Choose(f"A file declares {view.name}", there, "file"), chosen)

    def _place(self, kind: str, name: str) -> tuple[Path, int] | None:
        """Return the file on this machine that declares an object, and the line; None where there is none."""
        path = self.tui.source.config if self.tui.source else None
        if path is None:
            return None
        try:
            loaded = load(path)
        except ConfigError:
            return path, 1  # it is open to be mended
        found = loaded.places.find((kind, name))
        return (Path(found[0].name), found[1].line) if found else (path, 1)

    def _edit_file(self, path: Path, line: int) -> None:
        if self.run_editor([f"+{line}", str(path)]):
            self.notify("An apply makes it so: `9`, then `A`, or `newapi apply`")

    def _edit_alone(self, view: ChannelView) -> None:
        before = f"version = 1\n\n{toml_of('channels', view.name, view.spec)}"
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "channel.toml"
            file.write_text(before)
            if not self.run_editor([str(file)]):
                return
            after = file.read_text()
        if after == before:
            self.notify("Nothing changed")
            return
        try:
            name, spec = _channel(after)
        except (ConfigError, ValueError) as error:
            self.notify(failure(error), severity="error", timeout=10)
            return
        self._rewrite(view, name, spec)

    def _rewrite(self, view: ChannelView, name: str, spec: ChannelSpec) -> None:
        rename = name if name != view.name else None
        self.ask_to(
            Ask(f"Change channel {view.name}?", shell("newapi", "channel", "edit", view.name)),
            lambda there, _: there.do(EditChannel(view.name, spec, view.updated_at, rename)),
            lambda changed: f"Channel {changed.name} is changed",
        )

    def _detach_channel(self, view: ChannelView) -> None:
        self.ask_to(
            Ask(
                f"Detach channel {view.name} from its file?",
                what=[
                    "Commands and this dashboard manage it from then on.",
                    "Take it out of the file too: an apply of a file that declares it takes it back.",
                ],
            ),
            lambda there, _: there.do(Detach("channel", view.name)),
            lambda name: f"Channel {name} is detached",
        )


def _short(path: Path) -> Path:
    """Return a path as people would type it here: from the directory they are in."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _channel(text: str) -> tuple[str, ChannelSpec]:
    """Return the one channel that a document declares, and its name.

    Raises:
        ConfigError: It is no configuration.
        ValueError: It is not one channel.
    """
    # Groups are the database's to know: here each is one that is said.
    groups = set(_groups(text)) - {"default"}
    declared = "".join(f"\n[groups.{key(group)}]\n" for group in sorted(groups))
    found = load(Path("channel.toml"), f"{text}\n{declared}", has_price=lambda _: True).config.channels
    if len(found) != 1:
        raise ValueError(f"This declares {len(found)} channels, not one")
    return next(iter(found.items()))


def _groups(text: str) -> Iterator[str]:
    try:
        there: Any = tomllib.loads(text).get("channels")
    except tomllib.TOMLDecodeError:
        return  # that is told by whoever reads it next
    for channel in there.values() if isinstance(there, dict) else ():
        said = channel.get("groups") if isinstance(channel, dict) else None
        yield from (group for group in (said if isinstance(said, list) else ()) if isinstance(group, str))
