"""Users, made, found, changed and deleted; what they may do to each other."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import CallerError, Conflict, NewapiError, NotFound
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.base.units import QUOTA_PER_USD, usd
from newapi.config.schema import TokenSpec
from newapi.ops import sessions
from newapi.store import audit, specs, tokens
from newapi.store import ledger as store_ledger
from newapi.store import users as store
from newapi.store.database import Connection, Database
from newapi.store.users import UserFilter, UserRecord

Role = Literal["user", "admin", "root"]
State = Literal["enabled", "disabled", "deleted"]
Mode = Literal["add", "subtract", "override"]
RANK: Mapping[str, int] = {"user": 1, "admin": 10, "root": 100}
"""New API's numbers of the roles: who has the greater one manages the others."""
MAX_QUOTA = 1_000_000_000 * 500_000
"""A thousand million US dollars: New API's limit of what anyone may be given."""
NAME_LENGTH = 64
_AFF_ALPHABET = string.ascii_letters + string.digits
_AFF_LENGTH = 8


class WrongPassword(CallerError):
    """Nobody signs in so: no such user, another password, disabled. Which of them is not told."""

    status = 401
    code = "invalid_credentials"
    type = "authentication_error"


class UserView(Struct, frozen=True):
    """A user for people and programs; nothing secret.

    Attributes:
        quota, used: What is left and what was spent; 500,000 are one US dollar. What an unlimited user has left means
            nothing.
        created_at, last_login_at, deleted_at: Unix seconds; 0 is never.
        has_password: Whether one can sign in with a password.
        aff_code: What others give when they register, so that this user is their inviter.
        aff_count, aff_quota, aff_history: Users who did; what of the reward is left, and all of it.
        setting: What the user chose (notifications, language), a JSON object or "".
    """

    id: int
    name: str
    display_name: str
    email: str
    role: str
    group: str
    state: State
    quota: int
    used: int
    requests: int
    unlimited: bool
    remark: str
    created_at: float
    last_login_at: float
    deleted_at: float
    has_password: bool
    aff_code: str
    aff_count: int
    aff_quota: int
    aff_history: int
    invited_by: int
    setting: str


class NewUser(Struct, frozen=True, kw_only=True):
    """What a user is made of; `quota` is quota, `display_name` the name where it is ""."""

    name: str
    password: Secret | None = None
    role: Role = "user"
    group: str = "default"
    display_name: str = ""
    email: str = ""
    remark: str = ""
    quota: int = 0
    unlimited: bool = False
    inviter_code: str = ""
    invite_quota: int = 0
    """What the inviter gets."""
    invitee_quota: int = 0
    """What the new user gets more where somebody invited them."""


class Changes(Struct, frozen=True, kw_only=True):
    """What to change of a user; None leaves it."""

    name: str | None = None
    display_name: str | None = None
    email: str | None = None
    role: Role | None = None
    group: str | None = None
    remark: str | None = None
    state: Literal["enabled", "disabled"] | None = None
    unlimited: bool | None = None


# -- finding -----------------------------------------------------------------------------------


def find(db: Database, id: int, *, deleted: bool = False) -> UserView:
    """Return the user with that id; with `deleted` one who is marked as deleted, too.

    Raises:
        NotFound: There is none.
    """
    with db.reading() as c:
        record = store.find(c, id=id)
        if record is None or (record.deleted_at and not deleted):
            raise _nobody(id)
        return _view(record)


def get(db: Database, name: str) -> UserView:
    """Return the user called `name`, or, where none is, the one with that id.

    Raises:
        NotFound: There is none.
    """
    with db.reading() as c:
        found = store.find(c, name=name)
        if found is None and name.isdecimal() and len(name) < 19:
            found = store.find(c, id=int(name))
        if found is None or found.deleted_at:
            names = [u.name for u in store.search(c, UserFilter(deleted=False))]
            raise NotFound(f"There is no user {name!r}{did_you_mean(name, names)}")
        return _view(found)


