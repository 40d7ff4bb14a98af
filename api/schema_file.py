"""Reads api/*.schema into plain records; README.md beside this file describes the format."""
import re
from dataclasses import dataclass, field
from pathlib import Path

SCALARS = {"string", "bool", "int32", "int64", "double", "bytes", "quantity", "int-or-string",
           "time", "micro-time", "duration", "raw", "any"}
ALL_VERBS = "create,delete,deletecollection,get,list,patch,update,watch"
# What fields of these names are in every kind.
COMMON_DOCS = {
    "kind": "The kind of object, such as Pod.",
    "apiVersion": "Group and version of the schema that the object is written in.",
    "metadata": "Name, labels and the like.",
    "spec": "What is wanted.",
    "status": "What is so; set by the system.",
    "items": "The objects.",
    "conditions": "What holds, and since when.",
}
SHAPES = {"strings", "or-list", "or-bool", "or-strings"}


class SchemaError(Exception):
    pass


@dataclass
class Field:
    name: str
    number: int
    kind: str  # one of SCALARS or "object"
    type_name: str = ""
    cardinality: str = "one"
    pointer: bool = False
    inline: bool = False
    words: set = field(default_factory=set)
    options: dict = field(default_factory=dict)
    doc: str = ""


@dataclass
class Type:
    package: str
    name: str
    openapi: str
    api: str = ""  # set for kinds
    shape: str = ""
    atomic: bool = False
    is_list: bool = False
    fields: list = field(default_factory=list)
    doc: str = ""

    @property
    def full_name(self):
        return f"{self.package}.{self.name}"


@dataclass
class Resource:
    plural: str
    kind: str
    package: str
    group: str
    version: str
    namespaced: bool
    stored: bool
    list_kind: str = ""
    singular: str = ""
    short: list = field(default_factory=list)
    categories: list = field(default_factory=list)
    verbs: list = field(default_factory=list)
    hash: str = ""
    subs: list = field(default_factory=list)
    columns: list = field(default_factory=list)


@dataclass
class Group:
    name: str
    priority: int
    versions: list  # (version, priority)


@dataclass
class Catalogue:
    groups: list
    resources: list
    types: dict  # full name -> Type, in file order


def split_words(text):
    return [word.replace("\\ ", " ") for word in re.split(r"(?<!\\)[ \t]+", text.strip())]


def split_version(api):
    group, _, version = api.rpartition("/")
    return group, version


