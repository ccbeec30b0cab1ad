//! Policy rules: what one allows, and whether some rules cover others.
//!
//! Pure: rules in, answers out. Where rules come from is [`super::rbac`]'s business.

use std::collections::BTreeSet;

use yaml::Value;

use super::attributes::Attributes;

const ALL: &str = "*";

/// One rule of a Role or ClusterRole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) verbs: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) names: Vec<String>,
    pub(crate) urls: Vec<String>,
}

impl Rule {
    /// Reads an entry of `rules`.
    pub(crate) fn of(value: &Value) -> Self {
        Rule {
            verbs: texts(value, "verbs"),
            groups: texts(value, "apiGroups"),
            resources: texts(value, "resources"),
            names: texts(value, "resourceNames"),
            urls: texts(value, "nonResourceURLs"),
        }
    }

    /// The rules of who may do everything.
    pub(crate) fn everything() -> [Rule; 2] {
        let all = || vec![ALL.to_owned()];
        [
            Rule {
                verbs: all(),
                groups: all(),
                resources: all(),
                ..Rule::default()
            },
            Rule {
                verbs: all(),
                urls: all(),
                ..Rule::default()
            },
        ]
    }

    /// The `rules` of a role.
    pub(crate) fn all_of(role: &Value) -> Vec<Self> {
        let rules = role.get("rules").and_then(Value::as_list);
        rules.unwrap_or_default().iter().map(Rule::of).collect()
    }

    /// Whether the rule allows a request.
    pub(crate) fn allows(&self, request: &Attributes) -> bool {
        if !has(&self.verbs, &request.verb) {
            return false;
        }
        if !request.is_resource {
            return self.urls.iter().any(|url| url_covers(url, &request.path));
        }
        has(&self.groups, &request.group)
            && self.names_resource(request)
            && (self.names.is_empty() || self.names.contains(&request.name))
    }

    fn names_resource(&self, request: &Attributes) -> bool {
        let full = request.full_resource();
        self.resources.iter().any(|known| {
            known == ALL
                || *known == full
                || (!request.subresource.is_empty()
                    && known.strip_prefix("*/") == Some(&request.subresource))
        })
    }

    /// Whether this rule alone allows everything that a broken-down rule does.
    fn covers(&self, part: &Rule) -> bool {
        let all = |have: &[String], want: &[String]| {
            have.iter().any(|word| word == ALL) || want.iter().all(|word| have.contains(word))
        };
        let resource = |path: &String| {
            let by_star = || {
                path.split_once('/')
                    .is_some_and(|(_, sub)| self.resources.contains(&format!("*/{sub}")))
            };
            self.resources.iter().any(|known| known == ALL)
                || self.resources.contains(path)
                || by_star()
        };
        let names = if part.names.is_empty() {
            self.names.is_empty()
        } else {
            self.names.is_empty() || part.names.iter().all(|name| self.names.contains(name))
        };
        let urls = || {
            let covered = |url: &String| self.urls.iter().any(|known| url_covers(known, url));
            part.urls.iter().all(covered)
        };
        all(&self.verbs, &part.verbs)
            && all(&self.groups, &part.groups)
            && part.resources.iter().all(resource)
            && names
            && urls()
    }

    /// The smallest rules that together are this one.
    fn parts(&self) -> Vec<Rule> {
        let one = |word: &String| vec![word.clone()];
        let mut parts = Vec::new();
        for verb in &self.verbs {
            for group in &self.groups {
                for resource in &self.resources {
                    let part = Rule {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        ..Rule::default()
                    };
                    if self.names.is_empty() {
                        parts.push(part);
                        continue;
                    }
                    parts.extend(self.names.iter().map(|name| Rule {
                        names: one(name),
                        ..part.clone()
                    }));
                }
            }
            parts.extend(self.urls.iter().map(|url| Rule {
                verbs: one(verb),
                urls: one(url),
                ..Rule::default()
            }));
        }
        parts
    }

