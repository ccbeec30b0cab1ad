//! What is wrong with a CustomResourceDefinition.
//!
//! The real server judges an inner form in which what all versions share stands at the top; its
//! paths (`spec.validation`) are those of that form. `Inner` is it.

mod conversion;
mod defaults;
mod go;
mod openapi;
pub(crate) mod path;
mod place;
mod structure;

use cel::Environment;
use kinds::{FieldError, names};
use yaml::{Map, Value};

use crate::formats::Format;
use crate::schema::Schema;

/// The groups of Kubernetes itself need this annotation.
const APPROVAL: &str = "api-approved.kubernetes.io";
/// Selectable fields of a version (the real server's own limit).
const MAX_SELECTABLE: usize = 8;
/// The longest warning about a deprecated version.
const MAX_WARNING: usize = 256;

/// What is wrong with a definition besides its metadata; `old` is what an update replaces.
#[must_use]
pub fn problems(new: &Value, old: Option<&Value>, environment: &Environment) -> Vec<FieldError> {
    let inner = Inner::of(new);
    let mut errors = Vec::new();
    if old.is_none() {
        name(new, &mut errors);
    }
    spec(new, &inner, environment, &mut errors);
    if let Some(old) = old {
        immutable(new, old, &mut errors);
    }
    if let Some(accepted) = new.at(&["status", "acceptedNames"]) {
        names_at(accepted, "status.acceptedNames", &mut errors);
    }
    stored_versions(new, &mut errors);
    approval(new, old, &mut errors);
    let keeps_unknown = |of: &Value| flag(of, &["spec", "preserveUnknownFields"]);
    if keeps_unknown(new) && !old.is_some_and(keeps_unknown) {
        errors.push(FieldError::invalid(
            "spec.preserveUnknownFields",
            &true.into(),
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in \
             spec.versions[*].schema instead",
        ));
    }
    errors
}

/// Formats that the schemas of a definition name and the server does not know, for warnings.
#[must_use]
pub fn unknown_formats(definition: &Value) -> Vec<String> {
    let inner = Inner::of(definition);
    let versions = inner.versions.iter().filter_map(|it| it.get("schema"));
    let mut found = Vec::new();
    for schema in inner.schema.into_iter().chain(versions) {
        if let Some(schema) = schema.get("openAPIV3Schema") {
            gather_formats(schema, &mut found);
        }
    }
    found
}

fn gather_formats(schema: &Value, found: &mut Vec<String>) {
    let Some(map) = schema.as_map() else { return };
    let said = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
    let format = said("format");
    if said("type") == "string" && !format.is_empty() && Format::named(format).is_none() {
        found.push(format.to_owned());
    }
    for part in parts(map) {
        gather_formats(part, found);
    }
}

/// All schemas right below one, in the order in which the real server visits them.
fn parts(schema: &Map) -> impl Iterator<Item = &Value> {
    let of = |key: &str| schema.get(key);
    let properties = of("properties").and_then(Value::as_map);
    let lists = ["allOf", "oneOf", "anyOf"].map(|key| of(key).and_then(Value::as_list));
    of("additionalProperties")
        .into_iter()
        .chain(properties.into_iter().flat_map(Map::values))
        .chain(of("not"))
        .chain(lists.into_iter().flatten().flatten())
        .chain(of("items"))
}

/// The inner form: what all versions share, and the versions without it.
pub(crate) struct Inner<'a> {
    versions: Vec<Version<'a>>,
    schema: Option<&'a Value>,
    subresources: Option<&'a Value>,
    columns: Option<&'a Value>,
    selectable: Option<&'a Value>,
}

/// A version without what all share.
struct Version<'a> {
    whole: &'a Value,
    shared: Vec<&'static str>,
}

impl<'a> Version<'a> {
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.whole.get(key).filter(|_| !self.shared.contains(&key))
    }

    fn name(&self) -> &'a str {
        text(self.whole, &["name"])
    }

    /// As it would be written.
    fn value(&self) -> Value {
        let mut value = self.whole.clone();
        if let Some(map) = value.as_map_mut() {
            map.retain(|key, _| !self.shared.contains(&key));
        }
        value
    }
}

impl<'a> Inner<'a> {
    fn of(definition: &'a Value) -> Self {
        let versions = list(definition, &["spec", "versions"]).iter();
        let versions = versions.map(|whole| Version {
            whole,
            shared: Vec::new(),
        });
        let mut inner = Inner {
            versions: versions.collect(),
            schema: None,
            subresources: None,
            columns: None,
            selectable: None,
        };
        inner.schema = inner.lift("schema");
        inner.subresources = inner.lift("subresources");
        inner.columns = inner.lift("additionalPrinterColumns");
        inner.selectable = inner.lift("selectableFields");
        inner
    }

