"""Users: signing in, one's own account, and what administrators do with others'."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from litestar.handlers import HTTPRouteHandler
from msgspec import UNSET, Struct, UnsetType

from newapi.base.errors import CallerError
from newapi.base.secret import Secret
from newapi.ops import users
from newapi.ops.users import RANK, Changes, NewUser, UserView, WrongPassword
from newapi.server.routes.admin import groups
from newapi.server.routes.admin.auth import Call, Door, Refused, Reply
from newapi.server.runtime import Runtime
from newapi.store.users import UserFilter

_ROLES = {number: role for role, number in RANK.items()}
_STATUS = {"enabled": 1, "disabled": 2, "deleted": 2}
_STATES: dict[str, Literal["enabled", "disabled"]] = {"1": "enabled", "2": "disabled"}
_EXTERNAL = ("github_id", "discord_id", "oidc_id", "wechat_id", "telegram_id", "linux_do_id", "stripe_customer")
"""Accounts elsewhere that New API knows of a user."""
_ACTIONS = ("read", "operate", "write", "sensitive_write", "secret_view")
"""What may be done with channels; an administrator may do the first three."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    return [
        door.post("/api/user/login", login, body=_Login),
        door.get("/api/user/logout", logout),
        door.post("/api/user/register", register, body=_Registration),
        door.get("/api/user/self", show_self, "user"),
        door.put("/api/user/self", change_self, "user", body=_Self),
        door.delete("/api/user/self", delete_self, "user"),
        door.get("/api/user/token", new_token, "user"),
        door.post("/api/user/token", new_token, "user"),
        door.put("/api/user/setting", change_setting, "user", body=_Notify),
        door.get("/api/user/aff", aff_code, "user"),
        door.post("/api/user/aff_transfer", aff_transfer, "user", body=_Quota),
        door.get("/api/user/models", models, "user", query="group"),
        door.get("/api/user", list_all, "admin", query="p page_size ps size"),
        door.get("/api/user/search", search, "admin", query="p page_size ps size keyword group role status"),
        door.get("/api/user/{id:str}", show, "admin"),
        door.post("/api/user", create, "admin", body=_New),
        door.put("/api/user", change, "admin", body=_Change),
        door.post("/api/user/manage", manage, "admin", body=_Manage),
        door.delete("/api/user/{id:str}", delete, "admin"),
    ]


# -- signing in ----------------------------------------------------------------------------------


class _Login(Struct):
    username: str
    password: str


def login(call: Call) -> Reply:
    """Sign in with a name (or an email) and a password; the answer sets the session's cookie.

    Failures are counted by address, successes are not: too many answer 429.
    """
    body = call.read(_Login)
    name = body.username.strip()
    if not name or not body.password:
        raise CallerError("Invalid parameters: a name and a password are needed")
    failures = call.door.failures
    if wait := failures.wait(call.address, call.now):
        raise Refused(f"Too many failed logins: try again in {wait:.0f} seconds", status=429, retry_after=wait)
    if call.door.option("PasswordLoginEnabled") != "true":
        raise CallerError("The administrator has turned off signing in with a password")
    try:
        signed_in = users.sign_in(call.db, name, Secret(body.password), now=call.now)
    except WrongPassword:
        failures.add(call.address, call.now)
        raise
    cookie = call.door.session_cookie(signed_in.user.id, signed_in.epoch, call.now)
    return Reply(_brief(signed_in.user), cookies=(cookie,))


def logout(call: Call) -> Reply:
    """Sign out: the answer takes the session's cookie away."""
    return Reply(cookies=(call.door.no_cookie(),))


class _Registration(Struct):
    username: str
    password: str
    email: str = ""
    aff_code: str = ""


def register(call: Call) -> None:
    """Make an account for oneself, where the administrator lets strangers do so."""
    body = call.read(_Registration)
    for name in ("RegisterEnabled", "PasswordRegisterEnabled"):
        if call.door.option(name) != "true":
            raise CallerError("The administrator has turned off registration")
    invited = call.door.option("QuotaForInvitee")
    invite = call.runtime.gateway.snapshot.billing.invite_quota
    new = NewUser(
        name=body.username.strip(),
        password=Secret(body.password),
        quota=_starting_quota(call),
        inviter_code=body.aff_code,
        invite_quota=users.quota_of(invite),
        invitee_quota=int(invited) if invited.isdecimal() else 0,
    )
    users.create(call.db, new, who=new.name, now=call.now)


# -- one's own account ---------------------------------------------------------------------------


def show_self(call: Call) -> dict[str, Any]:
    """Return the account of whoever asks."""
    user = call.asker
    setting = users.settings_of(user.setting)
    own = {k: v for k, v in _row(user).items() if k not in ("DeletedAt", "created_at", "last_login_at", "remark")}
    return {
        **own,
        "setting": user.setting,
        "sidebar_modules": setting.get("sidebar_modules", ""),
        "stripe_customer": "",
        "permissions": {
            "admin_permissions": {"channel": _channel_permissions(user)},
            "sidebar_settings": user.role != "root",
            "sidebar_modules": {}
            if user.role == "root"
            else {"admin": {"setting": False} if user.role == "admin" else False},
        },
    }


