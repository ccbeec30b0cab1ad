//! Roles and bindings before they are applied: what `kubectl auth reconcile` does, as Argo CD runs it
//! for every object of RBAC (corpora/argocd-sync, fact 17).
//!
//! Read [`Write::reconcile`] first. It only ever adds: rules, subjects, labels and annotations that
//! are missing; what is there too much is the business of the apply that follows. A binding that
//! grants another role than before, which no update can say, is deleted and made anew.

use engine::action::{Propagation, Run};
use manifest::Object;
use yaml::{Map, Value};

use crate::apply::{CONFLICT_RETRIES, Write, is_race};
use crate::{Class, Error};

/// The group and version whose objects are reconciled.
const RBAC: &str = "rbac.authorization.k8s.io/v1";
/// The API group of subjects that name none, service accounts aside.
const GROUP: &str = "rbac.authorization.k8s.io";
/// With `false`, an object is left as it is.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// What has to be done to an object.
#[derive(Debug, PartialEq)]
enum Operation {
    Nothing,
    Create,
    /// To this.
    Update(Object),
    Recreate,
}

/// A role or binding that lacks nothing any more.
pub(crate) struct Reconciled {
    /// What kubectl says to it.
    pub(crate) text: String,
    /// As it is now.
    pub(crate) live: Object,
}

/// What has to be done, and what is missing.
#[derive(Debug)]
struct Finding {
    operation: Operation,
    rules: Vec<Value>,
    subjects: Vec<Value>,
    is_protected: bool,
}

impl Write<'_> {
    /// Adds what a role or binding lacks; `None` for objects of other kinds and in a dry run.
    ///
    /// # Errors
    /// [`Error`] of the request that failed.
    pub(crate) async fn reconcile(&self) -> Result<Option<Reconciled>, Error> {
        let expected = &self.apply.object;
        if expected.api_version() != RBAC || self.apply.run == Run::Dry {
            return Ok(None);
        }
        let mut live = self.known().await?;
        for retries_left in (0..=CONFLICT_RETRIES).rev() {
            let finding = match &live {
                None => Finding {
                    operation: Operation::Create,
                    rules: list(expected, "rules").to_vec(),
                    subjects: list(expected, "subjects").to_vec(),
                    is_protected: false,
                },
                Some(live) => compare(live, expected),
            };
            match self.carry_out(&finding, live).await {
                Err(error) if retries_left > 0 && is_race(&error) => live = self.live().await?,
                Err(error) => return Err(error),
                Ok(live) => {
                    let text = finding.told(expected);
                    return Ok(Some(Reconciled { text, live }));
                }
            }
        }
        unreachable!("the last round returns")
    }

    /// Gives the object as it is then. Without a field manager, as recorded.
    async fn carry_out(&self, finding: &Finding, live: Option<Object>) -> Result<Object, Error> {
        let client = &self.shared.client;
        match (&finding.operation, live) {
            (Operation::Nothing, Some(live)) => Ok(live),
            (_, Some(live)) if finding.is_protected => Ok(live),
            (Operation::Update(object), _) => {
                let update = client.update(self.resource, object, self.unmanaged());
                Ok(update.await?.object)
            }
            (_, live) => {
                if let Some(live) = live {
                    let target = (self.resource, live.namespace(), live.name());
                    let deletion = client.delete(target, Propagation::Background, live.uid());
                    match deletion.await {
                        Err(error) if error.class() != Class::NotFound => return Err(error),
                        _ => {}
                    }
                }
                let creation = self.create(&self.apply.object, self.unmanaged());
                Ok(creation.await?.object)
            }
        }
    }
}

impl Finding {
    fn told(&self, object: &Object) -> String {
        let kind = object.kind().to_lowercase();
        let mut text = format!("{kind}.{GROUP}/{} reconciled", object.name());
        let word = match self.operation {
            Operation::Nothing => return text,
            Operation::Create => "create",
            Operation::Update(_) => "update",
            Operation::Recreate => "recreate",
        };
        text.push_str(&format!(". reconciliation required {word}"));
        if self.is_protected {
            text.push_str(&format!(", but object opted out ({AUTO_UPDATE}: false)"));
        }
        let mut missing = |what: &str, values: &[Value], print: fn(&Value) -> String| {
            if !values.is_empty() {
                text.push_str(&format!("\n\tmissing {what} added:"));
            }
            for value in values {
                text.push_str(&format!("\n\t\t{}", print(value)));
            }
        };
        missing("subjects", &self.subjects, subject_text);
        missing("rules", &self.rules, rule_text);
        text
    }
}

