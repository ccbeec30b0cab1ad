//! ConfigMaps and Secrets from literals, files and environment files, and the hash of their names.
//!
//! Read [`GeneratorArgs`] first.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use manifest::go::quote;
use sha2::{Digest, Sha256};
use yaml::node::{Node, Scalar, Tag};
use yaml::{Map, Str, Value};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::fields;
use crate::loader::Folder;
use crate::resource::Resource;

/// What a generator does where its object is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behavior {
    #[default]
    Unspecified,
    Create,
    Replace,
    Merge,
}

impl Behavior {
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "create" => Behavior::Create,
            "replace" => Behavior::Replace,
            "merge" => Behavior::Merge,
            _ => Behavior::Unspecified,
        }
    }
}

/// `generatorOptions`, and `options` of one generator.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorOptions {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    disable_name_suffix_hash: bool,
    immutable: bool,
}

impl GeneratorOptions {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(GeneratorOptions {
            labels: fields.texts("labels")?.unwrap_or_default(),
            annotations: fields.texts("annotations")?.unwrap_or_default(),
            disable_name_suffix_hash: fields.boolean("disableNameSuffixHash")?,
            immutable: fields.boolean("immutable")?,
        })
    }

    /// Adds what holds for all generators; what one says itself stays.
    fn with_global(mut self, global: &GeneratorOptions) -> Self {
        let add = |own: &mut BTreeMap<String, String>, all: &BTreeMap<String, String>| {
            for (key, value) in all {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
        };
        add(&mut self.labels, &global.labels);
        add(&mut self.annotations, &global.annotations);
        self.disable_name_suffix_hash |= global.disable_name_suffix_hash;
        self.immutable |= global.immutable;
        self
    }
}

/// An entry of `configMapGenerator` or `secretGenerator`.
#[derive(Clone, Debug, Default)]
pub(crate) struct GeneratorArgs {
    pub(crate) namespace: String,
    pub(crate) name: String,
    behavior: Behavior,
    literals: Vec<String>,
    files: Vec<String>,
    envs: Vec<String>,
    options: GeneratorOptions,
    /// The type of a Secret.
    secret_type: String,
}