def list_users(
    db: Database, wanted: UserFilter | None = None, *, limit: int = 0, offset: int = 0, latest_first: bool = False
) -> tuple[list[UserView], int]:
    """Return the users that `wanted` describes, those of one page where there is a limit, and how many there are."""
    wanted = wanted or UserFilter(deleted=False)
    with db.reading() as c:
        found = store.search(c, wanted, limit=limit, offset=offset, latest_first=latest_first)
        number = store.count(c, wanted) if limit else len(found)
    return [_view(record) for record in found], number


# -- making and changing -------------------------------------------------------------------------


def create(db: Database, new: NewUser, *, who: str, now: float | None = None) -> UserView:
    """Make a user.

    `root` is there from the beginning, without a password: making it gives it one, and keeps everything else.

    Raises:
        CallerError: A name or password that is none.
        Conflict: The name is taken, perhaps by a user who was deleted.
        NotFound: There is no such group.
    """
    now = time.time() if now is None else now
    _check_name(new.name)
    hashed = _hashed(new.password)
    _check_quota(new.quota)
    with db.writing() as c:
        there = store.find(c, name=new.name)
        if there is not None:
            if there.role == "root" and new.role == "root" and not there.password_hash and hashed:
                store.update(c, there.id, {"password_hash": hashed, "session_epoch": there.session_epoch + 1})
                audit.note(c, audit.Entry(now, who, "user.password", there.name))
                return _view(_by_id(c, there.id))
            raise Conflict(f"The name {new.name!r} is taken" + (" by a deleted user" if there.deleted_at else ""))
        _check_group(c, new.group)
        inviter = store.find(c, aff_code=new.inviter_code) if new.inviter_code else None
        if inviter is not None:
            store.update(c, inviter.id, _rewarded(inviter, new.invite_quota), seen=False)
        id = store.insert(
            c,
            {
                "name": new.name,
                "role": new.role,
                "group": new.group,
                "display_name": new.display_name or new.name,
                "email": new.email.lower(),
                "remark": new.remark,
                "quota": new.quota + (new.invitee_quota if inviter else 0),
                "unlimited": new.unlimited,
                "password_hash": hashed,
                "aff_code": _new_aff_code(c),
                "invited_by": inviter.id if inviter else 0,
                "created_at": now,
            },
        )
        audit.note(c, audit.Entry(now, who, "user.create", new.name, detail={"role": new.role, "group": new.group}))
        return _view(_by_id(c, id))


def change(db: Database, id: int, changes: Changes, *, who: str, now: float | None = None) -> UserView:
    """Change a user. One who is disabled has no session any more.

    Raises:
        NotFound: There is no such user, or no such group.
        Conflict: The new name is taken.
        CallerError: A name that is none; root disabled or demoted.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        record = _by_id(c, id)
        columns = {k: v for k, v in msgspec.structs.asdict(changes).items() if v is not None}
        columns = {k: v for k, v in columns.items() if v != getattr(record, k)}
        if not columns:
            return _view(record)
        if "name" in columns:
            _check_name(columns["name"])
            if store.find(c, name=columns["name"]) is not None:
                raise Conflict(f"The name {columns['name']!r} is taken")
        if "group" in columns:
            _check_group(c, columns["group"])
        if "email" in columns:
            columns["email"] = columns["email"].lower()
        if record.role == "root" and ("role" in columns or columns.get("state") == "disabled"):
            raise CallerError("Root can be neither demoted nor disabled", status=403, code="access_denied")
        if columns.get("state") == "disabled":
            columns["session_epoch"] = record.session_epoch + 1
        store.update(c, id, columns)
        if "name" in columns:
            for token in tokens.select(c, user_id=id):
                spec = replace(specs.decode(token.spec, TokenSpec, f"token {token.name!r}"), user=columns["name"])
                tokens.update(c, token.id, {"spec": specs.encode(spec)})
        said = {k: v for k, v in columns.items() if k != "session_epoch"}
        audit.note(c, audit.Entry(now, who, "user.set", record.name, detail=said))
        return _view(_by_id(c, id))


def set_password(db: Database, id: int, password: Secret, *, who: str, now: float | None = None) -> UserView:
    """Give a user a password; all sessions of before end.

    Raises:
        NotFound: There is no such user.
        CallerError: A password that is too short or too long.
    """
    now = time.time() if now is None else now
    hashed = _hashed(password)
    with db.writing() as c:
        record = _by_id(c, id)
        store.update(c, id, {"password_hash": hashed, "session_epoch": record.session_epoch + 1}, seen=False)
        audit.note(c, audit.Entry(now, who, "user.password", record.name))
        return _view(record)


def end_sessions(db: Database, id: int, *, who: str, now: float | None = None) -> UserView:
    """Sign a user out everywhere; the access token, and the password, go on working.

    Raises:
        NotFound: There is no such user.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        record = _by_id(c, id)
        store.update(c, id, {"session_epoch": record.session_epoch + 1}, seen=False)
        audit.note(c, audit.Entry(now, who, "user.logout", record.name))
        return _view(record)


