"""Settlements on disk before they are in the database: what makes `kill -9` cost nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from newapi.store.ledger import Settlement

_HEAD = struct.Struct("<II")  # length, CRC-32
_ENCODE = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(Settlement)


class Leftover(Struct, frozen=True):
    """What a segment held whose process is no more.

    Attributes:
        owner: The process, as `Journal.owner` named it.
        segment: The segment's name.
        settlements: What was settled, in order.
    """

    owner: str
    segment: str
    settlements: tuple[Settlement, ...]


class Journal:
    """Segments in a directory, each locked by the process that writes it.

    A segment is appended to without waiting for the disk (the page cache outlives the process), synced in the
    background, and removed once what is in it is in the database.
    """

    def __init__(self, directory: Path, root: Path | None = None) -> None:
        """Use `directory`, made when it is missing, mode 0700.

        `root` is above it when several processes have a directory each: what is left anywhere below is recovered.
        """
        self._root = root or directory
        self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.mkdir(exist_ok=True, mode=0o700)
        self._directory = directory
        self.owner = f"{os.getpid()}-{secrets.token_hex(4)}"
        """Names this process: in two containers that share the directory two have the same number."""
        self._number = 0
        self._file: BinaryIO | None = None
        self._dirty = False
        self._appended = 0
        self._dropped = 0
        self._kept: dict[Path, BinaryIO] = {}  # still open, since closing gives up the lock
        self._recovered: list[tuple[Path, BinaryIO]] = []

    def append(self, settlement: Settlement) -> None:
        """Add one settlement.

        Raises:
            OSError: The disk is full, or fails.
        """
        data = _ENCODE.encode(settlement)
        entry = _HEAD.pack(len(data), zlib.crc32(data)) + data
        file = self._file or self._open()
        if file.write(entry) != len(entry):
            self.rotate()  # nothing that follows is to stand behind half an entry, where it would not be found
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._appended += len(entry)
        self._dirty = True

    @property
    def size(self) -> int:
        """Bytes that this process has appended and not dropped."""
        return self._appended - self._dropped

    def sync(self) -> None:
        """Wait until what was appended is on the disk."""
        file = self._file
        if self._dirty and file is not None:
            self._dirty = False
            os.fdatasync(file.fileno())

    def rotate(self) -> list[Path]:
        """Begin a new segment; return the ones that hold all that was appended before."""
        if self._file is not None:
            self._kept[Path(self._file.name)] = self._file
            self._file = None
        self._dirty = False
        return list(self._kept)

    def drop(self, segments: Sequence[Path]) -> None:
        """Remove `segments`: what they hold is in the database."""
        for path in segments:
            path.unlink(missing_ok=True)
            if file := self._kept.pop(path, None):
                self._dropped += os.fstat(file.fileno()).st_size
                file.close()

    def recover(self) -> list[Leftover]:
        """Return what processes that are no more left behind, by segment; a torn last entry is left out.

        The segments stay until `recovered`.
        """
        found: list[Leftover] = []
        for path in sorted(self._root.rglob("*.journal")):
            try:
                file = path.open("rb")
            except FileNotFoundError:  # its process has written it meanwhile
                continue
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:  # another process is at work on it
                file.close()
                continue
            if not os.fstat(file.fileno()).st_nlink:
                file.close()
                continue
            found.append(Leftover(path.stem.rpartition("-")[0], path.stem, tuple(_read(file.read()))))
            self._recovered.append((path, file))
        return found

    def recovered(self) -> None:
        """Remove what `recover` returned: it is in the database."""
        for path, file in self._recovered:
            path.unlink(missing_ok=True)
            file.close()
        self._recovered.clear()

    def not_recovered(self) -> None:
        """Leave what `recover` returned where it is, for whoever asks next: it could not be written."""
        for _, file in self._recovered:
            file.close()
        self._recovered.clear()

    def close(self) -> None:
        """Close the segments; what is written to the database is gone from them already."""
        for file in (*self._kept.values(), self._file):
            if file is not None:
                file.close()
        self._kept.clear()
        self.not_recovered()
        self._file = None

    def _open(self) -> BinaryIO:
        while True:
            self._number += 1
            path = self._directory / f"{self.owner}-{self._number}.journal"
            file = path.open("xb", buffering=0)
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.fstat(file.fileno()).st_nlink:
                self._file = file  # type: ignore[assignment]  # FileIO does all that is asked of it
                return file  # type: ignore[return-value]
            file.close()  # a process that starts took it for one that was left behind


def _read(data: bytes) -> list[Settlement]:
    found: list[Settlement] = []
    at = 0
    while at + _HEAD.size <= len(data):
        size, crc = _HEAD.unpack_from(data, at)
        entry = data[at + _HEAD.size : at + _HEAD.size + size]
        if len(entry) < size or zlib.crc32(entry) != crc:
            break
        found.append(_DECODE.decode(entry))
        at += _HEAD.size + size
    return found