class PackageReader:
    def __init__(self, path):
        self.path = path
        self.package = self.api = self.openapi = ""
        self.types, self.resources = [], []
        self.open = None  # the Type or Resource that indented lines belong to

    def read(self):
        for number, raw in enumerate(self.path.read_text().splitlines(), 1):
            line = re.sub(r"(^|\s)#.*", "", raw).rstrip()
            if not line:
                continue
            try:
                self.line(line)
            except (ValueError, KeyError, IndexError, SchemaError) as error:
                raise SchemaError(f"{self.path}:{number}: {error}: {raw.strip()}") from None
        return self

    def line(self, line):
        text, _, doc = line.partition(" -- ")
        words = split_words(text)
        if line[0] in " \t":
            if isinstance(self.open, Resource):
                self.resource_line(words)
            elif isinstance(self.open, Type):
                self.open.fields.append(self.field(words, doc.strip()))
            else:
                raise SchemaError("an indented line with nothing above it")
            return
        head = words[0]
        if head in ("package", "api", "openapi"):
            setattr(self, head, "" if words[1] == "-" else words[1])
        elif head == "resource":
            group, version = split_version(self.api)
            self.open = Resource(words[1], words[2], self.package, group, version,
                                 "cluster" not in words[3:], "unstored" not in words[3:])
            self.resources.append(self.open)
        elif head in ("object", "struct", "list"):
            self.type_line(head, words, doc.strip())
        else:
            raise SchemaError(f"unknown word {head}")

    def type_line(self, head, words, doc):
        t = Type(self.package, words[1], self.openapi + words[1], doc=doc)
        rest = words[3:] if head == "list" else words[2:]
        if head != "struct":
            t.api = self.api
            t.fields.append(Field("typeMeta", 0, "object", "meta.v1.TypeMeta", inline=True))
        for word in rest:
            if word.startswith("api="):
                t.api = word[4:]
            elif word == "atomic":
                t.atomic = True
            elif word in SHAPES:
                t.shape = word
            else:
                raise SchemaError(f"unknown word {word}")
        if head == "list":
            t.is_list = True
            t.fields.append(self.field(split_words("metadata 1 meta.v1.ListMeta zero={}"), ""))
            t.fields.append(self.field(split_words(f"items 2 []{words[2]} required zero=null"), ""))
        self.types.append(t)
        self.open = t

    def field(self, words, doc):
        inline = words[0] == "inline"
        if inline:
            words = words[1:]
        name, number, kind = words[:3]
        f = Field(name, 0 if number == "-" else int(number), "", inline=inline, doc=doc)
        if kind.startswith("*"):
            f.pointer, kind = True, kind[1:]
        for prefix, cardinality in (("[]", "list"), ("{}", "map")):
            if kind.startswith(prefix):
                f.cardinality, kind = cardinality, kind[2:]
        if kind in SCALARS:
            f.kind = kind
        else:
            f.kind = "object"
            f.type_name = kind if "." in kind else f"{self.package}.{kind}"
        for word in words[3:]:
            option, has_value, value = word.partition("=")
            if has_value and option in ("zero", "default", "keys", "merge", "enum", "known"):
                f.options[option] = value
            elif word in ("required", "set", "atomic", "merge", "retain-keys", "replace"):
                f.words.add(word)
            else:
                raise SchemaError(f"unknown word {word}")
        return f

    def resource_line(self, words):
        r, head = self.open, words[0]
        if head == "list":
            r.list_kind = words[1]
        elif head == "singular":
            r.singular = words[1]
        elif head in ("short", "categories"):
            setattr(r, head, words[1].split(","))
        elif head == "verbs":
            r.verbs = (ALL_VERBS if words[1] == "all" else words[1]).split(",")
        elif head == "hash":
            r.hash = words[1]
        elif head == "sub":
            api, _, kind = words[2].rpartition(".") if "/" in words[2] else (self.api, "", words[2])
            r.subs.append((words[1], *split_version(api), kind, words[3].split(",")))
        elif head == "column":
            form = "" if words[2] == "-" else words[2]
            r.columns.append((words[1], form, int(words[3]), " ".join(words[4:])))
        else:
            raise SchemaError(f"unknown word {head}")


def read_groups(path):
    groups = []
    for line in path.read_text().splitlines():
        words = split_words(line)
        if words[0] != "group":
            continue
        versions = [tuple(word.split("=")) for word in words[3:]]
        name = "" if words[1] == "-" else words[1]
        groups.append(Group(name, int(words[2]), [(v, int(p)) for v, p in versions]))
    return groups


def read_all(folder):
    folder = Path(folder)
    groups = read_groups(folder / "groups.schema")
    packages = [PackageReader(path).read() for path in sorted(folder.glob("*.schema"))
                if path.name != "groups.schema"]
    types = {t.full_name: t for package in packages for t in package.types}
    for t in types.values():
        for f in t.fields:
            if t.api or t.name == "TypeMeta" or f.name == "conditions":
                f.doc = f.doc or COMMON_DOCS.get(f.name, "")
    for t in types.values():
        for f in t.fields:
            if f.kind == "object" and f.type_name not in types:
                raise SchemaError(f"{t.full_name}.{f.name}: no type {f.type_name}")
    order = {(g.name, v): (i, j) for i, g in enumerate(groups) for j, (v, _) in enumerate(g.versions)}
    resources = [r for package in packages for r in package.resources]
    for r in resources:
        if (r.group, r.version) not in order:
            raise SchemaError(f"resource {r.plural}: groups.schema has no {r.group}/{r.version}")
        if f"{r.package}.{r.kind}" not in types:
            raise SchemaError(f"resource {r.plural}: no type {r.kind}")
    resources.sort(key=lambda r: order[(r.group, r.version)])  # stable: file order within a version
    return Catalogue(groups, resources, types)
