//! What stands in the cells of the built-in kinds.

mod cluster;

use std::sync::OnceLock;

use jiff::Timestamp;
use yaml::{Map, Value, json};

use crate::Kind;

const NONE: &str = "<none>";
const UNKNOWN: &str = "<unknown>";
const UNSET: &str = "<unset>";

impl Kind<'_> {
    /// The columns of a table of objects of this kind; those of all kinds where it has none of its
    /// own.
    #[must_use]
    pub fn columns(&self) -> &'static [Value] {
        let known = recorded();
        let (group, plural) = self.place();
        known
            .get(format!("{group}/{plural}").as_str())
            .or_else(|| known.get("*"))
            .and_then(Value::as_list)
            .unwrap_or_default()
    }

    /// The cells of an object's row, one a column; for an `IPAddress` one more, as the real server has it.
    #[must_use]
    pub fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        cells(*self, object, now)
    }
}

/// The columns of the built-in resources: `group/plural` to definitions.
fn recorded() -> &'static Map {
    static RECORDED: OnceLock<Map> = OnceLock::new();
    RECORDED.get_or_init(
        || match json::parse(include_bytes!("../data/columns.json")) {
            Ok(Value::Map(map)) => map,
            _ => Map::new(),
        },
    )
}

/// Access to an object in the words of this module.
struct Of<'a>(&'a Value);

impl<'a> Of<'a> {
    fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.')
            .try_fold(self.0, |value, key| value.get(key))
    }
    fn text(&self, path: &str) -> &'a str {
        self.at(path).and_then(Value::as_str).unwrap_or_default()
    }
    fn or(&self, path: &str, other: &'a str) -> &'a str {
        match self.text(path) {
            "" => other,
            text => text,
        }
    }
    fn number(&self, path: &str) -> i64 {
        self.at(path).and_then(Value::as_i64).unwrap_or(0)
    }
    fn list(&self, path: &str) -> &'a [Value] {
        self.at(path).and_then(Value::as_list).unwrap_or_default()
    }
    fn size(&self, path: &str) -> i64 {
        let size = self.at(path).and_then(Value::as_map).map_or(0, Map::len);
        i64::try_from(size).unwrap_or(i64::MAX)
    }
}

fn join<'a>(items: impl Iterator<Item = &'a str>) -> String {
    items.collect::<Vec<_>>().join(",")
}

/// The age of an object.
#[must_use]
pub fn age_of(object: &Value, now: Timestamp) -> Value {
    time_since(Of(object).text("metadata.creationTimestamp"), now).into()
}

fn time_since(time: &str, now: Timestamp) -> String {
    time.parse::<Timestamp>()
        .map_or_else(|_| UNKNOWN.to_owned(), |time| since(time, now))
}

/// The time between two moments as kubectl prints it: two units at most.
#[must_use]
pub fn since(time: Timestamp, now: Timestamp) -> String {
    human(now.as_second() - time.as_second())
}

fn human(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let two = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big}{big_unit}")
        } else {
            format!("{big}{big_unit}{small}{small_unit}")
        }
    };
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1..=0 => "0s".to_owned(),
        1..120 => format!("{seconds}s"),
        120..600 => two(seconds / MINUTE, "m", seconds % MINUTE, "s"),
        600..10_800 => format!("{}m", seconds / MINUTE),
        10_800..28_800 => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "m"),
        28_800..172_800 => format!("{}h", seconds / HOUR),
        172_800..691_200 => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
        691_200..63_072_000 => format!("{}d", seconds / DAY),
        63_072_000..252_288_000 => two(seconds / YEAR, "y", seconds % YEAR / DAY, "d"),
        _ => format!("{}y", seconds / YEAR),
    }
}

fn labels(map: Option<&Value>) -> String {
    let pairs: Vec<String> = map
        .and_then(Value::as_map)
        .into_iter()
        .flat_map(Map::iter)
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    if pairs.is_empty() {
        NONE.to_owned()
    } else {
        pairs.join(",")
    }
}

fn selector(selector: Option<&Value>) -> String {
    match crate::selector_text(selector) {
        text if text.is_empty() => NONE.to_owned(),
        text => text,
    }
}

fn containers(of: &Of<'_>, path: &str, key: &str) -> Value {
    let names = of.list(path).iter().map(|container| {
        container
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    });
    join(names).into()
}

