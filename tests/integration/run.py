#!/usr/bin/env python3
"""kubectl and Helm, unmodified, against a control plane without a node."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from harness import runner  # noqa: E402
from harness.cluster import Cluster  # noqa: E402

import test_access  # noqa: E402
import test_bad_input  # noqa: E402
import test_kinds  # noqa: E402
import test_kubectl  # noqa: E402

if __name__ == "__main__":
    runner.suite("integration", runner.cases_of(test_kubectl, test_kinds, test_bad_input, test_access),
                 lambda build: Cluster(build, agent=False).start())
