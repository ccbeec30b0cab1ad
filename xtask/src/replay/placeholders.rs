//! Volatile values and the placeholders that stand for them in recordings.
//!
//! Owns both directions: an answer's uids, resource versions, times and allocated numbers become
//! `<uid:1>` and so on, numbered by first appearance; a request's placeholders become the values seen
//! before. The rules are those of the corpus' README. It must never know what is compared.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::LazyLock;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};
use serde_json::{Map, Value as Json};

/// A time this near to now is a time of the replay.
const NEAR_SECONDS: i64 = 3 * 86_400;
const NODE_PORTS: std::ops::RangeInclusive<i64> = 30_000..=32_767;
const SERVICE_ADDRESSES: &str = "10.96.";
/// Length of the random end of a generated name.
const RANDOM_LENGTH: usize = 5;
const UID_LENGTH: usize = 36;
/// Members that only a server sets: a request that has one repeats what the server said.
const SERVER_TIMES: &[&str] = &["creationTimestamp", "deletionTimestamp", "time"];
/// Anything shorter is no service account token.
const MIN_TOKEN_LENGTH: usize = 100;

/// Columns of tables that hold an age.
const AGE_COLUMNS: &[&str] = &[
    "Age",
    "Last Seen",
    "First Seen",
    "Duration",
    "Last Schedule",
];

/// What stands around a value while it is walked.
#[derive(Clone, Copy)]
struct Around<'a> {
    key: Option<&'a str>,
    owner: Option<&'a Map<String, Json>>,
    ages: Option<&'a BTreeSet<usize>>,
}

const NOTHING: Around<'static> = Around {
    key: None,
    owner: None,
    ages: None,
};

/// The bindings of one scenario.
pub(crate) struct Bindings {
    patterns: &'static Patterns,
    by_value: HashMap<(&'static str, String), String>,
    by_placeholder: HashMap<String, Json>,
    counts: HashMap<&'static str, usize>,
    anywhere: Vec<(String, String)>,
    /// The last time that was seen in each member of [`SERVER_TIMES`].
    server_times: HashMap<&'static str, String>,
    literal_texts: HashSet<String>,
    literal_numbers: HashSet<i64>,
}

/// The patterns, compiled once: a replay has thousands of scenarios.
static PATTERNS: LazyLock<Patterns> =
    LazyLock::new(|| Patterns::new().expect("the patterns are fixed, and tests use them"));

struct Patterns {
    uid: Regex,
    time: Regex,
    placeholder: Regex,
    member_time: Regex,
    repeat: Regex,
    access: Regex,
    address: Regex,
    node_port: Regex,
    age: Regex,
    precondition: Regex,
    other_precondition: Regex,
    version_in_text: Regex,
    too_old: Regex,
    too_large: Regex,
    timeout: Regex,
}

impl Patterns {
    fn new() -> Result<Self> {
        let uid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
        Ok(Patterns {
            uid: Regex::new(uid)?,
            time: Regex::new(
                r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})",
            )?,
            placeholder: Regex::new(
                r"<(uid|rv|listrv|time|microtime|name|ip|nodeport|rand|token|continue|hash)(?::([0-9]+))?(?:([+-])([0-9]+)s)?>",
            )?,
            member_time: Regex::new(r#"("(\w+)"\s*:\s*)"<time>""#)?,
            repeat: Regex::new(r"\{\{repeat:(.):([0-9]+)\}\}")?,
            access: Regex::new(r"kube-api-access-([a-z0-9]{5})")?,
            address: Regex::new(r"([0-9]{1,3}\.){3}[0-9]{1,3}")?,
            node_port: Regex::new(r"3[0-2][0-9]{3}")?,
            age: Regex::new(r"^[0-9smhd]+$")?,
            precondition: Regex::new(
                r"ResourceVersion in precondition: (\w+), ResourceVersion in object meta: ([0-9]+)",
            )?,
            other_precondition: Regex::new(
                r"ResourceVersion in the precondition \((\w+)\) does not match the ResourceVersion in record \(([0-9]+)\)",
            )?,
            version_in_text: Regex::new(r#"(resourceVersion[\\"]*: ?[\\"]*)([0-9]+)"#)?,
            too_old: Regex::new(r"too old resource version: ([0-9]+) \([0-9]+\)")?,
            too_large: Regex::new(r"Too large resource version: ([0-9]+), current: [0-9]+")?,
            timeout: Regex::new(r"\(Client\.Timeout[^)]*\)")?,
        })
    }
}

impl Bindings {
    /// No value is known yet.
    pub(crate) fn new() -> Self {
        Bindings {
            patterns: &PATTERNS,
            by_value: HashMap::new(),
            by_placeholder: HashMap::new(),
            counts: HashMap::new(),
            anywhere: Vec::new(),
            server_times: HashMap::new(),
            literal_texts: HashSet::new(),
            literal_numbers: HashSet::new(),
        }
    }

