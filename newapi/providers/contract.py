"""What a provider module offers: `PROVIDER`. It says what to send; it never sends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from msgspec import Struct

from newapi.base.body import Body
from newapi.base.http import Headers, HttpCall
from newapi.base.secret import Secret
from newapi.formats.contract import Endpoint, Profile


class Target(Struct, frozen=True):
    """One attempt, as far as a provider needs to know it.

    Attributes:
        base_url: The channel's, or the provider's own; no slash at the end.
        key: The upstream key in use.
        model: The model to ask for, after `model_mapping`.
        asked_model: The model the caller named.
        endpoint, format: What is asked, and the upstream format it is said in.
        entry: The format the caller speaks.
        path: The path of `speaks` (or the format's own), templates not yet filled in.
        stream: Whether a stream is wanted.
        query: The caller's query parameters, keys that authenticate left out.
        headers: The caller's headers, names in lower case.
        options: The channel's further settings (`api_version`, `account_id`, `organization`, …).
        content_type: Of the body.
    """

    base_url: str
    key: Secret
    model: str
    asked_model: str
    endpoint: Endpoint
    format: str
    entry: str
    path: str
    stream: bool = False
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = {}
    options: Mapping[str, Any] = {}
    content_type: str = "application/json"


Speaks = Mapping[Endpoint, Mapping[str, str]]
"""Endpoint -> format -> path on the upstream. The first format is used for callers of a format that is not there."""


class Provider(Struct, frozen=True):
    """One vendor's API: where, how it authenticates, and where it departs from the formats it speaks.

    Attributes:
        name: The module's name, and the channel's `type`.
        title: For people.
        channel_type: New API's number, for import and for its admin API.
        base_url: Without a slash at the end; "" when the channel must say it.
        speaks: What it can be asked, and where.
        call: (target, body) -> the call to make.
        profile: (model) -> where that model departs from the format.
        edit: (body, target) -> the target to use. Changes the request in the upstream's format, and, where a suffix of
            the model's name is an instruction, the model. None when nothing is ever changed.
        options: Names of the channel settings it reads beyond the common ones.
        models_path: Where it lists its models in OpenAI's shape, or "".
        docs: Where its behaviour is documented.
        speaks_for: (model, base URL) -> what it can be asked, where that depends on them; `speaks` is all of it.
    """

    name: str
    title: str
    channel_type: int
    base_url: str
    speaks: Speaks
    call: Callable[[Target, bytes], HttpCall]
    profile: Callable[[str], Profile]
    edit: Callable[[Body, Target], Target] | None = None
    options: tuple[str, ...] = ()
    models_path: str = "/v1/models"
    docs: str = ""
    speaks_for: Callable[[str, str], Speaks] | None = None


def plain_profile(model: str) -> Profile:
    """Return the profile of a model that follows its format to the letter."""
    return Profile()


def fill(path: str, target: Target) -> str:
    """Return `path` with `{model}` filled in."""
    return path.replace("{model}", quote(target.model, safe="/:@.-_~")) if "{model}" in path else path


def url(target: Target, query: tuple[tuple[str, str], ...] = ()) -> str:
    """Return the URL of `target.path` under its base URL, with `query`."""
    text = target.base_url + fill(target.path, target)
    return f"{text}?{urlencode(query)}" if query else text


def bearer_call(target: Target, body: bytes, *extra: tuple[str, str]) -> HttpCall:
    """Return a POST with `Authorization: Bearer`, the way of OpenAI and of nearly everyone.

    The caller's query goes with it, unless it was said in another format, where it means nothing here.
    """
    headers: Headers = (
        ("authorization", f"Bearer {target.key.reveal()}"),
        ("content-type", target.content_type),
        ("accept", target.headers.get("accept") or ("text/event-stream" if target.stream else "application/json")),
        *extra,
    )
    query = target.query if target.entry == target.format else ()
    return HttpCall("POST", url(target, query), headers, body)


def openai_compatible(
    name: str,
    *,
    title: str,
    channel_type: int,
    base_url: str,
    speaks: Speaks,
    docs: str = "",
    call: Callable[[Target, bytes], HttpCall] = bearer_call,
    profile: Callable[[str], Profile] = plain_profile,
    edit: Callable[[Body, Target], Target] | None = None,
    options: tuple[str, ...] = (),
    models_path: str = "/v1/models",
    speaks_for: Callable[[str, str], Speaks] | None = None,
) -> Provider:
    """Return a provider that takes OpenAI's requests under its own URL, with a bearer key."""
    return Provider(
        name=name,
        title=title,
        channel_type=channel_type,
        base_url=base_url,
        speaks=speaks,
        call=call,
        profile=profile,
        edit=edit,
        options=options,
        models_path=models_path,
        docs=docs,
        speaks_for=speaks_for,
    )