fn cells(kind: Kind<'_>, object: &Value, now: Timestamp) -> Vec<Value> {
    let of = Of(object);
    let name = Value::from(of.text("metadata.name"));
    let age = age_of(object, now);
    let mut cells = vec![name.clone()];
    let rest: Vec<Value> = match kind.place() {
        ("", "configmaps") => {
            vec![(of.size("data") + of.size("binaryData")).into(), age]
        }
        ("", "secrets") => vec![of.text("type").into(), of.size("data").into(), age],
        ("", "serviceaccounts") => vec![age],
        ("", "namespaces") => vec![of.text("status.phase").into(), age],
        ("", "pods") => pod(&of, age, now),
        ("", "nodes") => node(&of, age),
        ("", "services") => service(&of, age),
        ("", "events") | ("events.k8s.io", "events") => return event(&of, now),
        ("", "persistentvolumes") => volume(&of, age),
        ("", "persistentvolumeclaims") => claim(&of, age),
        ("", "endpoints") => vec![endpoints(&of).into(), age],
        ("", "resourcequotas") => quota(&of, age),
        ("apps", "deployments") => deployment(&of, age),
        ("apps", "replicasets") | ("", "replicationcontrollers") => replicas(&of, age),
        ("apps", "statefulsets") => {
            let mut cells = vec![ready(&of, "status.readyReplicas"), age];
            cells.extend(template(&of, None));
            cells
        }
        ("apps", "daemonsets") => daemon(&of, age),
        ("apps", "controllerrevisions") => revision(&of, age),
        ("batch", "jobs") => job(&of, age, now),
        ("batch", "cronjobs") => cron(&of, age, now),
        ("networking.k8s.io", "ingresses") => ingress(&of, age),
        ("networking.k8s.io", "ingressclasses") => ingress_class(&of, age),
        ("networking.k8s.io", "networkpolicies") => {
            vec![selector(of.at("spec.podSelector")).into(), age]
        }
        ("policy", "poddisruptionbudgets") => budget(&of, age),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => binding(&of, age),
        ("coordination.k8s.io", "leases") => vec![of.text("spec.holderIdentity").into(), age],
        ("discovery.k8s.io", "endpointslices") => slice(&of, age),
        ("storage.k8s.io", "storageclasses") => storage_class(&of, age),
        ("storage.k8s.io", "csidrivers") => driver(&of, age),
        ("autoscaling", "horizontalpodautoscalers") => autoscaler(&of, age),
        ("", "podtemplates") => {
            let path = "template.spec.containers";
            vec![
                containers(&of, path, "name"),
                containers(&of, path, "image"),
                labels(of.at("template.metadata.labels")).into(),
            ]
        }
        place => match cluster::cells(place, &of, age) {
            Some(cells) => cells,
            None => vec![of.text("metadata.creationTimestamp").into()],
        },
    };
    cells.extend(rest);
    cells
}

fn pod(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let statuses = of.list("status.containerStatuses");
    let total = of.list("spec.containers").len();
    let ready = statuses
        .iter()
        .filter(|status| Of(status).at("ready").and_then(Value::as_bool) == Some(true))
        .count();
    let restarts: i64 = statuses
        .iter()
        .map(|status| Of(status).number("restartCount"))
        .sum();
    let last = statuses
        .iter()
        .map(|status| Of(status).text("lastState.terminated.finishedAt"))
        .filter(|time| !time.is_empty())
        .max();
    let restarts = match last {
        Some(time) if restarts > 0 => format!("{restarts} ({} ago)", time_since(time, now)),
        _ => restarts.to_string(),
    };
    vec![
        format!("{ready}/{total}").into(),
        pod_status(of).into(),
        restarts.into(),
        age,
        of.or("status.podIP", NONE).into(),
        of.or("spec.nodeName", NONE).into(),
        of.or("status.nominatedNodeName", NONE).into(),
        NONE.into(),
    ]
}