    fn bind(&mut self, kind: &'static str, value: &Json) -> String {
        let text = plain(value);
        if let Some(known) = self.by_value.get(&(kind, text.clone())) {
            return known.clone();
        }
        let placeholder = self.fresh(kind, value);
        self.by_value.insert((kind, text), placeholder.clone());
        placeholder
    }

    fn bind_text(&mut self, kind: &'static str, value: &str) -> String {
        self.bind(kind, &Json::from(value))
    }

    /// Binds a value that is replaced inside later texts too.
    fn bind_anywhere(&mut self, kind: &'static str, value: &Json) {
        let text = plain(value);
        if !self.by_value.contains_key(&(kind, text.clone())) {
            let placeholder = self.bind(kind, value);
            self.anywhere.push((text, placeholder));
        }
    }

    /// A placeholder that is new at every occurrence.
    pub(crate) fn fresh(&mut self, kind: &'static str, value: &Json) -> String {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let placeholder = format!("<{kind}:{count}>");
        self.by_placeholder
            .insert(placeholder.clone(), value.clone());
        placeholder
    }

    /// Fills the placeholders of a request.
    pub(crate) fn resolve(&self, value: &Json) -> Json {
        match value {
            Json::String(text) => match self.by_placeholder.get(text) {
                Some(known) if !known.is_string() => known.clone(),
                _ => Json::String(self.resolve_text(text)),
            },
            Json::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Json::Object(map) => map
                .iter()
                .map(|(key, value)| (self.resolve_text(key), self.resolve(value)))
                .collect(),
            other => other.clone(),
        }
    }

    /// Fills the placeholders of a JSON document and keeps the order of its fields.
    pub(crate) fn resolve_json(&self, document: &str) -> String {
        let mut out = document.to_owned();
        for (placeholder, value) in self
            .by_placeholder
            .iter()
            .filter(|(_, one)| !one.is_string())
        {
            out = out.replace(&format!("\"{placeholder}\""), &plain(value));
        }
        let repeated = |found: &Captures<'_>| {
            let time = self.server_times.get(&found[2]);
            time.map_or_else(
                || found[0].to_owned(),
                |time| format!("{}\"{time}\"", &found[1]),
            )
        };
        self.resolve_text(&self.patterns.member_time.replace_all(&out, repeated))
    }

