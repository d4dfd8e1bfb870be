"""How a screen looks, as a text file that a diff can be read of: what stands there, and in which colours.

    UPDATE_LOOKS=1 uv run pytest tests/tui -k looks     writes the files anew; look at the diff, and at the screens

Beside a file that differs the screen is written as SVG into pytest's temporary directory.
"""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

from rich.style import Style
from textual.app import App

LOOKS = Path(__file__).parent / "looks"
_NOTHING = Style.null()


def look(app: App[object], *, frame: bool = True) -> str:
    """Return what the terminal shows: its lines, then which cells of which line have which style.

    Args:
        app: The application.
        frame: Whether the head, the tabs and the line of keys belong to it.
    """
    strips = app.screen._compositor.render_strips()
    strips = strips if frame else strips[2:-1]
    lines = [strip.text.rstrip() for strip in strips]
    styles: list[str] = []
    for number, strip in enumerate(strips):
        at = 0
        runs: list[str] = []
        for style, segments in groupby(strip, key=lambda segment: _said(segment.style or _NOTHING)):
            width = sum(segment.cell_length for segment in segments)
            if style:
                runs.append(f"{at}-{at + width - 1} {style}")
            at += width
        if runs:
            styles.append(f"{number}: {'; '.join(runs)}")
    folded = [f"{line}  (×{count})" if count > 1 else line for line, count in _folded(styles)]
    return "\n".join([*lines, "─" * 20, *folded, ""])


def _folded(styles: list[str]) -> list[tuple[str, int]]:
    """Return the lines of styles, those that are the same as the one before counted with it."""
    found: list[tuple[str, int]] = []
    for line in styles:
        if found and found[-1][0].partition(": ")[2] == line.partition(": ")[2]:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((line, 1))
    return found


def _said(style: Style) -> str:
    words = [word for word in ("bold", "dim", "underline", "reverse", "italic") if getattr(style, word)]
    if style.color and not style.color.is_default:
        words.append(style.color.name)
    if style.bgcolor and not style.bgcolor.is_default:
        words.append(f"on {style.bgcolor.name}")
    return " ".join(words)


def same_look(app: App[object], name: str, directory: Path, *, frame: bool = True) -> None:
    """Fail unless the screen, with or without its frame, looks as the file `looks/<name>.txt` says."""
    seen, file = look(app, frame=frame), LOOKS / f"{name}.txt"
    if os.environ.get("UPDATE_LOOKS"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(seen, encoding="utf-8")
        return
    if seen != file.read_text(encoding="utf-8"):
        picture = directory / f"{name.replace('/', '-')}.svg"
        picture.write_text(app.export_screenshot())
        assert seen == file.read_text(encoding="utf-8"), f"it looks as in {picture}"
