"""Runs the rendered pods: `pods.py PROGRAM FOLDER DATABASE_URL`. Writes FOLDER/all.yaml, a rendering, and FOLDER/metrics."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from chart_manifests import ROOT, load, of_kind, pods, settings_of

CHART = ROOT / "helm/clientele"
ETC = "/etc/clientele"
TIMEOUT = 60  # seconds for each step
ISSUER = "clientele-dev,clientele,/etc/clientele/jwks/dev-jwks.json"

program, work, database = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
keys = work / "keys"


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, capture_output=True, env={"PATH": os.environ["PATH"]}, **more).stdout


def render(values, *arguments):
    """Returns the manifests. NOTES.txt is turned into a template, because `helm template` does not render it."""
    chart = work / "chart"
    if not chart.exists():
        shutil.copytree(CHART, chart)
        (chart / "templates/NOTES.txt").rename(chart / "notes")
        notes = '{{ dict "kind" "Notes" "apiVersion" "v1" "metadata" (dict "name" "notes") "text" (tpl (.Files.Get "notes") .) | toYaml }}'
        (chart / "templates/notes.yaml").write_text(notes)
    text = run(
        "helm", "template", "clientele", str(chart), "--namespace", "shop", "--kube-version", "1.34.0",
        "--values", str(CHART / f"ci/{values}.yaml"), *arguments,
    )  # fmt: skip
    file = work / "all.yaml"
    file.write_text(text)
    return load(file)


def make_keys():
    """Creates the content of the Secrets: the issuer's keys by `clientele token`, and a certificate."""
    run(str(program), "token", "operator", "--data-dir", str(keys))
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run(*new, "-x509", "-days", "1", "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt", cwd=keys)
    run(*new, "-subj", "/CN=clientele", "-keyout", "tls.key", "-out", "tls.csr", cwd=keys)
    (keys / "extensions").write_text(
        "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:clientele.shop.svc\n"
    )
    run(
        "openssl", "x509", "-req", "-days", "1", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
        "-extfile", "extensions", "-out", "tls.crt", cwd=keys,
    )  # fmt: skip


def content(path):
    """Returns a mounted file's content by its name."""
    if path.suffix == ".key" and path.parent.name == "sealing":
        return os.urandom(32)
    if path.name in ("url", "uri"):
        return database.encode()
    if path.name == "user":
        return b"portal\n"
    if path.name == "password":
        return b"secret\n"
    return (keys / {"jwks.json": "dev-jwks.json"}.get(path.name, path.name)).read_bytes()