    /// Fills the placeholders of a text of a request.
    pub(crate) fn resolve_text(&self, text: &str) -> String {
        let filled = self
            .patterns
            .placeholder
            .replace_all(text, |found: &Captures<'_>| {
                let kind = &found[1];
                if kind == "time" || kind == "microtime" {
                    let offset: i64 = found
                        .get(4)
                        .map_or(0, |text| text.as_str().parse().unwrap_or(0));
                    let sign = if found.get(3).is_some_and(|text| text.as_str() == "-") {
                        -1
                    } else {
                        1
                    };
                    let time = Timestamp::now() + SignedDuration::from_secs(sign * offset);
                    let format = if kind == "time" {
                        "%Y-%m-%dT%H:%M:%SZ"
                    } else {
                        "%Y-%m-%dT%H:%M:%S.%6fZ"
                    };
                    return time.strftime(format).to_string();
                }
                self.by_placeholder
                    .get(&found[0])
                    .map_or_else(|| found[0].to_owned(), plain)
            });
        let repeat = |found: &Captures<'_>| found[1].repeat(found[2].parse().unwrap_or(0));
        self.patterns
            .repeat
            .replace_all(&filled, repeat)
            .into_owned()
    }

    /// Values that a request spells out are never replaced (an explicit address or node port).
    pub(crate) fn note_literals(&mut self, value: &Json) {
        match value {
            Json::Object(map) => map.values().for_each(|value| self.note_literals(value)),
            Json::Array(items) => items.iter().for_each(|item| self.note_literals(item)),
            Json::String(text) => {
                let addresses = self.patterns.address.find_iter(text);
                self.literal_texts
                    .extend(addresses.map(|found| found.as_str().to_owned()));
                let ports = self.patterns.node_port.find_iter(text);
                let lone = ports.filter(|found| is_lone(text, found.range(), char::is_numeric));
                self.literal_numbers
                    .extend(lone.filter_map(|found| found.as_str().parse::<i64>().ok()));
            }
            Json::Number(number) => self.literal_numbers.extend(number.as_i64()),
            Json::Null | Json::Bool(_) => {}
        }
    }

    /// Replaces the volatile values of an answer.
    pub(crate) fn normalize(&mut self, value: &Json) -> Json {
        self.collect(value);
        let around = Around {
            owner: value.as_object(),
            ..NOTHING
        };
        self.replace(value, around)
    }

    /// Replaces volatile values without looking for new ones first, as headers are compared.
    pub(crate) fn normalize_headers(&mut self, headers: Map<String, Json>) -> Json {
        self.replace(&Json::Object(headers), NOTHING)
    }

    /// Replaces the volatile values of a text that is no JSON.
    pub(crate) fn normalize_text(&mut self, text: &str) -> String {
        self.collect(&Json::from(text));
        self.replace_text(text)
    }

    /// Binds a value that a text shows without its key; an address is replaced in later texts too.
    pub(crate) fn bind_shown(&mut self, kind: &'static str, value: &str) -> String {
        let value = Json::from(value);
        if kind == "ip" {
            self.bind_anywhere(kind, &value);
        }
        self.bind(kind, &value)
    }

    /// Finds the volatile values that can also stand inside other texts.
    fn collect(&mut self, value: &Json) {
        match value {
            Json::Object(map) => {
                self.collect_object(map);
                map.values().for_each(|value| self.collect(value));
            }
            Json::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Json::String(text) => {
                let found: Vec<String> = access_suffixes(&self.patterns.access, text)
                    .map(str::to_owned)
                    .collect();
                for suffix in found {
                    self.bind_text("rand", &suffix);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }

    fn collect_object(&mut self, map: &Map<String, Json>) {
        for key in SERVER_TIMES {
            if let Some(time) = map.get(*key).and_then(Json::as_str) {
                self.server_times.insert(key, time.to_owned());
            }
        }
        if let Some(metadata) = map.get("metadata").and_then(Json::as_object) {
            let text = |key: &str| metadata.get(key).and_then(Json::as_str).unwrap_or_default();
            let (start, name) = (text("generateName"), text("name"));
            let is_generated = name
                .strip_prefix(start)
                .is_some_and(|end| end.len() == RANDOM_LENGTH);
            if !start.is_empty() && is_generated {
                self.bind_anywhere("name", &Json::from(name));
            }
        }
        let several = map.get("clusterIPs").and_then(Json::as_array);
        for address in map
            .get("clusterIP")
            .into_iter()
            .chain(several.into_iter().flatten())
        {
            let text = address.as_str().unwrap_or_default();
            if text.starts_with(SERVICE_ADDRESSES) && !self.literal_texts.contains(text) {
                self.bind_anywhere("ip", address);
            }
        }
        for key in ["nodePort", "healthCheckNodePort"] {
            if let Some(value) = map.get(key)
                && let Some(port) = value.as_i64()
                && NODE_PORTS.contains(&port)
                && !self.literal_numbers.contains(&port)
            {
                self.bind_anywhere("nodeport", value);
            }
        }
    }

    fn replace(&mut self, value: &Json, around: Around<'_>) -> Json {
        match value {
            Json::Object(map) if around.key == Some("metadata") => {
                self.replace_metadata(map, around)
            }
            Json::Object(map) => self.replace_object(map, around),
            Json::Array(items) => items
                .iter()
                .filter(|item| !(around.key == Some("items") && is_root_certificate(item)))
                .map(|item| {
                    self.replace(
                        item,
                        Around {
                            key: None,
                            ..around
                        },
                    )
                })
                .collect(),
            Json::String(text) => Json::String(self.replace_text(text)),
            other => other.clone(),
        }
    }

    fn replace_metadata(&mut self, map: &Map<String, Json>, around: Around<'_>) -> Json {
        let empty = Map::new();
        let owner = around.owner.unwrap_or(&empty);
        let kind = owner.get("kind").and_then(Json::as_str).unwrap_or_default();
        let holds_many =
            owner.contains_key("items") || owner.contains_key("rows") || kind.ends_with("List");
        let is_list = !map.contains_key("name") && (holds_many || !map.contains_key("uid"));
        let mut out = Map::new();
        for (key, value) in map {
            let text = value.as_str().unwrap_or_default();
            let is_version = is_digits(text) && text != "0";
            let replaced = match key.as_str() {
                "resourceVersion" if is_version && is_list => self.fresh("listrv", value).into(),
                "resourceVersion" if is_version => self.bind("rv", value).into(),
                "continue" if !text.is_empty() => self.fresh("continue", value).into(),
                "selfLink" => value.clone(),
                _ => {
                    let inside = Around {
                        key: Some(key),
                        owner: Some(owner),
                        ages: None,
                    };
                    self.replace(value, inside)
                }
            };
            out.insert(key.clone(), replaced);
        }
        Json::Object(out)
    }

    fn replace_object(&mut self, map: &Map<String, Json>, around: Around<'_>) -> Json {
        let mut out = Map::new();
        for (key, value) in map {
            let inside = Around {
                key: Some(key),
                owner: Some(map),
                ages: None,
            };
            let port = self.by_value.get(&("nodeport", plain(value))).cloned();
            let is_token = around.key == Some("status")
                && value
                    .as_str()
                    .is_some_and(|text| text.len() > MIN_TOKEN_LENGTH);
            let replaced = match (key.as_str(), port) {
                ("token", _) if is_token => self.fresh("token", value).into(),
                ("nodePort" | "healthCheckNodePort", Some(port)) => port.into(),
                ("cells", _) if around.ages.is_some() => self.replace_cells(value, around),
                ("rows", _) if map.contains_key("columnDefinitions") => {
                    self.replace_rows(map, value)
                }
                _ => {
                    let replaced = self.replace(value, inside);
                    let key = if key.contains('-') {
                        self.replace_text(key)
                    } else {
                        key.clone()
                    };
                    out.insert(key, replaced);
                    continue;
                }
            };
            out.insert(key.clone(), replaced);
        }
        Json::Object(out)
    }

    fn replace_rows(&mut self, table: &Map<String, Json>, rows: &Json) -> Json {
        let ages = age_columns(table);
        let Some(rows) = rows.as_array() else {
            return rows.clone();
        };
        let inside = Around {
            ages: Some(&ages),
            ..NOTHING
        };
        rows.iter().map(|row| self.replace(row, inside)).collect()
    }

    fn replace_cells(&mut self, cells: &Json, around: Around<'_>) -> Json {
        let cells = cells.as_array().map_or(&[][..], Vec::as_slice);
        let is_age = |number: usize, text: &str, age: &Regex| {
            around.ages.is_some_and(|ages| ages.contains(&number)) && age.is_match(text)
        };
        cells
            .iter()
            .enumerate()
            .map(|(number, cell)| match cell.as_str() {
                Some(text) if is_age(number, text, &self.patterns.age) => Json::from("<age>"),
                _ => self.replace(cell, NOTHING),
            })
            .collect()
    }

    /// Replaces the volatile values inside one text.
    fn replace_text(&mut self, text: &str) -> String {
        let mut out = self.replace_uids(text);
        out = replace_times(&self.patterns.time, &out);
        for (value, placeholder) in &self.anywhere {
            out = replace_word(&out, value, placeholder);
        }
        let suffixes: Vec<String> = access_suffixes(&self.patterns.access, &out)
            .map(str::to_owned)
            .collect();
        for suffix in suffixes {
            let placeholder = self.bind_text("rand", &suffix);
            let from = format!("kube-api-access-{suffix}");
            out = out.replace(&from, &format!("kube-api-access-{placeholder}"));
        }
        self.replace_versions(&out)
    }

    fn replace_uids(&mut self, text: &str) -> String {
        if text.len() < UID_LENGTH {
            return text.to_owned();
        }
        let is_hex =
            |character: char| character.is_ascii_hexdigit() && !character.is_ascii_uppercase();
        let found: Vec<String> = self
            .patterns
            .uid
            .find_iter(text)
            .filter(|found| is_lone(text, found.range(), is_hex))
            .map(|found| found.as_str().to_owned())
            .filter(|uid| !uid.starts_with("00000000-"))
            .collect();
        let mut out = text.to_owned();
        for uid in found {
            let placeholder = self.bind_text("uid", &uid);
            out = out.replace(&uid, &placeholder);
        }
        out
    }

    /// Resource versions inside messages and YAML.
    fn replace_versions(&mut self, text: &str) -> String {
        if !text.contains("esource") && !text.contains("Client.Timeout") {
            return text.to_owned();
        }
        let by_value = &self.by_value;
        let known = |version: &str, otherwise: &str| {
            let placeholder = by_value.get(&("rv", version.to_owned()));
            placeholder.map_or_else(|| otherwise.to_owned(), Clone::clone)
        };
        let out = self.patterns.precondition.replace_all(text, |found: &Captures<'_>| {
            let (wanted, stored) = (known(&found[1], &found[1]), known(&found[2], "<rv>"));
            format!("ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {stored}")
        });
        let out = self
            .patterns
            .other_precondition
            .replace_all(&out, |found: &Captures<'_>| {
                let (wanted, stored) = (known(&found[1], &found[1]), known(&found[2], "<rv>"));
                format!(
                    "ResourceVersion in the precondition ({wanted}) does not match the \
                 ResourceVersion in record ({stored})"
                )
            });
        let mut out = out.into_owned();
        let versions: Vec<(String, String)> = self
            .patterns
            .version_in_text
            .captures_iter(&out)
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .filter(|(_, version)| version != "0")
            .collect();
        for (start, version) in versions {
            let placeholder = self.bind_text("rv", &version);
            out = out.replace(
                &format!("{start}{version}"),
                &format!("{start}{placeholder}"),
            );
        }
        let old = "too old resource version: <n> (<n>)";
        let out = self.patterns.too_old.replace_all(&out, old);
        let large = "Too large resource version: $1, current: <n>";
        let out = self.patterns.too_large.replace_all(&out, large);
        self.patterns
            .timeout
            .replace_all(&out, "(Client.Timeout)")
            .into_owned()
    }
}