/// What a live object lacks of the expected one.
fn compare(live: &Object, expected: &Object) -> Finding {
    let is_protected = live.annotation(AUTO_UPDATE) == Some("false");
    let mut found = Finding {
        operation: Operation::Nothing,
        rules: Vec::new(),
        subjects: Vec::new(),
        is_protected,
    };
    let is_binding = expected.kind().ends_with("Binding");
    if is_binding && live.value().get("roleRef") != expected.value().get("roleRef") {
        found.operation = Operation::Recreate;
        return found;
    }
    let mut merged = live.clone();
    for marks in ["annotations", "labels"] {
        let wanted = expected.value().at(&["metadata", marks]);
        for (key, value) in wanted
            .and_then(Value::as_map)
            .into_iter()
            .flat_map(Map::iter)
        {
            let into = merged.value_mut().map_at_mut(&["metadata", marks]);
            into.insert(key.clone(), value.clone());
        }
    }
    if is_binding {
        let has = list(live, "subjects");
        let known: Vec<Value> = has.iter().map(identified).collect();
        let wanted = list(expected, "subjects").iter();
        let missing = wanted.filter(|it| !known.contains(&identified(it)));
        found.subjects = missing.cloned().collect();
        add(&mut merged, "subjects", &found.subjects);
    } else {
        let selectors = missing_selectors(live, expected);
        if !selectors.is_empty() {
            let rule = merged.value_mut().map_at_mut(&["aggregationRule"]);
            extend(rule, "clusterRoleSelectors", &selectors);
        }
        if !(is_aggregated(live) && is_aggregated(expected)) {
            found.rules = uncovered(list(live, "rules"), list(expected, "rules"));
            add(&mut merged, "rules", &found.rules);
        }
    }
    if merged != *live {
        found.operation = Operation::Update(merged);
    }
    found
}

fn list<'a>(object: &'a Object, key: &str) -> &'a [Value] {
    let list = object.value().get(key).and_then(Value::as_list);
    list.unwrap_or_default()
}

fn add(object: &mut Object, key: &str, values: &[Value]) {
    if !values.is_empty() {
        extend(object.value_mut().map_at_mut(&[]), key, values);
    }
}

fn extend(map: &mut Map, key: &str, values: &[Value]) {
    let mut list = map
        .get(key)
        .and_then(Value::as_list)
        .unwrap_or_default()
        .to_vec();
    list.extend_from_slice(values);
    map.insert(key, Value::List(list));
}

fn is_aggregated(role: &Object) -> bool {
    let rule = role.value().get("aggregationRule");
    rule.is_some_and(|rule| !rule.is_null())
}

fn missing_selectors(live: &Object, expected: &Object) -> Vec<Value> {
    let selectors = |role: &Object| {
        let selectors = role
            .value()
            .at(&["aggregationRule", "clusterRoleSelectors"])
            .and_then(Value::as_list);
        selectors.unwrap_or_default().to_vec()
    };
    let has = selectors(live);
    let wanted = selectors(expected).into_iter();
    wanted.filter(|it| !has.contains(it)).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A subject with the API group that the server gives it.
fn identified(subject: &Value) -> Value {
    let group = match (text(subject, "kind"), text(subject, "apiGroup")) {
        ("User" | "Group", "") => GROUP,
        (_, group) => group,
    };
    let fields = ["kind", "name", "namespace"].map(|key| (key, text(subject, key).into()));
    let mut identity = Map::from(fields);
    identity.insert("apiGroup", group);
    Value::Map(identity)
}

/// As Go prints a subject.
fn subject_text(subject: &Value) -> String {
    format!(
        "{{Kind:{} APIGroup:{} Name:{} Namespace:{}}}",
        text(subject, "kind"),
        text(subject, "apiGroup"),
        text(subject, "name"),
        text(subject, "namespace")
    )
}

/// As Go prints a rule.
fn rule_text(rule: &Value) -> String {
    let words = |key: &str| words(rule, key).join(" ");
    format!(
        "{{Verbs:[{}] APIGroups:[{}] Resources:[{}] ResourceNames:[{}] NonResourceURLs:[{}]}}",
        words("verbs"),
        words("apiGroups"),
        words("resources"),
        words("resourceNames"),
        words("nonResourceURLs")
    )
}

fn words<'a>(rule: &'a Value, key: &str) -> Vec<&'a str> {
    let list = rule.get(key).and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(Value::as_str).collect()
}

