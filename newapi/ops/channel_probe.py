"""What is asked of an upstream besides the relay: a test call, its models, its balance. Each waits for the answer."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi import formats, providers
from newapi.base.errors import CallerError, NewapiError, UpstreamError
from newapi.base.http import Exchange, HttpCall, HttpReply
from newapi.base.mask import mask
from newapi.base.progress import each
from newapi.base.secret import Secret
from newapi.config.schema import ChannelSpec
from newapi.formats.contract import Endpoint, Format
from newapi.frames.sse import SseFramer
from newapi.ir.events import Failed
from newapi.net.plain import perform
from newapi.ops import channels
from newapi.ops.channels import ChannelView
from newapi.ops.local import Local
from newapi.providers._openai import is_reasoner
from newapi.providers.contract import Provider, Target
from newapi.relay.attempt import Attempts
from newapi.relay.build import ready
from newapi.relay.snapshot import Channel, Models
from newapi.relay.values import Ingress
from newapi.store import options

TIMEOUT = 60.0
"""Seconds that a test call may take to say something."""
AT_ONCE = 8
"""Channels that are tested at the same time."""
DEFAULT_MODEL = "gpt-4o-mini"
"""What a channel that serves no exact name is tested with: New API's."""

Kind = Literal[
    "chat", "responses", "messages", "gemini", "compact", "rerank", "images", "embeddings", "moderations", "speech"
]
ENDPOINTS: Mapping[str, Kind] = {
    "openai": "chat",
    "openai-response": "responses",
    "openai-response-compact": "compact",
    "anthropic": "messages",
    "gemini": "gemini",
    "jina-rerank": "rerank",
    "image-generation": "images",
    "embeddings": "embeddings",
}
"""New API's `endpoint_type`."""
_FORMATS: Mapping[Kind, str] = {
    "chat": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic_messages",
    "gemini": "gemini",
    "compact": "openai_compact",
    "rerank": "rerank",
    "images": "images",
    "embeddings": "embeddings",
    "moderations": "moderations",
    "speech": "speech",
}
_LISTS = {"gemini": "/v1beta/models?pageSize=1000", "ollama": "/api/tags"}
"""Where providers list their models in a shape of their own. Sources: https://ai.google.dev/api/models#method:-models.list
and https://github.com/ollama/ollama/blob/main/docs/api.md#list-local-models"""

Perform = Callable[[HttpCall, float, str], HttpReply]


class Tested(Struct, frozen=True):
    """How a test ended. `ms` is how long the call took, milliseconds; `error` is "" when it was answered."""

    channel: str
    model: str
    ms: int
    error: str = ""
    code: str = ""
    status: int = 0


def perform_call(call: HttpCall, timeout: float, proxy: str) -> HttpReply:
    """Make a call as a channel does: `proxy` is "" for none. Raises UpstreamError."""
    return perform(call, timeout, proxy=proxy)


# -- a test ----------------------------------------------------------------------------------


def probe(
    local: Local,
    view: ChannelView,
    *,
    model: str = "",
    endpoint: str = "",
    stream: bool = False,
    key: int | None = None,
    send: Perform = perform_call,
) -> Tested:
    """Ask a channel something small, and note how long it took; it is neither enabled nor disabled for it.

    Args:
        local: The database and what resolves references.
        view: The channel; it may be disabled.
        model: What to ask for; the channel's `test_model`, or its first model, when "".
        endpoint: New API's `endpoint_type`; by the model's name when "".
        stream: Whether to ask for a stream.
        key: Which of its keys; `first_key` when None.
        send: Makes the call.

    Raises:
        CallerError: There is no such endpoint type, or no such key.
    """
    model = (model or view.spec.test_model or first_model(view.spec.models)).strip()
    if endpoint and endpoint not in ENDPOINTS:
        raise CallerError(f"There is no endpoint type {endpoint!r}: {', '.join(ENDPOINTS)}", param="endpoint_type")
    kind = ENDPOINTS[endpoint] if endpoint else kind_of(model)
    started, found, secret = time.monotonic(), NewapiError(""), Secret("")
    try:
        channel = ready_channel(local, view, key)
        secret = channel.keys[0]
        _ask(channel, kind, model, stream, send)
    except CallerError:
        raise
    except NewapiError as error:
        found = error
    ms = round((time.monotonic() - started) * 1000)
    channels.found_out(local.db, view.id, tested_at=time.time(), response_ms=ms)
    status = getattr(found, "upstream_status", 0)
    words = mask(found.message, [secret.reveal()])
    return Tested(view.name, model, ms, words, found.code if words else "", status)


