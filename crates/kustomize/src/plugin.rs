//! Resources that configure a transformer or generator: `transformers:`, `validators:` and
//! `generators:` of the built-in kinds. All others would be programs, and are refused.
//!
//! Read [`transformer`] and [`generator`] first.

use yaml::Value;

use crate::config::spec;
use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::fieldspec::FieldSpec;
use crate::generate::{GeneratorArgs, service_account};
use crate::helm::{HelmChart, Inflate};
use crate::kustomization::{Image, Replica, selector};
use crate::loader::Folder;
use crate::patch::{LoadedPatch, Patch, load_own};
use crate::replacement::ReplacementField;
use crate::resource::{Resource, parse};
use crate::transform::{Subjects, Transformer, ValueTarget, not_configured};

const GENERATORS: [&str; 4] = [
    "ConfigMapGenerator",
    "IAMPolicyGenerator",
    "SecretGenerator",
    "HelmChartInflationGenerator",
];

/// Refuses what is not built in: it would be a program or a container.
fn check_builtin(resource: &Resource) -> Result<()> {
    let id = resource.id();
    if id.gvk.group.is_empty() && *id.gvk.version == *"builtin" {
        return Ok(());
    }
    fail(format!(
        "external plugins disabled; unable to load external plugin '{}'",
        resource.original_id().gvk.kind
    ))
}

/// The transformer that a resource configures.
///
/// # Errors
/// It is not built in, or its configuration is wrong.
pub(crate) fn transformer(resource: &Resource, folder: &Folder<'_>) -> Result<Transformer> {
    check_builtin(resource)?;
    let id = resource.original_id();
    let kind = resource.id().gvk.kind.clone();
    let value = resource.to_value()?;
    let fields = Fields::lenient(&value, &kind)?;
    let read = match kind.as_str() {
        "PatchTransformer" => {
            let shown = yaml::emit(&value);
            let patch = Patch::read(&fields);
            patch
                .and_then(|patch| patch.load(folder, &shown))
                .map(Transformer::Patch)
        }
        "PatchJson6902Transformer" => {
            let operations = fields.string("jsonOp");
            let patch = Patch::read(&fields).and_then(|patch| Ok(patch.with_json_op(operations?)));
            patch
                .and_then(|patch| patch.load_json6902(folder))
                .map(Transformer::Patch)
        }
        "PatchStrategicMergeTransformer" => own_patches(&fields, folder),
        "NamespaceTransformer" => namespace(&fields),
        "PrefixTransformer" | "SuffixTransformer" | "PrefixSuffixTransformer" => {
            affix(&fields, &kind)
        }
        "LabelTransformer" => texts(&fields, "labels"),
        "AnnotationsTransformer" => texts(&fields, "annotations"),
        "ReplicaCountTransformer" => specs(&fields).and_then(|specs| {
            let replica = fields.object("replica", "Replica", Replica::read)?;
            Ok(Transformer::Replicas {
                replica: replica.unwrap_or_default(),
                specs,
            })
        }),
        "ImageTagTransformer" => specs(&fields).and_then(|specs| {
            let image = fields.object("imageTag", "Image", Image::read)?;
            Ok(Transformer::Images {
                image: image.unwrap_or_default(),
                specs,
            })
        }),
        "ReplacementTransformer" => replacements(&fields, folder),
        "ValueAddTransformer" => values(&fields, folder),
        "HashTransformer" => Ok(Transformer::Hashes),
        kind if GENERATORS.contains(&kind) => {
            return fail(format!("plugin {id} not a transformer"));
        }
        _ => return fail(format!("unable to load builtin {}", resource.id().gvk)),
    };
    read.map_err(|error| not_configured(error, &id))
}

fn specs(fields: &Fields<'_>) -> Result<Vec<FieldSpec>> {
    fields.list("fieldSpecs", "[]types.FieldSpec", spec)
}

fn own_patches(fields: &Fields<'_>, folder: &Folder<'_>) -> Result<Transformer> {
    let paths = fields.strings("paths")?;
    let inline = fields.string("patches")?;
    if paths.is_empty() && inline.is_empty() {
        return fail("empty file path and empty patch content");
    }
    let mut patches = load_own(&paths, folder)?;
    patches.extend(parse(inline.as_bytes())?);
    if patches.is_empty() {
        return fail(format!(
            "patch appears to be empty; files=[{}], Patch={inline}",
            paths.join(" ")
        ));
    }
    Ok(Transformer::Patch(LoadedPatch::Own(patches)))
}

fn namespace(fields: &Fields<'_>) -> Result<Transformer> {
    let meta = fields.object("metadata", "ObjectMeta", |fields| {
        fields.string("namespace")
    })?;
    let mode = fields.string("setRoleBindingSubjects")?;
    let subjects = match mode.as_str() {
        "" | "defaultOnly" => Subjects::NamedDefault,
        "allServiceAccounts" => Subjects::ServiceAccounts,
        "none" => Subjects::None,
        other => {
            return fail(format!(
                "invalid value {other:?} for setRoleBindingSubjects: must be one of \
                 \"defaultOnly\", \"none\" or \"allServiceAccounts\""
            ));
        }
    };
    Ok(Transformer::Namespace {
        namespace: meta.unwrap_or_default(),
        specs: specs(fields)?,
        unset_only: fields.boolean("unsetOnly")?,
        subjects,
    })
}