def change_own_password(db: Database, id: int, old: Secret, new: Secret, *, now: float | None = None) -> UserView:
    """Give a user who knows the present password another one.

    Raises:
        WrongPassword: `old` is not the present one.
        CallerError: `new` is too short or too long.
    """
    with db.reading() as c:
        record = _by_id(c, id)
    if not sessions.password_matches(old, record.password_hash):
        raise WrongPassword("The original password is incorrect")
    return set_password(db, id, new, who=record.name, now=now)


def merge_setting(db: Database, id: int, values: Mapping[str, Any]) -> None:
    """Set what is in `values` among the user's own settings; the others stay.

    Raises:
        NotFound: There is no such user.
    """
    with db.writing() as c:
        setting = {**settings_of(_by_id(c, id).setting), **values}
        store.update(c, id, {"setting": msgspec.json.encode(setting).decode()}, seen=False)


def settings_of(setting: str) -> dict[str, Any]:
    """Return a user's own settings from their JSON; empty for what is none."""
    try:
        return msgspec.json.decode(setting, type=dict[str, Any]) if setting else {}
    except msgspec.DecodeError:
        return {}


def top_up(db: Database, id: int, quota: int, *, mode: Mode = "add", who: str, now: float | None = None) -> UserView:
    """Change what a user has left; a line in the log says so.

    Args:
        db: The database.
        id: The user's.
        quota: 500,000 are one US dollar.
        mode: `add`, `subtract`, or `override`, which sets it: an unlimited user is limited from then on.
        who: Who does it.
        now: Unix seconds.

    Raises:
        NotFound: There is no such user.
        CallerError: An amount that makes no sense, or more than there is to subtract.
    """
    now = time.time() if now is None else now
    _check_quota(quota)
    if mode != "override" and quota <= 0:
        raise CallerError("The amount has to be greater than 0")
    with db.writing() as c:
        record = _by_id(c, id)
        if mode == "override":
            store.update(c, id, {"quota": quota, "unlimited": False})
            text = f"{who} set the quota from {usd(record.quota)} to {usd(quota)}"
        elif mode == "add":
            store.add_quota(c, id, quota)
            text = f"{who} added {usd(quota)}"
        else:
            if record.quota < quota:
                raise CallerError(f"{record.name} has {usd(record.quota)} left, less than is to be subtracted")
            store.add_quota(c, id, -quota)
            text = f"{who} subtracted {usd(quota)}"
        audit.note(c, audit.Entry(now, who, "user.topup", record.name, detail={"mode": mode, "quota": quota}))
        log_line(db, record.id, record.name, "manage", text, now)
        return _view(_by_id(c, id))


def aff_code(db: Database, id: int) -> str:
    """Return the code by which a user invites others; made when there is none.

    Raises:
        NotFound: There is no such user.
    """
    with db.writing() as c:
        record = _by_id(c, id)
        if record.aff_code:
            return record.aff_code
        code = _new_aff_code(c)
        store.update(c, id, {"aff_code": code}, seen=False)
        return code