    /// Takes a member out of all versions when it is the same in all.
    fn lift(&mut self, key: &'static str) -> Option<&'a Value> {
        let (first, rest) = self.versions.split_first()?;
        let shared = first.whole.get(key);
        if rest.iter().any(|version| version.whole.get(key) != shared) {
            return None;
        }
        for version in &mut self.versions {
            version.shared.push(key);
        }
        shared.filter(|shared| !shared.is_null())
    }

    /// Whether any version has a status subresource.
    fn has_status(&self) -> bool {
        let has = |subresources: Option<&Value>| {
            subresources.is_some_and(|all| all.get("status").is_some_and(|it| !it.is_null()))
        };
        has(self.subresources) || self.versions.iter().any(|it| has(it.get("subresources")))
    }
}

fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    value.at(path).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    value.at(path).and_then(Value::as_list).unwrap_or_default()
}

fn items(list: Option<&Value>) -> &[Value] {
    list.and_then(Value::as_list).unwrap_or_default()
}

fn flag(value: &Value, path: &[&str]) -> bool {
    value.at(path).and_then(Value::as_bool).unwrap_or_default()
}

/// An error about something that is printed as an inner type.
fn printed(field: impl Into<String>, shown: &str, detail: &str) -> FieldError {
    FieldError {
        reason: "FieldValueInvalid",
        field: field.into(),
        message: format!("Invalid value: {shown}: {detail}"),
    }
}

fn name(definition: &Value, errors: &mut Vec<FieldError>) {
    let name = text(definition, &["metadata", "name"]);
    let plural = text(definition, &["spec", "names", "plural"]);
    let group = text(definition, &["spec", "group"]);
    if !name.is_empty() && name != format!("{plural}.{group}") {
        errors.push(FieldError::invalid(
            "metadata.name",
            &name.into(),
            "must be spec.names.plural+\".\"+spec.group",
        ));
    }
}

fn spec(
    definition: &Value,
    inner: &Inner<'_>,
    environment: &Environment,
    errors: &mut Vec<FieldError>,
) {
    group_and_scope(definition, errors);
    if (inner.schema.and_then(|it| it.get("openAPIV3Schema"))).is_none() {
        for (index, version) in inner.versions.iter().enumerate() {
            if (version
                .get("schema")
                .and_then(|it| it.get("openAPIV3Schema")))
            .is_none()
            {
                let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
                errors.push(FieldError::required(field, ""));
            }
        }
    }
    for (index, version) in inner.versions.iter().enumerate() {
        let at = format!("spec.versions[{index}]");
        dns_1035(version.name(), &format!("{at}.name"), errors);
        let subresources = version.get("subresources").or(inner.subresources);
        let has_status = subresources.is_some_and(|it| it.get("status").is_some());
        deprecation(version.whole, &at, errors);
        let parts = Parts {
            schema: version.get("schema"),
            subresources: version.get("subresources"),
            columns: items(version.get("additionalPrinterColumns")),
            selectable: items(version.get("selectableFields")),
        };
        parts.check(&at, has_status, environment, errors);
    }
    version_rules(inner, errors);
    required_names(definition, errors);
    if let Some(names) = definition.at(&["spec", "names"]) {
        names_at(names, "spec.names", errors);
    }
    let shared = Parts {
        schema: inner.schema,
        subresources: inner.subresources,
        columns: items(inner.columns),
        selectable: items(inner.selectable),
    };
    shared.check("spec", inner.has_status(), environment, errors);
    conversion::check(definition, errors);
}

/// What a version has, or all versions share.
struct Parts<'a> {
    schema: Option<&'a Value>,
    subresources: Option<&'a Value>,
    columns: &'a [Value],
    selectable: &'a [Value],
}

