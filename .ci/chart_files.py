"""Generates files of the chart, so that no list is kept twice: `chart_files.py check` or `write`.

README.md from values.yaml's comments; the settings in values.schema.json from docs/settings.md, which a test compares with
the code; reads.yaml from the shipped service config; Chart.yaml's appVersion from Cargo.toml.
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm/clientele"
# Settings that the chart sets itself, from mounted Secrets. `database_url` would put a password into a ConfigMap.
MOUNTED = {
    "database_url", "database_url_file", "database_password_file", "sealing_key_files",
    "tls_cert_file", "tls_key_file", "tls_client_ca_file", "smtp_user_file", "smtp_password_file",
}  # fmt: skip
DURATION = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}


def settings():
    """Returns flag and meaning of the program's settings by key, from the table in docs/settings.md."""
    text = (ROOT / "docs/settings.md").read_text()
    table = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.strip().splitlines()[2:]]
    return {key.strip("`"): (flag.strip("`").replace("\\|", "|"), meaning) for flag, _, key, _, meaning in rows if key}


def schema_of(key, flag, meaning):
    """Returns the JSON schema of a setting's value."""
    name, _, value = flag.partition(" ")
    if name.removeprefix("--").replace("-", "_") != key:
        kind = {"type": "array", "items": {"type": "string", "minLength": 1}}
    elif value in ("", "true|false"):
        kind = {"type": "boolean"}
    elif value == "NUMBER":
        kind = {"type": "integer", "minimum": 0}
    elif value == "DURATION":
        kind = DURATION
    elif value == "SIZE":
        kind = {"type": "string", "pattern": "^[0-9]+([KMG]iB)?$"}
    elif "|" in value:
        kind = {"type": "string", "enum": value.split("|")}
    elif value == "ADDR":
        kind = {"type": "string", "pattern": ":[0-9]+$"}
    else:
        kind = {"type": "string"}
    return {"description": meaning, **kind}


def values_schema():
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = settings()
    if gone := MOUNTED - known.keys():
        sys.exit(f"the chart sets unknown settings: {', '.join(sorted(gone))}")
    properties = {key: schema_of(key, *row) for key, row in known.items() if key not in MOUNTED}
    schema["properties"]["config"]["properties"] = properties
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def reads():
    config = json.loads((ROOT / "proto/clientele/v1/service_config.json").read_text())
    names = [name for method in config["methodConfig"] if "retryPolicy" in method for name in method["name"]]
    services = sorted({name["service"] for name in names})
    lines = [
        f"{service}: [{', '.join(sorted(name['method'] for name in names if name['service'] == service))}]"
        for service in services
    ]
    head = [
        "# Reads by service, which a mesh may retry. Generated from proto/clientele/v1/service_config.json by `.ci/chart --write`.",
    ]
    return "\n".join(head + lines) + "\n"


def rows(text):
    """Yields path, default and comment of each value with a comment `# --`."""
    values, path, comment = yaml.safe_load(text), [], []
    for line in text.splitlines():
        if match := re.match(r"( *)# -- (.*)", line):
            comment = [match[2]]
        elif (match := re.match(r" *# ?(.*)", line)) and comment:
            comment.append(match[1])
        elif match := re.match(r"( *)([A-Za-z]\w*):", line):
            path = path[: len(match[1]) // 2] + [match[2]]
            if comment:
                value = values
                for key in path:
                    value = value[key]
                yield ".".join(path), json.dumps(value, ensure_ascii=False), " ".join(comment)
            comment = []


def readme():
    text = (CHART / "values.yaml").read_text()
    described = list(rows(text))
    check_leaves(yaml.safe_load(text), [path for path, _, _ in described])
    cells = [f"| `{path}` | `{value}` | {comment} |".replace("\\|", "|") for path, value, comment in described]
    table = "\n".join(["| value | default | |", "|---|---|---|", *cells])
    old = (CHART / "README.md").read_text()
    head, _, rest = old.partition("<!-- values -->\n")
    _, _, tail = rest.partition("<!-- /values -->")
    return f"{head}<!-- values -->\n{table}\n<!-- /values -->{tail}"


def check_leaves(values, described, path=""):
    """Checks that every value, or its parent, has a comment."""
    for key, value in values.items():
        here = f"{path}{key}"
        if here in described:
            continue
        if not isinstance(value, dict) or not value:
            sys.exit(f"values.yaml: {here} has no comment `# --`")
        check_leaves(value, described, f"{here}.")


def chart():
    text = (CHART / "Chart.yaml").read_text()
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    return re.sub(r'^appVersion: .*$', f'appVersion: "{version}"', text, flags=re.M)


def main(command):
    generated = {"README.md": readme, "values.schema.json": values_schema, "reads.yaml": reads, "Chart.yaml": chart}
    stale = []
    for name, generate in generated.items():
        text, file = generate(), CHART / name
        if file.read_text() == text:
            continue
        stale.append(name)
        if command == "write":
            file.write_text(text)
    if stale and command == "check":
        sys.exit(f"helm/clientele: {', '.join(stale)} not current: run .ci/chart --write, and commit")
    print(f"{command}: {', '.join(stale) or 'nothing to do'}")


main(sys.argv[1])
