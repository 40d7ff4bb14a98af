"""Debian's docker-registry on the test host's loopback, and pushing to it."""
import base64
import crypt
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

CONFIG = """version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}, cache: {{blobdescriptor: inmemory}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""
AUTH = "auth: {{htpasswd: {{realm: test, path: {path}}}}}\n"


class Registry:
    """One registry; with `user` and `password` it wants to know who asks."""

    def __init__(self, c, port, user=None, password=None):
        self.c, self.address = c, f"127.0.0.1:{port}"
        self.authorization = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        directory = f"{c.host.dir}/registry-{port}"
        os.makedirs(directory, exist_ok=True)
        config = CONFIG.format(root=f"{directory}/data", port=port)
        if user:
            with open(f"{directory}/htpasswd", "w") as file:
                file.write(f"{user}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n")
            config += AUTH.format(path=f"{directory}/htpasswd")
        with open(f"{directory}/config.yml", "w") as file:
            file.write(config)
        self.process = c.host.start(["docker-registry", "serve", f"{directory}/config.yml"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        from harness.cluster import eventually  # here: on the test host this file runs by itself
        eventually("the registry answers", lambda: c.host.run(
            ["curl", "-s", "-o", "/dev/null", f"http://{self.address}/v2/"], check=False).returncode == 0)

    def push(self, name, files=None, cmd=("sh",)):
        """Packs an image (busybox and `files`) and pushes it; returns the whole name."""
        whole = f"{self.address}/{name}"
        tar = self.c.pack_image(whole, cmd, files)
        done = self.c.host.run([sys.executable, os.path.abspath(__file__), tar, self.address, name, self.authorization])
        assert done.returncode == 0, done.stderr
        return whole

    def close(self):
        self.process.kill()
        self.process.wait()


def request(method, url, body=b"", headers=None):
    import urllib.request
    made = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    with urllib.request.urlopen(made, timeout=20) as response:
        return response.headers


def push(tar, registry, name, authorization):
    """Runs on the test host. Layers are compressed on the way, as real builders do."""
    repository, tag = name.rsplit(":", 1)
    headers = {"Authorization": f"Basic {authorization}"} if authorization else {}
    sha = lambda data: "sha256:" + hashlib.sha256(data).hexdigest()
    with tarfile.open(tar) as archive:
        read = lambda digest: archive.extractfile("blobs/" + digest.replace(":", "/")).read()
        index = json.load(archive.extractfile("index.json"))
        manifest = json.loads(read(index["manifests"][0]["digest"]))
        blobs = [read(manifest["config"]["digest"])]
        for layer in manifest["layers"]:
            blobs.append(gzip.compress(read(layer["digest"]), mtime=0))
            layer.update(digest=sha(blobs[-1]), size=len(blobs[-1]), mediaType="application/vnd.oci.image.layer.v1.tar+gzip")
    base = f"http://{registry}/v2/{repository}"
    for blob in blobs:
        place = request("POST", f"{base}/blobs/uploads/", b"", headers)["Location"]
        joint = "&" if "?" in place else "?"
        request("PUT", f"{place}{joint}digest={sha(blob)}", blob, {**headers, "Content-Type": "application/octet-stream"})
    request("PUT", f"{base}/manifests/{tag}", json.dumps(manifest).encode(), {**headers, "Content-Type": manifest["mediaType"]})


if __name__ == "__main__":
    push(*sys.argv[1:5])