def probe_all(
    local: Local, views: Sequence[ChannelView], *, model: str = "", stream: bool = False, send: Perform = perform_call
) -> list[Tested]:
    """Ask several channels, a few at a time; return how each did, in their order."""

    def one(view: ChannelView) -> Tested:
        try:
            return probe(local, view, model=model, stream=stream, send=send)
        finally:
            local.db.close()  # this thread's connection

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(each("Asking channels", pool.map(one, views), len(views)))


def kind_of(model: str) -> Kind:
    """Return what a model is, by its name."""
    name = model.lower()
    if "rerank" in name:
        return "rerank"
    if "embed" in name or "bge-" in name or name.startswith("m3e"):
        return "embeddings"
    if name.startswith(("dall-e", "gpt-image", "imagen")) or "seedream" in name:
        return "images"
    if name.endswith("-openai-compact"):
        return "compact"
    if "moderation" in name:
        return "moderations"
    if name.startswith("tts-") or name.endswith("-tts"):
        return "speech"
    return "responses" if "codex" in name else "chat"


def first_model(patterns: Sequence[str]) -> str:
    """Return what a channel that serves `patterns` is tested with: an exact name, or one that a glob has."""
    models = Models(patterns)
    exact = next((p for p in patterns if p in models.exact), "")
    if exact or DEFAULT_MODEL in models or not patterns:
        return exact or DEFAULT_MODEL
    # "claude-sonnet-4*" has "claude-sonnet-4": of a family the shortest name is most often there.
    bare = re.sub(r"[*?].*|\[.*", "", patterns[0])
    return bare if bare in models else patterns[0]


def ready_channel(local: Local, view: ChannelView, key: int | None) -> Channel:
    """Return a channel with one of its keys, to be asked something that no caller asked.

    Raises:
        NewapiError: Its key cannot be resolved, or None is asked for and all are disabled.
        CallerError: There is no such key.
    """
    references = view.references
    if key is not None and not 0 <= key < len(references):
        raise CallerError(f"Channel {view.name!r} has no key {key}")
    chosen = key if key is not None else first_key(view)
    if references and chosen is None:
        raise NewapiError(f"Channel {view.name!r} has no enabled keys", code="no_available_key")
    secret = Secret("") if chosen is None else local.resolve(references[chosen])
    # What is asked here is not what a caller asked, so nothing of a caller's headers is passed on.
    spec = replace(view.spec, headers=_static(view.spec), pass_through_body=False)
    return ready(view.id, view.name, spec, provider_of(spec), (secret,), local.resolve)


def first_key(view: ChannelView) -> int | None:
    """Return the position of the key that a channel is tested with: of those that are used, else of those that health
    disabled, the first.
    """
    tripped = [i for i, state in view.key_states.items() if state.state == "tripped"]
    return next((i for i in range(len(view.references)) if i not in view.key_states), min(tripped, default=None))


def provider_of(spec: ChannelSpec) -> Provider:
    """Return the provider of a channel.

    Raises:
        NewapiError: It is not installed.
    """
    try:
        return providers.get(spec.type)
    except LookupError as error:
        raise NewapiError(str(error), code="no_provider") from None


def _static(spec: ChannelSpec) -> dict[str, str]:
    """Return the headers of a channel that do not depend on a caller's."""
    passed = ("*", "re:", "regex:")
    return {n: v for n, v in spec.headers.items() if "{client_header:" not in v and not n.startswith(passed)}


def _ask(channel: Channel, kind: Kind, model: str, stream: bool, send: Perform) -> None:
    try:
        format = formats.get(_FORMATS[kind])
    except LookupError as error:
        raise CallerError(str(error)) from None
    stream = stream and format.reader is not None
    body = msgspec.json.encode(_body(kind, model, stream))
    action = "streamGenerateContent" if stream else "generateContent"
    ingress = Ingress(
        request_id=f"test-{token_hex(8)}",
        format=format,
        route=next(r for r in format.routes if "{model}" not in r.path or r.path.endswith(action)),
        method="POST",
        path=format.upstream_path,
        params={"model": model, "action": action, "content-type": "application/json"},
        query=(),
        headers={},
        body=body,
        peer="",
        received=time.time(),
    )
    prepared = Attempts(ingress, model, stream).prepare(channel, 0)
    reply = send(prepared.call, TIMEOUT, channel.spec.proxy)
    if reply.status != 200:
        raise prepared.upstream.read_error(reply.status, reply.body)
    _check(prepared.upstream, reply, stream)


