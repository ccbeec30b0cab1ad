//! From the text of a schema to what can be asked of a value.
//!
//! Read [`Compiled`]: an arena of [`Node`]s, one for each schema that can be reached from the root.
//! References are indexes, so that circles do no harm.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use regex::Regex;
use yaml::Value as Yaml;

use super::formats::{self, Format};
use super::meta;
use super::report::push_key;
use crate::Value;

/// A version of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    D4,
    D6,
    D7,
    D2019,
    D2020,
}

impl Draft {
    /// The version that `$schema` names.
    pub(super) fn of_url(url: &str) -> Option<Self> {
        let url = url.trim_end_matches('#');
        let url = url
            .strip_prefix("http://")
            .or(url.strip_prefix("https://"))?;
        match url {
            "json-schema.org/schema" | "json-schema.org/draft/2020-12/schema" => Some(Draft::D2020),
            "json-schema.org/draft/2019-09/schema" => Some(Draft::D2019),
            "json-schema.org/draft-07/schema" => Some(Draft::D7),
            "json-schema.org/draft-06/schema" => Some(Draft::D6),
            "json-schema.org/draft-04/schema" => Some(Draft::D4),
            _ => None,
        }
    }

    /// The version of a whole text; the newest where it names none.
    pub(super) fn of_schema(schema: &Yaml) -> Self {
        let named = schema.get("$schema").and_then(Yaml::as_str);
        named.and_then(Draft::of_url).unwrap_or(Draft::D2020)
    }

    fn id_keyword(self) -> &'static str {
        match self {
            Draft::D4 => "id",
            _ => "$id",
        }
    }
}

/// An index into the arena.
pub(super) type Index = usize;

/// One schema.
pub(super) struct Node {
    /// Its place: `file:///values.schema.json#/properties/a`.
    pub(super) place: String,
    pub(super) draft: Draft,
    /// The resource that it stands in: the base of its references.
    pub(super) resource: String,
    pub(super) rules: Rules,
}

/// What a schema asks.
pub(super) enum Rules {
    Bool(bool),
    Object(Box<Keywords>),
}

/// `true`, `false` or a schema.
pub(super) type Additional = Option<Index>;

/// `items` until 2019-09.
pub(super) enum Items {
    All(Index),
    Each(Vec<Index>),
}

/// What `dependencies` asks of other properties.
pub(super) enum Dependent {
    Names(Vec<String>),
    Schema(Index),
}

