//! Which requests a server takes first.

use yaml::Value;

use super::field::Field;
use crate::names;

const VERBS: [&str; 9] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "proxy",
    "update",
    "watch",
];

const MAX_PRECEDENCE: i64 = 10_000;
const MAX_QUEUES: i64 = 10_000_000;
/// A hash has so many bits to deal a hand of queues with.
const HASH_BITS: f64 = 60.0;

/// The rules of a `FlowSchema`.
pub(super) fn schema(object: &Field<'_, '_>) {
    let spec = object.get("spec");
    let precedence = spec.get("matchingPrecedence");
    let n = precedence.number().unwrap_or(0);
    if n <= 0 {
        precedence.invalid_as(&n.into(), "must be a positive value");
    }
    if n > MAX_PRECEDENCE {
        precedence.invalid(&format!("must not be greater than {MAX_PRECEDENCE}"));
    }
    if n == 1 && object.get("metadata.name").text() != "exempt" {
        precedence.invalid("only the schema named 'exempt' may have matchingPrecedence 1");
    }
    let method = spec.get("distinguisherMethod");
    let kind = method.get("type");
    if method.is_set() && !matches!(kind.text(), "ByNamespace" | "ByUser") {
        let shown = Value::Map(yaml::Map::from([("Type", kind.text().into())]));
        kind.not_supported_as(&shown, &["ByNamespace", "ByUser"]);
    }
    let level = spec.get("priorityLevelConfiguration.name");
    if level.is_empty() {
        level.required("must reference a priority level");
    } else {
        level.problems(names::subdomain_problems);
    }
    for rule in spec.get("rules").items() {
        policy_rules(&rule);
    }
    conditions(object);
}

/// The status of a `FlowSchema` or a `PriorityLevelConfiguration`.
pub(super) fn conditions(object: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for condition in object.get("status.conditions").items() {
        let kind = condition.get("type");
        if seen.contains(&kind.text()) {
            kind.duplicate();
        }
        seen.push(kind.text());
        kind.require();
    }
}

fn policy_rules(rule: &Field<'_, '_>) {
    let subjects = rule.get("subjects");
    if subjects.is_empty() {
        subjects.required("subjects must contain at least one value");
    }
    for entry in subjects.items() {
        subject(&entry);
    }
    let (resources, urls) = (rule.get("resourceRules"), rule.get("nonResourceRules"));
    if resources.is_empty() && urls.is_empty() {
        rule.required("at least one of resourceRules and nonResourceRules has to be non-empty");
    }
    for rule in resources.items() {
        resource_rule(&rule);
    }
    for rule in urls.items() {
        url_rule(&rule);
    }
}

/// The kinds of subjects, and the member that each has, in the order of complaints.
const SUBJECTS: [(&str, &str); 3] = [
    ("ServiceAccount", "serviceAccount"),
    ("User", "user"),
    ("Group", "group"),
];

fn subject(subject: &Field<'_, '_>) {
    let kind = subject.get("kind");
    let Some((own_kind, own)) = SUBJECTS.iter().find(|(name, _)| *name == kind.text()) else {
        kind.not_supported(&["Group", "ServiceAccount", "User"]);
        return;
    };
    let member = subject.get(own);
    if member.is_set() {
        let name = member.get("name");
        let named = name.require();
        if *own_kind == "ServiceAccount" {
            if named && name.text() != "*" {
                name.problems(names::subdomain_problems);
            }
            let namespace = member.get("namespace");
            if namespace.is_empty() {
                namespace.required("must specify namespace for service account");
            } else {
                namespace.problems(names::label_problems);
            }
        }
    } else {
        member.required(&format!(
            "{own} is required when subject kind is '{own_kind}'"
        ));
    }
    for (other_kind, other) in SUBJECTS.iter().filter(|(name, _)| name != own_kind) {
        let member = subject.get(other);
        if member.is_set() {
            member.forbidden(&format!(
                "{other} is forbidden when subject kind is not '{other_kind}'"
            ));
        }
    }
}

fn has_wildcard(list: &Field<'_, '_>) -> bool {
    list.list().iter().any(|item| item.as_str() == Some("*"))
}

fn only_wildcard(list: &Field<'_, '_>, what: &str) {
    if list.list().len() > 1 {
        list.invalid(&format!("if '*' is present, must not specify other {what}"));
    }
}

fn verbs(verbs: &Field<'_, '_>) {
    if verbs.is_empty() {
        verbs.required("verbs must contain at least one value");
    } else if has_wildcard(verbs) {
        only_wildcard(verbs, "verbs");
    } else if verbs.items().any(|verb| !VERBS.contains(&verb.text())) {
        verbs.not_supported(&VERBS);
    }
}

fn resource_rule(rule: &Field<'_, '_>) {
    verbs(&rule.get("verbs"));
    let lists = [
        (
            "apiGroups",
            "resource rules must supply at least one api group",
            "api groups",
        ),
        (
            "resources",
            "resource rules must supply at least one resource",
            "resources",
        ),
    ];
    for (name, missing, what) in lists {
        let list = rule.get(name);
        if list.is_empty() {
            list.required(missing);
        } else if has_wildcard(&list) {
            only_wildcard(&list, what);
        }
    }
    let namespaces = rule.get("namespaces");
    if namespaces.is_empty() && !rule.get("clusterScope").is_true() {
        namespaces.required(
            "resource rules that are not cluster scoped must supply at least one namespace",
        );
    } else if has_wildcard(&namespaces) {
        only_wildcard(&namespaces, "namespaces");
    } else {
        for namespace in namespaces.items() {
            for problem in names::label_problems(namespace.text()) {
                namespace.invalid(&format!(
                    "each member of this list must be '*' or a DNS-1123 label; {problem}"
                ));
            }
        }
    }
}

