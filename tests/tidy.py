#!/usr/bin/env python3
"""The house rules that a machine can check. Prints one line per breach, with the reason; exit 1 if there is any.

Exceptions are listed here by name: a new one needs a reason in review.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINES_MAX = 800

# pattern, reason, files (by suffix) where it is right
BANNED = [
    (r"\basio::detached\b", "tasks have owners: use a TaskGroup", ["src/base/task_group.cc"]),
    (r"\bstd::thread\b|\bstd::jthread\b|\bpthread_create\b", "blocking work goes to a Worker",
     ["src/base/worker.cc"]),
    (r"\bsystem_clock\b|\bsteady_clock::now\b|\bgettimeofday\b|[^_a-z]time\(nullptr\)|[^_a-z]time\(NULL\)",
     "time comes through Clock", ["src/base/clock.cc"]),
    (r"\bstd::mt19937|\brand\(\)|\brandom_device\b", "randomness comes through Random", ["src/base/random.cc"]),
    (r"#include <regex>", "std::regex recurses on its input: use RE2 or plain code", []),
    (r"#include <iostream>", "iostreams cost memory in every process: use Log or stdio", []),
    (r"[^a-z_]system\(|\bpopen\(", "no shell: use base/process.h", []),
    (r"\bstd::this_thread::sleep|\busleep\(|[^_.a-z>]sleep\(\d", "sleeping is no synchronisation", []),
    (r"\bTODO\b|\bFIXME\b|\bXXX\b", "build it, or answer with a clear error and say so in docs/compat.md", []),
]
# library header -> the modules that own it
OWNERS = {
    "openssl/": ["net"], "nghttp2/": ["net"], "wslay/": ["net"], "http_parser.h": ["net"],
    "sqlite3.h": ["store"], "netlink/": ["node"], "nftables/": ["node"], "archive.h": ["node"],
    "archive_entry.h": ["node"], "ldns/": ["node"], "yaml-cpp/": ["json"], "CLI/": ["cli"],
    "prometheus/": ["base"], "spdlog/": ["base"], "re2/": ["schema", "apiserver", "node"],
}


def modules():
    """What CMakeLists.txt declares: module -> all modules that it may include, through others too."""
    direct = {}
    with open(os.path.join(ROOT, "CMakeLists.txt")) as file:
        for kind, name, rest in re.findall(r"kinglet_(module|binary)\((\w+)([^)]*)\)", file.read()):
            words = rest.split()
            if kind == "binary":
                name = words[words.index("MODULE") + 1]
            deps = []
            if "DEPS" in words:
                for word in words[words.index("DEPS") + 1:]:
                    if word.isupper():
                        break
                    deps.append(word)
            direct[name] = deps
    closed = {}

    def close(name):
        if name not in closed:
            closed[name] = {name}
            for dep in direct[name]:
                closed[name] |= close(dep)
        return closed[name]

    for name in direct:
        close(name)
    return closed


def main():
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\n")
    allowed = modules()
    breaches = []
    for path in files:
        if not path.endswith((".cc", ".h")) or not os.path.exists(os.path.join(ROOT, path)):
            continue
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            lines = file.read().split("\n")
        say = lambda number, text: breaches.append(f"{path}:{number}: {text}")
        if len(lines) > LINES_MAX:
            say(1, f"{len(lines)} lines: split it by idea before {LINES_MAX}")
        if path.endswith(".h") and "#pragma once" not in lines[:40]:
            say(1, "a header says #pragma once")
        parts = path.split("/")
        module = parts[1] if parts[0] == "src" else None
        # Tests start programs and wait for them; the rules below are for what runs on devices.
        product = module is not None and not re.search(r"_(test|fuzz)\.cc$|/testing/", path)
        for number, line in enumerate(lines, 1):
            code = re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]
            for pattern, reason, fine in BANNED:
                if product and re.search(pattern, line if "TODO" in pattern else code) and path not in fine:
                    say(number, f"{pattern}: {reason}")
            include = re.match(r'#include ([<"])([^>"]+)[>"]', line)
            if not include or not module:
                continue
            bracket, header = include.groups()
            if bracket == '"':
                other = header.split("/")[0]
                if other in allowed and other not in allowed.get(module, {module}) and product:
                    say(number, f"{module} does not declare {other} in CMakeLists.txt")
                if "/internal/" in header and other != module:
                    say(number, f"{header} is {other}'s own")
            for prefix, owners in OWNERS.items():
                if header.startswith(prefix) and module not in owners:
                    say(number, f"only {', '.join(owners)} may include {prefix}")
    for module in sorted(allowed):
        if not os.path.exists(os.path.join(ROOT, "src", module, "README.md")):
            breaches.append(f"src/{module}: has no README.md")
    print("\n".join(breaches) if breaches else f"tidy: {len(files)} files follow the house rules")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
