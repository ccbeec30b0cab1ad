#!/usr/bin/env python3
"""Fills in what a real kube-apiserver says of the cases in *.jsonl beside this file.

usage: record.py SERVER TOKEN [FILE...]

A line is {"base": object} for the lines that follow, or a case {"set": {pointer: value, ...}}: the
base with some members changed. null removes; a pointer to a list's item inserts. With "old", which
changes the base in the same way, the case is an update of that object, and with "part" one of that
path below it: the object is made, is given the status of "old", and then the part is written. "want"
is what the server says: reason, field and message of each cause; absent where it answers otherwise than with causes.
Objects are made in a namespace of their own, and only as a dry run where nothing needs them.
"""
import copy, glob, json, os, ssl, sys, urllib.request

SERVER, TOKEN = sys.argv[1:3]
NAMESPACE = "kinds-record"
CONTEXT = ssl._create_unverified_context()
PATHS = {}


def call(method, path, body=None):
    request = urllib.request.Request(SERVER + path, method=method)
    request.add_header("Authorization", "Bearer " + TOKEN)
    kind = "merge-patch+json" if method == "PATCH" else "json"
    request.add_header("Content-Type", "application/" + kind)
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, data, context=CONTEXT) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def collection(value):
    version, kind = value["apiVersion"], value["kind"]
    if version not in PATHS:
        root = "/api/v1" if version == "v1" else "/apis/" + version
        _, found = call("GET", root)
        PATHS[version] = {r["kind"]: (root, r) for r in found["resources"] if "/" not in r["name"]}
    root, resource = PATHS[version][kind]
    middle = f"/namespaces/{NAMESPACE}" if resource["namespaced"] else ""
    return f"{root}{middle}/{resource['name']}"


def with_changes(base, changes):
    value = copy.deepcopy(base)
    for pointer, to in sorted(changes.items()):
        *parents, last = [part.replace("~1", "/") for part in pointer.split("/")[1:]]
        place = value
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place.insert(int(last), to)
        elif to is None:
            place.pop(last, None)
        else:
            place[last] = to
    return value


def causes(code, answer):
    if code in (200, 201):
        return []
    if code != 422:
        print("  ", code, answer.get("message"), file=sys.stderr)
        return None
    listed = answer.get("details", {}).get("causes", [])
    return [[c.get("reason", ""), c.get("field", ""), c.get("message", "")] for c in listed]


def record(base, case):
    new = with_changes(base, case.get("set", {}))
    path = collection(new)
    if "old" not in case:
        return causes(*call("POST", path + "?dryRun=All", new))
    old = with_changes(base, case["old"])
    code, answer = call("POST", path, old)
    if code != 201:
        print("   old:", code, answer.get("message"), file=sys.stderr)
        return None
    name = old["metadata"]["name"]
    if "part" in case and "status" in old:
        _, answer = call("PUT", f"{path}/{name}/status", {**answer, "status": old["status"]})
    # Some kinds are replaced only by who names the version.
    new["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
    part = "/" + case["part"] if "part" in case else ""
    if part == "/resize" or part == "/ephemeralcontainers":
        new = with_changes(answer, case.get("set", {}))
    result = causes(*call("PUT", f"{path}/{name}{part}?dryRun=All", new))
    call("DELETE", f"{path}/{name}?gracePeriodSeconds=0", {"propagationPolicy": "Background"})
    call("PATCH", f"{path}/{name}", {"metadata": {"finalizers": None}})
    return result


def main():
    call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    call("POST", accounts, {"metadata": {"name": "default"}})
    here = os.path.dirname(os.path.abspath(__file__))
    for name in sys.argv[3:] or sorted(glob.glob(here + "/*.jsonl")):
        lines, base = [], None
        for line in open(name):
            case = json.loads(line)
            if "base" in case:
                base = case["base"]
            else:
                case.pop("want", None)
                want = record(base, case)
                if want is not None:
                    case["want"] = want
            lines.append(json.dumps(case, separators=(",", ":"), ensure_ascii=False))
        with open(name, "w") as out:
            out.write("\n".join(lines) + "\n")


main()
