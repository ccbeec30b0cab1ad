//! What a kustomization file says.
//!
//! Read [`Kustomization`] first; deprecated spellings end in the fields that replaced them. This
//! module must never load what a file refers to.

use std::collections::BTreeMap;

use yaml::{Map, Value};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::fieldspec::FieldSpec;
use crate::generate::{GeneratorArgs, GeneratorOptions};
use crate::helm::HelmChart;
use crate::patch::Patch;
use crate::replacement::ReplacementField;
use crate::selector::Selector;
use crate::sort::SortOptions;
use crate::variable::Var;

/// The names that a kustomization file may have.
pub(crate) const FILE_NAMES: [&str; 3] =
    ["kustomization.yaml", "kustomization.yml", "Kustomization"];

const KIND: &str = "Kustomization";
const COMPONENT: &str = "Component";

/// The fields of a kustomization file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kustomization {
    pub(crate) is_component: bool,
    pub(crate) openapi: Option<BTreeMap<String, String>>,
    pub(crate) name_prefix: String,
    pub(crate) name_suffix: String,
    pub(crate) namespace: String,
    pub(crate) common_labels: Option<BTreeMap<String, String>>,
    pub(crate) labels: Vec<Label>,
    pub(crate) common_annotations: BTreeMap<String, String>,
    pub(crate) patches_strategic_merge: Vec<String>,
    pub(crate) patches_json6902: Vec<Patch>,
    pub(crate) patches: Vec<Patch>,
    pub(crate) images: Vec<Image>,
    pub(crate) replacements: Vec<ReplacementField>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) vars: Vec<Var>,
    pub(crate) sort_options: Option<SortOptions>,
    pub(crate) resources: Vec<String>,
    pub(crate) components: Vec<String>,
    pub(crate) crds: Vec<String>,
    pub(crate) config_map_generator: Vec<GeneratorArgs>,
    pub(crate) secret_generator: Vec<GeneratorArgs>,
    pub(crate) helm_charts: Vec<HelmChart>,
    pub(crate) generator_options: Option<GeneratorOptions>,
    pub(crate) configurations: Vec<String>,
    pub(crate) generators: Vec<String>,
    pub(crate) transformers: Vec<String>,
    pub(crate) validators: Vec<String>,
    pub(crate) build_metadata: Vec<String>,
    /// Deprecated fields that it has, in kustomize's words.
    pub(crate) warnings: Vec<String>,
}

/// An entry of `labels`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    pub(crate) pairs: BTreeMap<String, String>,
    pub(crate) include_selectors: bool,
    pub(crate) include_templates: bool,
    pub(crate) fields: Vec<FieldSpec>,
}

/// An entry of `images`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) new_name: String,
    pub(crate) tag_suffix: String,
    pub(crate) new_tag: String,
    pub(crate) digest: String,
}

/// An entry of `replicas`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) count: i64,
}

impl Image {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Image {
            name: fields.string("name")?,
            new_name: fields.string("newName")?,
            tag_suffix: fields.string("tagSuffix")?,
            new_tag: fields.string("newTag")?,
            digest: fields.string("digest")?,
        })
    }
}

impl Replica {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Replica {
            name: fields.string("name")?,
            count: fields.integer("count", "int64")?,
        })
    }
}

impl Label {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(Label {
            pairs: fields.texts("pairs")?.unwrap_or_default(),
            include_selectors: fields.boolean("includeSelectors")?,
            include_templates: fields.boolean("includeTemplates")?,
            fields: fields.list("fields", "[]types.FieldSpec", crate::config::spec)?,
        })
    }
}

/// Deprecated fields and what to use instead, in the order in which kustomize warns.
const DEPRECATED: [(&str, &str, &str); 6] = [
    ("bases", "resources", ""),
    ("commonLabels", "labels", ""),
    ("imageTags", "images", ""),
    ("patchesJson6902", "patches", ""),
    ("patchesStrategicMerge", "patches", ""),
    ("vars", "replacements", "[EXPERIMENTAL] "),
];

impl Kustomization {
    /// Reads the text of a file in `directory`.
    ///
    /// # Errors
    /// YAML that cannot be read, unknown fields, values of the wrong type, no field at all, and a
    /// kind or version that kustomize does not know.
    pub(crate) fn parse(text: &str, directory: &str) -> Result<Self> {
        let value = yaml::parse_str(text).map_err(Error::from);
        let (kustomization, kind, api_version) = value
            .and_then(|value| {
                let read = Kustomization::read(&value)?;
                Ok((read, value))
            })
            .map_err(|error| error.within("invalid Kustomization"))
            .and_then(|((kustomization, kind, api_version), value)| {
                if is_blank(&value) {
                    return fail("kustomization.yaml is empty");
                }
                Ok((kustomization, kind, api_version))
            })?;
        let mut wrong = Vec::new();
        if kind != KIND && kind != COMPONENT {
            wrong.push(format!("kind should be {KIND} or {COMPONENT}"));
        }
        let version = if kind == COMPONENT {
            "v1alpha1"
        } else {
            "v1beta1"
        };
        let required = format!("kustomize.config.k8s.io/{version}");
        if !api_version.is_empty() && api_version != required {
            wrong.push(format!("apiVersion for {kind} should be {required}"));
        }
        if wrong.is_empty() {
            return Ok(kustomization);
        }
        fail(format!(
            "Failed to read kustomization file under {directory}:\n{}",
            wrong.join("\n")
        ))
    }