/// The columns of a table that hold an age, by number.
pub(crate) fn age_columns(table: &Map<String, Json>) -> BTreeSet<usize> {
    let is_age = |column: &Json| {
        let name = column
            .get("name")
            .and_then(Json::as_str)
            .unwrap_or_default();
        AGE_COLUMNS.contains(&name) || column.get("type").is_some_and(|kind| kind == "date")
    };
    let columns = table.get("columnDefinitions").and_then(Json::as_array);
    let numbered = columns.into_iter().flatten().enumerate();
    numbered
        .filter(|(_, column)| is_age(column))
        .map(|(number, _)| number)
        .collect()
}

/// A value as it stands in a text.
fn plain(value: &Json) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_root_certificate(item: &Json) -> bool {
    item.pointer("/metadata/name")
        .is_some_and(|name| name == "kube-root-ca.crt")
}

/// Whether no character of a kind stands right before or after a range.
fn is_lone(text: &str, range: std::ops::Range<usize>, kind: impl Fn(char) -> bool) -> bool {
    let before = text[..range.start].chars().next_back();
    let after = text[range.end..].chars().next();
    !before.is_some_and(&kind) && !after.is_some_and(&kind)
}

fn access_suffixes<'a>(pattern: &'a Regex, text: &'a str) -> impl Iterator<Item = &'a str> {
    // Most texts hold nothing volatile; a plain search says so sooner than a pattern.
    let text = if text.contains("kube-api-access-") {
        text
    } else {
        ""
    };
    let is_end = |end: usize| !text[end..].starts_with(|next: char| next.is_ascii_alphanumeric());
    pattern
        .captures_iter(text)
        .filter_map(|found| found.get(1))
        .filter(move |found| is_end(found.end()))
        .map(|found| found.as_str())
}

