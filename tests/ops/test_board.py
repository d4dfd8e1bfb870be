from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from newapi.base.errors import NotFound
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec, Config, TokenSpec
from newapi.ops import apply as applying
from newapi.ops import board, channels, operations, tokens
from newapi.ops.channels import Draft
from newapi.ops.legacy import Told
from newapi.ops.local import Local
from newapi.ops.operations import every
from newapi.ops.operations.board import BoardTokens, BoardUsers, Detach, RankChannels
from newapi.store import audit
from newapi.store.models import Record

NOON = 1_790_000_000.0  # a Monday
DAY = 86_400


def spend(local: Local, token: int, quota: int, at: float) -> None:
    with local.db.writing() as c:
        Record.insert(
            created_at=at, kind="consume", token_id=token, quota=quota, usage="", bill="", tries="", error="", losses=""
        ).execute(c)


def channel(local: Local, name: str = "main") -> int:
    (made,) = channels.create(
        local, [Draft(name, Told(ChannelSpec(type="openai", keys=("env:CI", "env:OTHER"), weight=5)))], who="t"
    )
    return made.id


def test_what_tokens_have_spent_of_their_budgets(local: Local) -> None:
    spec = TokenSpec(unlimited=True, budget={"day": Decimal(1), "week": Decimal(2), "month": Decimal(4)})
    view, _ = tokens.create(local, "a", spec, who="t", now=NOON)
    other, _ = tokens.create(local, "b", TokenSpec(quota=Decimal(1)), who="t", now=NOON)
    for quota, ago in ((100_000, 60), (300_000, 26 * 3600), (700_000, 9 * DAY), (9_000_000, 70 * DAY)):
        spend(local, view.id, quota, NOON - ago)
    spend(local, other.id, 77, NOON - 60)
    found, plain = board.tokens(local.db, now=NOON)
    assert plain.spending == ()
    spent = {s.period: (s.spent, s.budget) for s in found.spending}
    assert spent["day"] == (100_000, 500_000)
    assert spent["week"][0] in (100_000, 400_000)
    assert spent["month"] == (1_100_000, 2_000_000)
    assert {s.period: s.share for s in found.spending}["day"] == 0.2
    assert board.Spending("day", 5, 0).share == 1.0, "nothing may be spent"


def test_users_have_their_tokens_counted(local: Local) -> None:
    for name in "ab":
        tokens.create(local, name, TokenSpec(unlimited=True), who="t")
    (root,) = board.users(local.db)
    assert (root.view.name, root.tokens, root.seen_at) == ("root", 2, 0.0)


@pytest.mark.parametrize("kind", ["channel", "token"])
def test_what_a_file_declared_is_detached(local: Local, kind: str) -> None:
    config = Config(
        channels={"main": ChannelSpec(type="openai", key="env:CI")}, tokens={"main": TokenSpec(unlimited=True)}
    )
    applying.apply(local, config, who="t", source="")
    assert board.detach(local.db, kind, "main", who="ann") == "main"  # type: ignore[arg-type]
    view = channels.get(local.db, "main") if kind == "channel" else tokens.get(local.db, "main")
    assert not view.managed
    plan = applying.plan(local, Config())
    assert [c.kind for c in plan.changes if c.action == "delete"] == ["tokens" if kind == "channel" else "channels"], (
        "an apply leaves it alone"
    )
    with pytest.raises(NotFound):
        board.detach(local.db, kind, "main", who="ann")  # type: ignore[arg-type]
    for nobody in ("7", "9" * 30):
        with pytest.raises(NotFound):
            board.detach(local.db, kind, nobody, who="ann")  # type: ignore[arg-type]
    (entry,) = [e for e in audit.entries(local.db) if e.action == f"{kind}.detach"]
    assert (entry.who, entry.target) == ("ann", "main")


def test_operations_on_channels(local: Local) -> None:
    id = channel(local)
    assert [v.spec.weight for v in RankChannels((id,), weight=-9).run(local, "ann")] == [0]
    assert [v.spec.priority for v in RankChannels((id,), priority=-2).run(local, "ann")] == [-2]


def test_of_several_channels_all_change_or_none(local: Local) -> None:
    id = channel(local)
    with pytest.raises(NotFound):
        RankChannels((id, 99), weight=5).run(local, "ann")
    assert channels.find(local.db, id).spec.weight == 5


def test_answers_are_sent_whole(local: Local) -> None:
    tokens.create(local, "a", TokenSpec(quota=Decimal("0.5"), budget={"day": Decimal("1.25")}), who="t")
    for operation in (BoardTokens(), BoardUsers()):
        answer = operation.run(local, "ann")
        sent = operations.plain(answer)
        assert operations.converted(sent, operations.answer_of(type(operation))) == answer
    asked = Detach("token", "a")
    assert operations.converted(msgspec.json.decode(operations.encoded(asked)), Detach) == asked


def test_nothing_secret_is_in_an_answer(local: Local) -> None:
    _, key = tokens.create(local, "a", TokenSpec(unlimited=True), who="t")
    assert isinstance(key, Secret)
    assert key.reveal().encode() not in operations.encoded(board.tokens(local.db))


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operations.name_of(kind) for kind in every.ALL]
    assert len(names) == len(set(names))