impl Parts<'_> {
    fn check(
        &self,
        at: &str,
        has_status: bool,
        environment: &Environment,
        errors: &mut Vec<FieldError>,
    ) {
        let name = if at == "spec" { "validation" } else { "schema" };
        let openapi = self.schema.and_then(|schema| schema.get("openAPIV3Schema"));
        let schema = openapi.map(Schema::parse);
        if let (Some(openapi), Some(schema)) = (openapi, &schema) {
            let context = openapi::Context {
                openapi,
                schema,
                environment,
                has_status,
            };
            openapi::check(&context, &format!("{at}.{name}"), errors);
        }
        if let Some(scale) = self.subresources.and_then(|it| it.get("scale")) {
            scale_paths(scale, &format!("{at}.subresources.scale"), errors);
        }
        for (index, column) in self.columns.iter().enumerate() {
            printer_column(
                column,
                &format!("{at}.additionalPrinterColumns[{index}]"),
                errors,
            );
        }
        if !self.selectable.is_empty() {
            let at = format!("{at}.selectableFields");
            match &schema {
                Some(schema) => selectable_fields(self.selectable, schema, &at, errors),
                None => errors.push(FieldError::invalid(
                    at,
                    &"".into(),
                    "may only be set when validations.schema is included",
                )),
            }
        }
    }
}

fn group_and_scope(definition: &Value, errors: &mut Vec<FieldError>) {
    let group = text(definition, &["spec", "group"]);
    let problems = names::subdomain_problems(group);
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    } else if !problems.is_empty() {
        let why = problems.join(",");
        errors.push(FieldError::invalid("spec.group", &group.into(), &why));
    } else if !group.contains('.') {
        errors.push(FieldError::invalid(
            "spec.group",
            &group.into(),
            "should be a domain with at least one dot",
        ));
    }
    let scope = text(definition, &["spec", "scope"]);
    one_of("spec.scope", scope, &["Cluster", "Namespaced"], errors);
}

fn one_of(field: &str, value: &str, known: &[&str], errors: &mut Vec<FieldError>) {
    if value.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else if !known.contains(&value) {
        errors.push(FieldError::not_supported(field, &value.into(), known));
    }
}

fn dns_1035(name: &str, field: &str, errors: &mut Vec<FieldError>) {
    let problems = names::label_1035_problems(name);
    if !problems.is_empty() {
        errors.push(FieldError::invalid(
            field,
            &name.into(),
            &problems.join(","),
        ));
    }
}

fn deprecation(version: &Value, at: &str, errors: &mut Vec<FieldError>) {
    let Some(warning) = version.get("deprecationWarning").filter(|it| !it.is_null()) else {
        return;
    };
    let said = warning.as_str().unwrap_or_default();
    let mut problems = Vec::new();
    if !flag(version, &["deprecated"]) {
        problems.push("can only be set for deprecated versions".to_owned());
    } else {
        if said.len() > MAX_WARNING {
            problems.push(format!("must be <= {MAX_WARNING} characters long"));
        }
        if said.is_empty() {
            problems.push("must not be an empty string".to_owned());
        }
        let unprintable = said.char_indices().find(|(_, letter)| letter.is_control());
        if let Some((index, _)) = unprintable {
            problems.push(format!(
                "must only contain printable UTF-8 characters; non-printable character found at \
                 index {index}"
            ));
        }
    }
    for problem in problems {
        let field = format!("{at}.deprecationWarning");
        errors.push(printed(field, &yaml::json::to_string(warning), &problem));
    }
}

/// Rules on the versions as a whole.
fn version_rules(inner: &Inner<'_>, errors: &mut Vec<FieldError>) {
    let names: Vec<&str> = inner.versions.iter().map(Version::name).collect();
    let mut seen: Vec<&str> = Vec::new();
    let repeats = names.iter().any(|name| {
        let known = seen.contains(name);
        seen.push(name);
        known
    });
    let shown = || {
        let versions: Vec<Value> = inner.versions.iter().map(Version::value).collect();
        go::versions(&versions)
    };
    if repeats {
        let why = "must contain unique version names";
        errors.push(printed("spec.versions", &shown(), why));
    }
    let stored = inner
        .versions
        .iter()
        .filter(|it| flag(it.whole, &["storage"]))
        .count();
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(printed("spec.versions", &shown(), why));
    }
    if let Some(first) = names.first().filter(|name| !name.is_empty()) {
        dns_1035(first, "spec.version", errors);
    }
}

fn required_names(definition: &Value, errors: &mut Vec<FieldError>) {
    for key in ["plural", "singular", "kind", "listKind"] {
        if text(definition, &["spec", "names", key]).is_empty() {
            errors.push(FieldError::required(format!("spec.names.{key}"), ""));
        }
    }
}

