"""Writes the plain structs of the kinds that controllers, scheduler and node use: api/<name>.h and their tables."""
from emit_tables import symbol

# Order matters: a type whose name was taken by an earlier package gets its group's name in front (EventsEvent).
PACKAGES = {"meta.v1": "meta", "core.v1": "core", "apps.v1": "apps", "batch.v1": "batch",
            "discovery.v1": "discovery", "coordination.v1": "coordination", "rbac.v1": "rbac",
            "policy.v1": "policy", "scheduling.v1": "scheduling", "storage.v1": "storage",
            "networking.v1": "networking", "autoscaling.v2": "autoscaling",
            "certificates.v1": "certificates", "authentication.v1": "authentication",
            "authorization.v1": "authorization", "events.v1": "events", "node.v1": "node"}
# Kinds that are no resource of their own.
EXTRA_ROOTS = ["policy.v1.Eviction", "authentication.v1.TokenRequest", "meta.v1.LabelSelector",
               "core.v1.PodTemplateSpec"]
# Not worth their memory in a cache; a write without them leaves what is stored.
LEFT_OUT = {("meta.v1.ObjectMeta", "managedFields"), ("meta.v1.ObjectMeta", "selfLink")}
STRUCTS_PER_FILE = 35

KEYWORDS = set("""alignas alignof and asm auto bool break case catch char class compl concept const continue default
delete do double else enum explicit export extern false float for friend goto if inline int long mutable namespace new
not operator or private protected public register requires return short signed sizeof static struct switch template
this throw true try typedef typeid typename union unsigned using virtual void volatile while xor""".split())
SCALARS = {"string": "std::string", "bool": "bool", "int32": "int32_t", "int64": "int64_t",
           "bytes": "std::string", "quantity": "schema::Quantity", "int-or-string": "schema::IntOrString",
           "time": "std::optional<WallTime>", "micro-time": "std::optional<WallTime>",
           "raw": "json::Value", "any": "json::Value"}
INITIAL = {"bool": " = false", "int32": " = 0", "int64": " = 0"}
OWN_OPTIONAL = {"time", "micro-time", "raw", "any"}


