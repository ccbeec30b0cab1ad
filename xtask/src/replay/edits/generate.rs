//! Random objects and random edits of them, from a seed.
//!
//! Owns the reading of the grammar `xtask/data/edits.json` and the making of requests. It is pure: a
//! seed always gives the same run. It must never know what a server makes of it.
//!
//! The grammar is JSON. A list is a choice of one of its elements (a list among them is meant as it
//! stands); `{"some": […]}` is a list of some of its elements in any order, `{"all": […]}` of all;
//! `"one"` in an object adds one of the objects to it; `"@name"` is the entry `name` of the top. A key
//! that ends in `!` is always there, in `?` often, in `??` rarely, any other in every whole object
//! but not in every partial one.

use serde_json::{Map, Value as Json, json};

const GRAMMAR: &str = include_str!("../../../data/edits.json");
/// Those who write; few, so that they meet.
const MANAGERS: [&str; 3] = ["ann", "bob", "cy"];
/// Keys by which lists merge, for directives that name an element.
const MERGE_KEYS: [&str; 6] = [
    "name",
    "mountPath",
    "containerPort",
    "port",
    "ip",
    "topologyKey",
];

/// Numbers that look random (SplitMix64): the same in every release, on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        let n = u64::try_from(n.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % n).unwrap_or(0)
    }

    fn percent(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// How much of an object is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    Part,
}

/// The kinds and what they are made of.
pub(super) struct Grammar {
    entries: Map<String, Json>,
}

/// One kind of the grammar.
struct Kind<'a> {
    api_version: &'a str,
    kind: &'a str,
    path: &'a str,
    body: &'a Map<String, Json>,
}

impl Grammar {
    pub(super) fn new() -> serde_json::Result<Self> {
        let entries = serde_json::from_str(GRAMMAR)?;
        Ok(Grammar { entries })
    }

    /// The CustomResourceDefinition that some kinds need.
    pub(super) fn definition(&self) -> &Json {
        self.entries.get("crd").unwrap_or(&Json::Null)
    }

    /// The requests of one run: an object is made, then edited.
    pub(super) fn run(&self, seed: u64) -> Vec<Json> {
        let mut random = Random(seed);
        let kinds = self.kinds();
        let Some(kind) = random.pick(&kinds) else {
            return Vec::new();
        };
        let mut edits = Edits {
            grammar: self,
            kind,
            name: format!("e-{seed}"),
            random,
        };
        let mut requests = vec![edits.first()];
        for _ in 0..3 + edits.random.below(3) {
            requests.push(edits.next());
        }
        requests
    }

    /// Each kind as often as its weight says.
    fn kinds(&self) -> Vec<Kind<'_>> {
        let listed = self.entries.get("kinds").and_then(Json::as_array);
        let mut kinds = Vec::new();
        for entry in listed.into_iter().flatten() {
            let text = |key: &str| entry.get(key).and_then(Json::as_str).unwrap_or_default();
            let weight = entry.get("weight").and_then(Json::as_u64).unwrap_or(1);
            for _ in 0..weight {
                kinds.extend(
                    entry
                        .get("body")
                        .and_then(Json::as_object)
                        .map(|body| Kind {
                            api_version: text("apiVersion"),
                            kind: text("kind"),
                            path: text("path"),
                            body,
                        }),
                );
            }
        }
        kinds
    }

    fn make(&self, rule: &Json, extent: Extent, random: &mut Random) -> Json {
        match rule {
            Json::String(name) => {
                match name.strip_prefix('@').and_then(|key| self.entries.get(key)) {
                    Some(entry) => self.make(entry, extent, random),
                    None => rule.clone(),
                }
            }
            Json::Array(choices) => match random.pick(choices) {
                Some(Json::Array(items)) => items
                    .iter()
                    .map(|item| self.make(item, Extent::Whole, random))
                    .collect(),
                Some(choice) => self.make(choice, extent, random),
                None => json!([]),
            },
            Json::Object(rules) => match (rules.get("some"), rules.get("all")) {
                (Some(Json::Array(items)), _) => self.some(items, extent, random),
                (_, Some(Json::Array(items))) => items
                    .iter()
                    .map(|item| self.make(item, extent, random))
                    .collect(),
                _ => self.object(rules, extent, random),
            },
            other => other.clone(),
        }
    }

    fn some(&self, items: &[Json], extent: Extent, random: &mut Random) -> Json {
        let mut chosen: Vec<&Json> = items.iter().filter(|_| random.percent(55)).collect();
        if chosen.is_empty() && random.percent(90) {
            chosen.extend(random.pick(items));
        }
        random.shuffle(&mut chosen);
        chosen
            .into_iter()
            .map(|item| self.make(item, extent, random))
            .collect()
    }

    fn object(&self, rules: &Map<String, Json>, extent: Extent, random: &mut Random) -> Json {
        let mut out = Map::new();
        for (key, rule) in rules.iter().filter(|(key, _)| *key != "one") {
            let (name, share) = match (key.strip_suffix("??"), key.strip_suffix('?'), extent) {
                (Some(name), _, _) => (name, 12),
                (_, Some(name), Extent::Whole) => (name, 50),
                (_, Some(name), Extent::Part) => (name, 30),
                _ if key.ends_with('!') => (key.trim_end_matches('!'), 100),
                (_, _, Extent::Whole) => (key.as_str(), 100),
                (_, _, Extent::Part) => (key.as_str(), 60),
            };
            if random.percent(share) {
                out.insert(name.to_owned(), self.make(rule, extent, random));
            }
        }
        if let Some(Json::Array(choices)) = rules.get("one")
            && let Some(choice) = random.pick(choices)
            && let Json::Object(more) = self.make(choice, extent, random)
        {
            out.extend(more);
        }
        Json::Object(out)
    }
}

