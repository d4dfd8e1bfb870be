"""The dashboard in a terminal: `newapi tui`. The only importer of Textual, which this module itself does not load."""

from __future__ import annotations

from collections.abc import MutableMapping

_SSH = ("SSH_TTY", "SSH_CONNECTION")


def prepare(environ: MutableMapping[str, str], *, low_bandwidth: bool = False) -> None:
    """Tell Textual, which reads the environment when it is imported, what kind of line this is.

    What the environment says already stays. Nothing is animated: a dashboard that is open all day is looked at, not
    played with. Over SSH fewer frames are sent, and an escape may arrive later than its sequence began.
    """
    far = low_bandwidth or any(environ.get(name) for name in _SSH)
    environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    environ.setdefault("TEXTUAL_FPS", "5" if low_bandwidth else "15" if far else "30")
    environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    if far:
        environ.setdefault("ESCDELAY", "250")
