//! API services: who serves a version of a group.

use super::field::Field;
use crate::names;

/// The rules of an `APIService`.
pub(super) fn service(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let (group, version) = (spec.get("group"), spec.get("version"));
    let name = object.get("metadata.name");
    let wanted = format!("{}.{}", version.text(), group.text());
    if names::path_segment_problems(name.text()).is_empty() && name.text() != wanted {
        name.invalid(&format!(
            "must be `spec.version+\".\"+spec.group`: {wanted:?}"
        ));
    }
    if group.is_empty() {
        if version.text() != "v1" {
            group.required("only v1 may have an empty group and it better be legacy kube");
        }
    } else {
        group.problems(names::subdomain_problems);
    }
    for problem in names::label_1035_problems(version.text()) {
        version.invalid_as(&version.text().into(), &problem);
    }
    for (name, most) in [("groupPriorityMinimum", 20_000), ("versionPriority", 1000)] {
        let priority = spec.get(name);
        let number = priority.number().unwrap_or(0);
        if !(1..=most).contains(&number) {
            let why = format!("must be positive and less than {most}");
            priority.invalid_as(&number.into(), &why);
        }
    }
    let (bundle, insecure) = (spec.get("caBundle"), spec.get("insecureSkipTLSVerify"));
    let served = spec.get("service");
    if !served.is_set() {
        if !bundle.is_empty() {
            let n_bytes = bundle.text().trim_end_matches('=').len() * 3 / 4;
            let shown = format!("{n_bytes} bytes");
            let why = "local APIServices may not have a caBundle";
            bundle.invalid_as(&shown.as_str().into(), why);
        }
        if insecure.is_true() {
            insecure.invalid("local APIServices may not have insecureSkipTLSVerify");
        }
        return;
    }
    served.get("namespace").require();
    served.get("name").require();
    let port = served.get("port");
    let number = port.number().unwrap_or(0);
    if !(1..=65535).contains(&number) {
        let why = "port is not valid: must be between 1 and 65535, inclusive";
        port.invalid_as(&number.into(), why);
    }
    if insecure.is_true() && !bundle.is_empty() {
        insecure.invalid("may not be true if caBundle is present");
    }
}

/// The status of an `APIService`.
pub(super) fn service_status(object: &Field<'_, '_>) {
    for condition in object.get("status.conditions").items() {
        condition
            .get("status")
            .one_of(&["True", "False", "Unknown"]);
    }
}