impl GeneratorArgs {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        let mut envs = fields.strings("envs")?;
        envs.extend(Some(fields.string("env")?).filter(|env| !env.is_empty()));
        Ok(GeneratorArgs {
            namespace: fields.string("namespace")?,
            name: fields.string("name")?,
            behavior: Behavior::named(&fields.string("behavior")?),
            literals: fields.strings("literals")?,
            files: fields.strings("files")?,
            envs,
            options: fields
                .object("options", "GeneratorOptions", GeneratorOptions::read)?
                .unwrap_or_default(),
            secret_type: fields.string("type")?,
        })
    }

    /// Adds what holds for all generators of a kustomization.
    pub(crate) fn with_global(mut self, global: Option<&GeneratorOptions>) -> Self {
        if let Some(global) = global {
            self.options = self.options.with_global(global);
        }
        self
    }

    /// Makes the ConfigMap.
    ///
    /// # Errors
    /// A source that is missing or malformed, a key that is there twice, no name.
    pub(crate) fn config_map(&self, folder: &Folder<'_>) -> Result<Resource> {
        self.make("ConfigMap", folder, |node, pairs| {
            for (key, bytes) in pairs {
                match std::str::from_utf8(bytes) {
                    Ok(text) => put_text(node, "data", key, text)?,
                    Err(_) => put_text(node, "binaryData", key, &base64_lines(bytes))?,
                }
            }
            Ok(())
        })
    }

    /// Makes the Secret.
    ///
    /// # Errors
    /// As [`GeneratorArgs::config_map`].
    pub(crate) fn secret(&self, folder: &Folder<'_>) -> Result<Resource> {
        let secret_type = match self.secret_type.as_str() {
            "" => "Opaque",
            given => given,
        };
        self.make("Secret", folder, |node, pairs| {
            fields::set(node, "type", Node::string(secret_type))?;
            fields::map_in(node, "data");
            for (key, bytes) in pairs {
                put_text(node, "data", key, &base64_lines(bytes))?;
            }
            Ok(())
        })
    }

    fn make(
        &self,
        kind: &str,
        folder: &Folder<'_>,
        fill: impl FnOnce(&mut Node, &BTreeMap<String, Vec<u8>>) -> Result<()>,
    ) -> Result<Resource> {
        if self.name.is_empty() {
            return fail("a configmap must have a name");
        }
        let entry = |key: &str, value: Node| (Scalar::string(key), value);
        let mut meta = vec![entry("name", Node::string(self.name.as_str()))];
        if !self.namespace.is_empty() {
            meta.push(entry("namespace", Node::string(self.namespace.as_str())));
        }
        let mut node = Node::Map(vec![
            entry("apiVersion", Node::string("v1")),
            entry("kind", Node::string(kind)),
            entry("metadata", Node::Map(meta)),
        ]);
        let mut pairs = BTreeMap::new();
        let found = self
            .pairs(folder)
            .map_err(|error| error.within("loading KV pairs"))?;
        for (key, bytes) in found {
            if pairs.insert(key.clone(), bytes).is_some() {
                let name = &self.name;
                return fail(format!(
                    "configmap {name} illegally repeats the key `{key}`"
                ));
            }
        }
        fill(&mut node, &pairs)?;
        if self.options.immutable {
            let flag = Node::Scalar(Scalar::new("true", Tag::Bool));
            fields::set(&mut node, "immutable", flag)?;
        }
        let mut resource = Resource::new(node);
        let options = &self.options;
        for (field, texts) in [
            ("labels", &options.labels),
            ("annotations", &options.annotations),
        ] {
            if !texts.is_empty() {
                resource.set_texts(field, texts)?;
            }
        }
        resource.history.needs_hash = !options.disable_name_suffix_hash;
        resource.history.behavior = self.behavior;
        resource.history.is_generated = true;
        Ok(resource)
    }

    fn pairs(&self, folder: &Folder<'_>) -> Result<Vec<(String, Vec<u8>)>> {
        let mut pairs = Vec::new();
        let within = |what: &str, list: &[String], error: Error| {
            error.within(&format!("{what} [{}]", list.join(" ")))
        };
        for path in &self.envs {
            folder
                .read(path)
                .and_then(|bytes| env_lines(&bytes, &mut pairs))
                .map_err(|error| within("env source files:", &self.envs, error))?;
        }
        for source in &self.literals {
            let pair = literal(source);
            pairs.push(pair.map_err(|error| within("literal sources", &self.literals, error))?);
        }
        for source in &self.files {
            let pair = file_source(source)
                .and_then(|(key, path)| Ok((key.to_owned(), folder.read(path)?.to_vec())));
            pairs.push(pair.map_err(|error| within("file sources:", &self.files, error))?);
        }
        Ok(pairs)
    }
}

fn env_lines(bytes: &[u8], pairs: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    let lines = bytes.split(|byte| *byte == b'\n');
    for (number, line) in lines.enumerate() {
        let Ok(line) = std::str::from_utf8(line) else {
            return fail(format!("line {number} has invalid utf8 bytes"));
        };
        let line = line.strip_suffix('\r').unwrap_or(line);
        let line = match number {
            0 => line.trim_start_matches('\u{feff}'),
            _ => line,
        };
        let line = line.trim_start();
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        if !line.starts_with('#') && !key.is_empty() {
            pairs.push((key.to_owned(), value.as_bytes().to_vec()));
        }
    }
    Ok(())
}

fn literal(source: &str) -> Result<(String, Vec<u8>)> {
    let split = source.split_once('=').filter(|(key, _)| !key.is_empty());
    let Some((key, value)) = split else {
        return fail(format!(
            "invalid literal source {source}, expected key=value"
        ));
    };
    let quoted = ['"', '\''].into_iter().find_map(|mark| {
        let inner = value.strip_prefix(mark)?;
        inner.strip_suffix(mark)
    });
    Ok((key.to_owned(), quoted.unwrap_or(value).as_bytes().to_vec()))
}

/// The key and the path of an entry of `files`.
fn file_source(source: &str) -> Result<(&str, &str)> {
    match source.split_once('=') {
        None => Ok((source.rsplit('/').next().unwrap_or(source), source)),
        Some((_, path)) if path.contains('=') => fail(format!(
            "source {} key name or file path contains '='",
            quote(source)
        )),
        Some(("", path)) => fail(format!(
            "missing key name for file path {} in source {}",
            quote(path),
            quote(source)
        )),
        Some((key, "")) => fail(format!(
            "missing file path for key name {} in source {}",
            quote(key),
            quote(source)
        )),
        Some(pair) => Ok(pair),
    }
}

