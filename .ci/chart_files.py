"""Files of the chart that are made of others, so that nobody keeps two lists: `chart_files.py check` or `write`.

README.md of values.yaml's comments; the settings in values.schema.json of the program's README, which a test holds to the code;
reads.yaml of the shipped service config; Chart.yaml's appVersion of Cargo.toml.
"""

import json
import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
CHART = ROOT / "helm/clientele"
# Settings that the chart says itself, of Secrets that it mounts. `database_url` would put a password into a ConfigMap.
MOUNTED = {
    "database_url", "database_url_file", "database_password_file", "sealing_key_files",
    "tls_cert_file", "tls_key_file", "tls_client_ca_file",
}  # fmt: skip
TIME = {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"}


def settings():
    """The program's settings, by key: what its README's table says of flag and meaning."""
    text = (ROOT / "README.md").read_text()
    table = text.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in table.strip().splitlines()[2:]]
    return {key.strip("`"): (flag.strip("`").replace("\\|", "|"), meaning) for flag, _, key, _, meaning in rows if key}


def schema_of(key, flag, meaning):
    """What a setting's value may be in a file."""
    name, _, value = flag.partition(" ")
    if name.removeprefix("--").replace("-", "_") != key:
        kind = {"type": "array", "items": {"type": "string", "minLength": 1}}
    elif value in ("", "true|false"):
        kind = {"type": "boolean"}
    elif value == "NUMBER":
        kind = {"type": "integer", "minimum": 0}
    elif value == "TIME":
        kind = TIME
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
        sys.exit(f"the chart mounts what is no setting any more: {', '.join(sorted(gone))}")
    taken = {key: schema_of(key, *said) for key, said in known.items() if key not in MOUNTED}
    schema["properties"]["config"]["properties"] = taken
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
        "# RPCs that change nothing, by service: what a mesh may try again. Made of proto/clientele/v1/service_config.json by",
        "# `.ci/chart --write`.",
    ]
    return "\n".join(head + lines) + "\n"


def rows(text):
    """Each value of values.yaml with a comment `# --`: its path, its default, the comment."""
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
    said = list(rows(text))
    leaves(yaml.safe_load(text), [path for path, _, _ in said])
    cells = [f"| `{path}` | `{value}` | {comment} |".replace("\\|", "|") for path, value, comment in said]
    table = "\n".join(["| value | default | |", "|---|---|---|", *cells])
    old = (CHART / "README.md").read_text()
    head, _, rest = old.partition("<!-- values -->\n")
    _, _, tail = rest.partition("<!-- /values -->")
    return f"{head}<!-- values -->\n{table}\n<!-- /values -->{tail}"


def leaves(values, said, path=""):
    """Every value has a comment of its own or of what it is in."""
    for key, value in values.items():
        here = f"{path}{key}"
        if here in said:
            continue
        if not isinstance(value, dict) or not value:
            sys.exit(f"values.yaml: {here} has no comment `# --`")
        leaves(value, said, f"{here}.")


def chart():
    text = (CHART / "Chart.yaml").read_text()
    version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    return re.sub(r'^appVersion: .*$', f'appVersion: "{version}"', text, flags=re.M)


def main(order):
    made = {"README.md": readme, "values.schema.json": values_schema, "reads.yaml": reads, "Chart.yaml": chart}
    stale = []
    for name, make in made.items():
        text, file = make(), CHART / name
        if file.read_text() == text:
            continue
        stale.append(name)
        if order == "write":
            file.write_text(text)
    if stale and order == "check":
        sys.exit(f"helm/clientele: {', '.join(stale)} would be another now: .ci/chart --write, and commit")
    print(f"{order}: {', '.join(stale) or 'nothing to do'}")


main(sys.argv[1])
