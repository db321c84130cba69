#!/usr/bin/env python3
"""Tests of the Explorer's feed: the real program with tiny models, each check a line `ok - what` or
`FAIL - what`.

oracle.py holds what the feed says against what transformers saw, behaviour.py is how sessions
behave, hostile.py what others may send. With a word, only the tests whose names hold it are run.
"""

import sys
import traceback

import behaviour
import hostile
import oracle
from feed import Broken, Viewer, serve


def attempt(name, test):
    try:
        test()
        print(f"ok - {name}", flush=True)
        return True
    except Broken as broken:
        print(f"  {broken}\nFAIL - {name}", flush=True)
    except Exception:
        print(f"{traceback.format_exc()}FAIL - {name}", flush=True)
    finally:
        Viewer.close_all()
    return False


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    good = True
    with serve("llama_f32") as dense, serve("mixtral") as moe:
        for tests in (oracle.tests(), behaviour.tests(dense, moe), hostile.tests(dense)):
            for name, test in tests:
                if only in name:
                    good &= attempt(name, test)
        for server in (dense, moe):
            good &= attempt("the server lives", server.check_alive)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
