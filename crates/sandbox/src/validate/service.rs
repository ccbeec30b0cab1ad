//! Services.

use yaml::Value;

use super::metadata::labels;
use super::{Errors, list, text};
use crate::names;
use crate::status_error::FieldError;

const RANGE: &str = "must be between 1 and 65535, inclusive";

pub(super) fn check(value: &Value, errors: &mut Errors) {
    let kind = text(value, &["spec", "type"]);
    let headless = text(value, &["spec", "clusterIP"]) == "None";
    let ports = list(value, &["spec", "ports"]);
    if ports.is_empty() && !headless && kind != "ExternalName" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    if kind == "ExternalName" {
        let name = text(value, &["spec", "externalName"]).trim_end_matches('.');
        if name.is_empty() {
            errors.push(FieldError::required("spec.externalName", ""));
        } else {
            for problem in names::subdomain_problems(name) {
                errors.push(FieldError::invalid(
                    "spec.externalName",
                    &name.into(),
                    &problem,
                ));
            }
        }
    }
    for (index, item) in ports.iter().enumerate() {
        port(
            item,
            &format!("spec.ports[{index}]"),
            ports.len() > 1,
            errors,
        );
    }
    labels(value, "spec.selector", &["spec", "selector"], errors);
    if !matches!(
        kind,
        "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName"
    ) {
        errors.push(FieldError::not_supported(
            "spec.type",
            &kind.into(),
            &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
        ));
    }
    duplicates(ports, errors);
    node_ports(ports, kind, errors);
}

fn port(value: &Value, path: &str, needs_name: bool, errors: &mut Errors) {
    let name = text(value, &["name"]);
    if name.is_empty() {
        if needs_name {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
    } else {
        for problem in names::label_problems(name) {
            errors.push(FieldError::invalid(
                format!("{path}.name"),
                &name.into(),
                &problem,
            ));
        }
    }
    let number = value.get("port").and_then(Value::as_i64).unwrap_or(0);
    if !(1..=65535).contains(&number) {
        errors.push(FieldError::invalid(
            format!("{path}.port"),
            &number.into(),
            RANGE,
        ));
    }
    let protocol = text(value, &["protocol"]);
    if !matches!(protocol, "TCP" | "UDP" | "SCTP") {
        errors.push(FieldError::not_supported(
            format!("{path}.protocol"),
            &protocol.into(),
            &["SCTP", "TCP", "UDP"],
        ));
    }
    match value.get("targetPort") {
        Some(Value::Int(target)) if !(1..=65535).contains(target) => {
            errors.push(FieldError::invalid(
                format!("{path}.targetPort"),
                &(*target).into(),
                RANGE,
            ));
        }
        Some(Value::String(target))
            if !target
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') =>
        {
            errors.push(FieldError::invalid(
                format!("{path}.targetPort"),
                &target.clone().into(),
                "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
            ));
        }
        _ => {}
    }
}

fn duplicates(ports: &[Value], errors: &mut Errors) {
    for (index, port) in ports.iter().enumerate() {
        let before = ports.get(..index).unwrap_or_default();
        let name = text(port, &["name"]);
        if !name.is_empty() && before.iter().any(|other| text(other, &["name"]) == name) {
            errors.push(FieldError::duplicate(
                format!("spec.ports[{index}].name"),
                &name.into(),
            ));
        }
    }
}

fn node_ports(ports: &[Value], kind: &str, errors: &mut Errors) {
    for (index, port) in ports.iter().enumerate() {
        let number = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        if number == 0 {
            continue;
        }
        let field = format!("spec.ports[{index}].nodePort");
        if kind == "ClusterIP" {
            errors.push(FieldError::forbidden(
                field,
                "may not be used when `type` is 'ClusterIP'",
            ));
        } else if !(30_000..=32_767).contains(&number) {
            errors.push(FieldError::invalid(
                field,
                &number.into(),
                "provided port is not in the valid range. The range of valid ports is 30000-32767",
            ));
        }
    }
}
