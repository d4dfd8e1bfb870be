"""Seals, usage and wishes to think."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newapi.ir.reasoning import CLAUDE_BUDGETS, budget_of, effort_of
from newapi.ir.request import ReasoningWish
from newapi.ir.seal import Seal, pack, unpack
from newapi.ir.usage import Usage, split_prompt


@given(st.builds(Seal, st.just("gemini"), st.text(), st.text()), st.sampled_from(["openai_chat", "gemini"]))
def test_a_seal_comes_back_out_of_any_format(seal: Seal, into: str) -> None:
    back = unpack(pack(seal, into), into, seal.id)
    if not seal.data.startswith("newapi."):
        assert back == seal


def test_what_only_looks_packed_is_the_formats_own() -> None:
    assert unpack("newapi.???", "gemini") == Seal("gemini", "newapi.???")


counts = st.integers(0, 10**6)


@given(counts, counts, counts, counts, counts)
def test_the_parts_of_a_prompt_sum_to_it(text: int, cached: int, written: int, image: int, audio: int) -> None:
    prompt = text + cached + written + image + audio
    split = split_prompt(prompt, cached=cached, written=written, image=image, audio=audio)
    assert split == (text, cached, written, image, audio)
    usage = Usage(input=text, cache_read=cached, cache_write_5m=written, input_image=image, input_audio=audio)
    assert usage.prompt == prompt == usage.total


EFFORTS = [
    (ReasoningWish(), None),
    (ReasoningWish(effort="high"), "high"),
    (ReasoningWish(effort="max"), "high"),
    (ReasoningWish(effort="minimal"), "low"),
    (ReasoningWish(budget=1000), "low"),
    (ReasoningWish(budget=8000), "medium"),
    (ReasoningWish(budget=9000), "high"),
    (ReasoningWish(enabled=True), "medium"),
    (ReasoningWish(effort="weird"), None),
]


@pytest.mark.parametrize(("wish", "effort"), EFFORTS)
def test_efforts(wish: ReasoningWish, effort: str | None) -> None:
    assert effort_of(wish, ("low", "medium", "high")) == effort


BUDGETS = [
    (ReasoningWish(), None),
    (ReasoningWish(enabled=False), 0),
    (ReasoningWish(effort="low"), 1280),
    (ReasoningWish(budget=5), 1024),
    (ReasoningWish(adaptive=True), 2048),
]


@pytest.mark.parametrize(("wish", "budget"), BUDGETS)
def test_budgets(wish: ReasoningWish, budget: int | None) -> None:
    assert budget_of(wish, CLAUDE_BUDGETS, 1024, 32000) == budget
