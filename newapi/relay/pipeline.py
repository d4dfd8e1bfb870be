"""The path of one request, from the bytes that came in to the bytes that go out. Read this first.

peek      what is asked, without parsing the rest          formats
admit     who asks, and may they                           relay.admit
price     what it costs, and an estimate is reserved       billing, relay.ledger
route     which channel next, until one answers            relay.route
prepare   what to send to it                               relay.attempt
perform   send, and wait for the head of the answer        net
pump      its answer into the caller's                     relay.pump
settle    charge, log; or release                          relay.settle

What goes out to the caller besides the pieces of a stream is `relay.outgoing`'s.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from decimal import Decimal

from msgspec.structs import replace

from newapi.base.body import unreadable
from newapi.base.errors import CallerError, NewapiError, NoChannel, UpstreamError
from newapi.base.mask import mask
from newapi.billing.estimate import TextCounter, count_body_fast, count_request, count_text, reserve_amount
from newapi.billing.price import Price
from newapi.formats.contract import Peek, WriterOptions
from newapi.ir.request import Request
from newapi.ir.usage import Usage
from newapi.net.client import ERROR_LIMIT, Reply
from newapi.relay.admit import admit, check_model
from newapi.relay.affinity import answer_before, answer_kept, conversation_of
from newapi.relay.attempt import Attempts
from newapi.relay.failover import Candidate, Failover
from newapi.relay.gateway import Gateway
from newapi.relay.limits import Holder
from newapi.relay.metering import final_usage
from newapi.relay.outgoing import Outgoing, content_type, is_json, is_text, passed_on
from newapi.relay.pump import PLAIN_LIMIT, Answer, Broken
from newapi.relay.retry import wait_of
from newapi.relay.route import Preferred
from newapi.relay.settle import Outcome, call_of, settle
from newapi.relay.snapshot import Channel, Snapshot
from newapi.relay.values import Caller, EndReason, Ingress, Meter, Order, Prepared, Sink, Try

STOPPING = "stopping"
"""What a request is cancelled with when the server cannot wait for it any longer: its caller is still there."""
_KEEPS = "openai_responses"
"""The format whose upstreams keep answers, for a request that goes on from one."""
_DRAIN_SECONDS = 0.1
"""How long a connection may take to end after the stream on it has ended, and still be used again."""

log = logging.getLogger("newapi")


async def relay(ingress: Ingress, gateway: Gateway, sink: Sink) -> None:
    """Answer one request into `sink`, and charge for it.

    Whatever goes wrong is told in the caller's own format. Cancelling (the caller hung up) stops the upstream call and
    charges for what arrived.
    """
    run = _Run(ingress, gateway, sink)
    try:
        await run.go()
    except NewapiError as error:
        await run.refuse(error)
    except asyncio.CancelledError as cancelled:
        if cancelled.args != (STOPPING,):
            raise
        run.end = "stopped"
        await run.refuse(NewapiError("The server is being stopped: ask again", status=503, code="server_stopping"))
    except Exception as error:
        reason = unreadable(ingress.body) if isinstance(error, RecursionError | UnicodeDecodeError) else None
        if reason is None:
            run.broke()
            raise
        await run.refuse(reason)
    finally:
        run.finish()


class _Run:
    """One request under way."""

    def __init__(self, ingress: Ingress, gateway: Gateway, sink: Sink) -> None:
        self.ingress = ingress
        self.gateway = gateway
        self.loop = asyncio.get_running_loop()
        self.snapshot = gateway.snapshot
        """What was in force when it came: what is applied meanwhile is for those that come after it."""
        self.sink = sink
        self.out = Outgoing(ingress, gateway, sink)
        self.order: Order | None = None
        self.entered = False
        self.end: EndReason = "client_gone"
        """How it ended, if it is not done: nobody but a caller ends a request without saying so."""
        self.attempts: Attempts | None = None
        self.tries: list[Try] = []
        self.began = 0.0
        self.began_at = 0.0
        """When the last attempt began: on the event loop's clock, and unix seconds."""
        self.arrived = time.monotonic()  # an event loop's own clock may stand still for a millisecond, and for a turn
        self.waited = 0.0
        """Seconds in which upstreams were waited for, until the head of an answer came."""
        self.overhead: float | None = None
        """Seconds that the gateway itself took before the answer began; None where none did."""
        self.rough: int | None = None
        """`_rough_prompt`, once it is counted."""
        self.conversation: str | None = None
        """What the client calls the conversation; None until somebody asks."""
        self.prepared: Prepared | None = None
        self.meter: Meter | None = None
        self.status = 499
        self.error = ""
        self.answered = False
        """Whether an upstream served something that is to be charged."""
        self.ended = False
        """Whether the answer arrived whole."""
        self.asked: tuple[Channel, int] | None = None
        """The channel and the key of the last attempt."""
        self.finished = False

    async def go(self) -> None:
        ingress, gateway = self.ingress, self.gateway
        snapshot = self.snapshot
        entry = ingress.format
        caller = admit(snapshot, ingress.headers, ingress.params.get("key", ""), ingress.peer, gateway.clock())
        peek = entry.peek(ingress.body, ingress.params)
        check_model(caller, peek.model)
        price = snapshot.prices.find(peek.model)
        if caller.channel_id is None and not self._is_served(caller, peek.model):
            raise self._unserved(caller, peek.model)
        if price is None:
            raise CallerError(
                f"Model {peek.model} has no price: the operator sets one under [models.{peek.model!r}]",
                code="model_price_error",
                type="new_api_error",
            )
        if entry.write_count is not None and not self._asked_upstream(caller, peek):
            await self._count(peek)
            return
        amount = self._amount(price, peek, max(c.group_ratio for c in caller.in_groups()))
        if holders := _holders(caller, snapshot):
            tokens = self._rough_prompt() + peek.max_output
            self.out.standing = await gateway.limiter.enter(ingress.request_id, holders, tokens, amount)
            self.entered = True
        reservation = await gateway.ledger.obtain(caller, 0 if self._free() else amount)
        self.order = Order(ingress, peek, caller, price, reservation)
        self.attempts = Attempts(ingress, peek.model, peek.stream)
        await self._until_answered(peek)

    def _is_served(self, caller: Caller, model: str) -> bool:
        """Return whether there is a channel for a model, or for what it falls back to."""
        snapshot = self.snapshot
        models = (model, *snapshot.fallbacks.get(model, ()))
        return any(snapshot.route(c.group, m) for m in models for c in caller.in_groups())

    def _unserved(self, caller: Caller, model: str) -> NewapiError:
        """Return what is told of a model without a channel.

        Who asks for a model that exists may ask again soon. New API says 503 of every name; with it clients go on for
        minutes with one that was only mistyped: vendors say 404.
        """
        group = caller.list_name or caller.group
        if any(self.snapshot.is_away(c.group, model) for c in caller.in_groups()):
            return NoChannel(f"No available channel for model {model} under group {group}")
        return CallerError(
            f"The model {model} does not exist: no channel has it under group {group}",
            status=404,
            code="model_not_found",
            param="model",
        )

    def _amount(self, price: Price, peek: Peek, group_ratio: Decimal) -> int:
        """Return the quota to set aside for an answer at a price."""
        call = call_of(self.ingress, peek, None)
        return reserve_amount(price, self._rough_prompt(), peek.max_output, group_ratio=group_ratio, call=call)

    def _free(self) -> bool:
        """Return whether this endpoint costs nothing: the vendors do not charge for counting."""
        return self.ingress.route.endpoint == "count_tokens"

    def _asked_upstream(self, caller: Caller, peek: Peek) -> bool:
        """Return whether a channel's upstream can answer at this endpoint."""
        endpoint = self.ingress.route.endpoint
        snapshot = self.snapshot
        tiers = (tier for c in caller.in_groups() for tier in snapshot.route(c.group, peek.model))
        return any(self.ingress.format.name in c.provider.speaks.get(endpoint, {}) for tier in tiers for c in tier)

    async def _count(self, peek: Peek) -> None:
        """Answer a question for the number of tokens ourselves: an estimate, and free."""
        self.attempts = Attempts(self.ingress, peek.model, stream=False)
        await self.out.counted(self._prompt_tokens())

    async def _until_answered(self, peek: Peek) -> None:
        """Ask one channel after the other until one answers.

        Raises:
            NewapiError: What the last one said, when none did.
        """
        assert self.order is not None  # noqa: S101
        gateway, asked = self.gateway, self.order
        failover = Failover(
            gateway,
            self.snapshot,
            asked.caller,
            peek.model,
            stream=peek.stream,
            request_id=self.ingress.request_id,
            tokens=self._rough_prompt() + peek.max_output,
            prefers=self._prefers,
        )
        while (candidate := await failover.next()) is not None:
            order = self.order
            took: int | None = 0
            try:
                same = candidate.model == order.peek.model and candidate.caller is order.caller
                if not same and not await self._turn_to(candidate, asked):
                    failover.skip(candidate)
                    continue
                channel, key = self.asked = candidate.channel, candidate.key
                self.began = self.loop.time()
                self.began_at = gateway.clock()
                gateway.figures.began(channel.id)
                try:
                    await self._attempt(channel, key, peek, failover.left())
                except NewapiError as error:
                    self._note(channel, key, error)
                    failover.failed(candidate, error, begun=self.sink.started and self.answered)
                else:
                    failover.close()
                    return
                finally:
                    gateway.figures.ended(channel.id)
                    if self.answered:
                        took = (self.meter.usage.total if self.meter is not None else 0) or None
            finally:  # whatever happened, and wherever the caller hung up
                failover.leave(candidate, took)
        if not self.answered:  # then what the log says is what was asked for
            self.order = replace(asked, reservation=self.order.reservation)
        raise failover.verdict()

    async def _turn_to(self, candidate: Candidate, asked: Order) -> bool:
        """Go on with another model or group; return False where its price is not known, or not to be had."""
        assert self.order is not None  # noqa: S101
        assert self.attempts is not None  # noqa: S101
        order = self.order
        model, caller = candidate.model, candidate.caller
        if model != order.peek.model:
            price = self.snapshot.prices.find(model)
            if price is None:
                return False
            amount = self._amount(price, order.peek, caller.group_ratio)
            try:
                reservation = await self.gateway.ledger.obtain(caller, 0 if self._free() else amount)
            except CallerError as error:
                log.info("request %s does not fall back to %s: %s", self.ingress.request_id, model, error.message)
                return False
            self.gateway.ledger.release(order.reservation)
            self.attempts.ask_for(model)
            said = asked.peek.model if model != asked.peek.model else ""
            self.out.model = model if said else ""
            order = replace(
                order, peek=replace(order.peek, model=model), price=price, reservation=reservation, asked_model=said
            )
        self.order = replace(order, caller=caller)
        return True

    def _prefers(self, caller: Caller, model: str) -> Preferred | None:
        """Return who has served the conversation that this request belongs to."""
        if not self.snapshot.routing.affinity:
            return None
        if self.conversation is None:
            self.conversation = conversation_of(self.ingress.headers, self.ingress.body)
        find, user, now = self.gateway.affinity.find, caller.user.id, self.gateway.clock()
        before = answer_before(self.ingress.body) if self.ingress.format.name == _KEEPS else ""
        if before and (keeps := find((user, model, before), now)) is not None:
            return keeps
        return find((user, model, self.conversation), now) if self.conversation else None

    def _remember_answer(self, channel: Channel, key: int, body: bytes) -> None:
        """Note who keeps an answer, for a request that goes on from it."""
        assert self.order is not None  # noqa: S101
        assert self.meter is not None  # noqa: S101
        gateway, order = self.gateway, self.order
        keep = self.snapshot.routing.affinity
        if not keep or self.prepared is None or self.ingress.format.name != _KEEPS:
            return
        if self.prepared.upstream.name != _KEEPS:
            return  # nobody keeps an answer that was translated
        tiers = self.snapshot.route(order.caller.group, order.peek.model)
        if not any(len(tier) > 1 or any(len(c.keys) > 1 for c in tier) for tier in tiers):
            return  # nothing to choose
        if kept := answer_kept(self.ingress.body, body, self.meter.id):
            place = (order.caller.user.id, order.peek.model, kept)
            gateway.affinity.served(place, channel.id, channel.prints[key], gateway.clock() + keep)

    def _note(self, channel: Channel, key: int, error: NewapiError | None) -> None:
        assert self.order is not None  # noqa: S101
        ms = round((self.loop.time() - self.began) * 1000)
        gateway, order, position = self.gateway, self.order, channel.positions[key]
        model = order.peek.model
        other = model if order.asked_model else ""
        group = order.caller.group if order.caller.listed else ""
        if error is None:
            if self.conversation:
                until = gateway.clock() + self.snapshot.routing.affinity
                gateway.affinity.served(
                    (order.caller.user.id, model, self.conversation), channel.id, channel.prints[key], until
                )
            gateway.health.succeeded(channel, key, model, self.began_at)
            gateway.tally.attempted(channel.id)
            self.tries.append(Try(channel.name, channel.id, position, ms, self.status, model=other, group=group))
            if self.meter is not None and not self.meter.first_at:
                self._took(channel)
            return
        if isinstance(error, UpstreamError) and error.kind == "timeout" and not self.answered:
            self._took(channel)  # so slow it was at least
        spec, now = self.snapshot.health, gateway.clock()
        gateway.health.failed(channel, key, model, error, spec, now, self.ingress.body)
        kind = error.kind if isinstance(error, UpstreamError) else error.code
        status = (error.upstream_status if isinstance(error, UpstreamError) else 0) or error.status
        assert self.attempts is not None  # noqa: S101
        self.attempts.failed({"status_code": status, "message": error.message, "code": error.code, "type": error.type})
        # Here, where the channel's keys are known: upstreams repeat keys, and not all look like keys.
        message = mask(error.message, (k.reveal() for k in channel.keys))
        if isinstance(error, UpstreamError):
            error.message = message
            gateway.tally.attempted(channel.id, kind, message, gateway.clock())
        self.tries.append(Try(channel.name, channel.id, position, ms, status, kind, message, other, group))

    def _took(self, channel: Channel) -> None:
        """Note that an attempt has got its first token now, or its whole answer."""
        assert self.order is not None  # noqa: S101
        gateway, peek = self.gateway, self.order.peek
        seconds = self.loop.time() - self.began
        gateway.figures.took(channel.id, peek.model, peek.stream, seconds, gateway.clock())

    # -- one attempt -------------------------------------------------------------------

    async def _attempt(self, channel: Channel, key: int, peek: Peek, within: float) -> None:
        assert self.attempts is not None  # noqa: S101
        prepared = self.prepared = self.attempts.prepare(channel, key)
        self.meter = Meter(TextCounter(prepared.target.model))
        streamed = prepared.upstream.reader is not None
        sent = time.monotonic()
        try:
            reply = await self.gateway.perform(
                channel, prepared.call, self.out.keepalive if peek.stream and streamed else None, within=within
            )
        finally:
            self.waited += (now := time.monotonic()) - sent
        try:
            if not 200 <= reply.status < 300:
                raise await self._upstream_error(reply, prepared)
            self.overhead = now - self.arrived - self.waited
            options = self._options(peek)
            answer = Answer(prepared, self.ingress.format, options, self.meter)
            # An upstream may answer at once although a stream was asked for; what has no events is then passed on.
            as_stream = self.ingress.format.writer is not None if is_json(reply) else streamed and is_text(reply)
            if peek.stream and as_stream:
                await self._stream(reply, answer)
            elif self.sink.started:
                raise UpstreamError("the upstream's answer is not the stream that was begun", kind="malformed")
            elif (peek.stream and prepared.verbatim) or not is_text(reply):
                await self._raw(reply, prepared)
            else:
                body = await answer.whole(reply, self._estimate)
                self._served(body)
                await self.out.whole(reply, content_type(reply, body), body)
        finally:
            reply.close()

    async def _upstream_error(self, reply: Reply, prepared: Prepared) -> UpstreamError:
        body = b""
        with contextlib.suppress(UpstreamError):
            body = await reply.read(ERROR_LIMIT)
        error = prepared.upstream.read_error(reply.status, body)
        error.upstream_status = reply.status
        mapped = prepared.channel.spec.status_mapping.get(str(reply.status))
        error.status = mapped or (reply.status if reply.status >= 400 else 502)
        error.headers = tuple(passed_on(reply))
        if error.retry_after is None:
            error.retry_after = wait_of(reply.headers, self.gateway.clock())
        return error

    async def _stream(self, reply: Reply, answer: Answer) -> None:
        """Pump a stream. Nothing goes out before the upstream has said something that is not an error."""
        assert self.meter is not None  # noqa: S101
        assert self.prepared is not None  # noqa: S101
        if is_json(reply):
            data = answer.unfolded(await reply.read(ERROR_LIMIT * 64), self._estimate)
            await self._begin(reply)
            self._served()
            await self.sink.end(data)
            return
        stream = answer.stream()
        held = b""
        self.gateway.tally.streams += 1
        try:
            while not stream.ended:
                piece = await reply.next()
                if piece is None:
                    await self.out.keepalive()
                    continue
                if not piece:
                    break
                out = held + stream.feed(piece) if held else stream.feed(piece)
                if not self.answered:
                    if not self.meter.said:
                        held = out  # an announcement alone: the next event may be an error, and another channel better
                        continue
                    held = b""
                    self.meter.first_at = self.loop.time()
                    self._took(self.prepared.channel)
                    await self._begin(reply)
                if out:
                    await self.sink.write(out)
            out = held + stream.close(self._estimate)
        except Broken as broken:
            if self.meter.said:
                await self._begin(reply)
                await self.sink.write(held + broken.before)
            raise
        finally:
            self.gateway.tally.streams -= 1
        await self._begin(reply)
        self._served()
        await self.sink.end(out)
        if stream.ended:
            with contextlib.suppress(TimeoutError, UpstreamError):
                async with asyncio.timeout(_DRAIN_SECONDS):
                    await reply.read(ERROR_LIMIT)

    async def _raw(self, reply: Reply, prepared: Prepared) -> None:
        """Pass an answer on that no format reads: sound, pictures, a text."""
        assert self.meter is not None  # noqa: S101
        read_usage = prepared.upstream.read_usage
        body = await reply.read(PLAIN_LIMIT)
        usage = read_usage(body)
        if usage is not None:
            self.meter.usage, self.meter.stated = usage, True
        self._served()
        await self.out.whole(reply, reply.headers.get("content-type", "application/octet-stream"), body)

    # -- what goes out -----------------------------------------------------------------

    def _charged(self) -> None:
        """Note that an upstream has served something: from now on it is charged, however it ends."""
        self.answered, self.status = True, 200

    def _served(self, body: bytes = b"") -> None:
        """Charge and log an answer that has arrived whole, before its end goes out; `body` is that of one not streamed.

        Whoever has seen the end has been charged then, even if this process is killed at that moment.
        """
        assert self.asked is not None  # noqa: S101  (somebody was asked)
        self._charged()
        self.ended = True
        self._note(*self.asked, None)
        self._remember_answer(*self.asked, body)
        self.finish()

    async def _begin(self, reply: Reply) -> None:
        self._charged()
        await self.out.begin(reply)

    async def refuse(self, error: NewapiError) -> None:
        """Tell the caller what went wrong, in its own format: as an answer, or as the end of a stream begun."""
        self.error = error.message
        if self.end != "stopped":
            self.end = "upstream_broken" if self.answered and isinstance(error, UpstreamError) else "error"
        if self.order is None:
            self.gateway.tally.refuse(error)
        if not self.answered:
            self.status = error.status
        self.finish()  # before it is told, as `_served`
        await self.out.refuse(error)

    def _options(self, peek: Peek) -> WriterOptions:
        return WriterOptions(
            model=peek.model,
            request_id=self.ingress.request_id,
            created=int(self.ingress.received),
            include_usage=peek.include_usage,
            prompt_tokens=self._rough_prompt(),
        )

    # -- what it costs -----------------------------------------------------------------

    def _rough_prompt(self) -> int:
        """An estimate of the prompt that costs nothing, for what is set aside and for what must be said beforehand."""
        if self.rough is None:
            ingress = self.ingress
            count = ingress.format.prompt_tokens
            counted = count(ingress.body, ingress.params) if count is not None else None
            self.rough = count_body_fast(ingress.body) if counted is None else counted
        return self.rough

    def _prompt_tokens(self) -> int:
        """An estimate of the prompt, for when the upstream did not count it."""
        assert self.attempts is not None  # noqa: S101
        ingress = self.ingress
        if (count := ingress.format.prompt_tokens) is not None:
            counted = count(ingress.body, ingress.params)
            if counted is not None:
                return counted
        try:
            request = self.attempts.request()
        except (NewapiError, RecursionError, UnicodeDecodeError):
            # An upstream may have served what no reader here can make sense of.
            return count_body_fast(ingress.body)
        if isinstance(request, Request):
            return count_request(request, request.model)
        # New API counts a moderation as the chat it is about: three tokens more than its text.
        more = 3 if ingress.route.endpoint == "moderation" else 0
        return count_text(request.text, request.model) + more

    def _estimate(self) -> Usage:
        assert self.meter is not None  # noqa: S101
        return final_usage(self.meter, self._prompt_tokens(), ended=True)

    def broke(self) -> None:
        """Take note that this process failed, which is not the caller hanging up."""
        self.error = "internal error"
        self.end = "error"
        if not self.answered:
            self.status = 500

    def finish(self) -> None:
        """Settle or release, once; nothing is awaited here, since the caller may have hung up."""
        if self.finished:
            return
        self.finished = True
        if self.overhead is not None:
            self.gateway.tally.took(self.ingress.route.endpoint, self.overhead)
        tokens = quota = 0
        try:
            if self.order is not None:
                tokens, quota = self._settle(self.order)
        finally:  # whatever happened, nothing stays set aside
            if self.order is not None:
                self.gateway.ledger.release(self.order.reservation)
            if self.entered:
                self.gateway.limiter.leave(self.ingress.request_id, tokens, quota)

    def _settle(self, order: Order) -> tuple[int, int]:
        """Charge and log; return the tokens and the quota it took."""
        usage = Usage(source="none")
        meter = self.meter
        if self.answered and meter is not None and not self._free():
            broken = self.snapshot.billing.broken_stream
            prompt = 0 if meter.usage.prompt else self._prompt_tokens()
            usage = final_usage(meter, prompt, ended=self.ended, broken=broken)
        outcome = Outcome(
            status=self.status,
            answered=self.answered,
            end="done" if self.ended else self.end,
            error=mask(self.error),
            usage=usage,
            tries=tuple(self.tries),
            prepared=self.prepared,
            meter=meter,
        )
        return usage.total, settle(order, outcome, self.gateway)


def _holders(caller: Caller, snapshot: Snapshot) -> list[Holder]:
    """Return who is limited to what: the token, and its owner in the group."""
    found: list[Holder] = []
    if limit := caller.token.limit:
        found.append((("token", caller.token.id, ""), limit))
    group = caller.list_name or caller.group
    if limit := snapshot.group_limits.get(group):
        found.append((("group", caller.user.id, group), limit))
    return found
