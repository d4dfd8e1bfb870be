"""Notices: what each kind of receiver is sent, over real sockets, and what is held back."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from typing import Any

import msgspec
import pytest

from newapi.base.errors import NewapiError, NotFound
from newapi.base.secret import Secret
from newapi.config.schema import Config, MailSpec, NoticesSpec
from newapi.ops.notices import Notice, NoticeFailed, Throttle, bark, letter, send, wanted
from tests.support.process import refusing_port
from tests.support.receiver import receiver

NOTICE = Notice("channel_tripped", "openai-main", "Channel openai-main is down", "401 & more: “no” key", "error", 1.7e9)
NEWS = Notice("models", "openai-main", "New models", "gpt-9")


def resolve(reference: str) -> Secret:
    if reference != "env:S":
        raise NewapiError(f"{reference} is not set")
    return Secret("hush")


def told(**values: Any) -> Config:
    return Config(notices={"ops": NoticesSpec(**values)})


def test_a_webhook_gets_new_apis_json_and_signature() -> None:
    with receiver() as (url, heard):
        send(told(via="webhook", url=f"{url}/hook", secret="env:S"), "ops", NOTICE, resolve)
    (one,) = heard
    assert (one.method, one.path) == ("POST", "/hook")
    body = msgspec.json.decode(one.body)
    assert (body["type"], body["title"], body["content"]) == ("channel_update", NOTICE.title, NOTICE.text)
    assert (body["subject"], body["level"], body["over"], body["timestamp"]) == ("openai-main", "error", False, 1.7e9)
    assert body["text"] == f"{NOTICE.title}\n{NOTICE.text}"
    assert one.headers["x-webhook-signature"] == hmac.new(b"hush", one.body, hashlib.sha256).hexdigest()
    assert "hush" not in str(one.headers)


def test_a_webhook_without_a_secret_is_not_signed() -> None:
    with receiver(204) as (url, heard):
        send(told(via="webhook", url=url), "ops", NEWS, resolve)
    assert "x-webhook-signature" not in heard[0].headers
    assert msgspec.json.decode(heard[0].body)["type"] == "models"


def test_gotify() -> None:
    with receiver() as (url, heard):
        send(told(via="gotify", url=f"{url}/", secret="env:S", priority=8), "ops", NOTICE, resolve)
    (one,) = heard
    assert (one.method, one.path, one.headers["x-gotify-key"]) == ("POST", "/message", "hush")
    expected = {"title": NOTICE.title, "message": NOTICE.text, "priority": 8}
    assert msgspec.json.decode(one.body) == expected


def test_bark_and_an_address_that_is_a_secret() -> None:
    with receiver() as (url, heard):
        address = f"{url}/KEY/{{{{title}}}}/{{{{content}}}}"
        send(told(via="bark", url="env:U"), "ops", NOTICE, lambda _: Secret(address))
    (one,) = heard
    assert one.method == "GET"
    assert one.path == "/KEY/Channel%20openai-main%20is%20down/401%20%26%20more%3A%20%E2%80%9Cno%E2%80%9D%20key"
    assert bark("x?t={{title}}", Notice("models", "", "a/b", "")).url == "x?t=a%2Fb"


@contextmanager
def mail_server() -> Iterator[tuple[int, list[bytes]]]:
    """Take letters, as little as SMTP asks for."""
    letters: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            match line.split()[0].upper():
                case b"DATA":
                    writer.write(b"354 go on\r\n")
                    letters.append(await reader.readuntil(b"\r\n.\r\n"))
                    writer.write(b"250 taken\r\n")
                case b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                case _:
                    writer.write(b"250 fine\r\n")
        writer.close()
        await writer.wait_closed()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], letters
    finally:

        async def close() -> None:
            server.close()
            await server.wait_closed()

        asyncio.run_coroutine_threadsafe(close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_a_letter_arrives() -> None:
    with mail_server() as (port, letters):
        mail = MailSpec(host="127.0.0.1", port=port, tls="none", sender="gateway@example.com")
        notices = NoticesSpec(via="email", to=("a@example.com", "b@example.com"))
        send(Config(mail=mail, notices={"ops": notices}), "ops", NOTICE, resolve)
    message = message_from_bytes(letters[0])
    assert (message["From"], message["To"]) == ("gateway@example.com", "a@example.com, b@example.com")
    assert message["Subject"] == "[newapi] Channel openai-main is down"
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    assert NOTICE.text in body.decode()


def test_a_letters_head_is_one_line_each() -> None:
    mail = MailSpec(host="x", user="me@example.com")
    message = letter(mail, ("a@example.com",), Notice("models", "", "one\r\nBcc: all@example.com", "t"))
    assert message["From"] == "me@example.com"
    assert message["Bcc"] is None
    assert message["Subject"] == "[newapi] one Bcc: all@example.com"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"via": "webhook", "url": "http://127.0.0.1:{port}/SECRET"}, r"webhook of \[notices\.ops\]: no connection"),
        ({"via": "email", "to": ("a@example.com",)}, "the mail server 127.0.0.1 did not take it: ConnectionRefused"),
    ],
)
def test_nobody_there(values: dict[str, Any], message: str) -> None:
    with refusing_port() as port:
        values = {k: v.format(port=port) if isinstance(v, str) else v for k, v in values.items()}
        config = Config(mail=MailSpec(host="127.0.0.1", port=port), notices={"ops": NoticesSpec(**values)})
        with pytest.raises(NoticeFailed, match=message) as failed:
            send(config, "ops", NOTICE, resolve)
    assert "SECRET" not in failed.value.message


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refusal_is_told(status: int) -> None:
    with receiver(status) as (url, _), pytest.raises(NoticeFailed, match=f"answered {status}"):
        send(told(via="webhook", url=url), "ops", NOTICE, resolve)


def test_nobody_of_that_name_and_no_secret() -> None:
    with pytest.raises(NotFound, match=r"notices\.nobody"):
        send(Config(), "nobody", NOTICE, resolve)
    with pytest.raises(NewapiError, match="env:X is not set"):
        send(told(via="webhook", url="https://example.com", secret="env:X"), "ops", NOTICE, resolve)


@pytest.mark.parametrize(
    ("values", "notice", "is_wanted"),
    [
        ({}, NOTICE, True),
        ({}, NEWS, True),
        ({"level": "error"}, NEWS, False),
        ({"level": "error"}, NOTICE, True),
        ({"about": ("models",)}, NOTICE, False),
        ({"about": ("models", "channel_tripped")}, NOTICE, True),
    ],
)
def test_who_is_told_of_what(values: dict[str, Any], notice: Notice, is_wanted: bool) -> None:
    assert wanted(NoticesSpec(via="webhook", **values), notice) is is_wanted


def test_so_many_about_the_same_thing_in_a_time() -> None:
    throttle, notices = Throttle(), NoticesSpec(via="webhook", most=2, window=10.0)
    allows: Callable[..., bool] = throttle.allows
    assert [allows("a", notices, NOTICE, now) for now in (0, 1, 2, 9.9, 10, 10.5, 11)] == [
        *(True, True, False, False, True, False, True)
    ]
    assert allows("b", notices, NOTICE, 1)
    assert allows("a", notices, NEWS, 1)
    assert allows("a", notices, msgspec.structs.replace(NOTICE, over=True), 1)
    unlimited = NoticesSpec(via="webhook", most=0)
    assert all(allows("c", unlimited, NOTICE, 0) for _ in range(9))