fn affix(fields: &Fields<'_>, kind: &str) -> Result<Transformer> {
    if fields.value("fieldSpecs").is_none() {
        return fail("fieldSpecs is not expected to be nil");
    }
    let part = |name: &str, other: &str| -> Result<String> {
        let text = fields.string(name)?;
        Ok(if kind == other { String::new() } else { text })
    };
    let (prefix, suffix) = (
        part("prefix", "SuffixTransformer")?,
        part("suffix", "PrefixTransformer")?,
    );
    let affix = |prefix: String, suffix: String| -> Result<Transformer> {
        Ok(Transformer::Affix {
            prefix,
            suffix,
            specs: specs(fields)?,
        })
    };
    if kind == "PrefixSuffixTransformer" {
        return Ok(Transformer::All(vec![
            affix(prefix, String::new())?,
            affix(String::new(), suffix)?,
        ]));
    }
    affix(prefix, suffix)
}

fn texts(fields: &Fields<'_>, name: &str) -> Result<Transformer> {
    Ok(Transformer::Texts {
        texts: fields.texts(name)?.unwrap_or_default(),
        specs: specs(fields)?,
    })
}

fn replacements(fields: &Fields<'_>, folder: &Folder<'_>) -> Result<Transformer> {
    let list = fields.list(
        "replacements",
        "[]types.ReplacementField",
        ReplacementField::read,
    )?;
    let mut all = Vec::new();
    for one in &list {
        all.extend(one.load(folder)?);
    }
    Ok(Transformer::Replacements(all))
}

fn values(fields: &Fields<'_>, folder: &Folder<'_>) -> Result<Transformer> {
    let target = |fields: &Fields<'_>| {
        let position = fields.integer("filePathPosition", "int")?;
        let Ok(position) = usize::try_from(position) else {
            return fail(format!(
                "value of FilePathPosition ({position}) cannot be negative"
            ));
        };
        Ok(ValueTarget {
            selector: fields.object("selector", "Selector", selector)?,
            field: fields.string("fieldPath")?,
            position,
        })
    };
    let mut targets = fields.list("targets", "[]builtins.Target", target)?;
    let path = fields.string("targetFilePath")?;
    if !path.is_empty() {
        let bytes = folder.read(&path)?;
        let more: Value = yaml::parse_str(&String::from_utf8_lossy(&bytes))?;
        let more = Fields::lenient(&more, "Targets")?;
        targets.extend(more.list("targets", "[]builtins.Target", target)?);
    }
    if targets.is_empty() {
        return fail("must specify at least one target");
    }
    if targets.iter().any(|target| target.field.is_empty()) {
        return fail("fieldPath cannot be empty");
    }
    let value = match fields.string("value")?.trim() {
        "" => folder.name().to_owned(),
        value => value.to_owned(),
    };
    Ok(Transformer::Values { value, targets })
}

/// What the generator that a resource configures makes.
///
/// # Errors
/// It is not built in, its configuration is wrong, or what it needs is missing.
pub(crate) fn generator(
    resource: &Resource,
    folder: &Folder<'_>,
    inflate: Option<&Inflate<'_>>,
) -> Result<Vec<Resource>> {
    let unloaded =
        |error: Error| error.within("loading generator plugins: failed to load generator");
    check_builtin(resource).map_err(unloaded)?;
    let kind = resource.id().gvk.kind.clone();
    let value = resource.to_value()?;
    let fields = Fields::lenient(&value, &kind)?;
    let arguments = || -> Result<GeneratorArgs> {
        let mut arguments = GeneratorArgs::read(&fields)?;
        let id = resource.id();
        if arguments.name.is_empty() {
            arguments.name = id.name.to_string();
        }
        if arguments.namespace.is_empty() {
            arguments.namespace = id.namespace.to_string();
        }
        Ok(arguments)
    };
    let configured = |error| unloaded(not_configured(error, &resource.original_id()));
    match kind.as_str() {
        "ConfigMapGenerator" => {
            let arguments = arguments().map_err(configured)?;
            Ok(vec![arguments.config_map(folder)?])
        }
        "SecretGenerator" => {
            let arguments = arguments().map_err(configured)?;
            Ok(vec![arguments.secret(folder)?])
        }
        "IAMPolicyGenerator" => Ok(vec![service_account(&fields)?]),
        "HelmChartInflationGenerator" => {
            let chart = HelmChart::of_plugin(&fields).map_err(configured)?;
            parse(chart.inflate(folder, inflate)?.as_bytes())
        }
        kind => {
            let problem = match kind.ends_with("Transformer") {
                true => format!("plugin {} not a generator", resource.original_id()),
                false => format!("unable to load builtin {}", resource.id().gvk),
            };
            Err(unloaded(Error::Build(problem)))
        }
    }
}
