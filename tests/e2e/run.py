#!/usr/bin/env python3
"""Real containers on a real node: one kinglet on a host of its own."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import runner  # noqa: E402
from harness.cluster import Cluster  # noqa: E402

import test_images  # noqa: E402
import test_lifecycle  # noqa: E402
import test_pods  # noqa: E402
import test_restart  # noqa: E402
import test_services  # noqa: E402


def cluster(build):
    made = Cluster(build).start()
    made.image = made.import_image()
    return made


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("containers need root: run as root\n0 passed, 1 failed")
        sys.exit(1)
    runner.suite("e2e", runner.cases_of(test_services, test_pods, test_images, test_lifecycle, test_restart), cluster)
