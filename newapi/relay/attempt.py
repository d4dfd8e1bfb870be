"""One attempt: what to send to one channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi import formats
from newapi.base.body import Body
from newapi.base.errors import Unsupported
from newapi.formats.contract import Format
from newapi.ir.request import CustomTool, Request
from newapi.ir.tools import fit
from newapi.providers.contract import Target
from newapi.relay import headers as header_override
from newapi.relay import override, system_prompt
from newapi.relay.filters import CallersTools
from newapi.relay.snapshot import Channel, speaks
from newapi.relay.values import Ingress, Prepared

_CONTROLLED = ("service_tier", "inference_geo", "speed", "safety_identifier")
"""Fields that cost money or say who a user is: sent upstream only where the channel's `allow_fields` has them."""
_CONTROLLED_FORMATS = ("openai_chat", "openai_completions", "openai_responses", "anthropic_messages")


class _Made(Struct, frozen=True):
    """A body in the upstream's format, before the channel's overrides."""

    body: bytes
    target: Target
    losses: tuple[str, ...] = ()
    tools: CallersTools = CallersTools()


class Attempts:
    """The attempts of one request: what they share is worked out once."""

    def __init__(self, ingress: Ingress, model: str, stream: bool) -> None:
        self._ingress = ingress
        self._model = self._said = model
        self._stream = stream
        self._request: Any = None
        self._told: tuple[Any, CallersTools] | None = None
        self._last_error: Mapping[str, Any] = {}
        self._count = 0

    def request(self) -> Any:
        """Return the request in the canonical form, read once.

        Raises:
            CallerError: It makes no sense in the format it came in.
        """
        if self._request is None:
            entry = self._ingress.format
            if entry.read_request is None:
                raise Unsupported(f"{entry.name} requests cannot be told in another format")
            self._request = entry.read_request(self._ingress.body, self._ingress.params)
        return self._request

    def _fitted(self) -> tuple[Any, CallersTools]:
        """Return the request with names of tools that every vendor takes, and how the caller knows them."""
        if self._told is None:
            request, tools = self.request(), CallersTools()
            if isinstance(request, Request):
                free = frozenset(t.name for t in request.tools if isinstance(t, CustomTool))
                request, names = fit(request)
                tools = CallersTools(free, names)
            self._told = request, tools
        return self._told

    def ask_for(self, model: str) -> None:
        """Ask for another model from now on."""
        self._model = model

    def failed(self, error: Mapping[str, Any]) -> None:
        """Remember how the last attempt ended, for conditions of `param_operations`."""
        self._last_error = error

    def prepare(self, channel: Channel, key: int) -> Prepared:
        """Return what to send to `channel` with its key number `key`.

        Raises:
            Unsupported: The channel's type has no such endpoint (503), or its upstream's format cannot say it.
            CallerError: The request makes no sense.
            UpstreamError: The channel's own settings make no sense.
        """
        ingress, entry = self._ingress, self._ingress.format
        endpoint = ingress.route.endpoint
        if channel.spec.pass_through_body and self._model != self._said:
            raise Unsupported("bodies are passed on as they are: another model cannot be asked for")
        model = channel.map_model(self._model)
        spoken = speaks(channel, endpoint, lambda name: formats.get(name).upstream_path, model)
        if not spoken:
            raise Unsupported(
                f"{model!r} has no endpoint for {endpoint} here",
                status=503,
                code="unsupported_endpoint",
                type="new_api_error",
            )
        name = entry.name if entry.name in spoken else next(iter(spoken))
        upstream = entry if name == entry.name else formats.get(name)
        target = Target(
            base_url=channel.base_url,
            key=channel.keys[key],
            model=model,
            asked_model=self._model,
            endpoint=endpoint,
            format=name,
            entry=entry.name,
            path=spoken[name],
            stream=self._stream,
            query=ingress.query if name == entry.name or endpoint == "chat" else (),
            headers=ingress.headers,
            options=channel.options,
        )
        made = self._body(channel, target, upstream)
        body, target = made.body, made.target
        changes: Mapping[str, str | None] = {}
        if not channel.spec.pass_through_body and target.content_type == "application/json":
            body, changes = self._override(channel, body, target)
        call = channel.provider.call(target, body)
        if channel.spec.headers or changes:
            call = header_override.apply_headers(
                call, channel.spec.headers, key=target.key, client_headers=ingress.headers, changes=changes
            )
        self._count += 1
        verbatim = upstream is entry and not channel.spec.thinking_to_content and not channel.spec.force_format
        return Prepared(channel, target, call, upstream, verbatim, made.losses, made.tools)

    # -- the body ----------------------------------------------------------------------

    def _body(self, channel: Channel, target: Target, upstream: Format) -> _Made:
        ingress, entry = self._ingress, self._ingress.format
        provider = channel.provider
        losses: tuple[str, ...] = ()
        tools = CallersTools()
        if upstream is entry:
            body = ingress.body
            if channel.spec.pass_through_body:
                content_type = ingress.params.get("content-type", "application/json")
                return _Made(body, replace(target, content_type=content_type))
            if upstream.set_model is not None:
                content_type = ingress.params.get("content-type", "")
                if not content_type.startswith("application/json"):
                    written = upstream.set_model(body, ingress.params, target.model)
                    return _Made(written.body, replace(target, content_type=written.content_type))
        else:
            if upstream.write_request is None:
                raise Unsupported(f"{entry.name} requests cannot be told as {upstream.name}")
            request, tools = self._fitted()
            written = upstream.write_request(replace(request, model=target.model), provider.profile(target.model))
            body = written.body
            losses = tuple(loss.what for loss in written.losses)
            if written.content_type != "application/json":
                return _Made(body, replace(target, content_type=written.content_type), losses, tools)
        edited = Body(body)
        # Gemini's model is in the path alone.
        if edited.get("model") != target.model and ("model" in edited or "{model}" not in target.path):
            edited.set("model", target.model)
        if provider.edit is not None:
            target = provider.edit(edited, target)
            if "model" in edited and edited.get("model") != target.model:
                edited.set("model", target.model)
        spec = channel.spec
        if spec.system_prompt:
            role = provider.profile(target.model).system_role
            system_prompt.add(edited, target.format, spec.system_prompt, spec.system_prompt_mode == "prepend", role)
        if target.format in _CONTROLLED_FORMATS:
            edited.drop(*(f for f in _CONTROLLED if f not in spec.allow_fields))
            _hide_obfuscation(edited, spec.allow_fields)
        edited.drop(*spec.drop_fields)
        return _Made(edited.encode() if edited.changed else body, target, losses, tools)

    def _override(self, channel: Channel, body: bytes, target: Target) -> tuple[bytes, Mapping[str, str | None]]:
        spec = channel.spec
        if not spec.params and channel.operations is None:
            return body, {}
        ingress = self._ingress
        context = {
            "model": target.model,
            "upstream_model": target.model,
            "original_model": self._model,
            "request_path": ingress.path,
            "request_headers": dict(ingress.headers),
            "header_override": dict(spec.headers),
            "retry_index": self._count,
            "is_retry": self._count > 0,
            "retry": {"index": self._count, "is_retry": self._count > 0},
            "last_error": dict(self._last_error),
            **{f"last_error_{k}": v for k, v in self._last_error.items()},
        }
        decoded: dict[str, Any] = msgspec.json.decode(body)
        result = override.apply_params(decoded, spec.params, channel.operations, context)
        return msgspec.json.encode(result.body), result.headers


def _hide_obfuscation(body: Body, allowed: tuple[str, ...]) -> None:
    if "include_obfuscation" in allowed or "stream_options" not in body:
        return
    options = body.get("stream_options")
    if isinstance(options, dict) and "include_obfuscation" in options:
        rest = {k: v for k, v in options.items() if k != "include_obfuscation"}
        if rest:
            body.set("stream_options", rest)
        else:
            body.drop("stream_options")