/// The grants of `wanted` that no rule of `has` gives, each a rule of its own: one verb on one
/// resource (by one name, or any) or on one URL.
fn uncovered(has: &[Value], wanted: &[Value]) -> Vec<Value> {
    let single = wanted.iter().flat_map(singles);
    single
        .filter(|grant| !has.iter().any(|rule| covers(rule, grant)))
        .collect()
}

fn singles(rule: &Value) -> Vec<Value> {
    let mut grants = Vec::new();
    let one = |word: &str| Value::List(vec![word.into()]);
    for verb in words(rule, "verbs") {
        for group in words(rule, "apiGroups") {
            for resource in words(rule, "resources") {
                let grant = Map::from([
                    ("verbs", one(verb)),
                    ("apiGroups", one(group)),
                    ("resources", one(resource)),
                ]);
                let names = words(rule, "resourceNames");
                if names.is_empty() {
                    grants.push(Value::Map(grant.clone()));
                }
                for name in names {
                    let mut named = grant.clone();
                    named.insert("resourceNames", one(name));
                    grants.push(Value::Map(named));
                }
            }
        }
        for url in words(rule, "nonResourceURLs") {
            let grant = Map::from([("verbs", one(verb)), ("nonResourceURLs", one(url))]);
            grants.push(Value::Map(grant));
        }
    }
    grants
}