/// The keywords of one schema that say something of values.
#[derive(Default)]
pub(super) struct Keywords {
    pub(super) types: Vec<&'static str>,
    pub(super) constant: Option<Value>,
    pub(super) values: Option<Vec<Value>>,
    pub(super) format: Option<(String, Format)>,
    pub(super) reference: Option<Index>,
    /// `$recursiveRef` or `$dynamicRef`: where it leads at first, and the anchor that may lead it
    /// elsewhere.
    pub(super) dynamic: Option<(Index, Option<String>)>,
    pub(super) counts: Vec<(&'static str, i64)>,
    pub(super) numbers: Vec<(&'static str, f64)>,
    pub(super) pattern: Option<Regex>,
    pub(super) required: Vec<String>,
    pub(super) dependent: Vec<(String, Dependent)>,
    pub(super) properties: BTreeMap<String, Index>,
    pub(super) patterns: Vec<(Regex, Index)>,
    pub(super) additional_properties: Additional,
    pub(super) property_names: Option<Index>,
    pub(super) unique_items: bool,
    pub(super) items: Option<Items>,
    pub(super) additional_items: Additional,
    pub(super) contains: Option<Index>,
    pub(super) not: Option<Index>,
    pub(super) all_of: Vec<Index>,
    pub(super) any_of: Vec<Index>,
    pub(super) one_of: Vec<Index>,
    pub(super) condition: Option<Index>,
    pub(super) then: Option<Index>,
    pub(super) otherwise: Option<Index>,
    pub(super) unevaluated_properties: Option<Index>,
    pub(super) unevaluated_items: Option<Index>,
}

/// A schema ready to be asked.
pub(crate) struct Compiled {
    nodes: Vec<Node>,
    /// Dynamic anchors: resource and name to schema.
    dynamic_anchors: HashMap<(String, String), Index>,
    not_followed: Vec<String>,
}

/// Schemas that one text may lead to; the largest public ones have some 10,000.
const MAX_NODES: usize = 200_000;
/// The types, in the order in which errors name them.
pub(super) const TYPES: [&str; 7] = [
    "null", "boolean", "number", "integer", "string", "array", "object",
];

impl Compiled {
    /// Compiles a schema.
    pub(super) fn new(location: &str, schema: Yaml, formats: Formats) -> Result<Self, String> {
        let mut compiler = Compiler {
            formats,
            ..Compiler::default()
        };
        compiler.document(location, schema);
        compiler.reach(location, "");
        let mut next = 0;
        while next < compiler.reached.len() {
            if next > MAX_NODES {
                return Err(format!("schema has more than {MAX_NODES} parts"));
            }
            compiler.compile(next)?;
            next += 1;
        }
        Ok(compiler.finish())
    }

    /// The first schema.
    pub(super) const ROOT: Index = 0;

    pub(super) fn node(&self, index: Index) -> &Node {
        &self.nodes[index]
    }

    /// The schema of a dynamic anchor in a resource.
    pub(super) fn dynamic_anchor(&self, resource: &str, name: &str) -> Option<Index> {
        let key = (resource.to_owned(), name.to_owned());
        self.dynamic_anchors.get(&key).copied()
    }

    /// References to texts that are not here.
    pub(super) fn not_followed(&self) -> &[String] {
        &self.not_followed
    }
}

/// A place in a text: the text's URL and a JSON pointer.
type Place = (String, String);

/// Whether `format` is more than a remark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Formats {
    /// In drafts up to 7.
    #[default]
    Older,
    /// In schemas of schemas.
    Always,
}

#[derive(Default)]
struct Compiler {
    formats: Formats,
    documents: HashMap<String, Rc<Yaml>>,
    /// Resources by URL: where they begin, and their versions.
    resources: HashMap<String, (Place, Draft)>,
    /// Anchors by resource and name.
    anchors: HashMap<(String, String), Place>,
    dynamic: Vec<(String, String, Place)>,
    reached: Vec<Place>,
    indexes: HashMap<Place, Index>,
    nodes: Vec<Node>,
    not_followed: Vec<String>,
}

/// The name of the anchor that `$recursiveAnchor` stands for.
const RECURSIVE: &str = "";

impl Compiler {
    fn document(&mut self, url: &str, schema: Yaml) {
        let draft = Draft::of_schema(&schema);
        let place = (url.to_owned(), String::new());
        self.resources
            .insert(url.to_owned(), (place.clone(), draft));
        self.note(&schema, (url, &mut String::new()), url, draft);
        self.documents.insert(url.to_owned(), Rc::new(schema));
    }

