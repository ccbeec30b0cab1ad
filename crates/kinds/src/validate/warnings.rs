//! What a client is warned of although it is allowed.

use std::cell::RefCell;

use yaml::Value;

use super::field::Field;
use crate::{Kind, Part, ip};

impl Kind<'_> {
    /// What the writer of a valid object is warned of; `old` is the state that an update of a part
    /// replaces.
    #[must_use]
    pub fn warnings(&self, value: &Value, old: Option<(Part, &Value)>) -> Vec<String> {
        let unused = RefCell::default();
        let object = Field::root(value, old.map(|(_, old)| old), &unused);
        let part = old.map_or(Part::Main, |(part, _)| part);
        match (self.place(), part) {
            (("", "endpoints"), _) => endpoints(&object),
            (("discovery.k8s.io", "endpointslices"), _) => slice(&object),
            (("networking.k8s.io", "ingresses"), Part::Main) => ingress(&object),
            (("networking.k8s.io", "ingresses"), Part::Status) => {
                addresses(&object.get("status.loadBalancer.ingress"))
            }
            (("networking.k8s.io", "networkpolicies"), _) => policy(&object),
            (("storage.k8s.io", "csidrivers"), _) => driver(&object),
            (("resource.k8s.io", "resourceslices"), _) => resource_slice(&object),
            _ => Vec::new(),
        }
    }
}

/// Whether a controller of the cluster itself manages a kind of endpoints: it writes them right.
fn is_managed(object: &Field<'_, '_>, label: &str, managers: &[&str]) -> bool {
    let labels = object.get("metadata.labels");
    managers.contains(&labels.member(label).text())
}

/// The warnings about the `ip` of each entry of a list.
fn addresses(entries: &Field<'_, '_>) -> Vec<String> {
    entries
        .items()
        .filter_map(|entry| {
            let address = entry.get("ip");
            ip::warning(&address.path(), address.text())
        })
        .collect()
}

fn endpoints(object: &Field<'_, '_>) -> Vec<String> {
    let label = "endpoints.kubernetes.io/managed-by";
    if is_managed(object, label, &["endpoint-controller"]) {
        return Vec::new();
    }
    let subsets = object.get("subsets");
    let mut warnings = Vec::new();
    for subset in subsets.items() {
        warnings.extend(addresses(&subset.get("addresses")));
        warnings.extend(addresses(&subset.get("notReadyAddresses")));
    }
    warnings
}

fn slice(object: &Field<'_, '_>) -> Vec<String> {
    let mut warnings = Vec::new();
    if !object.is_update() && object.get("addressType").text() == "FQDN" {
        warnings.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
    }
    let managers = [
        "endpointslice-controller.k8s.io",
        "endpointslicemirroring-controller.k8s.io",
    ];
    if is_managed(object, "endpointslice.kubernetes.io/managed-by", &managers) {
        return warnings;
    }
    for endpoint in object.get("endpoints").items() {
        let addresses = endpoint.get("addresses");
        for address in addresses.items() {
            warnings.extend(ip::warning(&address.path(), address.text()));
        }
    }
    warnings
}

fn ingress(object: &Field<'_, '_>) -> Vec<String> {
    const ANNOTATION: &str = "kubernetes.io/ingress.class";
    let annotations = object.get("metadata.annotations");
    let old_way = annotations.member(ANNOTATION).is_set()
        && !object.get("spec.ingressClassName").is_set()
        && !object.is_update();
    if old_way {
        vec![format!(
            "annotation {ANNOTATION:?} is deprecated, please use 'spec.ingressClassName' instead"
        )]
    } else {
        Vec::new()
    }
}

fn policy(object: &Field<'_, '_>) -> Vec<String> {
    let spec = object.get("spec");
    let mut warnings = Vec::new();
    for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
        for rule in spec.get(direction).items() {
            for peer in rule.get(peers).items() {
                let block = peer.get("ipBlock");
                let cidr = block.get("cidr");
                warnings.extend(ip::block_warnings(&cidr.path(), cidr.text()));
                for except in block.get("except").items() {
                    warnings.extend(ip::block_warnings(&except.path(), except.text()));
                }
            }
        }
    }
    warnings
}

fn driver(object: &Field<'_, '_>) -> Vec<String> {
    let tokens = object.get("spec.tokenRequests");
    let news = !object.is_update() || tokens.changed();
    if tokens.is_empty() || !news || object.get("spec.serviceAccountTokenInSecrets").is_set() {
        return Vec::new();
    }
    vec![
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true \
         to prevent possible logging of tokens in volume attributes"
            .to_owned(),
    ]
}

fn resource_slice(object: &Field<'_, '_>) -> Vec<String> {
    let driver = object.get("spec.driver").text();
    if !driver.chars().any(char::is_uppercase) {
        return Vec::new();
    }
    vec![format!(
        "spec.driver: driver names should be lowercase; {driver:?} contains uppercase characters"
    )]
}
