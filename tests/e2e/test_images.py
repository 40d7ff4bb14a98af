"""Images from a real registry."""
import json

from harness.cluster import eventually
from pods import expect, finished, ready, run, status
from registry import Registry


def events(c, name):
    return [(e["reason"], e["message"]) for e in c.get("events", f"--field-selector=involvedObject.name={name}")["items"]]


def has_event(c, name, reason, part):
    return eventually(f"{reason} of {name}", lambda: any(r == reason and part in m for r, m in events(c, name)))


def waiting(c, name, reason):
    return eventually(f"{name} waits with {reason}", lambda: status(c, name)["state"].get("waiting", {}).get("reason") ==
                      reason and status(c, name)["state"]["waiting"])


def test_an_image_is_pulled_and_then_present(c):
    registry = Registry(c, 5000)
    try:
        image = registry.push("team/app:1")
        run(c, "pulled", "sleep 3600", image=image, imagePullPolicy="IfNotPresent")
        ready(c, "pulled")
        has_event(c, "pulled", "Pulling", f'Pulling image "{image}"')
        has_event(c, "pulled", "Pulled", f'Successfully pulled image "{image}" in ')
        expect("@sha256:" in status(c, "pulled")["imageID"] or status(c, "pulled")["imageID"], status(c, "pulled"))
        run(c, "again", "true", image=image, imagePullPolicy="IfNotPresent", restartPolicy="Never")
        expect(finished(c, "again") == "Succeeded", "it runs")
        has_event(c, "again", "Pulled", "already present on machine")
        run(c, "always", "true", image=image, imagePullPolicy="Always", restartPolicy="Never")
        expect(finished(c, "always") == "Succeeded", "it runs")
        has_event(c, "always", "Pulled", "Successfully pulled image")
        c.kubectl("delete", "pod", "pulled", "again", "always", "--now")
    finally:
        registry.close()


def test_a_private_registry_wants_a_secret(c):
    registry = Registry(c, 5001, "me", "swordfish")
    try:
        image = registry.push("secret/app:1")
        run(c, "stranger", "sleep 3600", image=image, imagePullPolicy="IfNotPresent")
        refused = waiting(c, "stranger", "ErrImagePull")
        expect("authorization failed" in refused["message"], refused)
        has_event(c, "stranger", "Failed", "Error: ErrImagePull")
        expect("Back-off pulling image" in waiting(c, "stranger", "ImagePullBackOff")["message"], "back-off")
        c.kubectl("create", "secret", "docker-registry", "pull", f"--docker-server={registry.address}",
                  "--docker-username=me", "--docker-password=swordfish")
        run(c, "friend", "sleep 3600", image=image, imagePullPolicy="IfNotPresent", imagePullSecrets=[{"name": "pull"}])
        ready(c, "friend")
        c.kubectl("delete", "pod/stranger", "pod/friend", "secret/pull", "--now")
    finally:
        registry.close()


def test_missing_images_say_why(c):
    run(c, "never", "true", image="kinglet.test/not-here:1")
    waiting(c, "never", "ErrImageNeverPull")
    run(c, "badname", "true", image="Not:A:Name", imagePullPolicy="IfNotPresent")
    waiting(c, "badname", "InvalidImageName")
    run(c, "nowhere", "true", image="127.0.0.1:5999/not-here:1", imagePullPolicy="Always")
    message = waiting(c, "nowhere", "ErrImagePull")["message"]
    expect("127.0.0.1:5999/not-here:1" in message and "connect" in message, message)
    c.kubectl("delete", "pod", "never", "badname", "nowhere", "--now")


def test_a_pull_can_be_waited_out_and_a_deleted_pod_does_not_wait(c):
    run(c, "early", "sleep 3600", image="127.0.0.1:5002/late:1", imagePullPolicy="IfNotPresent")
    waiting(c, "early", "ErrImagePull")
    registry = Registry(c, 5002)
    try:
        registry.push("late:1")
        ready(c, "early")
        c.kubectl("delete", "pod", "early", "--now")
    finally:
        registry.close()


def test_images_command_pulls_lists_and_removes(c):
    registry = Registry(c, 5003)
    try:
        image = registry.push("tool:2")
        done = c.kinglet("images", "pull", "--data-dir", c.data, image)
        expect(done.returncode == 0 and f"pulled {image}" in done.stdout, done.stdout + done.stderr)
        listed = c.kinglet("images", "ls", "--data-dir", c.data).stdout
        expect(image in listed, listed)
        done = c.kinglet("images", "rm", "--data-dir", c.data, image)
        expect(done.returncode == 0, done.stderr)
        expect(image not in c.kinglet("images", "ls", "--data-dir", c.data).stdout, "it is gone")
        missing = c.kinglet("images", "pull", "--data-dir", c.data, f"{registry.address}/tool:3")
        expect(missing.returncode != 0 and "not found" in missing.stderr, missing.stderr)
        expect(json.dumps(c.get("nodes")["items"][0]["status"]["images"]), "images of the node")
    finally:
        registry.close()