/// Whether a rule gives a single grant (Kubernetes' RBAC: `*` is all, an URL may end in `*`, a
/// resource may be `*/subresource`, and a rule without names is about all of them).
fn covers(rule: &Value, grant: &Value) -> bool {
    let any = |key: &str, fits: &dyn Fn(&str, &str) -> bool| {
        let has = words(rule, key);
        words(grant, key)
            .iter()
            .all(|wanted| has.iter().any(|has| *has == "*" || fits(has, wanted)))
    };
    let same = |has: &str, wanted: &str| has == wanted;
    let resource = |has: &str, wanted: &str| {
        let of_any = has.strip_prefix("*/");
        has == wanted
            || of_any.is_some_and(|sub| wanted.split_once('/').is_some_and(|it| it.1 == sub))
    };
    let url = |has: &str, wanted: &str| {
        let start = has.strip_suffix('*');
        has == wanted || start.is_some_and(|start| wanted.starts_with(start))
    };
    let names = words(rule, "resourceNames");
    let wanted_names = words(grant, "resourceNames");
    let named = names.is_empty()
        || (!wanted_names.is_empty() && wanted_names.iter().all(|it| names.contains(it)));
    any("verbs", &same)
        && any("apiGroups", &same)
        && any("resources", &resource)
        && any("nonResourceURLs", &url)
        && named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        let text = text.trim_start_matches('{');
        let value = yaml::parse_str(&format!("{{apiVersion: {RBAC}, {text}")).expect("YAML");
        Object::new(value).expect("an object")
    }

    /// What kubectl v1.35 printed for these (asked on a kube-apiserver).
    fn check(live: &str, expected: &str, want: &str) {
        let (live, expected) = (object(live), object(expected));
        assert_eq!(compare(&live, &expected).told(&expected), want);
    }

    const ROLE: &str = "{kind: Role, metadata: {name: r, annotations: {a: '1'}}, rules: [{apiGroups: [''], resources: [pods], verbs: [get, list]}]}";
    const BINDING: &str = "{kind: RoleBinding, metadata: {name: b}, roleRef: {name: r}, subjects: [{kind: User, name: u, apiGroup: rbac.authorization.k8s.io}]}";

    #[test]
    fn what_is_there_needs_nothing() {
        check(ROLE, ROLE, "role.rbac.authorization.k8s.io/r reconciled");
        check(
            ROLE,
            "{kind: Role, metadata: {name: r}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
            "role.rbac.authorization.k8s.io/r reconciled",
        );
        check(
            BINDING,
            "{kind: RoleBinding, metadata: {name: b}, roleRef: {name: r}, subjects: [{kind: User, name: u}]}",
            "rolebinding.rbac.authorization.k8s.io/b reconciled",
        );
    }

    #[test]
    fn what_is_missing_is_told() {
        check(
            ROLE,
            "{kind: Role, metadata: {name: r, annotations: {a: '2'}}, rules: []}",
            "role.rbac.authorization.k8s.io/r reconciled. reconciliation required update",
        );
        check(
            ROLE,
            "{kind: Role, metadata: {name: r}, rules: [{apiGroups: ['', apps], resources: [pods], resourceNames: [a], verbs: [get]}, {nonResourceURLs: [/a, /b/*], verbs: [get]}]}",
            "role.rbac.authorization.k8s.io/r reconciled. reconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[apps] Resources:[pods] ResourceNames:[a] NonResourceURLs:[]}\n\t\t{Verbs:[get] APIGroups:[] Resources:[] ResourceNames:[] NonResourceURLs:[/a]}\n\t\t{Verbs:[get] APIGroups:[] Resources:[] ResourceNames:[] NonResourceURLs:[/b/*]}",
        );
        check(
            BINDING,
            "{kind: RoleBinding, metadata: {name: b}, roleRef: {name: r}, subjects: [{kind: ServiceAccount, name: u}]}",
            "rolebinding.rbac.authorization.k8s.io/b reconciled. reconciliation required update\n\tmissing subjects added:\n\t\t{Kind:ServiceAccount APIGroup: Name:u Namespace:}",
        );
    }

    #[test]
    fn another_role_makes_another_binding() {
        check(
            BINDING,
            "{kind: RoleBinding, metadata: {name: b}, roleRef: {name: q}, subjects: []}",
            "rolebinding.rbac.authorization.k8s.io/b reconciled. reconciliation required recreate",
        );
    }

    #[test]
    fn who_opted_out_is_left_alone() {
        check(
            "{kind: Role, metadata: {name: r, annotations: {rbac.authorization.kubernetes.io/autoupdate: 'false'}}}",
            "{kind: Role, metadata: {name: r}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}",
            "role.rbac.authorization.k8s.io/r reconciled. reconciliation required update, but object opted out (rbac.authorization.kubernetes.io/autoupdate: false)\n\tmissing rules added:\n\t\t{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}",
        );
    }

    #[test]
    fn selectors_are_added_and_aggregated_rules_are_not_compared() {
        let role = |selector: &str, verb: &str| {
            object(&format!(
                "{{kind: ClusterRole, metadata: {{name: c}}, aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{a: {selector}}}}}]}}, rules: [{{verbs: [{verb}]}}]}}"
            ))
        };
        let found = compare(&role("b", "get"), &role("c", "list"));
        let Operation::Update(merged) = found.operation else {
            panic!("it is no update");
        };
        let selectors = merged
            .value()
            .at(&["aggregationRule", "clusterRoleSelectors"]);
        assert_eq!(
            selectors.and_then(Value::as_list).map(<[Value]>::len),
            Some(2)
        );
        assert!(found.rules.is_empty());
    }

    #[test]
    fn wildcards_give_what_they_stand_for() {
        let rule = |text: &str| yaml::parse_str(text).expect("YAML");
        let all = rule("{apiGroups: ['*'], resources: ['*/status'], verbs: ['*']}");
        let gives = |text: &str| covers(&all, &rule(text));
        assert!(gives(
            "{apiGroups: [apps], resources: [deployments/status], verbs: [get]}"
        ));
        assert!(!gives(
            "{apiGroups: [apps], resources: [deployments], verbs: [get]}"
        ));
        assert!(!gives("{nonResourceURLs: [/a], verbs: [get]}"));
    }
}