fn pod_status(of: &Of<'_>) -> String {
    let mut reason = of.or("status.reason", of.text("status.phase")).to_owned();
    for condition in of.list("status.conditions") {
        let condition = Of(condition);
        if condition.text("type") == "PodScheduled" && condition.text("reason") == "SchedulingGated"
        {
            "SchedulingGated".clone_into(&mut reason);
        }
    }
    let waiting = init_status(of);
    if let Some(status) = &waiting {
        reason.clone_from(status);
    } else {
        let mut running = false;
        for status in of.list("status.containerStatuses").iter().rev() {
            let status = Of(status);
            let terminated = status.at("state.terminated");
            if !status.text("state.waiting.reason").is_empty() {
                status.text("state.waiting.reason").clone_into(&mut reason);
            } else if !status.text("state.terminated.reason").is_empty() {
                status
                    .text("state.terminated.reason")
                    .clone_into(&mut reason);
            } else if terminated.is_some() {
                reason = format!("ExitCode:{}", status.number("state.terminated.exitCode"));
            } else if status.at("ready").and_then(Value::as_bool) == Some(true) {
                running = true;
            }
        }
        if reason == "Completed" && running {
            "Running".clone_into(&mut reason);
        }
    }
    if !of.text("metadata.deletionTimestamp").is_empty()
        && !matches!(of.text("status.phase"), "Succeeded" | "Failed")
    {
        "Terminating".clone_into(&mut reason);
    }
    reason
}

/// The status of the first init container that is not done.
fn init_status(of: &Of<'_>) -> Option<String> {
    let total = of.list("spec.initContainers").len();
    for (index, status) in of.list("status.initContainerStatuses").iter().enumerate() {
        let status = Of(status);
        let started = status.at("started").and_then(Value::as_bool) == Some(true);
        if let Some(terminated) = status.at("state.terminated") {
            let terminated = Of(terminated);
            if terminated.number("exitCode") == 0 {
                continue;
            }
            let reason = terminated.text("reason");
            return Some(if reason.is_empty() {
                format!("Init:ExitCode:{}", terminated.number("exitCode"))
            } else {
                format!("Init:{reason}")
            });
        }
        if started {
            continue;
        }
        let waiting = status.text("state.waiting.reason");
        return Some(if waiting.is_empty() || waiting == "PodInitializing" {
            format!("Init:{index}/{total}")
        } else {
            format!("Init:{waiting}")
        });
    }
    None
}

fn node(of: &Of<'_>, age: Value) -> Vec<Value> {
    let ready = of
        .list("status.conditions")
        .iter()
        .map(Of)
        .find(|condition| condition.text("type") == "Ready");
    let mut status = match ready.map(|condition| condition.text("status")) {
        Some("True") => "Ready".to_owned(),
        Some(_) => "NotReady".to_owned(),
        None => "Unknown".to_owned(),
    };
    if of.at("spec.unschedulable").and_then(Value::as_bool) == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        of.list("status.addresses")
            .iter()
            .map(Of)
            .find(|address| address.text("type") == kind)
            .map_or(NONE, |address| address.text("address"))
    };
    let labels = of.at("metadata.labels").and_then(Value::as_map);
    let roles: Vec<&str> = labels
        .into_iter()
        .flat_map(Map::iter)
        .filter_map(|(key, _)| key.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    let roles = if roles.is_empty() {
        NONE.to_owned()
    } else {
        roles.join(",")
    };
    vec![
        status.into(),
        roles.into(),
        age,
        of.text("status.nodeInfo.kubeletVersion").into(),
        address("InternalIP").into(),
        address("ExternalIP").into(),
        of.or("status.nodeInfo.osImage", UNKNOWN).into(),
        of.or("status.nodeInfo.kernelVersion", UNKNOWN).into(),
        of.or("status.nodeInfo.containerRuntimeVersion", UNKNOWN)
            .into(),
    ]
}

