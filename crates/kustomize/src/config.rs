//! Which fields the transformers change: kustomize's defaults, `configurations:` and `crds:`.
//!
//! Read [`Config`] first. Merging keeps the fields that are there and refuses the same field with
//! another `create`.

use std::sync::{Arc, LazyLock};

use yaml::{Map, Value};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::fieldspec::FieldSpec;
use crate::identity::Gvk;

/// The default fields, as a table.
const DEFAULTS: &str = include_str!("../data/fieldspecs.txt");

/// Where names of resources of a kind stand in others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NameReference {
    pub(crate) target: Gvk,
    pub(crate) referrers: Vec<FieldSpec>,
}

/// The fields of each transformer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Config {
    pub(crate) name_prefix: Vec<FieldSpec>,
    pub(crate) name_suffix: Vec<FieldSpec>,
    pub(crate) namespace: Vec<FieldSpec>,
    pub(crate) common_labels: Vec<FieldSpec>,
    pub(crate) labels: Vec<FieldSpec>,
    pub(crate) template_labels: Vec<FieldSpec>,
    pub(crate) common_annotations: Vec<FieldSpec>,
    pub(crate) name_reference: Vec<NameReference>,
    pub(crate) var_reference: Vec<FieldSpec>,
    pub(crate) images: Vec<FieldSpec>,
    pub(crate) replicas: Vec<FieldSpec>,
}

impl Config {
    /// [`Config::defaults`], read once for all builds.
    pub(crate) fn shared_defaults() -> Arc<Self> {
        static DEFAULTS: LazyLock<Arc<Config>> = LazyLock::new(|| Arc::new(Config::defaults()));
        Arc::clone(&DEFAULTS)
    }

    /// kustomize's defaults.
    fn defaults() -> Self {
        let mut config = Config::default();
        for line in DEFAULTS.lines().filter(|line| !line.starts_with('#')) {
            config.add_line(line);
        }
        config.sort();
        config
    }

    fn add_line(&mut self, line: &str) {
        let mut words = line.split(' ');
        let mut word = || match words.next() {
            None | Some("-") => "",
            Some(word) => word,
        };
        let section = word();
        let gvk = Gvk {
            group: word().into(),
            version: word().into(),
            kind: word().into(),
        };
        if section == "target" {
            self.name_reference.push(NameReference {
                target: gvk,
                referrers: Vec::new(),
            });
            return;
        }
        let path = word().to_owned();
        let spec = FieldSpec::new(gvk, path, word() == "create");
        match self.section(section) {
            Some(specs) => specs.push(spec),
            None => {
                if let Some(reference) = self.name_reference.last_mut() {
                    reference.referrers.push(spec);
                }
            }
        }
    }

    fn section(&mut self, name: &str) -> Option<&mut Vec<FieldSpec>> {
        Some(match name {
            "namePrefix" => &mut self.name_prefix,
            "nameSuffix" => &mut self.name_suffix,
            "namespace" => &mut self.namespace,
            "commonLabels" => &mut self.common_labels,
            "labels" => &mut self.labels,
            "templateLabels" => &mut self.template_labels,
            "commonAnnotations" => &mut self.common_annotations,
            "varReference" => &mut self.var_reference,
            "images" => &mut self.images,
            "replicas" => &mut self.replicas,
            _ => return None,
        })
    }

