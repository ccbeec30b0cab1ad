//! Addresses and node ports of Services.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use yaml::{Map, Value};

use crate::status_error::ApiError;
use kinds::FieldError;
use store::{Collection, Store};

use super::Context;

/// The first address after the network's own, and how many there are: 10.96.0.0/16.
const FIRST: u32 = u32::from_be_bytes([10, 96, 0, 1]);
const ADDRESSES: u32 = 65_534;
const FIRST_PORT: i64 = 30_000;
const PORTS: i64 = 2768;

/// What is taken. Filled from the store when it is opened.
#[derive(Default)]
pub(crate) struct Allocator(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    addresses: HashSet<u32>,
    ports: HashSet<i64>,
}

impl Allocator {
    /// What the services of a store have.
    pub(crate) fn of(store: &Store) -> Self {
        let allocator = Allocator::default();
        let services = Collection::new("", "services");
        for stored in store.list(&services, None).objects {
            allocator.take(&stored.value());
        }
        allocator
    }

    fn with<T>(&self, change: impl FnOnce(&mut Taken) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Marks what a service has.
    pub(crate) fn take(&self, service: &Value) {
        self.with(|taken| {
            taken.addresses.extend(addresses(service));
            taken.ports.extend(ports(service));
        });
    }

    /// Gives back what services that are gone had.
    pub(crate) fn refresh(&self, store: &Store) {
        let services = Collection::new("", "services");
        let listing = store.list(&services, None);
        self.with(|taken| {
            *taken = Taken::default();
            for stored in &listing.objects {
                let service = stored.value();
                taken.addresses.extend(addresses(&service));
                taken.ports.extend(ports(&service));
            }
        });
    }

    fn address(&self) -> Option<Ipv4Addr> {
        self.with(|taken| {
            let start = rand::random_range(0..ADDRESSES);
            (0..ADDRESSES)
                .map(|step| FIRST + (start + step) % ADDRESSES)
                .find(|address| taken.addresses.insert(*address))
                .map(Ipv4Addr::from)
        })
    }

    fn port(&self) -> Option<i64> {
        self.with(|taken| {
            let start = rand::random_range(0..PORTS);
            (0..PORTS)
                .map(|step| FIRST_PORT + (start + step) % PORTS)
                .find(|port| taken.ports.insert(*port))
        })
    }

    fn has_address(&self, address: u32) -> bool {
        self.with(|taken| taken.addresses.contains(&address))
    }

    fn has_port(&self, port: i64) -> bool {
        self.with(|taken| taken.ports.contains(&port))
    }
}

fn addresses(service: &Value) -> Vec<u32> {
    service
        .at(&["spec", "clusterIPs"])
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .filter_map(|text| text.parse::<Ipv4Addr>().ok())
        .map(u32::from)
        .collect()
}

fn ports(service: &Value) -> Vec<i64> {
    service
        .at(&["spec", "ports"])
        .and_then(Value::as_list)
        .unwrap_or_default()
        .iter()
        .filter_map(|port| port.get("nodePort").and_then(Value::as_i64))
        .chain(
            service
                .at(&["spec", "healthCheckNodePort"])
                .and_then(Value::as_i64),
        )
        .collect()
}

/// Gives a service its addresses and ports; `old` is what it had.
pub(super) fn allocate(
    context: &Context<'_>,
    value: &mut Value,
    old: Option<&Value>,
) -> Result<(), ApiError> {
    let spec = value.map_at_mut(&["spec"]);
    let kind = spec
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("ClusterIP")
        .to_owned();
    if kind == "ExternalName" {
        // What else it may not have is refused; this is forgotten, if it is a policy at all.
        let policy = spec.get("internalTrafficPolicy").and_then(Value::as_str);
        if matches!(policy, Some("Cluster" | "Local")) {
            spec.remove("internalTrafficPolicy");
        }
        return Ok(());
    }
    if let Some(old) = old.and_then(|old| old.get("spec")).and_then(Value::as_map) {
        keep(old, spec);
    }
    let missing = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty);
    let listed = spec.get("clusterIPs").and_then(Value::as_list);
    if missing && listed.is_some_and(|list| !list.is_empty()) {
        // Refused when it is looked at.
        return Ok(());
    }
    if !headless_families(value.map_at_mut(&["spec"])) {
        single_stack(context, value)?;
    }
    let spec = value.map_at_mut(&["spec"]);
    let own: Vec<u32> = old.map(addresses).unwrap_or_default();
    let given = spec
        .get("clusterIP")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let address = if given.is_empty() {
        if context.dry_run {
            "10.96.0.2".to_owned()
        } else {
            let free = context.core.allocator.address();
            let free = free.ok_or_else(|| ApiError::internal("no service address is free"))?;
            free.to_string()
        }
    } else {
        if let Ok(address) = given.parse::<Ipv4Addr>().map(u32::from)
            && !own.contains(&address)
            && context.core.allocator.has_address(address)
        {
            return Err(taken(context, value, "spec.clusterIPs", &given));
        }
        given
    };
    let spec = value.map_at_mut(&["spec"]);
    spec.insert("clusterIP", address.as_str());
    spec.insert("clusterIPs", vec![address]);
    spec.entry_or_insert("ipFamilies", vec!["IPv4"].into());
    spec.entry_or_insert("ipFamilyPolicy", "SingleStack".into());
    allocate_ports(context, value, old, &kind)
}