class _Self(Struct):
    username: str = ""
    display_name: str = ""
    password: str = ""
    original_password: str = ""
    sidebar_modules: str | UnsetType = UNSET
    language: str | UnsetType = UNSET


def change_self(call: Call) -> Reply:
    """Change one's own name, displayed name or password (which needs the present one), side bar or language."""
    body, user = call.read(_Self), call.asker
    chosen = {"sidebar_modules": body.sidebar_modules, "language": body.language}
    chosen = {k: v for k, v in chosen.items() if v is not UNSET}
    if chosen:
        users.merge_setting(call.db, user.id, chosen)
        return Reply(message="Update successful")
    changes = Changes(name=body.username.strip() or None, display_name=body.display_name or None)
    cookies = ()
    if body.password:
        old, new = Secret(body.original_password), Secret(body.password)
        users.change_own_password(call.db, user.id, old, new, now=call.now)
        # The other sessions end; this one goes on.
        cookies = (call.door.session_cookie(user.id, users.session_epoch(call.db, user.id), call.now),)
    users.change(call.db, user.id, changes, who=user.name, now=call.now)
    return Reply(cookies=cookies)


def delete_self(call: Call) -> Reply:
    """Delete one's own account; root's stays."""
    users.delete(call.db, call.asker.id, who=call.asker.name, now=call.now)
    return Reply(cookies=(call.door.no_cookie(),))


def new_token(call: Call) -> str:
    """Return a new access token, in place of the one of before: it is not shown again."""
    return users.new_access_token(call.db, call.asker.id, who=call.asker.name, now=call.now).reveal()


class _Notify(Struct):
    notify_type: Literal["email", "webhook", "bark", "gotify"] = "email"
    quota_warning_threshold: float | UnsetType = UNSET
    notification_email: str | UnsetType = UNSET
    webhook_url: str | UnsetType = UNSET
    webhook_secret: str | UnsetType = UNSET
    bark_url: str | UnsetType = UNSET
    gotify_url: str | UnsetType = UNSET
    gotify_token: str | UnsetType = UNSET
    gotify_priority: int | UnsetType = UNSET
    upstream_model_update_notify_enabled: bool | UnsetType = UNSET
    accept_unset_model_ratio_model: bool | UnsetType = UNSET
    record_ip_log: bool | UnsetType = UNSET
    language: str | UnsetType = UNSET


def change_setting(call: Call) -> Reply:
    """Change one's own settings; what is left out stays as it is."""
    body = call.read(_Notify)
    values: dict[str, Any] = msgspec.to_builtins(body)
    if isinstance(body.quota_warning_threshold, float) and body.quota_warning_threshold <= 0:
        raise CallerError("quota_warning_threshold has to be greater than 0")
    for name in ("webhook_url", "bark_url", "gotify_url"):
        url = values.get(name, "")
        if url and not url.startswith(("http://", "https://")):
            raise CallerError(f"{name} has to begin with http:// or https://")
    users.merge_setting(call.db, call.asker.id, values)
    return Reply(message="Settings updated")


def aff_code(call: Call) -> str:
    """Return the code that others give when they register, so that whoever asks is their inviter."""
    return users.aff_code(call.db, call.asker.id)


class _Quota(Struct):
    quota: int


def aff_transfer(call: Call) -> None:
    """Move a part of the reward for inviting others to one's own quota."""
    users.transfer_reward(call.db, call.asker.id, call.read(_Quota).quota, now=call.now)


def models(call: Call) -> list[str]:
    """Return the models that whoever asks may call: in one group, or in all that a token of theirs may have."""
    snapshot = call.runtime.gateway.snapshot
    usable = groups.usable(snapshot, call.asker.group)
    wanted = call.query.get("group", "")
    names = [g for g in usable if not wanted or g == wanted]
    return sorted({model for name in names for model in snapshot.models_of(name)})


# -- administrators --------------------------------------------------------------------------------


def list_all(call: Call) -> dict[str, Any]:
    """Return a page of all users, the latest first; deleted ones among them."""
    return _page(call, UserFilter())


def search(call: Call) -> dict[str, Any]:
    """Return a page of the users who match `keyword`, `group`, `role` and `status` (-1: the deleted ones)."""
    query = call.query
    role, status = query.get("role", ""), query.get("status", "")
    if role and (not role.isdecimal() or len(role) > 3 or int(role) not in _ROLES):
        raise CallerError(f"Invalid parameters: there is no role {role[:40]!r}")
    wanted = UserFilter(
        keyword=query.get("keyword", ""),
        group=query.get("group") or None,
        role=_ROLES[int(role)] if role else None,
        state=_STATES.get(status),
        deleted={"": None, "-1": True}.get(status, False),
    )
    return _page(call, wanted)


def show(call: Call) -> dict[str, Any]:
    """Return one user, whom whoever asks may manage."""
    user = _target(call, call.id())
    return {**_row(user), "setting": user.setting, "admin_permissions": {"channel": _channel_permissions(user)}}


class _New(Struct):
    username: str
    password: str
    display_name: str = ""
    role: int = 1
    email: str = ""
    group: str = "default"
    remark: str = ""