fn names_at(value: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for key in ["plural", "singular"] {
        let name = text(value, &[key]);
        if !name.is_empty() {
            dns_1035(name, &format!("{at}.{key}"), errors);
        }
    }
    for key in ["kind", "listKind"] {
        let name = text(value, &[key]);
        let problems = names::label_1035_problems(&name.to_lowercase());
        if !name.is_empty() && !problems.is_empty() {
            let why = format!(
                "may have mixed case, but should otherwise match: {}",
                problems.join(",")
            );
            errors.push(FieldError::invalid(
                format!("{at}.{key}"),
                &name.into(),
                &why,
            ));
        }
    }
    let each = |key: &str, errors: &mut Vec<FieldError>| {
        for (index, name) in list(value, &[key]).iter().enumerate() {
            let field = format!("{at}.{key}[{index}]");
            dns_1035(name.as_str().unwrap_or_default(), &field, errors);
        }
    };
    each("shortNames", errors);
    let (kind, list_kind) = (text(value, &["kind"]), text(value, &["listKind"]));
    if !kind.is_empty() && kind == list_kind {
        errors.push(FieldError::invalid(
            format!("{at}.listKind"),
            &list_kind.into(),
            "kind and listKind may not be the same",
        ));
    }
    each("categories", errors);
}

/// A path of dots and names.
fn simple_path(path: &str, field: &str, errors: &mut Vec<FieldError>) -> bool {
    let fits = path.starts_with('.');
    if !fits {
        errors.push(FieldError::invalid(
            field,
            &path.into(),
            "must be a simple json path starting with .",
        ));
    }
    fits
}

fn scale_paths(scale: &Value, at: &str, errors: &mut Vec<FieldError>) {
    for (key, root) in [
        ("specReplicasPath", ".spec"),
        ("statusReplicasPath", ".status"),
    ] {
        let field = format!("{at}.{key}");
        let path = text(scale, &[key]);
        if path.is_empty() {
            errors.push(FieldError::required(field, ""));
        } else if simple_path(path, &field, errors) && !path.starts_with(&format!("{root}.")) {
            let why = format!("should be a json path under {root}");
            errors.push(FieldError::invalid(field, &path.into(), &why));
        }
    }
    let path = text(scale, &["labelSelectorPath"]);
    let field = format!("{at}.labelSelectorPath");
    let known = path.starts_with(".spec.") || path.starts_with(".status.");
    if !path.is_empty() && simple_path(path, &field, errors) && !known {
        errors.push(FieldError::invalid(
            field,
            &path.into(),
            "should be a json path under either .spec or .status",
        ));
    }
}

fn printer_column(column: &Value, at: &str, errors: &mut Vec<FieldError>) {
    const TYPES: &str = "must be one of boolean,date,integer,number,string";
    const FORMATS: &str = "must be one of byte,date,date-time,double,float,int32,int64,password";
    if text(column, &["name"]).is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    let known = |words: &str, word: &str| {
        let words = words.rsplit(' ').next().unwrap_or_default();
        words.split(',').any(|known| known == word)
    };
    let ty = text(column, &["type"]);
    if ty.is_empty() {
        errors.push(FieldError::required(format!("{at}.type"), TYPES));
    } else if !known(TYPES, ty) {
        errors.push(FieldError::invalid(format!("{at}.type"), &ty.into(), TYPES));
    }
    let format = text(column, &["format"]);
    if !format.is_empty() && !known(FORMATS, format) {
        let field = format!("{at}.format");
        errors.push(FieldError::invalid(field, &format.into(), FORMATS));
    }
    let path = text(column, &["jsonPath"]);
    let field = format!("{at}.JSONPath");
    if path.is_empty() {
        errors.push(FieldError::required(field, ""));
    } else {
        simple_path(path, &field, errors);
    }
}

fn selectable_fields(fields: &[Value], schema: &Schema, at: &str, errors: &mut Vec<FieldError>) {
    let mut seen = Vec::new();
    for (index, field) in fields.iter().enumerate() {
        let at = format!("{at}[{index}].jsonPath");
        let path = text(field, &["jsonPath"]);
        let mut refuse = |why: &str| {
            errors.push(FieldError::invalid(at.clone(), &path.into(), why));
        };
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        let found = match path::find(path, schema, false) {
            Ok(found) => found,
            Err(why) => {
                refuse(&format!("is an invalid path: {why}"));
                continue;
            }
        };
        if found.text.split('.').next() == Some("metadata") {
            refuse("must not point to fields in metadata");
        }
        if !matches!(found.schema.ty.as_str(), "string" | "boolean" | "integer") {
            refuse(
                "must point to a field of type string, boolean or integer. Enum string fields \
                 and strings with formats are allowed.",
            );
        }
        if seen.contains(&found.text) {
            errors.push(FieldError::duplicate(at, &path.into()));
        } else {
            seen.push(found.text);
        }
    }
    if seen.len() > MAX_SELECTABLE {
        errors.push(FieldError {
            reason: "FieldValueTooMany",
            field: at.to_owned(),
            message: format!(
                "Too many: {}: must have at most {MAX_SELECTABLE} items",
                seen.len()
            ),
        });
    }
}