    /// Notes the resources and anchors in a text, at a place of it that is written down as it is
    /// gone to.
    fn note(
        &mut self,
        schema: &Yaml,
        (document, at): (&str, &mut String),
        base: &str,
        draft: Draft,
    ) {
        let n_above = at.len();
        match schema {
            Yaml::List(items) => {
                for (number, item) in items.iter().enumerate().filter(|(_, item)| is_tree(item)) {
                    at.push_str(&format!("/{number}"));
                    self.note(item, (document, at), base, draft);
                    at.truncate(n_above);
                }
            }
            Yaml::Map(map) => {
                let text = |key: &str| map.get(key).and_then(Yaml::as_str);
                let draft = text("$schema").and_then(Draft::of_url).unwrap_or(draft);
                let base = self.note_names(map, (document, at), base, draft);
                for (key, value) in map.iter().filter(|(_, value)| is_tree(value)) {
                    if !matches!(key.as_str(), "enum" | "const" | "default" | "examples") {
                        push_key(at, key);
                        self.note(value, (document, at), &base, draft);
                        at.truncate(n_above);
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes what a schema is called, and gives the resource that it stands in.
    fn note_names<'b>(
        &mut self,
        map: &yaml::Map,
        (document, at): (&str, &str),
        base: &'b str,
        draft: Draft,
    ) -> Cow<'b, str> {
        let place = || (document.to_owned(), at.to_owned());
        let text = |key: &str| map.get(key).and_then(Yaml::as_str);
        let mut base = Cow::Borrowed(base);
        let is_ignored = draft < Draft::D2019 && map.contains_key("$ref");
        if let Some(id) = text(draft.id_keyword()).filter(|_| !is_ignored) {
            let (url, anchor) = joined(&base, id);
            if !url.is_empty() && url != base {
                self.resources.insert(url.clone(), (place(), draft));
                base = Cow::Owned(url);
            }
            if !anchor.is_empty() {
                self.anchors.insert((base.to_string(), anchor), place());
            }
        }
        for key in ["$anchor", "$dynamicAnchor"] {
            if let Some(name) = text(key) {
                let name = (base.to_string(), name.to_owned());
                self.anchors.insert(name, place());
            }
        }
        if let Some(name) = text("$dynamicAnchor") {
            self.dynamic
                .push((base.to_string(), name.to_owned(), place()));
        }
        if map.get("$recursiveAnchor") == Some(&Yaml::Bool(true)) {
            self.dynamic
                .push((base.to_string(), RECURSIVE.to_owned(), place()));
        }
        base
    }

    fn reach(&mut self, document: &str, at: &str) -> Index {
        let place = (document.to_owned(), at.to_owned());
        if let Some(index) = self.indexes.get(&place) {
            return *index;
        }
        let index = self.reached.len();
        self.reached.push(place.clone());
        self.indexes.insert(place, index);
        index
    }

    /// The resource that a place stands in, and its version.
    fn resource_of(&self, (document, at): &Place) -> (String, Draft) {
        let inside = |place: &Place| {
            place.0 == *document
                && at
                    .strip_prefix(place.1.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let all = self
            .resources
            .iter()
            .filter(|(_, (place, _))| inside(place));
        let nearest = all.max_by_key(|(url, (place, _))| (place.1.len(), *url != document));
        nearest.map_or_else(
            || (document.clone(), Draft::D2020),
            |(url, (_, draft))| (url.clone(), *draft),
        )
    }

    fn compile(&mut self, index: Index) -> Result<(), String> {
        let place = self.reached[index].clone();
        let (resource, draft) = self.resource_of(&place);
        let document = self.documents.get(&place.0).cloned();
        let schema = document.as_ref().and_then(|it| it.pointer(&place.1));
        let shown = format!("{}#{}", place.0, place.1);
        let rules = match schema {
            None => {
                let shown = gotmpl::quote(&shown);
                return Err(format!("json-pointer in {shown} not found"));
            }
            Some(Yaml::Bool(flag)) => Rules::Bool(*flag),
            Some(schema) => {
                let nothing = yaml::Map::new();
                let map = schema.as_map().unwrap_or(&nothing);
                let mut reader = Reader {
                    compiler: self,
                    map,
                    place: &place,
                    resource: &resource,
                    draft,
                };
                Rules::Object(Box::new(reader.keywords()?))
            }
        };
        self.nodes.push(Node {
            place: shown,
            draft,
            resource,
            rules,
        });
        Ok(())
    }

    /// Where a reference leads.
    fn resolve(&mut self, base: &str, reference: &str) -> Result<Index, String> {
        let (url, fragment) = joined(base, reference);
        if !self.resources.contains_key(&url) {
            match meta::schema(&url) {
                Some(schema) => self.document(&url, schema),
                None => {
                    self.not_followed.push(url.clone());
                    self.document(&url, Yaml::Bool(true));
                    return Ok(self.reach(&url, ""));
                }
            }
        }
        let ((document, at), _) = self.resources[&url].clone();
        if self
            .documents
            .get(&document)
            .is_some_and(|it| **it == Yaml::Bool(true))
        {
            return Ok(self.reach(&document, ""));
        }
        if fragment.is_empty() || fragment.starts_with('/') {
            return Ok(self.reach(&document, &format!("{at}{fragment}")));
        }
        match self.anchors.get(&(url.clone(), fragment.clone())).cloned() {
            Some((document, at)) => Ok(self.reach(&document, &at)),
            None => {
                let shown = gotmpl::quote(&format!("{url}#{fragment}"));
                Err(format!("anchor in {shown} not found"))
            }
        }
    }

    fn finish(self) -> Compiled {
        let anchors = self
            .dynamic
            .into_iter()
            .filter_map(|(resource, name, place)| {
                let index = self.indexes.get(&place)?;
                Some(((resource, name), *index))
            });
        Compiled {
            dynamic_anchors: anchors.collect(),
            nodes: self.nodes,
            not_followed: self.not_followed,
        }
    }
}

/// Whether there may be schemas in it.
fn is_tree(value: &Yaml) -> bool {
    matches!(value, Yaml::List(_) | Yaml::Map(_))
}

/// A reference from a base: the URL and the fragment, decoded.
fn joined(base: &str, reference: &str) -> (String, String) {
    let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let fragment = decoded(fragment);
    if url.is_empty() {
        return (base.to_owned(), fragment);
    }
    let has_scheme = url
        .split_once(':')
        .is_some_and(|(scheme, _)| scheme.chars().all(|it| it.is_ascii_alphanumeric()));
    if has_scheme {
        return (url.to_owned(), fragment);
    }
    let host_end = match base.find("://") {
        Some(at) => base[at + 3..]
            .find('/')
            .map_or(base.len(), |end| at + 3 + end),
        None => 0,
    };
    let folder_end = base
        .rfind('/')
        .map_or(base.len(), |at| at + 1)
        .max(host_end);
    let mut parts: Vec<&str> = match url.starts_with('/') {
        true => Vec::new(),
        false => base[host_end..folder_end]
            .split('/')
            .filter(|it| !it.is_empty())
            .collect(),
    };
    for part in url.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (
        format!("{}/{}", &base[..host_end], parts.join("/")),
        fragment,
    )
}

/// `%41` is `A`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let hex = match (first, behind) {
            (b'%', [high, low, ..]) => [*high, *low],
            _ => [b' '; 2],
        };
        let code = std::str::from_utf8(&hex)
            .ok()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads the keywords of one schema.
struct Reader<'r> {
    compiler: &'r mut Compiler,
    map: &'r yaml::Map,
    place: &'r Place,
    resource: &'r str,
    draft: Draft,
}

/// Counts and numbers, with the first version that knows them.
const COUNTS: [(&str, Draft); 8] = [
    ("minProperties", Draft::D4),
    ("maxProperties", Draft::D4),
    ("minItems", Draft::D4),
    ("maxItems", Draft::D4),
    ("minLength", Draft::D4),
    ("maxLength", Draft::D4),
    ("minContains", Draft::D2019),
    ("maxContains", Draft::D2019),
];

impl Reader<'_> {
    fn get(&self, since: Draft, keyword: &str) -> Option<&Yaml> {
        self.map.get(keyword).filter(|_| self.draft >= since)
    }

    fn keywords(&mut self) -> Result<Keywords, String> {
        let mut keywords = Keywords {
            reference: self.reference("$ref")?,
            ..Keywords::default()
        };
        if self.draft < Draft::D2019 && keywords.reference.is_some() {
            return Ok(keywords);
        }
        keywords.dynamic = self.dynamic()?;
        self.plain(&mut keywords)?;
        self.of_objects(&mut keywords)?;
        self.of_lists(&mut keywords);
        self.of_others(&mut keywords);
        Ok(keywords)
    }

    fn reference(&mut self, keyword: &str) -> Result<Option<Index>, String> {
        match self.map.get(keyword).and_then(Yaml::as_str) {
            None => Ok(None),
            Some(to) => self.compiler.resolve(self.resource, to).map(Some),
        }
    }

    fn dynamic(&mut self) -> Result<Option<(Index, Option<String>)>, String> {
        if self.draft == Draft::D2019 {
            let index = self.reference("$recursiveRef")?;
            return Ok(index.map(|index| (index, Some(RECURSIVE.to_owned()))));
        }
        if self.draft < Draft::D2020 {
            return Ok(None);
        }
        let anchor = match self.map.get("$dynamicRef").and_then(Yaml::as_str) {
            Some(to) => to.split_once('#').map(|(_, anchor)| anchor.to_owned()),
            None => return Ok(None),
        };
        let anchor = anchor.filter(|anchor| !anchor.is_empty() && !anchor.starts_with('/'));
        let index = self.reference("$dynamicRef")?;
        Ok(index.map(|index| (index, anchor)))
    }

    fn plain(&mut self, keywords: &mut Keywords) -> Result<(), String> {
        let types: Vec<&str> = match self.map.get("type") {
            Some(Yaml::String(one)) => vec![one],
            Some(Yaml::List(all)) => all.iter().filter_map(Yaml::as_str).collect(),
            _ => Vec::new(),
        };
        keywords.types = TYPES
            .into_iter()
            .filter(|known| types.contains(known))
            .collect();
        keywords.constant = self.get(Draft::D6, "const").cloned().map(Value::from);
        if let Some(Yaml::List(all)) = self.map.get("enum") {
            keywords.values = Some(all.iter().cloned().map(Value::from).collect());
        }
        for (keyword, since) in COUNTS {
            let count = self.get(since, keyword).and_then(Yaml::as_f64);
            let whole = count.filter(|number| number.fract() == 0.0);
            keywords
                .counts
                .extend(whole.map(|number| (keyword, number as i64)));
        }
        self.numbers(keywords);
        if let Some(pattern) = self.map.get("pattern").and_then(Yaml::as_str) {
            keywords.pattern = Some(self.regex("pattern", pattern)?);
        }
        if let Some(Yaml::String(name)) = self.map.get("format")
            && (self.draft < Draft::D2019 || self.compiler.formats == Formats::Always)
        {
            keywords.format = formats::find(name).map(|format| (name.to_string(), format));
        }
        Ok(())
    }

    fn numbers(&self, keywords: &mut Keywords) {
        let number = |keyword: &str| self.map.get(keyword).and_then(Yaml::as_f64);
        let pairs = [
            ("minimum", "exclusiveMinimum"),
            ("maximum", "exclusiveMaximum"),
        ];
        let numbers = &mut keywords.numbers;
        for (inclusive, exclusive) in pairs {
            // In draft 4 the second is a flag of the first.
            if self.map.get(exclusive) == Some(&Yaml::Bool(true)) {
                numbers.extend(number(inclusive).map(|number| (exclusive, number)));
            } else {
                numbers.extend(number(inclusive).map(|number| (inclusive, number)));
                numbers.extend(number(exclusive).map(|number| (exclusive, number)));
            }
        }
        numbers.extend(number("multipleOf").map(|number| ("multipleOf", number)));
    }

    fn regex(&self, keyword: &str, pattern: &str) -> Result<Regex, String> {
        Regex::new(pattern).map_err(|error| {
            let (document, at) = self.place;
            let place = gotmpl::quote(&format!("{document}#{at}/{keyword}"));
            let pattern = gotmpl::quote(pattern);
            format!("invalid regex {pattern} at {place}: {error}")
        })
    }

    fn of_objects(&mut self, keywords: &mut Keywords) -> Result<(), String> {
        keywords.required = texts(self.map.get("required"));
        keywords.properties = self.all("properties", Draft::D4).into_iter().collect();
        for (pattern, index) in self.all("patternProperties", Draft::D4) {
            let regex = self.regex("patternProperties", &pattern)?;
            keywords.patterns.push((regex, index));
        }
        keywords.additional_properties = self.one("additionalProperties", Draft::D4);
        keywords.property_names = self.one("propertyNames", Draft::D6);
        let both = [
            ("dependencies", Draft::D4),
            ("dependentSchemas", Draft::D2019),
            ("dependentRequired", Draft::D2019),
        ];
        for (keyword, since) in both {
            let Some(Yaml::Map(map)) = self.get(since, keyword).cloned() else {
                continue;
            };
            for (name, value) in map.iter() {
                let dependent = match value {
                    Yaml::List(_) => Dependent::Names(texts(Some(value))),
                    _ => Dependent::Schema(self.below(&[keyword, name])),
                };
                keywords.dependent.push((name.to_string(), dependent));
            }
        }
        Ok(())
    }

    fn of_lists(&mut self, keywords: &mut Keywords) {
        keywords.unique_items = self.map.get("uniqueItems") == Some(&Yaml::Bool(true));
        keywords.contains = self.one("contains", Draft::D6);
        if self.draft >= Draft::D2020 {
            let first = self.each("prefixItems", Draft::D2020);
            keywords.items = Some(Items::Each(first));
            keywords.additional_items = self.one("items", Draft::D2020);
            return;
        }
        match self.map.get("items") {
            Some(Yaml::List(_)) => {
                keywords.items = Some(Items::Each(self.each("items", Draft::D4)));
                keywords.additional_items = self.one("additionalItems", Draft::D4);
            }
            Some(_) => keywords.items = self.one("items", Draft::D4).map(Items::All),
            None => {}
        }
    }

    fn of_others(&mut self, keywords: &mut Keywords) {
        keywords.not = self.one("not", Draft::D4);
        keywords.all_of = self.each("allOf", Draft::D4);
        keywords.any_of = self.each("anyOf", Draft::D4);
        keywords.one_of = self.each("oneOf", Draft::D4);
        keywords.condition = self.one("if", Draft::D7);
        keywords.then = self.one("then", Draft::D7);
        keywords.otherwise = self.one("else", Draft::D7);
        keywords.unevaluated_properties = self.one("unevaluatedProperties", Draft::D2019);
        keywords.unevaluated_items = self.one("unevaluatedItems", Draft::D2019);
    }

    fn below(&mut self, path: &[&str]) -> Index {
        let (document, at) = self.place;
        let mut at = at.clone();
        path.iter().for_each(|key| push_key(&mut at, key));
        self.compiler.reach(document, &at)
    }

    fn one(&mut self, keyword: &str, since: Draft) -> Option<Index> {
        self.get(since, keyword)?;
        Some(self.below(&[keyword]))
    }

    fn each(&mut self, keyword: &str, since: Draft) -> Vec<Index> {
        let n_items = match self.get(since, keyword) {
            Some(Yaml::List(items)) => items.len(),
            _ => 0,
        };
        (0..n_items)
            .map(|number| self.below(&[keyword, &number.to_string()]))
            .collect()
    }

    fn all(&mut self, keyword: &str, since: Draft) -> Vec<(String, Index)> {
        let keys: Vec<String> = match self.get(since, keyword) {
            Some(Yaml::Map(map)) => map.keys().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        keys.into_iter()
            .map(|key| {
                let index = self.below(&[keyword, &key]);
                (key, index)
            })
            .collect()
    }
}

fn texts(value: Option<&Yaml>) -> Vec<String> {
    let items = value.and_then(Yaml::as_list).unwrap_or_default();
    let texts = items.iter().filter_map(Yaml::as_str);
    texts.map(str::to_owned).collect()
}
