"""Checks rules for the chart's manifests that hold for all values: `chart_manifests.py FILE…`. `chart_manifests.py rules FILE` prints
the alerts' groups for promtool. kubeconform checks the Kubernetes schemas."""

import json
import math
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CONFIG = json.loads((ROOT / "proto/clientele/v1/service_config.json").read_text())
READS = {
    f"{name['service']}/{name['method']}"
    for method in CONFIG["methodConfig"] if "retryPolicy" in method and method["timeout"] != "3600s"
    for name in method["name"]
}  # fmt: skip
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def load(file):
    return [each for each in yaml.safe_load_all(Path(file).read_text()) if each]


def of_kind(manifests, *kinds):
    return [each for each in manifests if each["kind"] in kinds]


def pods(manifests):
    """Yields name, labels and spec of everything that becomes a pod."""
    for each in manifests:
        template = each if each["kind"] == "Pod" else each.get("spec", {}).get("template")
        if template:
            name = f"{each['kind']} {each['metadata']['name']}"
            yield name, template["metadata"].get("labels", {}), template["spec"]


def a_pod_is_restricted_and_contains_no_secret(manifests):
    for name, _, spec in pods(manifests):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, f"{name} runs as root"
        assert context["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: seccomp"
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")), f"{name} uses the host's namespaces"
        assert spec["automountServiceAccountToken"] is False, f"{name} has a token"
        assert spec["enableServiceLinks"] is False, f"{name} has service links, which look like settings"
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, f"{name}: capabilities"
            assert "memory" in container["resources"]["limits"], f"{name} has no memory limit"
            assert "cpu" not in container["resources"]["limits"], f"{name} has a CPU limit"
            for variable in container.get("env", []):
                assert "secretKeyRef" not in variable.get("valueFrom", {}), f"{name}: a secret in the environment"
            for mount in container.get("volumeMounts", []):
                assert "subPath" not in mount, f"{name}: a file mounted by subPath is never updated"
        for volume in spec.get("volumes", []):
            assert volume.keys() & {"configMap", "secret", "emptyDir", "projected"}, f"{name}: volume {volume}"


def selectors_of_servers_select_only_servers(manifests):
    [(_, server, _)] = [pod for pod in pods(of_kind(manifests, "Deployment"))]
    others = [(name, labels) for name, labels, _ in pods(of_kind(manifests, "Job", "Pod"))]
    selectors = [(each, each["spec"]["selector"]) for each in of_kind(manifests, "Service")]
    selectors += [
        (each, each["spec"]["selector"]["matchLabels"])
        for each in of_kind(manifests, "Deployment", "PodDisruptionBudget", "PeerAuthentication", "AuthorizationPolicy")
        if "selector" in each["spec"]
    ]
    selectors += [(each, each["spec"]["podSelector"]["matchLabels"]) for each in of_kind(manifests, "Server")]
    selectors += [
        (each, each["spec"]["podSelector"]["matchLabels"])
        for each in of_kind(manifests, "NetworkPolicy") if not each["metadata"]["name"].endswith("-migrate")
    ]  # fmt: skip
    assert len(selectors) >= 3
    for each, selector in selectors:
        name = f"{each['kind']} {each['metadata']['name']}"
        assert selector.items() <= server.items(), f"{name} selects no server"
        for other, labels in others:
            assert not selector.items() <= labels.items(), f"{name} selects {other} too"
    for monitor in of_kind(manifests, "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        found = [each for each in of_kind(manifests, "Service") if wanted <= each["metadata"]["labels"].items()]
        assert len(found) == 1, "a replica must be scraped exactly once"
        assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in found[0]["spec"]["ports"]]


def the_grace_period_is_long_enough(manifests):
    [deployment] = of_kind(manifests, "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    [container] = spec["containers"]
    settings = settings_of(manifests)
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", settings.get("drain_timeout", "25s")).groups()
    stop = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = stop + math.ceil(int(number) * UNITS[unit])
    assert needed + 5 <= spec["terminationGracePeriodSeconds"], "killed before it has drained"
    strategy = deployment["spec"]["strategy"]["rollingUpdate"]
    assert strategy["maxUnavailable"] == 0 and strategy["maxSurge"] != 0, "a rollout reduces capacity"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    for probe, service in (("startupProbe", "liveness"), ("livenessProbe", "liveness"), ("readinessProbe", "readiness")):
        checked = container[probe].get("grpc") or {"port": ports["grpc"], "service": container[probe]["exec"]["command"][-1]}
        assert checked == {"port": ports["grpc"], "service": service}, f"{probe} checks {checked}"
    listening = {name: settings.get(key) for name, key in (("grpc", "listen"), ("metrics", "metrics_listen"))}
    for name, address in listening.items():
        assert ports.get(name) == (int(address.rpartition(":")[2]) if address else None), f"the port {name}"


def settings_of(manifests):
    [file] = [each["data"]["clientele.yaml"] for each in of_kind(manifests, "ConfigMap") if "clientele.yaml" in each["data"]]
    return yaml.safe_load(file)


def a_mesh_retries_only_reads(manifests):
    for each in of_kind(manifests, "VirtualService"):
        reads, rest = each["spec"]["http"]
        assert {match["uri"]["exact"].removeprefix("/") for match in reads["match"]} == READS
        assert all(match.keys() == {"uri"} and match["uri"].keys() == {"exact"} for match in reads["match"])
        assert set(reads["retries"]["retryOn"].split(",")) == {"unavailable", "connect-failure", "refused-stream"}
        assert "match" not in rest and rest["retries"] == {"attempts": 0}, "a call that is not a read is retried"
    routes = {each["metadata"]["name"].rpartition("clientele-")[2]: each for each in of_kind(manifests, "GRPCRoute")}
    if routes:
        reads, rest = routes.pop("reads"), routes.pop("never-retried")
        assert not routes, f"more routes: {routes}"
        matches = [match["method"] for rule in reads["spec"]["rules"] for match in rule["matches"]]
        assert {f"{match['service']}/{match['method']}" for match in matches} == READS
        assert reads["metadata"]["annotations"]["retry.linkerd.io/grpc"] == "unavailable"
        assert "annotations" not in rest["metadata"] and all("matches" not in rule for rule in rest["spec"]["rules"])
        assert all(len(rule["matches"]) <= 64 for rule in reads["spec"]["rules"]) and len(reads["spec"]["rules"]) <= 16
    for service in of_kind(manifests, "Service"):
        annotations = service["metadata"].get("annotations", {})
        assert not any(key.startswith("retry.linkerd.io/") for key in annotations), "all calls of the service are retried"


def the_migration_uses_no_object_of_the_chart(manifests):
    """Its hook runs before the chart's own objects exist."""
    created = {(each["kind"], each["metadata"]["name"]) for each in manifests}
    for job in of_kind(manifests, "Job"):
        assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
        spec = job["spec"]["template"]["spec"]
        [deployment] = of_kind(manifests, "Deployment")
        server = deployment["spec"]["template"]["spec"]["containers"][0]
        assert spec["containers"][0]["image"] == server["image"], "the migration has another image"
        assert "serviceAccountName" not in spec
        for volume in spec["volumes"]:
            assert ("Secret", volume["secret"]["secretName"]) not in created


def names_are_unique(manifests):
    names = [(each["kind"], each["apiVersion"], each["metadata"]["name"]) for each in manifests]
    assert len(names) == len(set(names)), "two objects have the same name"


CHECKS = [
    a_pod_is_restricted_and_contains_no_secret,
    selectors_of_servers_select_only_servers,
    the_grace_period_is_long_enough,
    a_mesh_retries_only_reads,
    the_migration_uses_no_object_of_the_chart,
    names_are_unique,
]


def main(files):
    if files[0] == "rules":
        [rule] = of_kind(load(files[1]), "PrometheusRule")
        return print(yaml.safe_dump(rule["spec"], sort_keys=False))
    for file in files:
        manifests = load(file)
        for check in CHECKS:
            try:
                check(manifests)
            except (AssertionError, KeyError, ValueError) as failure:
                sys.exit(f"{Path(file).name}: {check.__name__.replace('_', ' ')}: FAILED: {failure!r}")
    print(f"{len(files)} renderings, {len(CHECKS)} rules each")


if __name__ == "__main__":
    main(sys.argv[1:])
