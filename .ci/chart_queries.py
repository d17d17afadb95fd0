"""Checks metrics and labels in the alerts and the dashboard: `chart_queries.py MANIFESTS SCRAPE` fails if a running server does not
export one of them. `chart_queries.py rules MANIFESTS` prints the dashboard's queries as rules for promtool."""

import json
import re
import sys
from pathlib import Path

import yaml

# Exported by Prometheus itself and kube-state-metrics.
FOREIGN = {"up", "kube_deployment_status_replicas_ready", "kube_deployment_spec_replicas"}
# Added to every series by the scrape, or part of every histogram.
ADDED = {"job", "namespace", "instance", "le"}
# Present only after an error, which the scripted run does not produce.
SOMETIMES = {
    "rpc_server_call_duration_seconds": {"error_type"},
    "db_client_operation_duration_seconds": {"error_type"},
}
WORDS = set(
    "by without on ignoring group_left group_right and or unless bool offset sum rate increase histogram_quantile max min avg "
    "count absent min_over_time max_over_time label_values time".split()
)


def exported(scrape):
    """Returns the name of every series with all its labels."""
    names = {}
    for line in Path(scrape).read_text().splitlines():
        if line and not line.startswith("#"):
            name, labels = re.match(r"([\w:]+)(?:\{(.*)\})? ", line).groups()
            names.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
    return names


def queries(manifests):
    """Returns every query of the alerts and the dashboard with its location, and the names of recording rules."""
    found, recorded = [], set()
    for each in filter(None, yaml.safe_load_all(Path(manifests).read_text())):
        if each["kind"] == "PrometheusRule":
            for rule in (rule for group in each["spec"]["groups"] for rule in group["rules"]):
                found.append((rule.get("alert") or rule["record"], rule["expr"]))
                recorded.update({rule["record"]} if "record" in rule else ())
        for text in each.get("data", {}).values() if each["kind"] == "ConfigMap" else ():
            if text.lstrip().startswith("{"):
                dashboard = json.loads(text)
                for panel in dashboard["panels"]:
                    found += [(f"panel {panel['title']}", target["expr"]) for target in panel.get("targets", [])]
                found += [
                    (f"variable {variable['name']}", variable["definition"])
                    for variable in dashboard["templating"]["list"] if "definition" in variable
                ]  # fmt: skip
    assert len(found) > 30, "alerts and dashboard were not found"
    return found, recorded


def used(query):
    """Returns the metrics of a query, each with the labels of its selector, and the labels of its groupings."""
    bare = re.sub(r"\$__\w+|\$\w+", "", query)
    groups = re.findall(r"\b(?:by|without|on|ignoring|group_left)\s*\(([^)]*)\)", bare)
    grouped = {label for group in groups for label in re.findall(r"\w+", group)}
    without = re.sub(r"\b(?:by|without|on|ignoring|group_left)\s*\([^)]*\)", "", bare)
    without = re.sub(r"label_values\((.*), (\w+)\)", r"\1", without)
    metrics = {}
    for name, braces in re.findall(r"([a-zA-Z_:][\w:]*)\s*(\{(?:[^}\"]|\"[^\"]*\")*\})?", re.sub(r"\[[^\]]*\]", "", without)):
        if name not in WORDS:
            metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*[=!]", re.sub(r'"[^"]*"', "", braces)))
    return metrics, grouped


def family(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


def check(manifests, scrape):
    names, wrong = exported(scrape), []
    found, recorded = queries(manifests)
    seen = set()
    for where, query in found:
        metrics, grouped = used(query)
        assert metrics, f"{where}: no metric in {query}"
        known = set(ADDED)
        for name, labels in metrics.items():
            if name in FOREIGN or name in recorded:
                known.update(labels)
                continue
            seen.add(name)
            if name not in names:
                wrong.append(f"{where}: {name} is not exported")
                continue
            has = names[name] | ADDED | SOMETIMES.get(family(name), set())
            known |= has
            wrong += [f"{where}: {name} has no label {label}" for label in sorted(labels - has)]
        wrong += [f"{where}: no metric here has the label {label}" for label in sorted(grouped - known)]
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(found)} queries use {len(seen)} metrics, all of which a running server exports")


def as_rules(manifests):
    """Replaces Grafana's variables by possible values."""
    filled = [
        re.sub(r"\$__rate_interval", "5m", query).replace("$job", "clientele").replace("$namespace", ".*")
        for where, query in queries(manifests)[0] if where.startswith("panel")
    ]  # fmt: skip
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(filled)]
    print(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))


if sys.argv[1] == "rules":
    as_rules(sys.argv[2])
else:
    check(*sys.argv[1:])