fn service(of: &Of<'_>, age: Value) -> Vec<Value> {
    let kind = of.text("spec.type");
    let external: Vec<&str> = of
        .list("spec.externalIPs")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let outside = match kind {
        "ExternalName" => of.text("spec.externalName").to_owned(),
        "LoadBalancer" => {
            let mut all: Vec<&str> = of
                .list("status.loadBalancer.ingress")
                .iter()
                .map(|point| Of(point).or("ip", Of(point).text("hostname")))
                .collect();
            all.extend(&external);
            if all.is_empty() {
                "<pending>".to_owned()
            } else {
                all.join(",")
            }
        }
        _ if external.is_empty() => NONE.to_owned(),
        _ => external.join(","),
    };
    let ports: Vec<String> = of
        .list("spec.ports")
        .iter()
        .map(Of)
        .map(|port| {
            let node = port.number("nodePort");
            let (number, protocol) = (port.number("port"), port.text("protocol"));
            if node > 0 {
                format!("{number}:{node}/{protocol}")
            } else {
                format!("{number}/{protocol}")
            }
        })
        .collect();
    let ports = if ports.is_empty() {
        NONE.to_owned()
    } else {
        ports.join(",")
    };
    vec![
        kind.into(),
        of.or("spec.clusterIP", NONE).into(),
        outside.into(),
        ports.into(),
        age,
        labels(of.at("spec.selector")).into(),
    ]
}