/// Puts a text into a map of an object.
pub(crate) fn put_text(node: &mut Node, field: &str, key: &str, text: &str) -> Result<()> {
    let mut scalar = Scalar::string(text);
    scalar.quoted = text.contains('\n');
    match fields::map_in(node, field) {
        Some(map) => fields::set(map, key, Node::Scalar(scalar)),
        None => Ok(()),
    }
}

/// Base64 in lines of 70 characters; a text shorter than a line has no line break.
fn base64_lines(bytes: &[u8]) -> String {
    const WIDTH: usize = 70;
    let whole = STANDARD.encode(bytes);
    if whole.len() < WIDTH {
        return whole;
    }
    let mut text = String::with_capacity(whole.len() + whole.len() / WIDTH + 1);
    let mut rest = whole.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(WIDTH));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text
}

/// The hash that a generated object's name ends with: of its kind, type and data.
///
/// # Errors
/// Data that JSON cannot have.
pub(crate) fn hash(node: &Node) -> Result<String> {
    let part = |name: &str| -> Result<Value> {
        Ok(match node.get(name) {
            None => Value::from(""),
            Some(Node::Scalar(scalar)) => Value::String(scalar.text.clone()),
            Some(Node::List(_)) => Value::Null,
            Some(map) => map.to_value()?,
        })
    };
    let kind = fields::text(node, "kind");
    let mut hashed = Map::new();
    hashed.insert("kind", Value::String(kind.clone()));
    // kustomize looks for a field that is called `metadata/name`, which there is not.
    hashed.insert("name", "");
    hashed.insert("data", part("data")?);
    let optional = if *kind == *"Secret" {
        hashed.insert("type", part("type")?);
        "stringData"
    } else {
        "binaryData"
    };
    if let Some(Node::Map(_)) = node.get(optional) {
        hashed.insert(optional, part(optional)?);
    }
    let text = yaml::json::to_string_html_escaped(&Value::Map(hashed));
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest
        .iter()
        .take(5)
        .flat_map(|byte| [byte >> 4, byte & 15]);
    const LETTERS: &[u8; 16] = b"gh2k456789mbcdtf";
    Ok(hex
        .map(|digit| char::from(LETTERS[usize::from(digit)]))
        .collect())
}

/// What IAMPolicyGenerator makes: a ServiceAccount that stands for one of Google's.
///
/// # Errors
/// Another cloud, or values of the wrong type.
pub(crate) fn service_account(fields: &Fields<'_>) -> Result<Resource> {
    let cloud = fields.string("cloud")?;
    if cloud != "gke" {
        return fail(format!("cloud provider {cloud} not supported yet"));
    }
    let part = |name: &str, member: &str| {
        let read = fields.object(name, name, |fields| fields.string(member));
        read.map(Option::unwrap_or_default)
    };
    let account = part("serviceAccount", "name")?;
    let project = part("serviceAccount", "projectId")?;
    let name = part("kubernetesService", "name")?;
    let namespace = part("kubernetesService", "namespace")?;
    let mut text = format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  annotations:\n    \
         iam.gke.io/gcp-service-account: {account}@{project}.iam.gserviceaccount.com\n  \
         name: {name}\n"
    );
    if !namespace.is_empty() {
        text.push_str(&format!("  namespace: {namespace}"));
    }
    let node = yaml::node::first_document(&text)?;
    Ok(Resource::new(node.unwrap_or_else(Node::null)))
}

/// A text as a node that is a string.
pub(crate) fn text_node(text: &str) -> Node {
    Node::string(Str::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_lose_one_pair_of_quotes() {
        let check = |source: &str, want: &str| {
            let (_, value) = literal(source).unwrap();
            assert_eq!(String::from_utf8(value).unwrap(), want, "{source}");
        };
        check("a=\"x\"", "x");
        check("a='x\"", "'x\"");
        check("a=\"", "\"");
        check("a=b=c", "b=c");
        assert!(literal("=x").is_err());
        assert!(literal("x").is_err());
    }

    #[test]
    fn environment_lines_have_keys() {
        let mut pairs = Vec::new();
        env_lines("\u{feff}A=1\r\n# no\n\n  B\nC=x=y ".as_bytes(), &mut pairs).unwrap();
        let texts: Vec<(String, String)> = pairs
            .into_iter()
            .map(|(key, value)| (key, String::from_utf8(value).unwrap()))
            .collect();
        let want = [("A", "1"), ("B", ""), ("C", "x=y ")];
        assert_eq!(texts, want.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
