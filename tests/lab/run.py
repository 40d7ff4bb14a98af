#!/usr/bin/env python3
"""Several hosts joined by cables that are cut, slowed down and given other addresses. Each file here is a group of cases."""
import glob
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)

from harness import runner  # noqa: E402

if __name__ == "__main__":
    if os.geteuid() != 0:
        print("hosts need root: run as root\n0 passed, 1 failed")
        sys.exit(1)
    names = sorted(os.path.basename(path)[:-3] for path in glob.glob(f"{HERE}/*_test.py"))
    runner.suite_of_groups("lab", [importlib.import_module(name) for name in names])
