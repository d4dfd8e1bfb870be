"""Telling people: by webhook, email, Bark and Gotify, that something needs a look, and that it is over."""

from __future__ import annotations

import hashlib
import hmac
import smtplib
import ssl
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from email.message import EmailMessage
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from newapi.base.errors import NewapiError, NotFound
from newapi.base.http import HttpCall, HttpReply
from newapi.base.nearest import did_you_mean
from newapi.base.secret import Secret
from newapi.config.schema import Config, MailSpec, NoticeAbout, NoticesSpec
from newapi.net.plain import perform
from newapi.ops.live import Alert, AlertKind
from newapi.secrets import is_reference

TIMEOUT = 10.0
"""Seconds that a receiver has to answer in."""
_AGENT = (("user-agent", "newapi"),)
_JSON = (("content-type", "application/json"),)

Resolve = Callable[[str], Secret]
"""Returns the secret that a reference names; raises NewapiError where it cannot."""


class Notice(Struct, frozen=True):
    """What is told.

    Attributes:
        about: What kind of thing.
        subject: The channel, token or model by name, "" where it is the gateway.
        title: A line.
        text: A few sentences; nothing secret in it.
        level: `error`: requests fail of it.
        at: Unix seconds.
        over: Whether it tells that something is over.
    """

    about: NoticeAbout
    subject: str
    title: str
    text: str
    level: Literal["warning", "error"] = "warning"
    at: float = 0.0
    over: bool = False


class Receiver(Struct, frozen=True):
    """One `[notices.*]`, for people: `to` says no address that a reference hides; `about` what it is told of."""

    name: str
    via: str
    to: str
    about: str
    level: str


class Given(Struct, frozen=True):
    """What became of a notice to one receiver: `error` is "" where it arrived."""

    name: str
    error: str = ""


class NoticeFailed(NewapiError):
    """A notice did not arrive: nobody answered, or somebody refused it."""

    code = "notice_failed"


def wanted(notices: NoticesSpec, notice: Notice) -> bool:
    """Return whether somebody wants to be told."""
    return (not notices.about or notice.about in notices.about) and (
        notices.level == "warning" or notice.level == "error"
    )


class Throttle:
    """Lets through so many notices about the same thing to the same receiver in a time."""

    def __init__(self) -> None:
        self._told: defaultdict[tuple[str, str, str, bool], deque[float]] = defaultdict(deque)

    def allows(self, name: str, notices: NoticesSpec, notice: Notice, now: float) -> bool:
        """Return whether `notice` may go to `name` now, and count it if so."""
        told = self._told[name, notice.about, notice.subject, notice.over]
        while told and told[0] <= now - notices.window:
            told.popleft()
        if notices.most and len(told) >= notices.most:
            return False
        told.append(now)
        return True


_LEVELS: Mapping[str, int] = {"warning": 1, "error": 2}
_TITLES: Mapping[AlertKind, str] = {
    "channel_resting": "Channel {} rests",
    "channel_tripped": "Channel {} is disabled",
    "budget": "The budget of token {}",
    "no_price": "Model {} has no price",
    "drift": "The database is not what the file says",
    "ledger": "Requests cannot be charged",
}


def of_alert(alert: Alert) -> Notice:
    """Return the notice that tells of an alert."""
    title = _TITLES[alert.kind].format(alert.subject)
    return Notice(alert.kind, alert.subject, title, alert.message, alert.level, alert.since)


class Board:
    """What stands at the moment: says what is new since it was told last, and what is over."""

    def __init__(self) -> None:
        self._standing: dict[tuple[str, str], Notice] = {}

    def update(self, standing: Iterable[Notice], now: float, *, unknown: Collection[str] = ()) -> list[Notice]:
        """Take what stands now; return a notice for each thing that came, became an error, or went.

        Args:
            standing: All that stands.
            now: Unix seconds.
            unknown: Subjects of which nothing could be found out: what stood of them still does.
        """
        found = {(n.about, n.subject): n for n in sorted(standing, key=lambda n: _LEVELS[n.level])}
        found |= {key: n for key, n in self._standing.items() if key[1] in unknown and key not in found}
        news = [n for key, n in found.items() if _LEVELS[n.level] > self._level(key)]
        gone = [n for key, n in self._standing.items() if key not in found]
        self._standing = found
        return [*news, *(replace(n, title=f"Over: {n.title}", at=now, over=True) for n in gone)]

    def _level(self, key: tuple[str, str]) -> int:
        before = self._standing.get(key)
        return _LEVELS[before.level] if before is not None else 0


# -- what is sent --------------------------------------------------------------------------


def webhook(url: str, secret: Secret | None, notice: Notice) -> HttpCall:
    """Return the call that tells a webhook.

    The body is New API's (`type`, `title`, `content`, `values`, `timestamp`), with what it is about beside; `text` and
    `content` are what Slack's and Discord's webhooks show. With a secret it is signed as New API signs it.
    """
    told = {
        "type": "channel_update" if notice.about.startswith("channel") else notice.about,
        "title": notice.title,
        "content": notice.text,
        "text": f"{notice.title}\n{notice.text}",
        "values": [],
        "timestamp": int(notice.at),
        "about": notice.about,
        "subject": notice.subject,
        "level": notice.level,
        "over": notice.over,
    }
    body = msgspec.json.encode(told)
    headers = (*_AGENT, *_JSON)
    if secret is not None:
        signature = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
        headers = (*headers, ("x-webhook-signature", signature))
    return HttpCall("POST", url, headers, body)