def create(call: Call) -> None:
    """Make a user, with a role below that of whoever asks."""
    body = call.read(_New)
    role = _ROLES.get(body.role or 1)
    if role is None:
        raise CallerError(f"Invalid parameters: there is no role {body.role}")
    if RANK[role] >= RANK[call.asker.role]:
        raise CallerError("Cannot create users with the same role as yours, or a higher one")
    new = NewUser(
        name=body.username.strip(),
        password=Secret(body.password),
        role="admin" if role == "admin" else "user",
        group=body.group or "default",
        display_name=body.display_name,
        email=body.email,
        remark=body.remark,
        quota=_starting_quota(call),
    )
    users.create(call.db, new, who=call.asker.name, now=call.now)


class _Change(Struct):
    id: int
    username: str | None = None
    display_name: str | None = None
    group: str | None = None
    remark: str | None = None
    email: str | None = None
    password: str | None = None
    role: int = 0


def change(call: Call) -> None:
    """Change a user's names, group, remark or password; what is left out stays as it is."""
    body = call.read(_Change)
    user = _target(call, body.id)
    if body.role and body.role != RANK[user.role]:
        raise CallerError("Invalid parameters: a role is changed with promote and demote")
    changes = Changes(
        name=body.username.strip() if body.username else None,
        display_name=body.display_name,
        group=body.group or None,
        remark=body.remark,
        email=body.email,
    )
    users.change(call.db, user.id, changes, who=call.asker.name, now=call.now)
    if body.password:
        users.set_password(call.db, user.id, Secret(body.password), who=call.asker.name, now=call.now)


class _Manage(Struct):
    id: int
    action: Literal["enable", "disable", "delete", "promote", "demote", "add_quota"]
    mode: users.Mode = "add"
    value: int = 0


def manage(call: Call) -> dict[str, Any] | None:
    """Enable, disable, delete, promote or demote a user, or change what they have left."""
    body, who = call.read(_Manage), call.asker.name
    user = _target(call, body.id)
    match body.action:
        case "enable":
            user = users.change(call.db, user.id, Changes(state="enabled"), who=who, now=call.now)
        case "disable":
            user = users.change(call.db, user.id, Changes(state="disabled"), who=who, now=call.now)
        case "promote":
            if call.asker.role != "root":
                raise CallerError("Only root can promote users")
            if user.role != "user":
                raise CallerError("This user is an administrator already")
            user = users.change(call.db, user.id, Changes(role="admin"), who=who, now=call.now)
        case "demote":
            if user.role == "user":
                raise CallerError("This user is a common user already")
            user = users.change(call.db, user.id, Changes(role="user"), who=who, now=call.now)
        case "add_quota":
            users.top_up(call.db, user.id, body.value, mode=body.mode, who=who, now=call.now)
            return None
        case "delete":
            users.delete(call.db, user.id, who=who, now=call.now)
            return None
    return {"role": RANK[user.role], "status": _STATUS[user.state]}


def delete(call: Call) -> None:
    """Delete a user for good, with the tokens; the log stays."""
    user = users.find(call.db, call.id(), deleted=True)
    users.check_may_manage(call.asker.role, user)
    users.delete(call.db, user.id, hard=True, who=call.asker.name, now=call.now)


# -- shapes ----------------------------------------------------------------------------------------


def _target(call: Call, id: int) -> UserView:
    user = users.find(call.db, id)
    users.check_may_manage(call.asker.role, user)
    return user


def _page(call: Call, wanted: UserFilter) -> dict[str, Any]:
    page = call.page()
    found, total = users.list_users(call.db, wanted, limit=page.size, offset=page.offset, latest_first=True)
    return page.of([_row(user) for user in found], total)


def _starting_quota(call: Call) -> int:
    return users.quota_of(call.runtime.gateway.snapshot.billing.new_user_quota)


def _brief(user: UserView) -> dict[str, Any]:
    return {
        "id": user.id,
        "username": user.name,
        "display_name": user.display_name,
        "role": RANK[user.role],
        "status": _STATUS[user.state],
        "group": user.group,
    }


def _row(user: UserView) -> dict[str, Any]:
    deleted_at = None
    if user.deleted_at:
        deleted_at = datetime.fromtimestamp(user.deleted_at, UTC).isoformat(timespec="seconds")
    return {
        **_brief(user),
        "email": user.email,
        **dict.fromkeys(_EXTERNAL, ""),
        "quota": user.quota,
        "used_quota": user.used,
        "request_count": user.requests,
        "aff_code": user.aff_code,
        "aff_count": user.aff_count,
        "aff_quota": user.aff_quota,
        "aff_history_quota": user.aff_history,
        "inviter_id": user.invited_by,
        "remark": user.remark,
        "created_at": int(user.created_at),
        "last_login_at": int(user.last_login_at),
        "DeletedAt": deleted_at,
    }


def _channel_permissions(user: UserView) -> dict[str, bool]:
    granted = {"user": (), "admin": _ACTIONS[:3], "root": _ACTIONS}[user.role]
    return {action: action in granted for action in _ACTIONS}
