#!/usr/bin/env python3
"""api/*.schema -> C++: the tables and the plain structs. Usage: generate.py [--list] API_FOLDER OUT_FOLDER

--list prints the paths that would be written, for the build system. A file that would not change is not touched,
so that an edit of one package compiles that package only.
"""
import sys
from pathlib import Path

import emit_structs
import emit_tables
from schema_file import SchemaError, read_all


def main():
    arguments = [a for a in sys.argv[1:] if a != "--list"]
    if len(arguments) != 2:
        sys.exit(__doc__)
    out = Path(arguments[1])
    try:
        catalogue = read_all(arguments[0])
    except SchemaError as error:
        sys.exit(str(error))
    files = [*emit_tables.emit(catalogue), *emit_structs.emit(catalogue)]
    if "--list" in sys.argv:
        print(";".join(str(out / name) for name, _ in files), end="")
        return
    for name, text in files:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


main()
