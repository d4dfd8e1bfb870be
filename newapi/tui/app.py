"""The application: which screen is in front, what the stream says, what is asked and done."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from msgspec import Struct
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.worker import Worker, WorkerCancelled, WorkerFailed, get_current_worker

from newapi.ops.gateway import Gateway
from newapi.tui import screens
from newapi.tui.glyphs import ASCII, UNICODE
from newapi.tui.model import RANGES, Model
from newapi.tui.screen import LiveScreen, failure

T = TypeVar("T")

Link = Literal["live", "lost", "database", "replay"]