class Pod:
    """A pod's only container, with its files below a separate folder instead of /etc/clientele."""

    def __init__(self, manifests, kind):
        [(self.name, _, spec)] = pods(of_kind(manifests, kind))
        [self.container] = spec["containers"]
        self.folder = work / f"{kind}-{time.monotonic_ns()}"
        self.settings = settings_of(manifests)
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in self.container.get("volumeMounts", [])}
        for mount, volume in mounts.items():
            (self.folder / mount.removeprefix("/")).mkdir(parents=True)
        # The migration's pod does not use the server's configuration file.
        sources = [self.container, self.settings if "clientele.yaml" in str(self.container) else {}]
        paths = set(re.findall(rf"{ETC}/[\w./-]+", str(sources)))
        for path in paths - mounts.keys():
            assert any(path.startswith(f"{mount}/") for mount in mounts), f"{self.name}: {path} is not mounted"
            file = self.folder / path.removeprefix("/")
            if file.name == "clientele.yaml":
                [text] = [each["data"][file.name] for each in of_kind(manifests, "ConfigMap") if file.name in each["data"]]
                file.write_text(self.here(text))
            elif file.parent.exists():
                file.write_bytes(content(file))

    def here(self, text):
        return text.replace(ETC, f"{self.folder}{ETC}")

    def start(self, arguments=None, **more):
        environment = {"POD_NAME": "pod", "POD_NAMESPACE": "shop", "NODE_NAME": "node"}
        for variable in self.container.get("env", []):
            if "value" in variable:
                filled = re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], variable["value"])
                environment[variable["name"]] = self.here(filled)
        arguments = [self.here(each) for each in arguments or self.container["args"]]
        return subprocess.Popen([program, *arguments], env=environment, text=True, **more)

    def run(self, arguments=None):
        """Runs to its end; returns the exit code and the output."""
        process = self.start(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = process.communicate(timeout=TIMEOUT)
        return process.returncode, output

    def must_succeed(self, arguments=None):
        code, output = self.run(arguments)
        assert code == 0, f"{self.name}: {arguments or self.container['args']}: exit code {code}\n{output}"
        return output

    def probe(self, name):
        """Runs a probe like the kubelet; a gRPC probe is replaced by `clientele health`."""
        probe = self.container[name]
        if "exec" in probe:
            return self.run(probe["exec"]["command"][1:])[0] == 0
        return self.run(["health", "--address", f"127.0.0.1:{probe['grpc']['port']}", probe["grpc"]["service"]])[0] == 0


def wait_until(what, condition):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, f"not within {TIMEOUT} s: {what}"
        time.sleep(0.1)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def check_configurations():
    for values in sorted(CHART.glob("ci/*.yaml")):
        if values.stem != "alerts_test":
            pod = Pod(render(values.stem), "Deployment")
            assert "the configuration is valid" in pod.must_succeed(["check-config", *pod.container["args"][1:]])
            print(f"check-config: {values.stem}")


def run_release(values, *arguments, schema=True):
    """Runs a release from install to stop, on a database with or without a schema. `arguments` are passed to helm."""
    grpc, metrics = free_port(), free_port()
    manifests = render(
        values, "--set", f"config.listen=127.0.0.1:{grpc},config.metrics_listen=127.0.0.1:{metrics}",
        "--set", f"config.issuers={{{ISSUER.replace(',', chr(92) + ',')}}},config.operators={{clientele-dev operator}}",
        "--set", f"config.reflection={'true' if values == 'default' else 'false'},config.drain_timeout=5s,config.deadline=5s,config.statement_timeout=5s",
        "--set-json", 'extraVolumes=[{"name":"jwks","configMap":{"name":"jwks"}}]',
        "--set-json", f'extraVolumeMounts=[{{"name":"jwks","mountPath":"{ETC}/jwks"}}]',
        "--set", "serviceMonitor.enabled=true,prometheusRule.enabled=true,dashboard.enabled=true", *arguments,
    )  # fmt: skip
    server, log = Pod(manifests, "Deployment"), work / "server.log"
    process = server.start(stdout=subprocess.DEVNULL, stderr=log.open("w"))
    try:
        wait_until("the process is alive", lambda: process.poll() is None and server.probe("livenessProbe"))
        if not schema:
            assert not server.probe("readinessProbe"), "ready without a schema"
        print(Pod(manifests, "Job").must_succeed().strip())
        wait_until("it is ready after the migration", lambda: server.probe("readinessProbe"))
        certificate = ["-insecure", "-cert", str(keys / "tls.crt"), "-key", str(keys / "tls.key")]
        call(grpc, certificate if "tls_cert_file" in server.settings else ["-plaintext"], manifests)
        with (work / "metrics").open("a") as metrics_file:  # with TLS there are more metrics
            metrics_file.write(urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics").read().decode())
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=TIMEOUT) == 0, "it did not stop cleanly"
    except BaseException:
        print(log.read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        process.kill()
    print(f"ran and stopped cleanly: {values}")


def call(port, how, manifests):
    """Makes the example call of NOTES.txt, a read, and a mutation, so that all metrics exist."""
    token = run(str(program), "token", "operator", "--data-dir", str(keys)).strip()
    [notes] = of_kind(manifests, "Notes")
    first = re.search(r"^ *(grpcurl .*?WhoAmI)$", notes["text"], re.M | re.S)[1].replace("localhost:50051", f"127.0.0.1:{port}")
    first = first.replace("client.crt", str(keys / "tls.crt")).replace("client.key", str(keys / "tls.key"))
    done = subprocess.run(["sh", "-c", first], env={**os.environ, "TOKEN": token}, cwd=ROOT, capture_output=True, text=True)
    assert '"platformOperator": true' in done.stdout, f"{first}\n{done.stderr}"
    for rpc, body in (
        ("AccountService/ListTenants", "{}"),
        ("AccountService/CreateTenant", '{"validate_only": true}'),
    ):
        protos = ["-import-path", "proto", "-import-path", "third_party", "-proto", "clientele/v1/account_service.proto"]
        command = ["grpcurl", *how, *protos, "-H", f"authorization: Bearer {token}", "-d", body, f"127.0.0.1:{port}", f"clientele.v1.{rpc}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0 or "CreateTenant" in rpc, done.stderr
    for test in of_kind(manifests, "Pod"):
        [container] = test["spec"]["containers"]
        arguments = [re.sub(r"clientele\.shop\.svc:\d+", f"127.0.0.1:{port}", each) for each in container["args"]]
        Pod(manifests, "Pod").must_succeed(arguments)


make_keys()
check_configurations()
run_release("default", schema=False)
run_release("tls")
run_release("tls", "--set", "tls.clientCaKey=")
run_release("default")
