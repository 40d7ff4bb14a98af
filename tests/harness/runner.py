"""Runs the test functions of a suite, prints a line each and, last, "N passed, M failed"."""
import argparse
import inspect
import sys
import time
import traceback


def suite(name, cases, make_context=None):
    """`cases`: functions test_x(context). One context serves all of them unless make_context is None."""
    parser = argparse.ArgumentParser(description=name)
    parser.add_argument("--build", required=True)
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    chosen = [case for case in cases if options.filter in case.__name__]
    passed = failed = 0
    context = make_context(options.build) if make_context and chosen else None
    try:
        for case in chosen:
            start = time.monotonic()
            try:
                case(context if make_context else options.build)
                passed += 1
                print(f"ok     {case.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
            except Exception as error:  # any failure of a case is a result, not the end of the suite
                failed += 1
                print(f"FAILED {case.__name__}: {error}", flush=True)
                if not isinstance(error, AssertionError):
                    traceback.print_exc(file=sys.stdout)
                if context is not None and hasattr(context, "log_tail"):
                    print(context.log_tail(15), flush=True)
    finally:
        if context is not None:
            context.close()
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


def cases_of(*modules):
    """Every test_* function of the modules, in the order in which they are written."""
    found = []
    for module in modules:
        functions = [f for n, f in inspect.getmembers(module, inspect.isfunction) if n.startswith("test_")
                     and f.__module__ == module.__name__]
        found += sorted(functions, key=lambda f: f.__code__.co_firstlineno)
    return found