def _check(upstream: Format, reply: HttpReply, stream: bool) -> None:
    """Raise what an answer with status 200 has against it: an error inside, or nothing that makes sense."""
    if not (stream and reply.header("content-type").startswith("text/event-stream") and upstream.reader):
        upstream.read_usage(reply.body)
        if upstream.read_response is not None:
            upstream.read_response(reply.body)
        return
    reader, framer = upstream.reader(), SseFramer()
    events = [e for f in (*framer.feed(reply.body), *framer.close()) for e in reader.feed(f)]
    failed = next((e for e in [*events, *reader.close()] if isinstance(e, Failed)), None)
    if failed is not None:
        raise failed.error
    if not events:
        raise UpstreamError("the upstream's stream is empty", kind="malformed")


def _body(kind: Kind, model: str, stream: bool) -> dict[str, Any]:
    turn = [{"role": "user", "content": "hi"}]
    match kind:
        case "embeddings":
            return {"model": model, "input": ["hello world"]}
        case "rerank":
            documents = ["Deep learning is a part of machine learning.", "Paris is in France."]
            return {"model": model, "query": "What is Deep Learning?", "documents": documents, "top_n": 2}
        case "images":
            return {"model": model, "prompt": "a cute cat", "n": 1, "size": "1024x1024"}
        case "moderations":
            return {"model": model, "input": "hello world"}
        case "speech":
            return {"model": model, "input": "hi", "voice": "alloy"}
        case "responses":
            return {"model": model, "input": turn, "stream": stream}
        case "compact":
            return {"model": model, "input": turn}
        case "gemini":
            return {
                "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
                "generationConfig": {"maxOutputTokens": 16},
            }
        case "messages":
            return {"model": model, "messages": turn, "max_tokens": 16, "stream": stream}
        case "chat":
            said: dict[str, Any] = {"model": model, "messages": turn, "stream": stream}
            if stream:
                said["stream_options"] = {"include_usage": True}
            if "gemini" in model:
                return {**said, "max_tokens": 3000}
            if is_reasoner(model):
                return {**said, "max_completion_tokens": 16}
            return {**said, "max_tokens": 50 if "thinking" in model else 16}


# -- models and balance ----------------------------------------------------------------------


def fetch_models(local: Local, view: ChannelView, *, send: Perform = perform_call) -> list[str]:
    """Return the models that a channel's upstream lists, with the first of its keys that is used.

    Raises:
        CallerError: Its type has no list of models.
        UpstreamError: It refuses, or answers what makes no sense.
    """
    channel = ready_channel(local, view, None)
    return models_of(channel.spec, channel.keys[0], send=send)


