#!/usr/bin/env python3
"""Runs every test of a finished build, counts the single cases and ends with `N passed, N failed`.

A step is a program with a time limit: each *_test of build/release (GoogleTest), each
tests/*/run.py, each fuzzer for ten seconds, the formatter, shellcheck, and the programs that do
arithmetic once more under every lower instruction-set rung of this CPU. Output goes to
build/test-logs; only what failed is shown. It builds nothing: `./dev test` does that first.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
SMOKE_SECONDS = 10

# The rungs of src/kernels/kernels.h from low to high, with the /proc/cpuinfo flags that each needs.
RUNGS = [
    ("scalar", set()),
    ("avx2", {"avx2", "fma", "f16c"}),
    ("avx_vnni", {"avx2", "fma", "f16c", "avx_vnni"}),
    ("avx512", {"avx512f", "avx512bw", "avx512dq", "avx512vl"}),
    ("avx512_vnni", {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}),
    ("amx", {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "amx_tile", "amx_int8"}),
]
# The programs whose result could depend on the rung.
RUNG_PROGRAMS = ["kernels_test", "forward_test", "engine_test"]

GTEST_DONE = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (.+) \(\d+ ms\)$")
# What tests/*/run.py print: one line a check.
LINE_DONE = re.compile(r"^(ok|FAIL|skip) - (.+)$")


@dataclass
class Step:
    name: str
    command: list
    timeout: int
    kind: str  # gtest, lines, or exit: the step as a whole is one case
    environment: dict = field(default_factory=dict)


@dataclass
class Outcome:
    passed: int = 0
    failed: list = field(default_factory=list)
    skipped: int = 0


def run(step):
    """The command's exit code, or None when its time ran out; its output is in the log."""
    log = LOGS / (step.name.replace("/", "-") + ".log")
    environment = {**os.environ, **step.environment}
    if not shutil.which(step.command[0]):
        log.write_text(f"{step.command[0]} does not exist: is it built?\n", encoding="utf-8")
        return 127, log
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(
            step.command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True)
        try:
            code = process.wait(timeout=step.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = None
        except KeyboardInterrupt:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return code, log


def judge(step, code, text):
    outcome = Outcome()
    pattern = {"gtest": GTEST_DONE, "lines": LINE_DONE}.get(step.kind)
    for line in text.splitlines() if pattern else []:
        done = pattern.match(line)
        if not done:
            continue
        if done[1] in ("OK", "ok"):
            outcome.passed += 1
        elif done[1] in ("SKIPPED", "skip"):
            outcome.skipped += 1
        else:
            outcome.failed.append(done[2])
    if code is None:
        outcome.failed.append(f"{step.name}: over its limit of {step.timeout} s")
    elif code != 0 and not outcome.failed:
        outcome.failed.append(f"{step.name}: ended with {code}")
    elif pattern is None:
        outcome.passed += 1
    elif not (outcome.passed or outcome.skipped or outcome.failed):
        outcome.failed.append(f"{step.name}: ran no test")
    return outcome


def cpu_flags():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return set(found[1].split()) if found else set()


def lower_rungs():
    """The rungs of this CPU below its highest, which every other step runs under anyway."""
    flags = cpu_flags()
    return [name for name, needs in RUNGS if needs <= flags][:-1]


def gtest_steps(filter_text):
    extra = [f"--gtest_filter={filter_text}"] if filter_text else []
    for program in sorted((ROOT / "build" / "release").glob("*_test")):
        yield Step(program.name.removesuffix("_test"), [str(program), *extra], 600, "gtest")


def isa_steps():
    for rung in lower_rungs():
        for name in RUNG_PROGRAMS:
            program = ROOT / "build" / "release" / name
            if program.exists():
                yield Step(f"isa/{rung}/{name.removesuffix('_test')}", [str(program)], 600, "gtest",
                           {"ORRERY_ISA": rung})


def script_steps():
    for script in sorted((ROOT / "tests").glob("*/run.py")):
        yield Step(script.parent.name, [sys.executable, str(script)], 600, "lines")


def fuzz_steps():
    for source in sorted((ROOT / "fuzz").glob("*.cpp")):
        name = source.stem
        program = ROOT / "build" / "fuzz" / f"fuzz_{name}"
        found = ROOT / ".cache" / "fuzz" / name
        found.mkdir(parents=True, exist_ok=True)
        corpus = ROOT / "fuzz" / "corpus" / name
        command = [str(program), f"-max_total_time={SMOKE_SECONDS}", "-timeout=10",
                   "-rss_limit_mb=1024", f"-artifact_prefix={found}-", str(found)]
        if corpus.is_dir():
            command.append(str(corpus))
        yield Step(f"fuzz/{name}", command, SMOKE_SECONDS + 60, "exit")


def house_steps():
    files = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard",
                            "*.cpp", "*.h"],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    files = [file for file in files if (ROOT / file).exists()]
    yield Step("format", [str(ROOT / ".venv/bin/clang-format"), "--dry-run", "--Werror", *files],
               300, "exit")
    yield Step("shell", ["shellcheck", "-x", "-a", "dev", ".ci/run"], 60, "exit")


def all_steps(filter_text):
    return [*house_steps(), *script_steps(), *gtest_steps(filter_text), *isa_steps(),
            *fuzz_steps()]


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    steps = all_steps(sys.argv[2] if len(sys.argv) > 2 else "")
    if wanted:
        steps = [step for step in steps
                 if step.name == wanted or step.name.startswith(wanted + "/")]
        if not steps:
            names = ", ".join(step.name for step in all_steps(""))
            print(f"no test named {wanted}; these there are: {names}")
            print("0 passed, 1 failed")
            return 1
    LOGS.mkdir(parents=True, exist_ok=True)
    passed, skipped, failed = 0, 0, []
    started = time.monotonic()
    for number, step in enumerate(steps, 1):
        print(f"[{number:2}/{len(steps)}] {step.name:24} ", end="", flush=True)
        begun = time.monotonic()
        code, log = run(step)
        text = log.read_text(encoding="utf-8", errors="replace")
        outcome = judge(step, code, text)
        words = f"{outcome.passed:5} passed"
        if outcome.skipped:
            words += f", {outcome.skipped} skipped"
        if outcome.failed:
            words += f", {len(outcome.failed)} FAILED"
        print(f"{words}  {time.monotonic() - begun:6.1f} s", flush=True)
        if outcome.failed:
            for name in outcome.failed[:20]:
                print(f"      FAILED {name}")
            print(f"      the end of {log.relative_to(ROOT)}:")
            for line in text.splitlines()[-60:]:
                print("      | " + line)
        passed += outcome.passed
        skipped += outcome.skipped
        failed += outcome.failed
    print(f"Tests took {time.monotonic() - started:.0f} s" +
          (f"; {skipped} were skipped" if skipped else ""))
    print(f"{passed} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
