"""How a screen looks: a picture in `looks/`, SVG, which a browser shows and of which a difference is told as text.

    UPDATE_LOOKS=1 uv run pytest tests/tui/test_looks.py      writes the pictures anew; look at them

Those of README.md are among them. Where a screen differs from its picture, its own is written into pytest's temporary
directory.
"""

from __future__ import annotations

import os
from difflib import unified_diff
from pathlib import Path

from textual.app import App

from tests.support.screen_svg import told, written

LOOKS = Path(__file__).parent / "looks"


def difference(app: App[object], name: str, directory: Path) -> str:
    """Return how the screen differs from the picture `looks/<name>.svg`, "" where it does not.

    Args:
        app: The application.
        name: The picture's.
        directory: Where the screen's own picture is written if it does.
    """
    seen, file = written(app.screen._compositor.render_strips()), LOOKS / f"{name}.svg"
    if os.environ.get("UPDATE_LOOKS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(seen, encoding="utf-8")
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    if seen == before:
        return ""
    written_to = directory / file.name
    written_to.write_text(seen, encoding="utf-8")
    lines = unified_diff(told(before), told(seen), str(file), str(written_to), lineterm="", n=1)
    return "\n".join(lines) or f"{written_to} shows what {file} does, and is drawn otherwise"
