"""Runs the test functions of a suite, prints a line each and, last, "N passed, M failed"."""
import argparse
import inspect
import sys
import time
import traceback


class Count:
    def __init__(self):
        self.passed = self.failed = 0

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


def options_of(name):
    parser = argparse.ArgumentParser(description=name)
    parser.add_argument("--build", required=True)
    parser.add_argument("--filter", default="")
    return parser.parse_args()


def run_cases(options, cases, make_context, count):
    chosen = [case for case in cases if options.filter in case.__name__]
    context = None
    try:
        context = make_context(options.build) if make_context and chosen else None
        for case in chosen:
            start = time.monotonic()
            try:
                case(context if make_context else options.build)
                count.passed += 1
                print(f"ok     {case.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception as error:  # any failure of a case is a result, not the end of the suite
                count.failed += 1
                print(f"FAILED {case.__name__}: {error}", flush=True)
                if not isinstance(error, AssertionError):
                    traceback.print_exc(file=sys.stdout)
                if context is not None and hasattr(context, "log_tail"):
                    print(context.log_tail(15), flush=True)
    finally:
        if context is not None:
            context.close()


def suite(name, cases, make_context=None):
    """`cases`: functions test_x(context). One context serves all of them unless make_context is None."""
    count = Count()
    run_cases(options_of(name), cases, make_context, count)
    count.end()


def suite_of_groups(name, modules):
    """Each module's cases with a context of their own, made by its make_context(build); without one they get `build`."""
    options, count = options_of(name), Count()
    for module in modules:
        try:
            run_cases(options, cases_of(module), getattr(module, "make_context", None), count)
        except Exception:  # a context that does not come up fails its group, and the next one gets its turn
            count.failed += 1
            print(f"FAILED {module.__name__}: no context", flush=True)
            traceback.print_exc(file=sys.stdout)
    count.end()


def cases_of(*modules):
    """Every test_* function of the modules, in the order in which they are written."""
    found = []
    for module in modules:
        functions = [f for n, f in inspect.getmembers(module, inspect.isfunction) if n.startswith("test_")
                     and f.__module__ == module.__name__]
        found += sorted(functions, key=lambda f: f.__code__.co_firstlineno)
    return found
