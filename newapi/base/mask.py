"""Messages for callers: what went wrong, without keys, hosts and addresses of the upstream.

What is left standing is what explains the error: JSON paths (`messages.0.content`), file and model names, numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address

STARS = "***"

_CERTAIN = frozenset(
    "com net org io ai dev cn hk tw jp kr sg vn th ph uk ie de fr es pt nl ch se dk fi cz hu ro gr eu ru ua kz tr il ae"
    " sa au nz ca br mx ar cl za ng ke gov edu mil biz co tv gg xyz icu".split()
)
"""Ends of a name that nothing but a host has."""
_LIKELY = frozenset(
    "app cloud tech site online top vip club space host example test invalid local localhost internal intranet lan corp"
    " home svc cluster arpa".split()
)
"""Ends that a JSON path may have too: a host with three labels or more, or where a host is due."""
_FILES = frozenset(
    "py js ts go rs rb c cc cpp h hpp java kt cs php sh json jsonl yaml yml toml ini md txt html htm xml csv tsv log"
    " png jpg jpeg gif webp svg pdf mp3 mp4 wav zip gz tar db sql lock so dll exe".split()
)

_URL = re.compile(r"(?i)\b(https?|wss?|socks5h?|ftp)://([^\s\"'<>`\\]+)")
_HOST = re.compile(
    r"(?i)(?P<due>(?:\bhost\s+|\blookup\s+|\btcp[46]?\s+|\bconnect(?:ing)?\s+to\s+|\bresolv(?:e|ing)\s+"
    r"|(?<![\w.+-])[\w.+-]{1,64}@))?"
    r"(?<![\w.*/$\[\]-])(?P<name>(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,24})"
    r"(?P<port>:\d{2,5})?(?![\w(\[*-]|\.[\w*])"
)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4})(?![\w:])")

_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:sk-[\w*.-]{7,}[\w*]|(?:pk|rk|xai|pplx|gsk|hf|r8|nvapi)[-_][\w-]{16,}|AIza[\w-]{10,}"
    r"|AKIA[0-9A-Z]{12,}|eyJ[\w-]{10,}\.[\w-]+(?:\.[\w-]+)?)"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)(?=[^\s]*\d)[\w.~+/=|-]{6,}")
_NAMED = re.compile(
    r"(?i)(?<![a-z0-9])((?:x-)?(?:goog-)?(?:api[_-]?key|access[_-]?token|secret(?:[_-]?key)?|password|authorization)"
    r"[\"']?)(\s*[:=]\s*)([\"']?)(?:(?:bearer|basic)\s+)?([^\s\"',;&}]+)"
)
_QUERY = re.compile(r"(?i)([?&](?:[\w-]*key|[\w-]*token|sig(?:nature)?|secret|password)=)[^&\s\"'<>)]+")


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` as a caller may see it.

    URLs keep their scheme, the end of the host and their shape (`https://***.org/***/***?key=***`), domains their end
    (`***.***.com`); addresses, keys, bearer tokens and values of `api_key: …` become stars, and so do `secrets`
    wherever they stand (those of fewer than four characters are words that anyone may say).
    """
    if not text:
        return text
    for secret in sorted({s for s in secrets if len(s) >= 4}, key=len, reverse=True):
        text = text.replace(secret, STARS)
    if "://" in text:
        text = _URL.sub(_url, text)
    text = _KEY.sub(_key, text)
    text = _BEARER.sub(rf"\g<1>{STARS}", text)
    text = _NAMED.sub(_named, text)
    if "=" in text:
        text = _QUERY.sub(rf"\g<1>{STARS}", text)
    if "." in text:
        text = _IPV4.sub(_ipv4, text)
        text = _HOST.sub(_host, text)
    return _IPV6.sub(_ipv6, text) if "::" in text or text.count(":") > 6 else text


def _tail(labels: list[str]) -> list[str]:
    """Return what is shown of a name: its end, two labels where it is one like `co.uk`."""
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return labels[-2:] if short else labels[-1:]


def _url(match: re.Match[str]) -> str:
    scheme, rest = match[1], match[2]
    bare = rest.rstrip(".,;:!?)]}")
    after = rest[len(bare) :]
    bare = bare.partition("#")[0]
    place, _, query = bare.partition("?")
    authority, *segments = place.split("/")
    host = authority.rpartition("@")[2]
    host = host if host.startswith("[") else host.partition(":")[0]
    labels = host.split(".")
    shown = STARS
    if len(labels) > 1 and labels[-1].isalpha():
        shown = ".".join([STARS, *_tail(labels)])
    out = f"{scheme}://{shown}" + "".join(f"/{STARS}" if s else "/" for s in segments)
    names = [p.partition("=")[0] for p in query.split("&") if p]
    return out + (f"?{'&'.join(f'{n}={STARS}' for n in names)}" if names else "") + after


def _key(match: re.Match[str]) -> str:
    found = match[0]
    return f"sk-{STARS}" if found.startswith("sk-") else STARS


def _named(match: re.Match[str]) -> str:
    name, sign, quote, value = match.groups()
    if sign.strip() != sign and value.isalpha() and value.islower() and not quote and len(value) < 16:
        return match[0]  # a sentence: "api_key: must be given"
    return f"{name}{sign}{quote}{STARS}"


def _ipv4(match: re.Match[str]) -> str:
    try:
        IPv4Address(match[0])
    except AddressValueError:
        return match[0]
    return ".".join([STARS] * 4)


def _ipv6(match: re.Match[str]) -> str:
    found = match[0]
    try:
        IPv6Address(found)
    except AddressValueError:
        return found
    return STARS if any(c.isdigit() for c in found) else found


def _host(match: re.Match[str]) -> str:
    due, name, port = match["due"] or "", match["name"], match["port"] or ""
    labels = name.split(".")
    end = labels[-1].lower()
    numbered = any(label.isdigit() for label in labels)
    expected = bool(due or port) and end not in _FILES
    is_host = end in _CERTAIN or expected or (end in _LIKELY and len(labels) > 2)
    if not is_host or (numbered and not expected):
        return match[0]
    tail = _tail(labels)
    shown = ".".join([STARS] * (len(labels) - len(tail)) + tail)
    return f"{f'{STARS}@' if due.endswith('@') else due}{shown}{port}"