fn url_rule(rule: &Field<'_, '_>) {
    verbs(&rule.get("verbs"));
    let urls = rule.get("nonResourceURLs");
    if urls.is_empty() {
        urls.required("nonResourceURLs must contain at least one value");
    } else if has_wildcard(&urls) {
        only_wildcard(&urls, "non-resource URLs");
    } else {
        for url in urls.items() {
            if let Some(problem) = url_problem(url.text()) {
                url.invalid(problem);
            }
        }
    }
}

fn url_problem(path: &str) -> Option<&'static str> {
    let stars = path.matches('*').count();
    if path.is_empty() {
        Some("must not be empty")
    } else if path == "/" {
        None
    } else if !path.starts_with('/') {
        Some("must start with slash")
    } else if path.contains(' ') {
        Some("must not contain white-space")
    } else if path.contains("//") {
        Some("must not contain double slash")
    } else if stars > 1 || (stars == 1 && !path.ends_with("/*")) {
        Some("wildcard can only do suffix matching")
    } else {
        None
    }
}

/// The rules of a `PriorityLevelConfiguration`.
pub(super) fn level(object: &Field<'_, '_>) {
    const ANNOTATION: &str = "flowcontrol.k8s.io/preserve-zero-concurrency-shares";
    let annotations = object.get("metadata.annotations");
    if annotations.member(ANNOTATION).is_set() {
        annotations.forbidden(&format!("annotation '{ANNOTATION}' is forbidden"));
    }
    let spec = object.get("spec");
    let kind = spec.get("type");
    let is_exempt = object.get("metadata.name").text() == "exempt";
    if is_exempt != (kind.text() == "Exempt") {
        kind.invalid_as(
            &kind.text().into(),
            "must be 'Exempt' if and only if `name` is 'exempt'",
        );
    }
    let (limited, exempt) = (spec.get("limited"), spec.get("exempt"));
    match kind.text() {
        "Exempt" => {
            if limited.is_set() {
                limited.forbidden("must be nil if the type is not Limited");
            }
            not_negative(
                &exempt.get("nominalConcurrencyShares"),
                "must be a non-negative integer",
            );
            percent(&exempt.get("lendablePercent"));
        }
        "Limited" => {
            if exempt.is_set() {
                exempt.forbidden("must be nil if the type is Limited");
            }
            if limited.is_set() {
                check_limited(&limited);
            } else {
                limited.required("must not be empty when type is Limited");
            }
        }
        _ => kind.not_supported(&["Exempt", "Limited"]),
    }
    conditions(object);
}

fn not_negative(number: &Field<'_, '_>, why: &str) {
    if number.number().is_some_and(|number| number < 0) {
        number.invalid(why);
    }
}

fn percent(number: &Field<'_, '_>) {
    if number
        .number()
        .is_some_and(|number| !(0..=100).contains(&number))
    {
        number.invalid("must be between 0 and 100, inclusive");
    }
}

fn check_limited(limited: &Field<'_, '_>) {
    not_negative(
        &limited.get("nominalConcurrencyShares"),
        "must be a non-negative integer",
    );
    let response = limited.get("limitResponse");
    let (kind, queuing) = (response.get("type"), response.get("queuing"));
    match kind.text() {
        "Reject" if queuing.is_set() => {
            queuing.forbidden("must be nil if limited.limitResponse.type is not Limited");
        }
        "Reject" => {}
        "Queue" if queuing.is_set() => queues(&queuing),
        "Queue" => queuing.required("must not be empty if limited.limitResponse.type is Limited"),
        _ => kind.not_supported(&["Queue", "Reject"]),
    }
    percent(&limited.get("lendablePercent"));
    not_negative(
        &limited.get("borrowingLimitPercent"),
        "if specified, must be a non-negative integer",
    );
}

fn queues(queuing: &Field<'_, '_>) {
    let read = |field: &Field<'_, '_>| field.number().unwrap_or(0);
    let positive =
        |field: &Field<'_, '_>| field.invalid_as(&read(field).into(), "must be positive");
    let (limit, queues) = (queuing.get("queueLengthLimit"), queuing.get("queues"));
    let hand = queuing.get("handSize");
    if read(&limit) <= 0 {
        positive(&limit);
    }
    let (n_queues, n_hand) = (read(&queues), read(&hand));
    if n_queues <= 0 {
        positive(&queues);
    } else if n_queues > MAX_QUEUES {
        queues.invalid(&format!("must not be greater than {MAX_QUEUES}"));
    }
    if n_hand <= 0 {
        positive(&hand);
    } else if n_hand > n_queues {
        hand.invalid(&format!("should not be greater than queues ({n_queues})"));
    } else if entropy_bits(n_queues, n_hand) > HASH_BITS {
        hand.invalid(&format!(
            "required entropy bits of deckSize {n_queues} and handSize {n_hand} should not be \
             greater than {HASH_BITS}"
        ));
    }
}

/// How many bits are needed to deal a hand from a deck.
fn entropy_bits(deck: i64, hand: i64) -> f64 {
    // More cards than this need too many bits whatever the deck is.
    let dealt = hand.min(128);
    let cards = (0..dealt).map(|dealt| f64::from(i32::try_from(deck - dealt).unwrap_or(i32::MAX)));
    cards.map(f64::log2).sum::<f64>().ceil()
}
