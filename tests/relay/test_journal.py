"""What a killed process leaves behind is found again, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.relay.journal import Journal, _read
from newapi.store.ledger import Settlement, UsageRecord


def settlement(number: int, quota: int = 5) -> Settlement:
    return Settlement(UsageRecord(request_id=f"r{number}", created_at=1.0, quota=quota), 1, 1, 1, quota)


def found(directory: Path) -> list[Settlement]:
    """What the next process finds."""
    journal = Journal(directory)
    try:
        return [s for leftover in journal.recover() for s in leftover.settlements]
    finally:
        journal.close()


def test_what_is_appended_is_recovered_by_the_next_process(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    for i in range(3):
        first.append(settlement(i))
    first.close()  # the process is gone, and with it its lock
    second = Journal(tmp_path)
    (leftover,) = second.recover()
    assert leftover.settlements == tuple(settlement(i) for i in range(3))
    assert (leftover.owner, leftover.segment) == (first.owner, f"{first.owner}-1")
    second.recovered()
    assert found(tmp_path) == []


def test_what_a_living_process_writes_is_left_alone(tmp_path: Path) -> None:
    living = Journal(tmp_path)
    living.append(settlement(1))
    assert found(tmp_path) == []
    living.close()


def test_a_dropped_segment_is_gone_and_a_kept_one_is_not(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(settlement(1))
    written = journal.rotate()
    journal.append(settlement(2))
    journal.drop(written)
    journal.close()
    assert found(tmp_path) == [settlement(2)]


def test_segments_that_could_not_be_written_are_handed_out_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(settlement(1))
    first = journal.rotate()
    journal.append(settlement(2))
    assert set(first) < set(journal.rotate())
    journal.close()


@given(cut=st.integers(0, 400), flip=st.integers(0, 399))
def test_a_torn_or_damaged_end_loses_only_itself(tmp_path_factory: pytest.TempPathFactory, cut: int, flip: int) -> None:
    directory = tmp_path_factory.mktemp("journal")
    journal = Journal(directory)
    for i in range(3):
        journal.append(settlement(i))
    path = journal.rotate()[0]
    journal.close()
    data = bytearray(path.read_bytes())
    whole = [settlement(i) for i in range(3)]
    assert _read(bytes(data[:cut])) == whole[: len(_read(bytes(data[:cut])))]
    data[flip % len(data)] ^= 0xFF
    got = _read(bytes(data))
    assert got == whole[: len(got)]
    assert len(got) < 3


def test_an_entry_that_did_not_fit_on_the_disk_hides_none_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(settlement(1))
    opened = journal._file
    assert opened is not None

    class Full:
        name = opened.name
        close = opened.close

        def write(self, data: bytes) -> int:
            return opened.write(data[:9])

    monkeypatch.setattr(journal, "_file", Full())
    with pytest.raises(OSError, match="space"):
        journal.append(settlement(2))
    journal.append(settlement(3))
    journal.close()
    assert sorted(found(tmp_path), key=lambda s: s.record.request_id) == [settlement(1), settlement(3)]


def test_two_processes_of_the_same_number_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """As in two containers that share a directory: both are process 1."""
    one, other = Journal(tmp_path), Journal(tmp_path)
    one.append(settlement(1))
    other.append(settlement(2))
    assert len(list(tmp_path.iterdir())) == 2
    one.close()
    other.close()
    assert len(found(tmp_path)) == 2


def test_the_directory_is_the_owner_s_alone(tmp_path: Path) -> None:
    Journal(tmp_path / "state" / "journal")
    assert (tmp_path / "state" / "journal").stat().st_mode & 0o777 == 0o700
