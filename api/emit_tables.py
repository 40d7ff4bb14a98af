"""Writes the constant tables behind src/schema/types.h."""
TYPES_PER_FILE = 90

KINDS = {"string": "string", "bool": "boolean", "int32": "int32", "int64": "int64",
         "double": "float64", "bytes": "bytes", "quantity": "quantity",
         "int-or-string": "int_or_string", "time": "time", "micro-time": "micro_time",
         "duration": "duration", "raw": "raw", "any": "any", "object": "object"}
SHAPES = {"": "object", "strings": "strings", "or-list": "schema_or_list",
          "or-bool": "schema_or_bool", "or-strings": "schema_or_strings"}

HEADER = '// Generated from api/*.schema by api/generate.py.\n#include "schema_tables.h"\n\n'
OPEN = "namespace kinglet::schema::tables {\n\n"
CLOSE = "\n}  // namespace kinglet::schema::tables\n"


def symbol(full_name):
    return full_name.replace(".", "_")


def text(value):
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"sv' if value else "{}"


def flag(value):
    return "true" if value else "false"


class Lists:
    """Arrays of strings, each written once per file."""

    def __init__(self):
        self.names = {}
        self.lines = []

    def name(self, items):
        items = tuple(items)
        if not items:
            return "{}"
        if items not in self.names:
            self.names[items] = f"kList{len(self.names)}"
            body = ", ".join(text(item) for item in items)
            self.lines.append(
                f"constexpr std::string_view {self.names[items]}[] = {{{body}}};\n")
        return self.names[items]


def field_line(f, lists):
    options = f.options
    list_type = "set" if "set" in f.words else "map" if "keys" in options else "atomic"
    type_pointer = f"&{symbol(f.type_name)}" if f.kind == "object" else "nullptr"
    split = lambda key: options[key].split(",") if key in options else []
    merge = "merge" in f.words or "merge" in options
    flags = ", ".join(flag(value) for value in (
        "required" in f.words, f.pointer, f.inline, "atomic" in f.words, merge,
        "retain-keys" in f.words, "replace" in f.words))
    return (f"    {{{text(f.name)}, Kind::{KINDS[f.kind]}, Cardinality::{f.cardinality}, "
            f"ListType::{list_type}, {flags}, {f.number}, {type_pointer}, "
            f"{text(options.get('merge', ''))}, {lists.name(split('keys'))}, "
            f"{text(options.get('zero', ''))}, {text(options.get('default', ''))}, "
            f"{lists.name(split('enum'))}, {lists.name(split('known'))}, {text(f.doc)}}},\n")


def types_file(types):
    lists = Lists()
    body = []
    for t in types:
        fields = "{}"
        if t.fields:
            fields = f"kFields_{symbol(t.full_name)}"
            body.append(f"constexpr Field {fields}[] = {{\n")
            body.extend(field_line(f, lists) for f in t.fields)
            body.append("};\n")
        api, kind = (t.api, t.name) if t.api else ("", "")
        body.append(
            f"constinit const Type {symbol(t.full_name)} = {{{text(t.full_name)}, {text(t.openapi)}, "
            f"{text(t.name)}, {text(api)}, {text(kind)}, {fields}, JsonForm::{SHAPES[t.shape]}, "
            f"{flag(t.atomic)}, {text(t.doc)}}};\n")
    return HEADER + OPEN + "namespace {\n" + "".join(lists.lines) + "}  // namespace\n" + "".join(body) + CLOSE


def resource_lines(index, r, lists):
    out = []
    subs = columns = "{}"
    if r.subs:
        subs = f"kSubs{index}"
        out.append(f"constexpr Subresource {subs}[] = {{\n")
        for name, group, version, kind, verbs in r.subs:
            out.append(f"    {{{text(name)}, {text(group)}, {text(version)}, {text(kind)}, "
                       f"{lists.name(verbs)}}},\n")
        out.append("};\n")
    if r.columns:
        columns = f"kColumns{index}"
        out.append(f"constexpr Column {columns}[] = {{\n")
        for kind, form, priority, name in r.columns:
            out.append(f"    {{{text(name)}, {text(kind)}, {text(form)}, {{}}, {priority}}},\n")
        out.append("};\n")
    group_version = f"{r.group}/{r.version}" if r.group else r.version
    qualified = f"{r.plural}.{r.group}" if r.group else r.plural
    out.append(
        f"constinit const Resource kResource{index} = {{{text(r.group)}, {text(r.version)}, {text(r.kind)}, "
        f"{text(r.list_kind)}, {text(r.plural)}, {text(r.singular)}, {lists.name(r.short)}, "
        f"{lists.name(r.categories)}, {lists.name(r.verbs)}, {subs}, {columns}, "
        f"{flag(r.namespaced)}, {flag(r.stored)}, {text(r.hash)}, "
        f"&{symbol(r.package + '.' + r.kind)}, {text(group_version)}, {text(qualified)}}};\n")
    return out


def catalogue_file(catalogue):
    lists = Lists()
    body = []
    for index, r in enumerate(catalogue.resources):
        body += resource_lines(index, r, lists)
    group_lines, priorities = [], []
    for index, group in enumerate(catalogue.groups):
        values = ", ".join(str(p) for _, p in group.versions)
        priorities.append(f"constexpr int kPriorities{index}[] = {{{values}}};\n")
        group_lines.append(f"    {{{text(group.name)}, {lists.name(v for v, _ in group.versions)}, "
                           f"{group.priority}, kPriorities{index}}},\n")
    names = sorted(catalogue.types)
    type_list = "".join(f"    &{symbol(name)},\n" for name in names)
    resource_list = ", ".join(f"&kResource{i}" for i in range(len(catalogue.resources)))
    tail = (f"constinit const Type* const kTypes[] = {{\n{type_list}}};\n"
            f"constinit const Resource* const kResources[] = {{{resource_list}}};\n"
            f"constinit const Group kGroups[] = {{\n{''.join(group_lines)}}};\n"
            f"constinit const std::span<const Type* const> kTypeList{{kTypes}};\n"
            f"constinit const std::span<const Resource* const> kResourceList{{kResources}};\n"
            f"constinit const std::span<const Group> kGroupList{{kGroups}};\n")
    return (HEADER + OPEN + "".join(lists.lines) + "".join(priorities) + "".join(body) + tail + CLOSE)


def header_file(catalogue):
    lines = [f"extern const Type {symbol(name)};\n" for name in catalogue.types]
    lines += [f"extern const Resource kResource{i};  // {r.plural} {r.group}/{r.version}\n"
              for i, r in enumerate(catalogue.resources)]
    lines += ["extern const std::span<const Type* const> kTypeList;  // by name\n",
              "extern const std::span<const Resource* const> kResourceList;\n",
              "extern const std::span<const Group> kGroupList;\n"]
    return ("// Generated from api/*.schema by api/generate.py.\n#pragma once\n"
            '#include "schema/types.h"\n\nnamespace kinglet::schema::tables {\n\n'
            "using namespace std::string_view_literals;\n" + "".join(lines) + CLOSE)


def emit(catalogue):
    """Yields (file name, contents)."""
    yield "schema_tables.h", header_file(catalogue)
    yield "catalogue.cc", catalogue_file(catalogue)
    types = list(catalogue.types.values())
    for part, start in enumerate(range(0, len(types), TYPES_PER_FILE)):
        yield f"types_{part}.cc", types_file(types[start:start + TYPES_PER_FILE])