fn event(of: &Of<'_>, now: Timestamp) -> Vec<Value> {
    let about = if of.at("involvedObject").is_some() {
        "involvedObject"
    } else {
        "regarding"
    };
    let field = |key: &str| of.text(&format!("{about}.{key}"));
    let object = match field("name") {
        "" => field("kind").to_lowercase(),
        name => format!("{}/{name}", field("kind").to_lowercase()),
    };
    let first_of = |keys: &[&str]| {
        keys.iter()
            .map(|key| of.text(key))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let first = first_of(&["firstTimestamp", "deprecatedFirstTimestamp", "eventTime"]);
    let last = first_of(&[
        "series.lastObservedTime",
        "lastTimestamp",
        "deprecatedLastTimestamp",
        "eventTime",
    ]);
    let count = ["series.count", "count", "deprecatedCount"]
        .iter()
        .map(|key| of.number(key))
        .find(|count| *count > 0)
        .unwrap_or(1);
    let component = first_of(&[
        "source.component",
        "deprecatedSource.component",
        "reportingComponent",
        "reportingController",
    ]);
    let host = first_of(&["source.host", "deprecatedSource.host", "reportingInstance"]);
    let source = if host.is_empty() {
        component.to_owned()
    } else {
        format!("{component}, {host}")
    };
    vec![
        time_since(last, now).into(),
        of.text("type").into(),
        of.text("reason").into(),
        object.into(),
        field("fieldPath").into(),
        source.into(),
        of.or("message", of.text("note")).trim().into(),
        time_since(first, now).into(),
        count.into(),
        of.text("metadata.name").into(),
    ]
}

fn modes(of: &Of<'_>, path: &str) -> String {
    let short = |mode: &Value| match mode.as_str() {
        Some("ReadWriteOnce") => "RWO",
        Some("ReadOnlyMany") => "ROX",
        Some("ReadWriteMany") => "RWX",
        Some("ReadWriteOncePod") => "RWOP",
        _ => "",
    };
    of.list(path)
        .iter()
        .map(short)
        .collect::<Vec<_>>()
        .join(",")
}

fn volume(of: &Of<'_>, age: Value) -> Vec<Value> {
    let claim = match of.at("spec.claimRef") {
        Some(claim) => {
            let claim = Of(claim);
            format!("{}/{}", claim.text("namespace"), claim.text("name"))
        }
        None => String::new(),
    };
    let phase = if of.text("metadata.deletionTimestamp").is_empty() {
        of.text("status.phase")
    } else {
        "Terminating"
    };
    vec![
        of.text("spec.capacity.storage").into(),
        modes(of, "spec.accessModes").into(),
        of.text("spec.persistentVolumeReclaimPolicy").into(),
        phase.into(),
        claim.into(),
        of.text("spec.storageClassName").into(),
        of.or("spec.volumeAttributesClassName", UNSET).into(),
        of.text("status.reason").into(),
        age,
        of.or("spec.volumeMode", UNSET).into(),
    ]
}

fn claim(of: &Of<'_>, age: Value) -> Vec<Value> {
    let phase = if of.text("metadata.deletionTimestamp").is_empty() {
        of.text("status.phase")
    } else {
        "Terminating"
    };
    let bound = !of.text("spec.volumeName").is_empty();
    vec![
        phase.into(),
        of.text("spec.volumeName").into(),
        if bound {
            of.text("status.capacity.storage")
        } else {
            ""
        }
        .into(),
        if bound {
            modes(of, "status.accessModes")
        } else {
            String::new()
        }
        .into(),
        of.text("spec.storageClassName").into(),
        of.or("spec.volumeAttributesClassName", UNSET).into(),
        age,
        of.or("spec.volumeMode", UNSET).into(),
    ]
}

/// At most three of a list, and how many more there are.
fn first_three(all: &[String]) -> String {
    match all {
        [] => NONE.to_owned(),
        [a, b, c, rest @ ..] if !rest.is_empty() => {
            format!("{a},{b},{c} + {} more...", rest.len())
        }
        few => few.join(","),
    }
}

fn endpoints(of: &Of<'_>) -> String {
    let mut all = Vec::new();
    for subset in of.list("subsets") {
        let subset = Of(subset);
        for port in subset.list("ports") {
            for address in subset.list("addresses") {
                all.push(format!(
                    "{}:{}",
                    Of(address).text("ip"),
                    Of(port).number("port")
                ));
            }
        }
    }
    first_three(&all)
}

fn slice(of: &Of<'_>, age: Value) -> Vec<Value> {
    let ports: Vec<String> = of
        .list("ports")
        .iter()
        .map(|port| Of(port).number("port").to_string())
        .collect();
    let ports = if ports.is_empty() {
        UNSET.to_owned()
    } else {
        first_three(&ports)
    };
    let addresses: Vec<String> = of
        .list("endpoints")
        .iter()
        .flat_map(|endpoint| Of(endpoint).list("addresses"))
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    let addresses = if addresses.is_empty() {
        UNSET.to_owned()
    } else {
        first_three(&addresses)
    };
    vec![
        of.text("addressType").into(),
        ports.into(),
        addresses.into(),
        age,
    ]
}

fn quota(of: &Of<'_>, age: Value) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    let hard = of.at("status.hard").and_then(Value::as_map);
    for (name, quantity) in hard.into_iter().flat_map(Map::iter) {
        let used = of
            .at("status.used")
            .and_then(|used| used.get(name))
            .and_then(Value::as_str);
        let text = format!(
            "{name}: {}/{}",
            used.unwrap_or("0"),
            quantity.as_str().unwrap_or_default()
        );
        if name.starts_with("limits") {
            limits.push(text);
        } else {
            requests.push(text);
        }
    }
    vec![requests.join(", ").into(), limits.join(", ").into(), age]
}

fn ready(of: &Of<'_>, path: &str) -> Value {
    format!("{}/{}", of.number(path), of.number("spec.replicas")).into()
}

fn template(of: &Of<'_>, select: Option<&str>) -> Vec<Value> {
    let path = "spec.template.spec.containers";
    let mut cells = vec![containers(of, path, "name"), containers(of, path, "image")];
    if let Some(path) = select {
        cells.push(selector(of.at(path)).into());
    }
    cells
}

fn deployment(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![
        ready(of, "status.readyReplicas"),
        of.number("status.updatedReplicas").into(),
        of.number("status.availableReplicas").into(),
        age,
    ];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

fn replicas(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells = vec![
        of.number("spec.replicas").into(),
        of.number("status.replicas").into(),
        of.number("status.readyReplicas").into(),
        age,
    ];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

fn daemon(of: &Of<'_>, age: Value) -> Vec<Value> {
    let mut cells: Vec<Value> = [
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    ]
    .iter()
    .map(|key| of.number(&format!("status.{key}")).into())
    .collect();
    cells.push(labels(of.at("spec.template.spec.nodeSelector")).into());
    cells.push(age);
    cells.extend(template(of, Some("spec.selector")));
    cells
}

fn revision(of: &Of<'_>, age: Value) -> Vec<Value> {
    let owner = of.list("metadata.ownerReferences").first().map(Of);
    let owner = owner.map_or(NONE.to_owned(), |owner| {
        let group = owner
            .text("apiVersion")
            .split('/')
            .next()
            .unwrap_or_default();
        format!(
            "{}.{group}/{}",
            owner.text("kind").to_lowercase(),
            owner.text("name")
        )
    });
    vec![owner.into(), of.number("revision").into(), age]
}

fn condition(of: &Of<'_>, kind: &str) -> bool {
    of.list("status.conditions")
        .iter()
        .map(Of)
        .any(|condition| condition.text("type") == kind && condition.text("status") == "True")
}

fn job(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let status = if condition(of, "Complete") {
        "Complete"
    } else if condition(of, "Failed") {
        "Failed"
    } else if !of.text("metadata.deletionTimestamp").is_empty() {
        "Terminating"
    } else if condition(of, "Suspended") {
        "Suspended"
    } else if condition(of, "FailureTarget") {
        "FailureTarget"
    } else if condition(of, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    };
    let succeeded = of.number("status.succeeded");
    let completions = match of.at("spec.completions").and_then(Value::as_i64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if of.number("spec.parallelism") > 1 => {
            format!("{succeeded}/1 of {}", of.number("spec.parallelism"))
        }
        None => format!("{succeeded}/1"),
    };
    let start = of.text("status.startTime").parse::<Timestamp>();
    let end = of.text("status.completionTime").parse::<Timestamp>();
    let duration = match (start, end) {
        (Ok(start), Ok(end)) => since(start, end),
        (Ok(start), Err(_)) => since(start, now),
        (Err(_), _) => String::new(),
    };
    let mut cells = vec![status.into(), completions.into(), duration.into(), age];
    cells.extend(template(of, Some("spec.selector")));
    cells
}

fn cron(of: &Of<'_>, age: Value, now: Timestamp) -> Vec<Value> {
    let last = match of.text("status.lastScheduleTime") {
        "" => NONE.to_owned(),
        time => time_since(time, now),
    };
    let suspended = of
        .at("spec.suspend")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let suspended = if suspended { "True" } else { "False" };
    let path = "spec.jobTemplate.spec.template.spec.containers";
    vec![
        of.text("spec.schedule").into(),
        of.or("spec.timeZone", NONE).into(),
        suspended.into(),
        i64::try_from(of.list("status.active").len())
            .unwrap_or(0)
            .into(),
        last.into(),
        age,
        containers(of, path, "name"),
        containers(of, path, "image"),
        selector(of.at("spec.jobTemplate.spec.selector")).into(),
    ]
}

fn ingress(of: &Of<'_>, age: Value) -> Vec<Value> {
    let hosts: Vec<String> = of
        .list("spec.rules")
        .iter()
        .map(|rule| Of(rule).text("host").to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    let hosts = match hosts.as_slice() {
        [] => "*".to_owned(),
        some => first_three(some),
    };
    let addresses = of
        .list("status.loadBalancer.ingress")
        .iter()
        .map(|point| Of(point).or("ip", Of(point).text("hostname")));
    let ports = if of.list("spec.tls").is_empty() {
        "80"
    } else {
        "80, 443"
    };
    vec![
        of.or("spec.ingressClassName", NONE).into(),
        hosts.into(),
        join(addresses).into(),
        ports.into(),
        age,
    ]
}

fn ingress_class(of: &Of<'_>, age: Value) -> Vec<Value> {
    let parameters = match of.at("spec.parameters") {
        Some(parameters) => {
            let parameters = Of(parameters);
            let group = parameters.text("apiGroup");
            let dot = if group.is_empty() { "" } else { "." };
            format!(
                "{}{dot}{group}/{}",
                parameters.text("kind"),
                parameters.text("name")
            )
        }
        None => NONE.to_owned(),
    };
    vec![of.text("spec.controller").into(), parameters.into(), age]
}

fn budget(of: &Of<'_>, age: Value) -> Vec<Value> {
    let shown = |path: &str| match of.at(path) {
        Some(Value::String(text)) => text.to_string(),
        Some(Value::Int(number)) => number.to_string(),
        _ => "N/A".to_owned(),
    };
    vec![
        shown("spec.minAvailable").into(),
        shown("spec.maxUnavailable").into(),
        of.number("status.disruptionsAllowed").into(),
        age,
    ]
}

fn binding(of: &Of<'_>, age: Value) -> Vec<Value> {
    let role = format!("{}/{}", of.text("roleRef.kind"), of.text("roleRef.name"));
    let subjects = |kind: &str| -> Value {
        let names: Vec<String> = of
            .list("subjects")
            .iter()
            .map(Of)
            .filter(|subject| subject.text("kind") == kind)
            .map(|subject| match kind {
                "ServiceAccount" => {
                    format!("{}/{}", subject.text("namespace"), subject.text("name"))
                }
                _ => subject.text("name").to_owned(),
            })
            .collect();
        names.join(", ").into()
    };
    vec![
        role.into(),
        age,
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

fn storage_class(of: &Of<'_>, age: Value) -> Vec<Value> {
    vec![
        of.text("provisioner").into(),
        of.or("reclaimPolicy", "Delete").into(),
        of.or("volumeBindingMode", UNSET).into(),
        of.at("allowVolumeExpansion")
            .and_then(Value::as_bool)
            .unwrap_or(false)
            .into(),
        age,
    ]
}

fn driver(of: &Of<'_>, age: Value) -> Vec<Value> {
    let flag =
        |path: &str| -> Value { of.at(path).and_then(Value::as_bool).unwrap_or(false).into() };
    let audiences: Vec<&str> = of
        .list("spec.tokenRequests")
        .iter()
        .map(|request| Of(request).text("audience"))
        .collect();
    let audiences = if audiences.is_empty() {
        UNSET.to_owned()
    } else {
        audiences.join(",")
    };
    let modes = of
        .list("spec.volumeLifecycleModes")
        .iter()
        .filter_map(Value::as_str);
    vec![
        flag("spec.attachRequired"),
        flag("spec.podInfoOnMount"),
        flag("spec.storageCapacity"),
        audiences.into(),
        flag("spec.requiresRepublish"),
        join(modes).into(),
        age,
    ]
}

fn autoscaler(of: &Of<'_>, age: Value) -> Vec<Value> {
    let reference = format!(
        "{}/{}",
        of.text("spec.scaleTargetRef.kind"),
        of.text("spec.scaleTargetRef.name")
    );
    let current = of.list("status.currentMetrics");
    let targets: Vec<String> = of
        .list("spec.metrics")
        .iter()
        .enumerate()
        .map(|(index, metric)| target(&Of(metric), current.get(index)))
        .collect();
    let targets = match targets.as_slice() {
        [] => NONE.to_owned(),
        [a, b, rest @ ..] if !rest.is_empty() => format!("{a}, {b} + {} more...", rest.len()),
        few => few.join(", "),
    };
    let minimum = match of.at("spec.minReplicas").and_then(Value::as_i64) {
        Some(number) => number.to_string(),
        None => UNSET.to_owned(),
    };
    vec![
        reference.into(),
        targets.into(),
        minimum.into(),
        of.number("spec.maxReplicas").into(),
        of.number("status.currentReplicas").into(),
        age,
    ]
}

fn target(metric: &Of<'_>, current: Option<&Value>) -> String {
    let kind = metric.text("type");
    let mut key = kind.to_owned();
    if let Some(first) = key.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let is_resource = matches!(kind, "Resource" | "ContainerResource");
    let name = if is_resource {
        format!("{}: ", metric.text(&format!("{key}.name")))
    } else {
        String::new()
    };
    let now = current.map(|current| {
        let current = Of(current);
        let utilization = current.at(&format!("{key}.current.averageUtilization"));
        match utilization.and_then(Value::as_i64) {
            Some(percent) => format!("{percent}%"),
            None => current
                .or(
                    &format!("{key}.current.averageValue"),
                    current.or(&format!("{key}.current.value"), UNKNOWN),
                )
                .to_owned(),
        }
    });
    let now = now.unwrap_or_else(|| UNKNOWN.to_owned());
    let wanted = match metric
        .at(&format!("{key}.target.averageUtilization"))
        .and_then(Value::as_i64)
    {
        Some(percent) => format!("{percent}%"),
        None => {
            let average = metric.text(&format!("{key}.target.averageValue"));
            if average.is_empty() {
                metric
                    .or(&format!("{key}.target.value"), "<auto>")
                    .to_owned()
            } else if is_resource || kind == "Pods" {
                average.to_owned()
            } else {
                format!("{average} (avg)")
            }
        }
    };
    format!("{name}{now}/{wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_two_units_at_most() {
        let check = |seconds: i64, want: &str| assert_eq!(human(seconds), want, "{seconds}");
        check(0, "0s");
        check(119, "119s");
        check(125, "2m5s");
        check(3600, "60m");
        check(4 * 3600 + 60, "4h1m");
        check(3 * 86_400, "3d");
        check(30 * 86_400, "30d");
        check(-5, "<invalid>");
    }
}
