#!/usr/bin/env python3
"""Tests of `orrery pull` against a hub on this machine: each prints `ok - what` or `FAIL - what`.

behaviour.py has what must work, hostile_cases.py what a hub may do to us, peers.py what the Python
package huggingface_hub and this program find in each other's caches. After every hostile case an
honest pull into the same folder must succeed: nothing may stay that breaks a later run.
"""

import concurrent.futures
import sys
import traceback

import behaviour
import hostile_cases
import peers
from hub_server import Hub, Repo
from sandbox import Broken, Sandbox, golden


def hostile(words, answers):
    repo = Repo(golden("llama_bf16/hf"))
    with Hub({"tiny/model": repo}, answers=answers) as hub, Sandbox() as box:
        box.pull(hub, "tiny/model").failed(*words)
        hub.answers = []
        box.pull(hub, "tiny/model").fine()
        box.check_pulled("tiny/model", repo, repo.files)


def all_tests():
    yield from behaviour.tests()
    yield from peers.tests()
    for name, words, answers in hostile_cases.CASES:
        yield f"hostile: {name}", lambda words=words, answers=answers: hostile(words, answers)


def attempt(name, test):
    try:
        test()
        return f"ok - {name}", True
    except peers.Missing as missing:
        return f"skip - {name}: {missing}", True
    except Broken as broken:
        return f"  {broken}\nFAIL - {name}", False
    except Exception:
        return f"{traceback.format_exc()}FAIL - {name}", False


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    tests = [(name, test) for name, test in all_tests() if only in name]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        good = True
        for text, fine in pool.map(lambda pair: attempt(*pair), tests):
            print(text, flush=True)
            good &= fine
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