/// The edits of one object.
struct Edits<'a> {
    grammar: &'a Grammar,
    kind: &'a Kind<'a>,
    name: String,
    random: Random,
}

impl Edits<'_> {
    fn first(&mut self) -> Json {
        if self.random.percent(30) {
            return self.apply(Extent::Whole);
        }
        let body = self.whole_object();
        self.request("POST", self.kind.path, None, &body)
    }

    fn next(&mut self) -> Json {
        let is_custom = self.kind.path.contains("example.com");
        match self.random.below(100) {
            0..35 => self.apply(Extent::Part),
            35..60 if !is_custom => {
                let mut patch = self.partial_object();
                self.direct(&mut patch, 0);
                self.patch("strategic-merge-patch", &patch)
            }
            35..75 => {
                let mut patch = self.partial_object();
                self.erase(&mut patch);
                self.patch("merge-patch", &patch)
            }
            75..90 => {
                let operations = self.operations();
                self.patch("json-patch", &operations)
            }
            _ => {
                let body = self.whole_object();
                self.request("PUT", &self.path(), None, &body)
            }
        }
    }

    fn path(&self) -> String {
        format!("{}/{}", self.kind.path, self.name)
    }

    fn request(&mut self, method: &str, path: &str, media: Option<&str>, body: &Json) -> Json {
        let mut request = json!({"method": method, "path": path, "body": body});
        if let Some(media) = media {
            request["headers"] = json!({"content-type": format!("application/{media}")});
        }
        if media.is_some_and(|media| media.starts_with("apply")) || self.random.percent(50) {
            let manager = self.random.pick(&MANAGERS).copied().unwrap_or_default();
            request["query"] = json!({"fieldManager": manager});
        }
        request
    }

    fn patch(&mut self, form: &str, body: &Json) -> Json {
        self.request("PATCH", &self.path(), Some(&format!("{form}+json")), body)
    }

    fn apply(&mut self, extent: Extent) -> Json {
        let mut body = self.object(extent);
        self.identify(&mut body);
        let mut request = self.request("PATCH", &self.path(), Some("apply-patch+yaml"), &body);
        if self.random.percent(50) {
            request["query"]["force"] = json!("true");
        }
        request
    }

    fn whole_object(&mut self) -> Json {
        let mut body = self.object(Extent::Whole);
        self.identify(&mut body);
        body
    }

    fn partial_object(&mut self) -> Json {
        self.object(Extent::Part)
    }

    fn object(&mut self, extent: Extent) -> Json {
        let random = &mut self.random;
        let mut body = self.grammar.object(self.kind.body, extent, random);
        if random.percent(70) {
            let rule = Json::from("@metadata");
            body["metadata"] = self.grammar.make(&rule, extent, random);
        }
        body
    }

    fn identify(&self, body: &mut Json) {
        body["apiVersion"] = self.kind.api_version.into();
        body["kind"] = self.kind.kind.into();
        if body.get("metadata").is_none() {
            body["metadata"] = json!({});
        }
        body["metadata"]["name"] = self.name.as_str().into();
    }

    /// Adds the directives of strategic merge patches.
    fn direct(&mut self, patch: &mut Json, depth: usize) {
        match patch {
            Json::Object(map) => {
                let lists: Vec<String> = map
                    .iter()
                    .filter(|(_, value)| value.is_array())
                    .map(|(key, _)| key.clone())
                    .collect();
                for value in map.values_mut() {
                    self.direct(value, depth + 1);
                    if self.random.percent(5) {
                        *value = Json::Null;
                    }
                }
                for key in lists {
                    self.direct_list(map, &key);
                }
                if depth > 0 && self.random.percent(4) {
                    let directive = if self.random.percent(50) {
                        "replace"
                    } else {
                        "delete"
                    };
                    map.insert("$patch".to_owned(), directive.into());
                }
                if depth > 0 && self.random.percent(5) {
                    let keys: Vec<Json> = map.keys().map(|key| key.as_str().into()).collect();
                    map.insert("$retainKeys".to_owned(), keys.into());
                }
            }
            Json::Array(items) => {
                items
                    .iter_mut()
                    .for_each(|item| self.direct(item, depth + 1));
            }
            _ => {}
        }
    }

    fn direct_list(&mut self, map: &mut Map<String, Json>, key: &str) {
        let Some(Json::Array(items)) = map.get_mut(key) else {
            return;
        };
        let mut named: Vec<Json> = items.iter().filter_map(element_key).collect();
        if named.is_empty() {
            let is_plain = items.iter().all(Json::is_string);
            if is_plain && self.random.percent(15) {
                let one: Vec<Json> = items.iter().take(1).cloned().collect();
                map.insert(format!("$deleteFromPrimitiveList/{key}"), one.into());
            }
            return;
        }
        if self.random.percent(10)
            && let Some(mut gone) = self.random.pick(&named).cloned()
        {
            gone["$patch"] = json!("delete");
            items.push(gone);
        } else if self.random.percent(4) {
            items.push(json!({"$patch": "replace"}));
        }
        if self.random.percent(12) {
            self.random.shuffle(&mut named);
            map.insert(format!("$setElementOrder/{key}"), named.into());
        }
    }

    /// Turns some members into the nulls that delete.
    fn erase(&mut self, patch: &mut Json) {
        let Json::Object(map) = patch else {
            return;
        };
        for value in map.values_mut() {
            if self.random.percent(12) {
                *value = Json::Null;
            }
            self.erase(value);
        }
    }

    /// A JSON patch at places that such an object has.
    fn operations(&mut self) -> Json {
        let mut places = Vec::new();
        pointers(&self.object(Extent::Whole), String::new(), &mut places);
        let mut operations = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let (Some((path, _)), Some((other, value))) = (
                self.random.pick(&places).cloned(),
                self.random.pick(&places).cloned(),
            ) else {
                continue;
            };
            operations.push(match self.random.below(12) {
                0..3 => json!({"op": "replace", "path": other, "value": value}),
                3..6 => json!({"op": "remove", "path": path}),
                6..8 => json!({"op": "add", "path": other, "value": value}),
                8 => {
                    let parent = other.rsplit_once('/').map_or("", |(parent, _)| parent);
                    json!({"op": "add", "path": format!("{parent}/-"), "value": value})
                }
                9 => json!({"op": "test", "path": other, "value": value}),
                10 => json!({"op": "copy", "from": path, "path": other}),
                _ => json!({"op": "move", "from": path, "path": other}),
            });
        }
        operations.into()
    }
}