def bark(url: str, notice: Notice) -> HttpCall:
    """Return the call that tells Bark: its address has places for title and text.

    Source: https://bark.day.app/#/en-us/tutorial
    """
    for place, text in (("{{title}}", notice.title), ("{{content}}", notice.text)):
        url = url.replace(place, quote(text, safe=""))
    return HttpCall("GET", url, _AGENT)


def gotify(url: str, token: Secret, priority: int, notice: Notice) -> HttpCall:
    """Return the call that tells Gotify.

    Source: https://gotify.net/api-docs#/message/createMessage
    """
    body = msgspec.json.encode({"title": notice.title, "message": notice.text, "priority": priority})
    key = ("x-gotify-key", token.reveal())
    return HttpCall("POST", f"{url.rstrip('/')}/message", (*_AGENT, *_JSON, key), body)


def letter(mail: MailSpec, to: tuple[str, ...], notice: Notice) -> EmailMessage:
    """Return the letter that tells people."""
    message = EmailMessage()
    message["From"] = mail.sender or mail.user
    message["To"] = ", ".join(to)
    message["Subject"] = " ".join(f"[newapi] {notice.title}".split())
    message.set_content(f"{notice.text}\n")
    return message


# -- sending -------------------------------------------------------------------------------


def post(mail: MailSpec, password: Secret | None, message: EmailMessage) -> None:
    """Hand a letter to the mail server. Waits for it: call it in a thread.

    Raises:
        NoticeFailed: It cannot be reached, or refuses.
    """
    context = ssl.create_default_context()
    try:
        if mail.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT, context=context)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT)
        with server:
            if mail.tls == "starttls":
                server.starttls(context=context)
            if mail.user:
                server.login(mail.user, password.reveal() if password else "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise NoticeFailed(f"the mail server {mail.host} did not take it: {type(error).__name__}") from None


def send(config: Config, name: str, notice: Notice, resolve: Resolve) -> None:
    """Tell `[notices.NAME]`. Waits for the answer: call it in a thread.

    Raises:
        NotFound: There is no such section.
        NoticeFailed: It did not arrive.
        NewapiError: A reference cannot be resolved.
    """
    notices = config.notices.get(name)
    if notices is None:
        raise NotFound(f"There is no [notices.{name}]")
    secret = resolve(notices.secret) if notices.secret else None
    if notices.via == "email":
        mail = config.mail
        password = resolve(mail.password) if mail.password else None
        post(mail, password, letter(mail, notices.to, notice))
        return
    url = resolve(notices.url).reveal().strip() if is_reference(notices.url) else notices.url
    call = _calls(url, secret, notices)[notices.via](notice)
    try:
        reply = perform(call, TIMEOUT)
    except NewapiError as error:
        raise NoticeFailed(f"{notices.via} of [notices.{name}]: {error.message}") from None
    if refusal := _refusal(reply):
        raise NoticeFailed(f"{notices.via} of [notices.{name}] answered {refusal}")


def _calls(url: str, secret: Secret | None, notices: NoticesSpec) -> Mapping[str, Callable[[Notice], HttpCall]]:
    return {
        "webhook": lambda notice: webhook(url, secret, notice),
        "bark": lambda notice: bark(url, notice),
        "gotify": lambda notice: gotify(url, secret or Secret(""), notices.priority, notice),
    }


def _refusal(reply: HttpReply) -> str:
    return "" if 200 <= reply.status < 300 else str(reply.status)


def receivers(config: Config) -> list[Receiver]:
    """Return who is told, and of what."""
    return [
        Receiver(
            name,
            spec.via,
            ", ".join(spec.to) or ("(a reference)" if "://" not in spec.url else spec.url),
            ", ".join(spec.about) or "all",
            spec.level,
        )
        for name, spec in config.notices.items()
    ]


def test(config: Config, resolve: Resolve, names: Collection[str], *, now: float) -> list[Given]:
    """Tell receivers something that does not matter: those of `names`, or all there are. Waits for them.

    Raises:
        NotFound: There is no receiver of a name; nobody was told.
    """
    for name in names:
        if name not in config.notices:
            raise NotFound(f"There is no [notices.{name}]{did_you_mean(name, config.notices)}")
    notice = Notice("models", "", "A test of newapi", "Whoever reads this is told.", "error", now)
    return [Given(name, _sent(config, name, notice, resolve)) for name in names or config.notices]


def _sent(config: Config, name: str, notice: Notice, resolve: Resolve) -> str:
    """Return why a notice did not arrive, "" where it did."""
    try:
        send(config, name, notice, resolve)
    except NewapiError as error:
        return error.message
    return ""
