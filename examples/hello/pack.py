#!/usr/bin/env python3
"""Packs files into a container image (OCI layout and docker-archive in one tar), without docker.

usage: pack.py --name NAME:TAG --cmd ARG... --file HOST_PATH=/PATH/IN/IMAGE... -o IMAGE.tar [--arch ARCH]
The same input gives the same bytes.
"""
import argparse
import hashlib
import io
import json
import platform
import tarfile

ARCHES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def add(tar, name, data=None, mode=0o644, link=None):
    info = tarfile.TarInfo(name)
    info.mode = mode
    if link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, link
    elif data is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size = len(data)
    tar.addfile(info, io.BytesIO(data) if data is not None else None)


def layer_of(files, links):
    """The one layer: the files, their parent directories, and the few paths a process expects."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        dirs = {"tmp", "etc"}
        for path in [*files, *links]:
            parts = path.strip("/").split("/")[:-1]
            dirs.update("/".join(parts[: i + 1]) for i in range(len(parts)))
        for path in sorted(dirs):
            add(tar, path)
        add(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        for path, source in sorted(files.items()):
            with open(source, "rb") as file:
                add(tar, path.strip("/"), file.read(), 0o755)
        for path, target in sorted(links.items()):
            add(tar, path.strip("/"), link=target)
    return buffer.getvalue()


def pack(name, cmd, files, out, arch, links=None, env=None):
    sha = lambda data: hashlib.sha256(data).hexdigest()
    text = lambda value: json.dumps(value, sort_keys=True).encode()
    layer = layer_of(files, links or {})
    config = text({
        "architecture": arch, "os": "linux",
        "config": {"Cmd": cmd, "Env": ["PATH=/bin:/sbin:/usr/bin:/usr/sbin"] + (env or []), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(layer)]},
        "history": [{"created_by": "pack.py"}],
    })
    described = lambda kind, data: {"mediaType": kind, "digest": "sha256:" + sha(data), "size": len(data)}
    manifest = text({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("application/vnd.oci.image.config.v1+json", config),
        "layers": [described("application/vnd.oci.image.layer.v1.tar", layer)],
    })
    entry = described("application/vnd.oci.image.manifest.v1+json", manifest)
    entry["annotations"] = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name.rsplit(":", 1)[1]}
    entry["platform"] = {"architecture": arch, "os": "linux"}
    blob = lambda data: "blobs/sha256/" + sha(data)
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "blobs")
        add(tar, "blobs/sha256")
        for data in (layer, config, manifest):
            add(tar, blob(data), data)
        add(tar, "index.json", text({"schemaVersion": 2, "manifests": [entry]}))
        add(tar, "manifest.json", text([{"Config": blob(config), "RepoTags": [name], "Layers": [blob(layer)]}]))
        add(tar, "oci-layout", text({"imageLayoutVersion": "1.0.0"}))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--name", required=True)
    parser.add_argument("--cmd", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--file", action="append", default=[], metavar="HOST=/IMAGE")
    parser.add_argument("--link", action="append", default=[], metavar="/PATH=TARGET")
    parser.add_argument("--arch", default=ARCHES.get(platform.machine(), platform.machine()))
    parser.add_argument("-o", "--out", required=True)
    options = parser.parse_args()
    files = {image: host for host, image in (item.rsplit("=", 1) for item in options.file)}
    links = dict(item.split("=", 1) for item in options.link)
    pack(options.name, options.cmd, files, options.out, options.arch, links, options.env)


if __name__ == "__main__":
    main()