/// What names an element of a list that merges.
fn element_key(item: &Json) -> Option<Json> {
    let key = MERGE_KEYS.iter().find(|key| item.get(**key).is_some())?;
    Some(json!({*key: item.get(*key)?}))
}

/// Every place of a tree with what stands there.
fn pointers(value: &Json, at: String, out: &mut Vec<(String, Json)>) {
    match value {
        Json::Object(map) => {
            for (key, inner) in map {
                let key = key.replace('~', "~0").replace('/', "~1");
                pointers(inner, format!("{at}/{key}"), out);
            }
        }
        Json::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                pointers(inner, format!("{at}/{number}"), out);
            }
        }
        _ => {}
    }
    if !at.is_empty() {
        out.push((at, value.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_run() {
        let grammar = Grammar::new().expect("the grammar is JSON");
        assert_eq!(grammar.run(7), grammar.run(7));
        assert_ne!(grammar.run(7), grammar.run(8));
    }

    #[test]
    fn every_kind_and_form_of_edit_comes() {
        let grammar = Grammar::new().expect("the grammar is JSON");
        let requests: Vec<Json> = (0..300).flat_map(|seed| grammar.run(seed)).collect();
        let text = Json::from(requests).to_string();
        for kind in grammar.kinds() {
            assert!(text.contains(kind.path), "{}", kind.kind);
        }
        for part in [
            "strategic-",
            "json-patch",
            "$setElementOrder",
            "$retainKeys",
            "\"PUT\"",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