class Structs:
    def __init__(self, catalogue):
        self.types = catalogue.types
        self.resources = {}
        for index, r in enumerate(catalogue.resources):
            self.resources.setdefault(f"{r.package}.{r.kind}", index)
        roots = [name for name in self.resources if name.rsplit(".", 1)[0] in PACKAGES] + EXTRA_ROOTS
        self.order = []  # dependencies first
        self.seen = set()
        for name in roots:
            self.visit(name)
        self.names = {}
        taken = set()
        for package in PACKAGES:
            for name in self.order:
                if name.rsplit(".", 1)[0] != package:
                    continue
                short = name.rsplit(".", 1)[1]
                if short in taken:
                    short = package.split(".")[0].capitalize() + short
                taken.add(short)
                self.names[name] = short

    def visit(self, name):
        if name in self.seen or name == "meta.v1.TypeMeta":
            return
        self.seen.add(name)
        t = self.types[name]
        if t.shape == "strings":
            return
        if t.shape or name.rsplit(".", 1)[0] not in PACKAGES:
            raise ValueError(f"no struct for {name}")
        for _, _, f in self.members(t):
            if f.kind == "object":
                self.visit(f.type_name)
        self.order.append(name)

    def members(self, t):
        """(type that holds the field, its index there, field), inline structs opened."""
        for index, f in enumerate(t.fields):
            if f.inline and f.type_name == "meta.v1.TypeMeta":
                continue
            if f.inline:
                yield from self.members(self.types[f.type_name])
            elif (t.full_name, f.name) not in LEFT_OUT:
                yield t, index, f

    def is_strings(self, f):
        return f.kind == "object" and self.types[f.type_name].shape == "strings"

    def cpp_type(self, f):
        if self.is_strings(f):
            element = "std::vector<std::string>"
        else:
            element = self.names[f.type_name] if f.kind == "object" else SCALARS[f.kind]
        if f.cardinality == "list":
            return f"std::vector<{element}>"
        if f.cardinality == "map":
            return f"std::map<std::string, {element}>"
        if f.pointer and f.kind == "object":
            return f"schema::Boxed<{element}>"
        if f.pointer and f.kind not in OWN_OPTIONAL:
            return f"std::optional<{element}>"
        return element

    def struct_text(self, name):
        lines = [f"struct {self.names[name]} {{\n"]
        for _, _, f in self.members(self.types[name]):
            initial = INITIAL.get(f.kind, "") if f.cardinality == "one" and not f.pointer else ""
            lines.append(f"  {self.cpp_type(f)} {member_name(f.name)}{initial};\n")
        lines.append(f"  bool operator==(const {self.names[name]}&) const;\n}};\n\n")
        return "".join(lines)

    def header(self, package, names):
        needed = {f.type_name.rsplit(".", 1)[0] for name in names
                  for _, _, f in self.members(self.types[name])
                  if f.kind == "object" and not self.is_strings(f)} - {package}
        includes = "".join(f'#include "api/{PACKAGES[p]}.h"\n' for p in PACKAGES if p in needed)
        body = "".join(self.struct_text(name) for name in names)
        infos = "".join(f"template <>\nconst StructInfo& struct_info<api::{self.names[name]}>();\n"
                        for name in names)
        return ("// Generated from api/*.schema by api/generate.py.\n#pragma once\n#include <map>\n"
                "#include <optional>\n#include <string>\n#include <vector>\n\n"
                '#include "base/clock.h"\n#include "schema/boxed.h"\n#include "schema/struct_info.h"\n'
                f'#include "schema/values.h"\n{includes}\nnamespace kinglet::api {{\n\n{body}'
                f"}}  // namespace kinglet::api\n\nnamespace kinglet::schema {{\n{infos}"
                "}  // namespace kinglet::schema\n")

    def info_text(self, name):
        cpp, t = self.names[name], self.types[name]
        lines = [f"bool {cpp}::operator==(const {cpp}&) const = default;\n"]
        members = []
        for owner, index, f in self.members(t):
            ops = inner = "nullptr"
            if f.kind == "object" and not self.is_strings(f):
                element = self.names[f.type_name]
                inner = f"&schema::struct_info<{element}>"
                if f.cardinality == "list":
                    ops = f"&schema::kVectorOps<{element}>"
                elif f.cardinality == "map":
                    raise ValueError(f"{name}.{f.name}: maps of structs are not supported")
                elif f.pointer:
                    ops = f"&schema::kBoxedOps<{element}>"
            members.append(f"    {{&tables::{symbol(owner.full_name)}, {index}, "
                           f"offsetof({cpp}, {member_name(f.name)}), {inner}, {ops}}},\n")
        lines.append(f"static constexpr schema::Member kMembers_{cpp}[] = {{\n{''.join(members)}}};\n")
        resource = self.resources.get(name)
        pointer = f"&tables::kResource{resource}" if resource is not None else "nullptr"
        lines.append(f"static constexpr schema::StructInfo kInfo_{cpp} = "
                     f"{{&tables::{symbol(name)}, kMembers_{cpp}, sizeof({cpp}), {pointer}}};\n")
        return "".join(lines)

    def source(self, names):
        packages = {name.rsplit(".", 1)[0] for name in names}
        includes = "".join(f'#include "api/{header}.h"\n' for package, header in PACKAGES.items() if package in packages)
        infos = "".join(f"template <>\nconst StructInfo& struct_info<api::{self.names[n]}>() "
                        f"{{\n  return api::kInfo_{self.names[n]};\n}}\n" for n in names)
        body = "\n".join(self.info_text(name) for name in names)
        return ("// Generated from api/*.schema by api/generate.py.\n"
                f'#include <cstddef>\n\n{includes}#include "schema_tables.h"\n\n'
                '#pragma GCC diagnostic ignored "-Winvalid-offsetof"\n\n'
                "namespace kinglet::api {\nnamespace tables = schema::tables;\n\n"
                f"{body}\n}}  // namespace kinglet::api\n\nnamespace kinglet::schema {{\n{infos}"
                "}  // namespace kinglet::schema\n")


def member_name(name):
    return name + "_" if name in KEYWORDS else name


def emit(catalogue):
    """Yields (file name, contents)."""
    structs = Structs(catalogue)
    everything = []
    for package, header in PACKAGES.items():
        names = [n for n in structs.order if n.rsplit(".", 1)[0] == package]
        everything += names
        yield f"api/{header}.h", structs.header(package, names)
    for part, start in enumerate(range(0, len(everything), STRUCTS_PER_FILE)):
        yield f"structs_{part}.cc", structs.source(everything[start:start + STRUCTS_PER_FILE])
