"""What was used, one request, models and their prices, groups: nothing here changes anything."""

from __future__ import annotations

from msgspec import Struct

from newapi.billing.quote import Call
from newapi.ir.usage import Usage
from newapi.ops import groups, models, route, trace, usage
from newapi.ops.groups import GroupView
from newapi.ops.local import Local
from newapi.ops.models import ModelView, Quotation
from newapi.ops.route import Routed
from newapi.ops.trace import Trace
from newapi.ops.usage import By, UsageSum
from newapi.store.ledger import RecordFilter


class SumUsage(Struct, frozen=True):
    """Sum up what was used."""

    wanted: RecordFilter
    by: tuple[By, ...] = ()
    limit: int = 0

    def run(self, local: Local, who: str) -> list[UsageSum]:
        """Do `ops.usage.usage`."""
        return usage.usage(local.db, self.wanted, self.by, limit=self.limit)


class TraceRequest(Struct, frozen=True):
    """Take one request apart: by its id, or that of its line of the log."""

    id: str

    def run(self, local: Local, who: str) -> Trace:
        """Do `ops.trace.trace`."""
        return trace.trace(local.db, self.id)


class ListModels(Struct, frozen=True):
    """List models: those that channels serve, or that a token may call."""

    token: str = ""
    unpriced: bool = False

    def run(self, local: Local, who: str) -> list[ModelView]:
        """Do `ops.models.list_models`."""
        return models.list_models(local.db, token=self.token, unpriced=self.unpriced)


class ShowModel(Struct, frozen=True):
    """Answer one model, with the prices that `group` pays."""

    name: str
    group: str = ""

    def run(self, local: Local, who: str) -> ModelView:
        """Do `ops.models.get`."""
        return models.get(local.db, self.name, group=self.group)


class QuotePrice(Struct, frozen=True):
    """Say what a request would cost."""

    model: str
    usage: Usage
    group: str = "default"
    call: Call | None = None

    def run(self, local: Local, who: str) -> Quotation:
        """Do `ops.models.price`."""
        return models.price(local.db, self.model, self.usage, group=self.group, call=self.call)


class ListGroups(Struct, frozen=True):
    """List the groups."""

    def run(self, local: Local, who: str) -> list[GroupView]:
        """Do `ops.groups.list_groups`."""
        return groups.list_groups(local.db)


class ShowGroup(Struct, frozen=True):
    """Answer one group."""

    name: str

    def run(self, local: Local, who: str) -> GroupView:
        """Do `ops.groups.get`."""
        return groups.get(local.db, self.name)


class ExplainRoute(Struct, frozen=True):
    """Say where requests for a model go, and why."""

    model: str
    group: str = ""
    token: str = ""
    conversation: str = ""

    def run(self, local: Local, who: str) -> Routed:
        """Do `ops.route.route`."""
        return route.route(local, self.model, group=self.group, token=self.token, conversation=self.conversation)


OPERATIONS = (SumUsage, TraceRequest, ListModels, ShowModel, QuotePrice, ListGroups, ShowGroup, ExplainRoute)