/// A Service without an address and a selector is for whoever writes its endpoints, so it may be of
/// families that the cluster does not have. Gives whether it is such a one.
fn headless_families(spec: &mut Map) -> bool {
    let bare = |selector: &Value| selector.as_map().is_none_or(Map::is_empty);
    let headless = spec.get("clusterIP").and_then(Value::as_str) == Some("None");
    if !headless || !spec.get("selector").is_none_or(bare) {
        return false;
    }
    let families = spec.entry_or_insert("ipFamilies", vec!["IPv4"].into());
    let other = match families.as_list() {
        Some([one]) if one.as_str() == Some("IPv6") => Some("IPv4"),
        Some([_]) => Some("IPv6"),
        _ => None,
    };
    let policy = spec.entry_or_insert("ipFamilyPolicy", "RequireDualStack".into());
    if policy.as_str() != Some("SingleStack")
        && let Some(other) = other
        && let Some(families) = spec.get_mut("ipFamilies").and_then(Value::as_list_mut)
    {
        families.push(other.into());
    }
    true
}

/// There are addresses of one family only.
fn single_stack(context: &Context<'_>, value: &Value) -> Result<(), ApiError> {
    let policy = value
        .at(&["spec", "ipFamilyPolicy"])
        .cloned()
        .unwrap_or_default();
    let families = value.at(&["spec", "ipFamilies"]).and_then(Value::as_list);
    let six = Value::from("IPv6");
    let index = families
        .unwrap_or_default()
        .iter()
        .position(|family| *family == six);
    let error = match index {
        _ if policy.as_str() == Some("RequireDualStack") => FieldError::invalid(
            "spec.ipFamilyPolicy",
            &policy,
            "this cluster is not configured for dual-stack services",
        ),
        Some(index) => FieldError::invalid(
            format!("spec.ipFamilies[{index}]"),
            &six,
            "not configured on this cluster",
        ),
        None => return Ok(()),
    };
    Err(ApiError::invalid(
        context.about_kind(crate::meta::name(value)),
        &[error],
    ))
}

/// An update that leaves the addresses out keeps them.
fn keep(old: &Map, spec: &mut Map) {
    let missing = |spec: &Map, key: &str| {
        spec.get(key)
            .is_none_or(|value| value.is_null() || value.as_str() == Some(""))
    };
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if missing(spec, key) {
            crate::meta::copy(old, spec, key);
        }
    }
    let had = old
        .get("ports")
        .and_then(Value::as_list)
        .unwrap_or_default();
    let now = spec.get_mut("ports").and_then(Value::as_list_mut);
    for port in now.into_iter().flatten() {
        let same = |key: &str, other: &Value| port.get(key) == other.get(key);
        let before = had
            .iter()
            .find(|other| same("port", other) && same("protocol", other));
        let number = before.and_then(|before| before.get("nodePort").cloned());
        if let (None, Some(number)) = (port.get("nodePort"), number) {
            port.map_at_mut(&[]).insert("nodePort", number);
        }
    }
}

fn allocate_ports(
    context: &Context<'_>,
    value: &mut Value,
    old: Option<&Value>,
    kind: &str,
) -> Result<(), ApiError> {
    let wanted = matches!(kind, "NodePort" | "LoadBalancer")
        && value
            .at(&["spec", "allocateLoadBalancerNodePorts"])
            .and_then(Value::as_bool)
            .unwrap_or(true);
    let own: Vec<i64> = old.map(ports).unwrap_or_default();
    let mut refused = None;
    let list = value
        .map_at_mut(&["spec"])
        .get_mut("ports")
        .and_then(Value::as_list_mut);
    for (index, port) in list.into_iter().flatten().enumerate() {
        let given = port.get("nodePort").and_then(Value::as_i64).unwrap_or(0);
        if given == 0 && wanted && !context.dry_run {
            if let Some(free) = context.core.allocator.port() {
                port.map_at_mut(&[]).insert("nodePort", free);
            }
        } else if given != 0 && kind == "ClusterIP" && own.contains(&given) {
            port.map_at_mut(&[]).remove("nodePort");
        } else if given != 0 && !own.contains(&given) && context.core.allocator.has_port(given) {
            refused = Some((format!("spec.ports[{index}].nodePort"), given));
        }
    }
    if !context.dry_run {
        health_port(context, value.map_at_mut(&["spec"]), kind);
    }
    match refused {
        None => Ok(()),
        Some((field, port)) => {
            let name = crate::meta::name(value);
            let error =
                FieldError::invalid(field, &port.into(), "provided port is already allocated");
            Err(ApiError::invalid(context.about_kind(name), &[error]))
        }
    }
}

/// Balancers that go to the pods of one node ask at a port whether it has any.
fn health_port(context: &Context<'_>, spec: &mut Map, kind: &str) {
    let local = spec.get("externalTrafficPolicy").and_then(Value::as_str) == Some("Local");
    let given = spec
        .get("healthCheckNodePort")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if kind == "LoadBalancer"
        && local
        && given == 0
        && let Some(free) = context.core.allocator.port()
    {
        spec.insert("healthCheckNodePort", free);
    }
}

fn taken(context: &Context<'_>, value: &Value, field: &str, address: &str) -> ApiError {
    let list = Value::from(vec![address]);
    let error = FieldError::invalid(
        field,
        &list,
        &format!("failed to allocate IP {address}: provided IP is already allocated"),
    );
    ApiError::invalid(context.about_kind(crate::meta::name(value)), &[error])
}
