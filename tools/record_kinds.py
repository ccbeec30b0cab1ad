#!/usr/bin/env python3
"""Records what a real kube-apiserver says of wrong objects.

Reads cases (crates/kinds/testdata/rules.json), sends each to the server, and writes the causes of its answer
beside it as `want`. A case is an object to create; with `change`, a merge of members into it that is put after
it was created. `{{ns}}` stands for the namespace.

    record_kinds.py --server URL --token T crates/kinds/testdata/rules.json
"""
import argparse
import copy
import json
import ssl
import urllib.error
import urllib.request

NAMESPACE = "record-kinds"


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--server", required=True)
    arguments.add_argument("--token", required=True)
    arguments.add_argument("file")
    options = arguments.parse_args()
    context = ssl._create_unverified_context()

    def send(method, path, body=None):
        data = None if body is None else json.dumps(body).replace("{{ns}}", NAMESPACE).encode()
        media = "merge-patch+json" if method == "PATCH" else "json"
        headers = {"Authorization": "Bearer " + options.token, "Content-Type": f"application/{media}"}
        request = urllib.request.Request(options.server + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    with open(options.file) as file:
        cases = json.load(file)
    send("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for case in cases:
        record(case, send)
    # A server without controllers leaves the namespace until somebody finalizes it.
    send("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    finalized = {"metadata": {"name": NAMESPACE}, "spec": {"finalizers": []}}
    send("PUT", f"/api/v1/namespaces/{NAMESPACE}/finalize", finalized)
    with open(options.file, "w") as file:
        lines = ",\n".join(json.dumps(case, sort_keys=True) for case in cases)
        file.write(f"[\n{lines}\n]\n")


def record(case, send):
    group = f"/apis/{case['group']}" if case["group"] else "/api"
    scope = f"/namespaces/{NAMESPACE}" if case["namespaced"] else ""
    path = f"{group}/{case['version']}{scope}/{case['resource']}"
    name = case["object"]["metadata"]["name"]
    status, answer = send("POST", path, case["object"])
    if "change" in case:
        if status != 201:
            raise SystemExit(f"{case['name']}: {answer}")
        changed = merge(copy.deepcopy(case["object"]), case["change"])
        changed["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
        status, answer = send("PUT", f"{path}/{name}", changed)
    if status < 300 or "change" in case:
        send("DELETE", f"{path}/{name}")
        send("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}})
    details = answer.get("details") or {}
    case["code"] = status
    case["want"] = [[c.get("field", ""), c["message"], c["reason"]] for c in details.get("causes", [])]
    if status not in (422, 200, 201):
        print(case["name"], status, answer.get("message"))


def merge(into, change):
    for key, value in change.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            merge(into[key], value)
        else:
            into[key] = value
    return into


if __name__ == "__main__":
    main()
