"""Streams of /v1/completions, measured: what a client of an OpenAI-compatible server sees."""

import asyncio
import dataclasses
import json
import random
import statistics
import time

import aiohttp

WORDS = ("time people year way day man thing woman life child world school state family student "
         "group country problem hand part place case week company system program question work "
         "night point home water room mother area money story fact month right study book").split()


@dataclasses.dataclass
class Seen:
    """Of one request: seconds to its first text, its tokens, the gaps between pieces of text."""

    first: float
    tokens: int
    gaps: list


def words(count, seed):
    chosen = random.Random(seed)
    return " ".join(chosen.choice(WORDS) for _ in range(count))


def session():
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1800),
                                 connector=aiohttp.TCPConnector(limit=0, force_close=True))


async def stream(http, url, prompt, tokens):
    begun = time.perf_counter()
    first, last, gaps, count = None, None, [], 0
    body = {"model": "default", "prompt": prompt, "max_tokens": tokens, "temperature": 0,
            "stream": True, "stream_options": {"include_usage": True}, "ignore_eos": True}
    async with http.post(url + "/v1/completions", json=body) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {(await answer.text())[:300]}")
        async for line in answer.content:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            piece, now = json.loads(line[6:]), time.perf_counter()
            if piece.get("usage"):
                count = piece["usage"]["completion_tokens"]
            if piece.get("choices") and piece["choices"][0].get("text"):
                if last is None:
                    first = now - begun
                else:
                    gaps.append(now - last)
                last = now
    return Seen(first if first is not None else time.perf_counter() - begun, count, gaps)


async def together(url, prompts, tokens):
    """All at once: (tokens a second, median seconds to the first text)."""
    async with session() as http:
        begun = time.perf_counter()
        seen = await asyncio.gather(*(stream(http, url, p, tokens) for p in prompts))
        seconds = time.perf_counter() - begun
    return sum(s.tokens for s in seen) / seconds, statistics.median(s.first for s in seen)


async def while_a_long_prompt_comes(url, seed, long_words=4000):
    """(worst gap, median gap) of four streams, in seconds."""
    async with session() as http:
        streams = [asyncio.create_task(stream(http, url, words(20, f"{seed} {i}"), 256))
                   for i in range(4)]
        await asyncio.sleep(1)
        await stream(http, url, words(long_words, f"{seed} long"), 1)
        gaps = [gap for s in await asyncio.gather(*streams) for gap in s.gaps]
    return max(gaps), statistics.median(gaps)