def models_of(spec: ChannelSpec, key: Secret, *, send: Perform = perform_call) -> list[str]:
    """Return the models that an upstream lists.

    Raises:
        CallerError: Its type has no list of models, or there is no address.
        UpstreamError: It refuses, or answers what makes no sense.
    """
    provider = provider_of(spec)
    path = _LISTS.get(provider.name) or provider.models_path
    if not path:
        raise CallerError(f"{provider.title} has no list of models to ask for")
    found = _told(send(_get(provider, spec, key, path), TIMEOUT, spec.proxy))
    listed: Any = found.get("data", found.get("models"))
    if not isinstance(listed, list):
        raise UpstreamError("the upstream's list of models makes no sense", kind="malformed")
    names = [e.get("id") or e.get("name") for e in listed if isinstance(e, dict)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return [name.removeprefix("models/") for name in names if isinstance(name, str) and name]


def tells_balance(view: ChannelView) -> bool:
    """Return whether the upstream of a channel says what is left on its account."""
    return view.spec.type in _BALANCES and len(view.references) < 2


def balance(local: Local, view: ChannelView, *, send: Perform = perform_call) -> float:
    """Return what an upstream account has left, USD, and note it.

    Raises:
        CallerError: Its type does not tell, or it has several keys.
        UpstreamError: It refuses, or answers what makes no sense.
    """
    if len(view.references) > 1:
        raise CallerError("A channel with several keys has no one balance")
    ask = _BALANCES.get(view.spec.type)
    if ask is None:
        raise CallerError(f"{provider_of(view.spec).title} does not tell a balance")
    channel = ready_channel(local, view, None)
    exchange = ask(lambda path: _get(channel.provider, channel.spec, channel.keys[0], path))
    left, currency = _run(exchange, lambda call: send(call, TIMEOUT, channel.spec.proxy))
    if currency == "CNY":
        left /= float(options.read(local.db, ["USDExchangeRate"]).get("USDExchangeRate") or 7.3)
    left = round(left, 6)
    channels.found_out(local.db, view.id, balance=left, balance_at=time.time())
    return left


Get = Callable[[str], HttpCall]
Left = tuple[float, str]


def _openai_balance(get: Get) -> Exchange[Left]:
    granted = _told((yield get("/v1/dashboard/billing/subscription")))
    today = datetime.now(UTC).date()
    since = today - timedelta(days=100) if not granted.get("has_payment_method") else today.replace(day=1)
    path = f"/v1/dashboard/billing/usage?start_date={since}&end_date={today + timedelta(days=1)}"
    used = _told((yield get(path)))
    return _number(granted, "hard_limit_usd") - _number(used, "total_usage") / 100, "USD"


def _deepseek_balance(get: Get) -> Exchange[Left]:
    """Source: https://api-docs.deepseek.com/api/get-user-balance"""
    found = _told((yield get("/user/balance")))
    infos = found.get("balance_infos") or [{}]
    info = next((i for i in infos if i.get("currency") == "USD"), infos[0])
    return _number(info, "total_balance"), str(info.get("currency", ""))


def _openrouter_balance(get: Get) -> Exchange[Left]:
    """Source: https://openrouter.ai/docs/api-reference/get-credits"""
    found = _told((yield get("/v1/credits"))).get("data") or {}
    return _number(found, "total_credits") - _number(found, "total_usage"), "USD"


def _siliconflow_balance(get: Get) -> Exchange[Left]:
    """Source: https://docs.siliconflow.cn/en/api-reference/userinfo/get-user-info"""
    found = _told((yield get("/v1/user/info"))).get("data") or {}
    return _number(found, "totalBalance"), "CNY"


def _moonshot_balance(get: Get) -> Exchange[Left]:
    """Source: https://platform.moonshot.ai/docs/api/balance: dollars there, yuan at moonshot.cn."""
    call = get("/v1/users/me/balance")
    found = _told((yield call)).get("data") or {}
    return _number(found, "available_balance"), "CNY" if ".cn/" in call.url else "USD"


_BALANCES: Mapping[str, Callable[[Get], Exchange[Left]]] = {
    "openai": _openai_balance,
    "deepseek": _deepseek_balance,
    "openrouter": _openrouter_balance,
    "siliconflow": _siliconflow_balance,
    "moonshot": _moonshot_balance,
}


def _run(exchange: Exchange[Left], answer: Callable[[HttpCall], HttpReply]) -> Left:
    try:
        call = next(exchange)
        while True:
            call = exchange.send(answer(call))
    except StopIteration as end:
        return end.value


def _get(provider: Provider, spec: ChannelSpec, key: Secret, path: str) -> HttpCall:
    """Return a GET that says who asks as the provider's own calls do."""
    base_url = (spec.base_url or provider.base_url).rstrip("/")
    if not base_url:
        raise CallerError("The channel needs a base URL", param="base_url")
    endpoint: Endpoint = "models"
    target = Target(
        base_url=base_url,
        key=key,
        model="",
        asked_model="",
        endpoint=endpoint,
        format="openai_chat",
        entry="openai_chat",
        path=path,
        headers={"accept": "application/json"},
        options={**spec.options, "organization": spec.organization},
    )
    call = provider.call(target, b"")
    static = tuple((n.lower(), v.replace("{api_key}", key.reveal())) for n, v in _static(spec).items())
    own = {name for name, _ in static} | {"content-type"}
    return HttpCall("GET", call.url, (*(h for h in call.headers if h[0] not in own), *static))


def _told(reply: HttpReply) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(reply.body)
    except msgspec.DecodeError:
        found = None
    if reply.status != 200:
        error: Any = found.get("error") if isinstance(found, dict) else None
        words = error.get("message") if isinstance(error, dict) else error
        told = f": {mask(str(words))[:500]}" if words else ""
        message = f"the upstream answered with status {reply.status}{told}"
        raise UpstreamError(message, upstream_status=reply.status)
    if not isinstance(found, dict):
        raise UpstreamError("the upstream's answer is no JSON object", kind="malformed")
    return found


def _number(found: Mapping[str, Any], name: str) -> float:
    try:
        return float(found.get(name, 0))
    except (TypeError, ValueError):
        raise UpstreamError(f"the upstream's {name} is no number", kind="malformed") from None
