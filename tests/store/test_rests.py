from __future__ import annotations

from newapi.store import clock, rests
from newapi.store.database import Database
from newapi.store.rests import RestRow

NOW = 1_700_000_000.0


def rest(channel_id: int = 1, key: str = "aa", model: str = "m", **more: object) -> RestRow:
    told = {"kind": "broken", "since": NOW, "until": NOW + 300, "reason": "503", **more}
    return RestRow(channel_id, key, model, **told)  # type: ignore[arg-type]


def there(db: Database) -> list[RestRow]:
    with db.reading() as c:
        return sorted(rests.load(c), key=lambda r: (r.channel_id, r.key_print, r.model))


def test_of_a_place_there_is_one(db: Database) -> None:
    rests.put(db, rest())
    rests.put(db, rest(until=NOW + 600))
    rests.put(db, rest(key=""))
    assert there(db) == [rest(key=""), rest(until=NOW + 600)]
    rests.end(db, [(1, "aa", "m"), (9, "", "")])
    assert there(db) == [rest(key="")]


def test_running_servers_need_not_read_everything_again_for_a_rest(db: Database) -> None:
    before = clock.generation(db)
    rests.put(db, rest())
    rests.end(db, [(1, "aa", "m")])
    assert clock.generation(db) == before


def test_what_is_woken_leaves_a_note_for_running_servers(db: Database) -> None:
    for row in (rest(), rest(key=""), rest(channel_id=2)):
        rests.put(db, row)
    before = clock.generation(db)
    with db.writing() as c:
        rests.reset(c, 1, NOW + 9)
        rests.reset(c, 2, NOW + 9, [("aa", "m"), ("", "")])
    assert clock.generation(db) > before
    assert [(r.channel_id, r.key_print, r.model, r.kind, r.since) for r in there(db)] == [
        (1, rests.EVERYTHING, "", "reset", NOW + 9),
        (2, "", "", "reset", NOW + 9),
        (2, "aa", "m", "reset", NOW + 9),
    ]


def test_what_was_over_yesterday_is_forgotten(db: Database) -> None:
    rests.put(db, rest())
    rests.put(db, rest(channel_id=2, since=NOW + 100_000, until=NOW + 100_300))
    assert [r.channel_id for r in there(db)] == [2]


def test_long_names_and_reasons_are_cut(db: Database) -> None:
    rests.put(db, rest(model="m" * 300, reason="é" * 999))
    (row,) = there(db)
    assert (len(row.model), len(row.reason)) == (191, 500)
    rests.end(db, [(1, "aa", "m" * 300)])
    assert there(db) == []