fn replace_times(pattern: &Regex, text: &str) -> String {
    if !text.contains(':') {
        return text.to_owned();
    }
    let replaced = pattern.replace_all(text, |found: &Captures<'_>| {
        let seconds = format!("{}Z", found[0].get(..19).unwrap_or_default());
        let is_near = seconds.parse::<Timestamp>().is_ok_and(|time| {
            (time.as_second() - Timestamp::now().as_second()).abs() < NEAR_SECONDS
        });
        match found.get(1) {
            _ if !is_near => found[0].to_owned(),
            Some(fraction) if fraction.len() == ".123456".len() => "<microtime>".to_owned(),
            _ => "<time>".to_owned(),
        }
    });
    replaced.into_owned()
}

/// Replaces `value` where it stands as a word of its own.
fn replace_word(text: &str, value: &str, placeholder: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(at) = rest.find(value) {
        let end = at + value.len();
        let previous = rest[..at].chars().next_back().or(before);
        let joined = |next: char| next.is_ascii_alphanumeric();
        let is_word = !previous.is_some_and(|last| joined(last) || last == '.')
            && !rest[end..].starts_with(joined);
        out.push_str(&rest[..at]);
        out.push_str(if is_word { placeholder } else { value });
        before = value.chars().next_back();
        rest = &rest[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(answers: &[Json], want: &[Json]) {
        let mut bindings = Bindings::new();
        for (answer, want) in answers.iter().zip(want) {
            assert_eq!(&bindings.normalize(answer), want);
        }
    }

    #[test]
    fn equal_values_get_equal_placeholders() {
        let object = |version: &str| {
            json!({"metadata": {"name": "a", "uid": "01234567-89ab-cdef-0123-456789abcdef",
                "resourceVersion": version}})
        };
        let want = |version: &str| json!({"metadata": {"name": "a", "uid": "<uid:1>", "resourceVersion": version}});
        check(
            &[object("7"), object("7"), object("8")],
            &[want("<rv:1>"), want("<rv:1>"), want("<rv:2>")],
        );
    }

    #[test]
    fn a_list_has_a_version_without_identity() {
        let list = json!({"kind": "PodList", "metadata": {"resourceVersion": "9"}, "items": []});
        let mut want = list.clone();
        want["metadata"]["resourceVersion"] = json!("<listrv:1>");
        check(&[list], &[want]);
    }

    #[test]
    fn a_generated_name_is_replaced_inside_messages() {
        let answer = json!({"metadata": {"generateName": "a-", "name": "a-x1y2z", "uid": ""},
            "message": "pods \"a-x1y2z\" not xa-x1y2z"});
        let want = json!({"metadata": {"generateName": "a-", "name": "<name:1>", "uid": ""},
            "message": "pods \"<name:1>\" not xa-x1y2z"});
        check(&[answer], &[want]);
    }

    #[test]
    fn times_near_now_and_ages_are_volatile() {
        let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let table = json!({"columnDefinitions": [{"name": "Name"}, {"name": "Age"}],
            "rows": [{"cells": ["5s", "5s"], "object": now}], "old": "2001-01-01T00:00:00Z"});
        let want = json!({"columnDefinitions": [{"name": "Name"}, {"name": "Age"}],
            "rows": [{"cells": ["5s", "<age>"], "object": "<time>"}], "old": "2001-01-01T00:00:00Z"});
        check(&[table], &[want]);
    }

    #[test]
    fn a_request_repeats_the_times_that_a_server_sets() {
        let mut bindings = Bindings::new();
        bindings.normalize(&json!({"metadata": {"deletionTimestamp": "2001-01-01T00:00:00Z"}}));
        let resolved = bindings.resolve_json(r#"{"deletionTimestamp": "<time>", "renewTime": ""}"#);
        assert_eq!(
            resolved,
            r#"{"deletionTimestamp": "2001-01-01T00:00:00Z", "renewTime": ""}"#
        );
        assert!(
            !bindings
                .resolve_json(r#"{"renewTime": "<time>"}"#)
                .contains("2001")
        );
    }

    #[test]
    fn a_request_gets_the_values_back() {
        let mut bindings = Bindings::new();
        bindings.normalize(
            &json!({"metadata": {"name": "a", "uid": "x", "resourceVersion": "12"},
            "spec": {"ports": [{"nodePort": 30123}]}}),
        );
        let request = json!({"rv": "v<rv:1>", "port": "<nodeport:1>", "long": "{{repeat:x:3}}"});
        let want = json!({"rv": "v12", "port": 30123, "long": "xxx"});
        assert_eq!(bindings.resolve(&request), want);
        let document = r#"{"z": "<nodeport:1>", "a": "v<rv:1>"}"#;
        assert_eq!(
            bindings.resolve_json(document),
            r#"{"z": 30123, "a": "v12"}"#
        );
    }
}