    fn sections(&mut self) -> [(&'static str, &mut Vec<FieldSpec>); 10] {
        [
            ("NamePrefix", &mut self.name_prefix),
            ("NameSuffix", &mut self.name_suffix),
            ("NameSpace", &mut self.namespace),
            ("CommonAnnotations", &mut self.common_annotations),
            ("CommonLabels", &mut self.common_labels),
            ("Labels", &mut self.labels),
            ("TemplateLabels", &mut self.template_labels),
            ("VarReference", &mut self.var_reference),
            ("Images", &mut self.images),
            ("Replicas", &mut self.replicas),
        ]
    }

    /// Reads a file of `configurations:`.
    ///
    /// # Errors
    /// YAML that cannot be read, and fields that there are not.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let value = yaml::parse_str_in(text, yaml::Mode::GoYaml2Strict).map_err(|error| {
            Error::Build(format!(
                "error converting YAML to JSON: {}",
                error.go_text()
            ))
        })?;
        let decode = |value: &Value| -> Result<Config> {
            let mut config = Config::default();
            let fields = Fields::strict(value, "TransformerConfig")?;
            for section in [
                "namePrefix",
                "nameSuffix",
                "namespace",
                "commonLabels",
                "labels",
                "templateLabels",
                "commonAnnotations",
                "varReference",
                "images",
                "replicas",
            ] {
                let specs = fields.list(section, "types.FsSlice", spec)?;
                config
                    .section(section)
                    .expect("the names are those of the sections")
                    .extend(specs);
            }
            config.name_reference =
                fields.list("nameReference", "builtinconfig.nbrSlice", |fields| {
                    Ok(NameReference {
                        target: fields.gvk()?,
                        referrers: fields.list("fieldSpecs", "types.FsSlice", spec)?,
                    })
                })?;
            fields.finish()?;
            Ok(config)
        };
        let mut config = decode(&value)
            .map_err(|error| error.within("error unmarshaling JSON: while decoding JSON"))?;
        config.sort();
        Ok(config)
    }

    /// Adds the fields of another configuration.
    ///
    /// # Errors
    /// Both have a field with another `create`.
    pub(crate) fn merge(&mut self, mut other: Config) -> Result<()> {
        for ((name, ours), (_, theirs)) in self.sections().into_iter().zip(other.sections()) {
            add_all(ours, std::mem::take(theirs))
                .map_err(|error| error.within(&format!("failed to merge {name} fieldSpec")))?;
        }
        for reference in other.name_reference {
            self.add_reference(reference)
                .map_err(|error| error.within("failed to merge NameReference fieldSpec"))?;
        }
        self.sort();
        Ok(())
    }

    pub(crate) fn add_reference(&mut self, other: NameReference) -> Result<()> {
        let known = self.name_reference.iter_mut();
        let mut same = known.filter(|reference| reference.target == other.target);
        match same.next() {
            Some(reference) => add_all(&mut reference.referrers, other.referrers),
            None => {
                self.name_reference.push(other);
                Ok(())
            }
        }
    }

    fn sort(&mut self) {
        for (_, specs) in self.sections() {
            specs.sort_by_cached_key(|spec| by_kind(&spec.gvk));
        }
        self.name_reference
            .sort_by_cached_key(|reference| by_kind(&reference.target));
    }
}

/// A field spec of a configuration file or of a plugin's configuration.
pub(crate) fn spec(fields: &Fields<'_>) -> Result<FieldSpec> {
    Ok(FieldSpec::new(
        fields.gvk()?,
        fields.string("path")?,
        fields.boolean("create")?,
    ))
}

/// Adds the fields that are not there yet.
pub(crate) fn add_all(specs: &mut Vec<FieldSpec>, more: Vec<FieldSpec>) -> Result<()> {
    more.into_iter().try_for_each(|spec| add(specs, spec))
}

/// Adds a field that is not there yet.
///
/// # Errors
/// It is there with another `create`.
pub(crate) fn add(specs: &mut Vec<FieldSpec>, spec: FieldSpec) -> Result<()> {
    let known = specs
        .iter()
        .find(|known| known.path == spec.path && known.gvk.is_selected_by(&spec.gvk));
    match known {
        Some(known) if known.create != spec.create => fail("conflicting fieldspecs"),
        Some(_) => Ok(()),
        None => {
            specs.push(spec);
            Ok(())
        }
    }
}

/// The kinds that come first, in this order; all others come behind them, and webhooks last.
pub(crate) const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];
/// The kinds that come last.
pub(crate) const LAST: [&str; 2] = [
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
];

fn by_kind(gvk: &Gvk) -> (usize, String) {
    (place(gvk), gvk.sort_text())
}

