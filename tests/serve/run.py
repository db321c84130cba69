#!/usr/bin/env python3
"""Tests of `orrery serve`: the real program with the default model, each check a line `ok - what`
or `FAIL - what`.

behaviour.py has what must work over plain HTTP, clients.py what people's own clients make of it,
hostile.py what others may send, crowd.py many at once. One server answers them all, so that what
one case leaves behind shows in the next; tests that need other flags start one of their own.
"""

import sys
import traceback

import behaviour
import clients
import crowd
import hostile
from server import Broken, Server


def all_tests(server):
    yield from behaviour.tests(server)
    yield from clients.tests(server)
    yield from hostile.tests(server)
    yield from crowd.tests()


def attempt(name, test, server):
    try:
        test()
        print(f"ok - {name}", flush=True)
        return True
    except Broken as broken:
        print(f"  {broken}\nFAIL - {name}", flush=True)
    except Exception:
        print(f"{traceback.format_exc()}FAIL - {name}", flush=True)
    if server.process.poll() is not None:
        print(f"  the server has ended with {server.process.poll()}:\n{server.log_text()[-2000:]}")
        sys.exit(1)
    return False


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    with Server("--alias", "default") as server:
        good = True
        for name, test in all_tests(server):
            if only in name:
                good &= attempt(name, test, server)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