    /// The fields, the kind and the version.
    fn read(value: &Value) -> Result<(Self, String, String)> {
        let fields = Fields::json(value, "Kustomization")?;
        let api_version = fields.string("apiVersion")?;
        let kind = match fields.string("kind")? {
            kind if kind.is_empty() => KIND.to_owned(),
            kind => kind,
        };
        let warnings = DEPRECATED
            .iter()
            .filter(|(name, ..)| fields.value(name).is_some());
        let warnings = warnings.map(|(name, other, stage)| {
            format!(
                "# Warning: '{name}' is deprecated. Please use '{other}' instead. \
                 {stage}Run 'kustomize edit fix' to update your Kustomization automatically."
            )
        });
        let mut kustomization = Kustomization {
            is_component: kind == COMPONENT,
            warnings: warnings.collect(),
            ..Kustomization::default()
        };
        kustomization.read_sources(&fields)?;
        kustomization.read_changes(&fields)?;
        fields.finish()?;
        Ok((kustomization, kind, api_version))
    }

    fn read_sources(&mut self, fields: &Fields<'_>) -> Result<()> {
        fields.object("metadata", "ObjectMeta", |fields| {
            fields.string("name")?;
            fields.string("namespace")?;
            fields.texts("labels")?;
            fields.texts("annotations")
        })?;
        self.openapi = fields.texts("openapi")?;
        self.resources = fields.strings("resources")?;
        self.resources.extend(fields.strings("bases")?);
        self.components = fields.strings("components")?;
        self.crds = fields.strings("crds")?;
        let arguments = |owner: &str, name: &str| {
            fields.list(name, &format!("[]types.{owner}"), GeneratorArgs::read)
        };
        self.config_map_generator = arguments("ConfigMapArgs", "configMapGenerator")?;
        self.secret_generator = arguments("SecretArgs", "secretGenerator")?;
        self.helm_charts = crate::helm::read(fields)?;
        self.generator_options = fields.object(
            "generatorOptions",
            "GeneratorOptions",
            GeneratorOptions::read,
        )?;
        self.configurations = fields.strings("configurations")?;
        self.generators = fields.strings("generators")?;
        self.transformers = fields.strings("transformers")?;
        self.validators = fields.strings("validators")?;
        self.build_metadata = fields.strings("buildMetadata")?;
        Ok(())
    }

    fn read_changes(&mut self, fields: &Fields<'_>) -> Result<()> {
        self.name_prefix = fields.string("namePrefix")?;
        self.name_suffix = fields.string("nameSuffix")?;
        self.namespace = fields.string("namespace")?;
        self.common_labels = fields.texts("commonLabels")?;
        self.labels = fields.list("labels", "[]types.Label", Label::read)?;
        self.common_annotations = fields.texts("commonAnnotations")?.unwrap_or_default();
        self.patches_strategic_merge = fields.strings("patchesStrategicMerge")?;
        self.patches_json6902 = fields.list("patchesJson6902", "[]types.Patch", Patch::read)?;
        self.patches = fields.list("patches", "[]types.Patch", Patch::read)?;
        self.images = fields.list("images", "[]types.Image", Image::read)?;
        let tags = fields.list("imageTags", "[]types.Image", Image::read)?;
        self.images.extend(tags);
        self.replacements = fields.list(
            "replacements",
            "[]types.ReplacementField",
            ReplacementField::read,
        )?;
        self.replicas = fields.list("replicas", "[]types.Replica", Replica::read)?;
        self.vars = fields.list("vars", "[]types.Var", Var::read)?;
        self.sort_options = fields.object("sortOptions", "SortOptions", SortOptions::read)?;
        Ok(())
    }

    pub(crate) fn tracks(&self, option: &str) -> bool {
        self.build_metadata.iter().any(|name| name == option)
    }
}

/// Whether a file says nothing but what it is.
fn is_blank(value: &Value) -> bool {
    let says = |(name, value): (&yaml::Str, &Value)| {
        let name = name.to_ascii_lowercase();
        let joined = ["bases", "imagetags", "helmchartinflationgenerator"];
        match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty() && name != "apiversion" && name != "kind",
            Value::List(items) => !items.is_empty() || !joined.contains(&name.as_str()),
            _ => true,
        }
    };
    !value.as_map().into_iter().flat_map(Map::iter).any(says)
}

/// Reads a selector of resources.
pub(crate) fn selector(fields: &Fields<'_>) -> Result<Selector> {
    Ok(Selector {
        id: fields.id()?,
        annotations: fields.string("annotationSelector")?,
        labels: fields.string("labelSelector")?,
    })
}