fn place(gvk: &Gvk) -> usize {
    let first = FIRST.iter().position(|kind| gvk.kind == **kind);
    let last = LAST.iter().position(|kind| gvk.kind == **kind);
    first.unwrap_or(FIRST.len() + last.map_or(0, |last| last + 1))
}

/// The fields that the OpenAPI definitions of a file of `crds:` mark.
///
/// # Errors
/// The text is no map of definitions.
pub(crate) fn of_definitions(text: &str, path: &str) -> Result<Config> {
    let value = yaml::parse_str(text).map_err(Error::from);
    let value = value.map_err(|error| {
        error.within(&format!(
            "unable to parse open API definition from '{path}'"
        ))
    })?;
    let empty = Map::new();
    let definitions = value.as_map().unwrap_or(&empty);
    let mut config = Config::default();
    for (name, _) in definitions.iter() {
        let is_kind = ["kind", "apiVersion", "metadata"].iter().all(|member| {
            properties(definitions, name).is_some_and(|map| map.contains_key(member))
        });
        if is_kind {
            let kind = name.rsplit('.').next().unwrap_or(name);
            let gvk = Gvk {
                kind: kind.into(),
                ..Gvk::default()
            };
            let mut marked = Config::default();
            marked.add_marked(&gvk, definitions, name, &mut Vec::new())?;
            config.merge(marked)?;
        }
    }
    Ok(config)
}

fn properties<'a>(definitions: &'a Map, name: &str) -> Option<&'a Map> {
    definitions
        .get(name)?
        .at(&["Schema", "properties"])
        .or_else(|| definitions.get(name)?.at(&["schema", "properties"]))?
        .as_map()
}

impl Config {
    fn add_marked(
        &mut self,
        gvk: &Gvk,
        definitions: &Map,
        name: &str,
        above: &mut Vec<String>,
    ) -> Result<()> {
        // Definitions may refer to each other in circles.
        if above.len() > crate::limits::MAX_DEPTH {
            return Ok(());
        }
        let Some(properties) = properties(definitions, name) else {
            return Ok(());
        };
        for (property, schema) in properties.iter() {
            above.push(property.to_string());
            let mark = |name: &str| schema.get(name).and_then(Value::as_str);
            let spec = || FieldSpec::new(gvk.clone(), above.join("/"), false);
            if mark("x-kubernetes-annotation").is_some() {
                add(&mut self.common_annotations, spec())?;
            }
            if mark("x-kubernetes-label-selector").is_some() {
                add(&mut self.common_labels, spec())?;
            }
            if mark("x-kubernetes-identity").is_some() {
                add(&mut self.name_prefix, spec())?;
            }
            if let (Some(version), Some(kind)) = (
                mark("x-kubernetes-object-ref-api-version"),
                mark("x-kubernetes-object-ref-kind"),
            ) {
                let key = mark("x-kubernetes-object-ref-name-key").unwrap_or("name");
                let path = format!("{}/{key}", above.join("/"));
                self.add_reference(NameReference {
                    target: Gvk {
                        version: version.into(),
                        kind: kind.into(),
                        ..Gvk::default()
                    },
                    referrers: vec![FieldSpec::new(gvk.clone(), path, false)],
                })?;
            }
            if let Some(reference) = mark("$ref") {
                self.add_marked(gvk, definitions, reference, above)?;
            }
            above.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_merged_into_nothing_are_the_defaults() {
        let mut config = Config::default();
        config.merge(Config::defaults()).unwrap();
        assert_eq!(config, Config::defaults());
    }

    #[test]
    fn a_field_for_all_kinds_gives_way_to_one_for_some() {
        let mut config = Config::defaults();
        let more = Config::parse("namePrefix: [{path: metadata/name, kind: Host}]\n").unwrap();
        config.merge(more).unwrap();
        let mut merged = Config::default();
        merged.merge(config).unwrap();
        assert_eq!(merged.name_prefix.len(), 1);
    }
}
