"""What callers may read of an upstream's errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.base.mask import mask

MASKED = [
    # URLs
    ("https://api.test.org/v1/users/123?key=secret", "https://***.org/***/***/***?key=***"),
    ("http://example.com", "http://***.com"),
    ("see https://a.b.co.uk/x.", "see https://***.co.uk/***."),
    ('Post "https://secret.host.example/v1?key=abc": EOF', 'Post "https://***.example/***?key=***": EOF'),
    ("http://user:pw@intern/x", "http://***/***"),
    ("http://10.1.2.3:8080/x", "http://***/***"),
    ("http://[::1]:80/", "http://***/"),
    ("wss://a.com/x#part", "wss://***.com/***"),
    # hosts
    ("sub.domain.co.uk", "***.***.co.uk"),
    ("api.openai.com is down", "***.***.com is down"),
    ("lookup foo.bar.svc on 10.0.0.2:53: no such host", "lookup ***.***.svc on ***.***.***.***:53: no such host"),
    ("dial tcp mine.box:443", "dial tcp ***.box:443"),
    ("connect to secret.host.example failed", "connect to ***.***.example failed"),
    ("ask admin.x@corp.example.com", "ask ***@***.***.com"),
    ("secret.host.example/v1?key=abc", "***.***.example/v1?key=***"),
    # addresses
    ("192.168.1.1", "***.***.***.***"),
    ("dial tcp 10.1.2.3:443: refused", "dial tcp ***.***.***.***:443: refused"),
    ("from fe80::1:2 to ::1", "from *** to ***"),
    ("at 2001:db8:0:0:0:0:0:1.", "at ***."),
    # keys
    ("Incorrect API key provided: sk-upstream.", "Incorrect API key provided: sk-***."),
    ("key sk-proj-****************abcd is wrong", "key sk-*** is wrong"),
    ("AIzaSyA-1234567890abcdef", "***"),
    ("Authorization: Bearer abc123def456", "Authorization: ***"),
    ("got Bearer abc123def456", "got Bearer ***"),
    ("api_key:xxxx", "api_key:***"),
    ('{"api_key": "abc", "n": 1}', '{"api_key": "***", "n": 1}'),
    ("x-api-key=Zz9", "x-api-key=***"),
    ("?api_key=abc&n=1", "?api_key=***&n=1"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.abc-_1", "***"),
]

LEFT = [
    "",
    "messages.0.content: field required",
    "tools.*.function.name is too long",
    "response_format.json_schema.schema.properties.example",
    "config.json is missing",
    "main.py:123: error",
    "body.user.name must be a string",
    "gpt-4.1 is not gpt-3.5-turbo; use claude-3.5-sonnet or Qwen2.5-72B",
    "at 12:34:56 on 2026-01-02T03:04:05Z",
    "std::vector and a::b",
    "Bearer authentication is needed",
    "api_key: must be given",
    "version 1.2.3",
    "999.999.999.999",
    "task-force of the desk-organisation",
    "This model's maximum context length is 8192 tokens.",
    "max_tokens=100 & temperature=0.5",
]


@pytest.mark.parametrize(("text", "shown"), MASKED)
def test_masked(text: str, shown: str) -> None:
    assert mask(text) == shown


@pytest.mark.parametrize("text", LEFT)
def test_left_as_it_is(text: str) -> None:
    assert mask(text) == text


@pytest.mark.parametrize("text", [t for t, _ in MASKED] + LEFT)
def test_masking_what_is_masked_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_named_secrets_go_wherever_they_stand() -> None:
    assert mask("it was abcd.efgh, I think", ["", "abc", "abcd", "abcd.efgh"]) == "it was ***, I think"
    assert mask("abc", ["abc"]) == "abc"


@given(
    before=st.text(max_size=40),
    secret=st.from_regex(r"sk-[A-Za-z0-9]{12,40}", fullmatch=True),
    after=st.sampled_from(["", " ", "\n", '"', ",", ")"]),
)
def test_a_key_never_shows(before: str, secret: str, after: str) -> None:
    assert secret not in mask(f"{before} {secret}{after}")


@given(before=st.text(max_size=30), address=st.ip_addresses(v=4), after=st.text(alphabet=" :,)\n", max_size=3))
def test_an_address_never_shows(before: str, address: object, after: str) -> None:
    assert str(address) not in mask(f"{before} {address}{after}")


@given(
    before=st.text(max_size=100),
    secret=st.from_regex(r"[a-zA-Z0-9]{8,30}", fullmatch=True),
    after=st.text(max_size=100),
)
def test_a_named_secret_never_shows(before: str, secret: str, after: str) -> None:
    assert secret not in mask(before + secret + after, [secret])


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a." * 100_000, "a@" * 50_000, ":" * 50_000, "sk-" * 50_000, "?k=" * 50_000]
)
def test_long_texts_are_masked_in_linear_time(text: str) -> None:
    # A quadratic expression would take minutes here.
    assert isinstance(mask(text), str)
