"""How long ``import aitrace`` takes in a fresh process, beside what it is measured against.

    maturin develop --release && python benches/bench_import.py [--runs 20]

``-X importtime`` gives the time of the import alone; the processor time is that of the whole process less
that of one that imports nothing, which a loaded machine changes less.
"""

import argparse
import resource
import statistics
import subprocess
import sys

GOAL = 40.0
MODULES = ("aitrace", "logging", "inspect", "opentelemetry.sdk.trace")


def processor(code):
    """Milliseconds of processor time of a fresh process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def importing(module):
    """Milliseconds of one import, as the interpreter tells."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {module}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()
    return int(lines[-1].split("|")[1]) / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    runs = range(parser.parse_args().runs)
    nothing = statistics.median(processor("pass") for _ in runs)
    print("| import | importtime ms, median | fastest | processor ms, median | goal |")
    print("|---|---|---|---|---|")
    for module in MODULES:
        times = [importing(module) for _ in runs]
        used = statistics.median(processor(f"import {module}") for _ in runs) - nothing
        goal = GOAL if module == "aitrace" else ""
        print(f"| {module} | {statistics.median(times):.1f} | {min(times):.1f} | {used:.1f} | {goal} |")


if __name__ == "__main__":
    main()