def transfer_reward(db: Database, id: int, quota: int, *, now: float | None = None) -> UserView:
    """Move what a user was given for inviting others to what can be spent.

    Raises:
        CallerError: There is not that much, or less than one US dollar is moved.
    """
    now = time.time() if now is None else now
    if quota < 500_000:
        raise CallerError(f"At least {usd(500_000)} can be transferred")
    with db.writing() as c:
        record = _by_id(c, id)
        if record.aff_quota < quota:
            raise CallerError(f"The reward left is {usd(record.aff_quota)}, less than {usd(quota)}")
        store.update(c, id, {"aff_quota": record.aff_quota - quota})
        store.add_quota(c, id, quota)
        audit.note(c, audit.Entry(now, record.name, "user.reward", record.name, detail={"quota": quota}))
        return _view(_by_id(c, id))


def delete(db: Database, id: int, *, hard: bool = False, who: str, now: float | None = None) -> UserView:
    """Delete a user, and return what it was.

    Args:
        db: The database.
        id: The user's.
        hard: Remove it with its tokens; otherwise it is marked, its tokens stop working and its name stays taken.
        who: Who does it.
        now: Unix seconds.

    Raises:
        NotFound: There is no such user.
        CallerError: It is root.
    """
    now = time.time() if now is None else now
    with db.writing() as c:
        record = store.find(c, id=id) if hard else _by_id(c, id)
        if record is None:
            raise _nobody(id)
        if record.role == "root":
            raise CallerError("Root cannot be deleted", status=403, code="access_denied")
        if hard:
            store.delete(c, id)
        else:
            gone = {"deleted_at": now, "state": "disabled", "access_token_hash": None, "aff_code": None}
            store.update(c, id, {**gone, "session_epoch": record.session_epoch + 1})
        audit.note(c, audit.Entry(now, who, "user.delete", record.name))
        return _view(record)


# -- signing in --------------------------------------------------------------------------------


class SignedIn(Struct, frozen=True):
    """Who signed in, and the number that the session is to carry."""

    user: UserView
    epoch: int


def sign_in(db: Database, login: str, password: Secret, *, now: float | None = None) -> SignedIn:
    """Return who signs in with a name, or an email, and a password.

    Raises:
        WrongPassword: Nobody does.
    """
    now = time.time() if now is None else now
    with db.reading() as c:
        record = store.find(c, name=login) or (store.find(c, email=login.lower()) if "@" in login else None)
    right = sessions.password_matches(password, record.password_hash if record else "")
    if not right or record is None or record.deleted_at or record.state != "enabled":
        raise WrongPassword("The name or the password is incorrect, or the user is disabled")
    columns: dict[str, Any] = {"last_login_at": now}
    if sessions.is_outdated(record.password_hash):
        columns["password_hash"] = sessions.hash_password(password)
    with db.writing() as c:
        store.update(c, record.id, columns, seen=False)
        audit.note(c, audit.Entry(now, record.name, "user.login", record.name))
    return SignedIn(_view(record), record.session_epoch)


def of_session(db: Database, session: sessions.Session) -> UserView | None:
    """Return whose session that is, None when it is over: the password was changed, the user disabled or deleted."""
    with db.reading() as c:
        record = store.find(c, id=session.user_id)
    if record is None or record.deleted_at or record.session_epoch != session.epoch:
        return None
    return _view(record)


def session_epoch(db: Database, id: int) -> int:
    """Return the number that a user's new session is to carry.

    Raises:
        NotFound: There is no such user.
    """
    with db.reading() as c:
        return _by_id(c, id).session_epoch


def new_access_token(db: Database, id: int, *, who: str, now: float | None = None) -> Secret:
    """Give a user an access token, in place of the one of before, and return it: it is not shown again.

    Raises:
        NotFound: There is no such user.
    """
    now = time.time() if now is None else now
    token = sessions.new_access_token()
    with db.writing() as c:
        record = _by_id(c, id)
        store.update(c, id, {"access_token_hash": sessions.hash_access_token(token.reveal())}, seen=False)
        audit.note(c, audit.Entry(now, who, "user.access-token", record.name))
    return token