    /// As messages about missing rights print it.
    fn text(&self) -> String {
        let fields = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ];
        let shown: Vec<String> = fields
            .into_iter()
            .filter(|(_, words)| !words.is_empty())
            .map(|(name, words)| format!("{name}:{}", quoted_list(words, " ")))
            .collect();
        format!("{{{}}}", shown.join(", "))
    }
}

/// A list of texts as Go's `%q` prints it, with its space or another separator.
pub(crate) fn quoted_list(words: &[String], separator: &str) -> String {
    let words: Vec<String> = words.iter().map(|word| kinds::quoted(word)).collect();
    format!("[{}]", words.join(separator))
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_list).unwrap_or_default();
    let texts = list.iter().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}

fn has(words: &[String], word: &str) -> bool {
    words.iter().any(|known| known == ALL || known == word)
}

fn url_covers(known: &str, url: &str) -> bool {
    known == ALL
        || known == url
        || known
            .strip_suffix('*')
            .is_some_and(|prefix| url.trim_end_matches('*').starts_with(prefix))
}

/// What `wanted` allows and `held` does not, in the words of the real server, sorted.
pub(crate) fn missing(held: &[Rule], wanted: &[Rule]) -> Vec<String> {
    let parts = wanted.iter().flat_map(Rule::parts);
    let missing = parts.filter(|part| !held.iter().any(|rule| rule.covers(part)));
    let texts: BTreeSet<String> = compact(missing).iter().map(Rule::text).collect();
    texts.into_iter().collect()
}

/// Joins the verbs of rules about the same thing.
fn compact(parts: impl Iterator<Item = Rule>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for part in parts {
        let same = rules.iter_mut().find(|rule| {
            part.urls.is_empty()
                && rule.groups == part.groups
                && rule.resources == part.resources
                && rule.names == part.names
                && rule.urls.is_empty()
        });
        match same {
            Some(rule) => rule.verbs.extend(part.verbs),
            None => rules.push(part),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(verbs: &str, group: &str, resources: &str, names: &str) -> Rule {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        Rule {
            verbs: words(verbs),
            groups: vec![group.to_owned()],
            resources: words(resources),
            names: words(names),
            urls: Vec::new(),
        }
    }

    fn check(rule: &Rule, (verb, resource, name): (&str, &str, &str), want: bool) {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let request = Attributes {
            verb: verb.to_owned(),
            group: "apps".to_owned(),
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            name: name.to_owned(),
            is_resource: true,
            ..Attributes::default()
        };
        assert_eq!(rule.allows(&request), want, "{verb} {resource} {name}");
    }

    #[test]
    fn a_rule_allows_what_it_names() {
        let get = rule("get", "apps", "deployments */scale", "");
        check(&get, ("get", "deployments", "a"), true);
        check(&get, ("list", "deployments", ""), false);
        check(&get, ("get", "deployments/status", "a"), false);
        check(&get, ("get", "statefulsets/scale", "a"), true);
        let one = rule("*", "apps", "*", "a");
        check(&one, ("patch", "deployments/status", "a"), true);
        check(&one, ("patch", "deployments", "b"), false);
        check(&one, ("list", "deployments", ""), false);
    }

    #[test]
    fn missing_rights_are_told_with_their_verbs_together() {
        let held = [rule("get", "", "configmaps", "")];
        let wanted = [rule("get list watch", "", "configmaps secrets", "")];
        assert_eq!(
            missing(&held, &wanted),
            [
                r#"{APIGroups:[""], Resources:["configmaps"], Verbs:["list" "watch"]}"#,
                r#"{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "watch"]}"#,
            ]
        );
        assert!(missing(&[rule("*", "*", "*", "")], &wanted).is_empty());
        assert!(missing(&[rule("*", "*", "*", "x")], &held).len() == 1);
    }
}