/// What an update may not change.
fn immutable(new: &Value, old: &Value, errors: &mut Vec<FieldError>) {
    let is_established = list(old, &["status", "conditions"])
        .iter()
        .any(|condition| {
            text(condition, &["type"]) == "Established" && text(condition, &["status"]) == "True"
        });
    let mut keep = |path: &[&str]| {
        let (now, before) = (new.at(path), old.at(path));
        if now != before {
            errors.push(FieldError::invalid(
                path.join("."),
                &now.cloned().unwrap_or_default(),
                "field is immutable",
            ));
        }
    };
    if is_established {
        keep(&["spec", "scope"]);
        keep(&["spec", "names", "kind"]);
    }
    keep(&["spec", "group"]);
    keep(&["spec", "names", "plural"]);
}

fn stored_versions(definition: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "status.storedVersions";
    let stored = list(definition, &["status", "storedVersions"]);
    if stored.is_empty() {
        let why = "must have at least one stored version";
        errors.push(FieldError::invalid(FIELD, &Value::Null, why));
        return;
    }
    let versions = list(definition, &["spec", "versions"]);
    let shown: Value = stored.to_vec().into();
    for version in versions {
        let name = text(version, &["name"]);
        let known = stored.iter().any(|stored| stored.as_str() == Some(name));
        if flag(version, &["storage"]) && !known {
            let why = format!("must have the storage version {name}");
            errors.push(FieldError::invalid(FIELD, &shown, &why));
        }
    }
    for (index, name) in stored.iter().enumerate() {
        let known = versions.iter().any(|it| it.get("name") == Some(name));
        if !known {
            let said = name.as_str().unwrap_or_default();
            let why = format!(
                "missing from spec.versions; {said} was previously a storage version, and must \
                 remain in spec.versions until a storage migration ensures no data remains \
                 persisted in {said} and removes {said} from status.storedVersions"
            );
            errors.push(FieldError::invalid(format!("{FIELD}[{index}]"), name, &why));
        }
    }
}

/// What the annotation of approval says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// Neither a URL nor a reason.
    Invalid,
    /// A URL.
    Approved,
    /// A reason why there is none.
    Bypassed,
    /// There is no annotation.
    Missing,
}

/// Whether a group is one of Kubernetes itself.
#[must_use]
pub fn is_protected(group: &str) -> bool {
    ["k8s.io", "kubernetes.io"].iter().any(|domain| {
        group
            .strip_suffix(domain)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The approval of a definition, and what is said of it.
#[must_use]
pub fn approval_of(definition: &Value) -> (Approval, String) {
    let said = annotation(definition);
    let see = "see https://github.com/kubernetes/enhancements/pull/1111";
    if said.is_empty() {
        let why = format!("protected groups must have approval annotation \"{APPROVAL}\", {see}");
        return (Approval::Missing, why);
    }
    if said.starts_with("unapproved") {
        return (
            Approval::Bypassed,
            format!("not approved: {}", kinds::quoted(said)),
        );
    }
    let has_host = said
        .split_once("://")
        .is_some_and(|(_, rest)| !rest.is_empty() && !rest.starts_with('/'));
    if has_host && cel::is_request_uri(said) {
        return (Approval::Approved, format!("approved in {said}"));
    }
    let why = format!(
        "protected groups must have approval annotation \"{APPROVAL}\" with either a URL or a \
         reason starting with \"unapproved\", {see}"
    );
    (Approval::Invalid, why)
}

fn annotation(definition: &Value) -> &str {
    let annotations = definition.at(&["metadata", "annotations"]);
    let annotations = annotations.and_then(Value::as_map);
    annotations
        .and_then(|all: &Map| all.get(APPROVAL))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn approval(new: &Value, old: Option<&Value>, errors: &mut Vec<FieldError>) {
    if !is_protected(text(new, &["spec", "group"])) {
        return;
    }
    let (state, why) = approval_of(new);
    if old.is_some_and(|old| approval_of(old).0 == state) {
        return;
    }
    let field = format!("metadata.annotations[{APPROVAL}]");
    match state {
        Approval::Invalid => {
            errors.push(FieldError::invalid(field, &annotation(new).into(), &why));
        }
        Approval::Missing => errors.push(FieldError::required(field, &why)),
        Approval::Approved | Approval::Bypassed => {}
    }
}