def root(db: Database) -> UserView:
    """Return root, who is there from the beginning.

    Raises:
        NotFound: Somebody took it out of the database.
    """
    with db.reading() as c:
        found = store.search(c, UserFilter(role="root", deleted=False))
    if not found:
        raise NotFound("There is no root in the database")
    return _view(found[0])


def of_access_token(db: Database, token: str) -> UserView | None:
    """Return whose access token that is, None when it is nobody's."""
    with db.reading() as c:
        record = store.find(c, access_token_hash=sessions.hash_access_token(token))
    return None if record is None or record.deleted_at else _view(record)


# -- rules ---------------------------------------------------------------------------------------


def check_may_manage(role: str, target: UserView) -> None:
    """Refuse somebody with `role` who is to change `target`: root may change all, others those below them.

    Raises:
        CallerError: 403.
    """
    if role != "root" and RANK[role] <= RANK[target.role]:
        raise CallerError("No permission: this user has the same role, or a higher one", status=403)


def quota_of(amount: Decimal) -> int:
    """Return US dollars as quota, rounded half up."""
    return int((amount * QUOTA_PER_USD).to_integral_value(ROUND_HALF_UP))


def log_line(db: Database, user_id: int, name: str, kind: str, text: str, now: float) -> None:
    """Write a line of the log that is no request: a top-up, an administrator's change."""
    record = store_ledger.UsageRecord(
        request_id=f"{kind}-{secrets.token_hex(12)}",
        created_at=now,
        kind=kind,
        user_id=user_id,
        user_name=name,
        error=text,
    )
    store_ledger.write_record(db, record)


def _by_id(c: Connection, id: int) -> UserRecord:
    record = store.find(c, id=id)
    if record is None or record.deleted_at:
        raise _nobody(id)
    return record


def _nobody(id: int) -> NewapiError:
    return NotFound(f"There is no user {id}")


def _check_name(name: str) -> None:
    if not name or name != name.strip() or len(name) > NAME_LENGTH or not name.isprintable():
        raise CallerError(f"A name has 1 to {NAME_LENGTH} printable characters, and no space around it")


def _hashed(password: Secret | None) -> str:
    if password is None:
        return ""
    least, most = sessions.PASSWORD_LENGTHS
    if not least <= len(password.reveal()) <= most:
        raise CallerError(f"A password has {least} to {most} characters")
    return sessions.hash_password(password)


def _check_quota(quota: int) -> None:
    if abs(quota) > MAX_QUOTA:
        raise CallerError(f"A quota is at most {MAX_QUOTA}")


def _check_group(c: Connection, group: str) -> None:
    if group not in (known := ["default", *store.group_names(c)]):
        raise NotFound(f"There is no group {group!r}{did_you_mean(group, known)}")


def _rewarded(inviter: UserRecord, quota: int) -> dict[str, int]:
    return {
        "aff_count": inviter.aff_count + 1,
        "aff_quota": inviter.aff_quota + quota,
        "aff_history": inviter.aff_history + quota,
    }


def _new_aff_code(c: Connection) -> str:
    while True:
        code = "".join(secrets.choice(_AFF_ALPHABET) for _ in range(_AFF_LENGTH))
        if store.find(c, aff_code=code) is None:
            return code


def _view(record: UserRecord) -> UserView:
    state: State = "disabled" if record.state != "enabled" else "enabled"
    return UserView(
        id=record.id,
        name=record.name,
        display_name=record.display_name,
        email=record.email,
        role=record.role,
        group=record.group,
        state="deleted" if record.deleted_at else state,
        quota=record.quota,
        used=record.used_quota,
        requests=record.requests,
        unlimited=record.unlimited,
        remark=record.remark,
        created_at=record.created_at,
        last_login_at=record.last_login_at,
        deleted_at=record.deleted_at,
        has_password=bool(record.password_hash),
        aff_code=record.aff_code,
        aff_count=record.aff_count,
        aff_quota=record.aff_quota,
        aff_history=record.aff_history,
        invited_by=record.invited_by,
        setting=record.setting,
    )
