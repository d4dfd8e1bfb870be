"""Users: found by name, made, changed and deleted."""

from __future__ import annotations

from msgspec import Struct

from newapi.base.secret import Secret
from newapi.ops import users
from newapi.ops.local import Local
from newapi.ops.users import Changes, Mode, NewUser, UserView
from newapi.store.users import UserFilter


class ListUsers(Struct, frozen=True):
    """List users."""

    wanted: UserFilter

    def run(self, local: Local, who: str) -> list[UserView]:
        """Do `ops.users.list_users`."""
        return users.list_users(local.db, self.wanted)[0]


class ShowUser(Struct, frozen=True):
    """Answer one user by the name, or the id."""

    name: str

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.get`."""
        return users.get(local.db, self.name)


class CreateUser(Struct, frozen=True):
    """Make a user."""

    new: NewUser

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.create`."""
        return users.create(local.db, self.new, who=who)


class ChangeUser(Struct, frozen=True):
    """Change a user; what is not said stays."""

    name: str
    changes: Changes

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.change`."""
        return users.change(local.db, users.get(local.db, self.name).id, self.changes, who=who)


class SetPassword(Struct, frozen=True):
    """Give a user a password; who is signed in is signed out."""

    name: str
    password: Secret

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.set_password`."""
        return users.set_password(local.db, users.get(local.db, self.name).id, self.password, who=who)


class EndSessions(Struct, frozen=True):
    """Sign a user out everywhere."""

    name: str

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.end_sessions`."""
        return users.end_sessions(local.db, users.get(local.db, self.name).id, who=who)


class TopUp(Struct, frozen=True):
    """Change what a user may spend, in quota."""

    name: str
    quota: int
    mode: Mode = "add"

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.top_up`."""
        return users.top_up(local.db, users.get(local.db, self.name).id, self.quota, mode=self.mode, who=who)


class DeleteUser(Struct, frozen=True):
    """Delete a user; `purge` removes the tokens, too, and frees the name."""

    name: str
    purge: bool = False

    def run(self, local: Local, who: str) -> UserView:
        """Do `ops.users.delete`."""
        return users.delete(local.db, users.get(local.db, self.name).id, hard=self.purge, who=who)


class NewAccessToken(Struct, frozen=True):
    """Give a user another access token for the management API, and answer it this once."""

    name: str

    def run(self, local: Local, who: str) -> Secret:
        """Do `ops.users.new_access_token`."""
        return users.new_access_token(local.db, users.get(local.db, self.name).id, who=who)


OPERATIONS = (
    *(ListUsers, ShowUser, CreateUser, ChangeUser, DeleteUser),
    *(SetPassword, EndSessions, TopUp, NewAccessToken),
)
