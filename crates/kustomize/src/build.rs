//! A whole build: from a folder with a kustomization to objects.
//!
//! Read [`build`] first.

use std::rc::Rc;

use manifest::{Object, ObjectError, Recorder, TreePath};
use yaml::Value;

use crate::edit::{self, Edit};
use crate::error::{Error, Result};
use crate::helm::Inflate;
use crate::loader::{Folder, LoadRestriction};
use crate::merge::Merger;
use crate::merge::schema::Schemas;
use crate::names;
use crate::remote::Remotes;
use crate::resource::check_meta;
use crate::resources::Resources;
use crate::sort::SortOptions;
use crate::target::{Accumulated, Builder, Target};
use crate::transform::Transformer;

/// Resources with this annotation are for kustomize only.
const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";

/// The label that says what manages an object.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// What kubectl says of the kustomize in it.
const VERSION: &str = "kustomize-v5.7.1";

/// How a kustomization is built.
#[derive(Clone, Default)]
pub struct Options<'a> {
    /// Which files may be read.
    pub load_restriction: LoadRestriction,
    /// What was fetched of what [`Error::Missing`] named.
    pub remotes: Remotes<'a>,
    /// Inflates charts; without it they are refused, as without `--enable-helm`.
    pub inflate: Option<&'a Inflate<'a>>,
    /// Changes to the kustomization in the folder that is built, made in this order before it is.
    pub edits: &'a [Edit],
}

/// What a kustomization gives.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// The resources, in the order of the output; kustomize does not ask for an `apiVersion`.
    pub values: Vec<Value>,
    /// Deprecated fields, and vars that nothing refers to, in kustomize's words.
    pub warnings: Vec<String>,
}

impl Built {
    /// What `kubectl kustomize` prints.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (number, value) in self.values.iter().enumerate() {
            if number > 0 {
                text.push_str("---\n");
            }
            text.push_str(&yaml::emit(value));
        }
        text
    }

    /// The resources as objects, in the order of the output.
    ///
    /// # Errors
    /// One has no `apiVersion`.
    pub fn into_objects(self) -> std::result::Result<Vec<Object>, ObjectError> {
        self.values.into_iter().map(Object::new).collect()
    }
}

/// Builds the kustomization in the folder `path` as `kubectl kustomize` does. What is read of the tree
/// is noted by `tree`.
///
/// # Errors
/// [`Error::Build`] in kustomize's words; [`Error::Edit`] for changes that cannot be made;
/// [`Error::Missing`] names all remote bases and charts that are needed and not at hand;
/// [`Error::Unavailable`] and [`Error::Limit`].
pub fn build(tree: &Recorder<'_>, path: &TreePath, options: &Options<'_>) -> Result<Built> {
    let mut builder = Builder::new(options);
    let result = run(&mut builder, tree, path, options);
    if !builder.missing.is_empty() {
        let mut missing = builder.missing;
        missing.sort();
        missing.dedup();
        return Err(Error::Missing(missing));
    }
    let (resources, target) = result?;
    let keep_origin = target.kustomization.tracks("originAnnotations");
    let keep_transformations = target.kustomization.tracks("transformerAnnotations");
    let mut values = Vec::with_capacity(resources.len());
    for mut resource in resources.into_list() {
        resource.finish(keep_origin, keep_transformations)?;
        let value = resource.to_value();
        values.push(value.map_err(|error| error.within(&resource.id().to_string()))?);
    }
    Ok(Built {
        values,
        warnings: builder.warnings,
    })
}

fn run<'a>(
    builder: &mut Builder<'a, '_>,
    tree: &'a Recorder<'_>,
    path: &TreePath,
    options: &Options<'a>,
) -> Result<(Resources, Target<'a>)> {
    let folder = Folder::first(tree, path, options.load_restriction)?;
    let mut target = edited(builder, Rc::new(folder), options.edits)?;
    builder.set_schema(&target)?;
    if !target.kustomization.build_metadata.is_empty() {
        target.origin = Some(crate::origin::Origin::default());
    }
    let mut found = builder.accumulate(&target, Accumulated::default())?;
    let schemas = Schemas::empty();
    let merger = Merger { schemas: &schemas };
    let resources = &mut found.resources;
    Transformer::Hashes.apply(resources, &merger)?;
    let config = found.config.unwrap_or_default();
    names::fix(resources, &config.name_reference)?;
    let unused = found.vars.resolve(resources, &config.var_reference)?;
    if !unused.is_empty() {
        builder.warnings.push(format!(
            "well-defined vars that were never replaced: {}",
            unused.join(",")
        ));
    }
    drop_local(resources)?;
    match &target.kustomization.sort_options {
        Some(options) => options.apply(resources)?,
        None => SortOptions::legacy().apply(resources)?,
    }
    if target.kustomization.tracks("managedByLabel") {
        let own = crate::fieldspec::FieldSpec::new(
            crate::identity::Gvk::default(),
            "metadata/labels".to_owned(),
            true,
        );
        let label = Transformer::Texts {
            texts: [(MANAGED_BY.to_owned(), VERSION.to_owned())].into(),
            specs: vec![own],
        };
        label.apply(resources, &merger)?;
    }
    Ok((found.resources, target))
}

/// The kustomization of the first folder, changed as asked.
fn edited<'a>(
    builder: &mut Builder<'a, '_>,
    folder: Rc<Folder<'a>>,
    edits: &[Edit],
) -> Result<Target<'a>> {
    let of_edit = |number: usize| {
        move |error| match error {
            Error::Build(problem) => Error::Edit { number, problem },
            other => other,
        }
    };
    if edits.is_empty() {
        return builder.load(folder);
    }
    edit::check_file(&folder).map_err(of_edit(0))?;
    let mut target = builder.load(folder).map_err(of_edit(0))?;
    for (number, edit) in edits.iter().enumerate() {
        edit.apply(&mut target.kustomization)
            .map_err(of_edit(number))?;
    }
    Ok(target)
}

/// Takes away what is for kustomize only, and refuses what has lost its name.
fn drop_local(resources: &mut Resources) -> Result<()> {
    for resource in resources.iter() {
        check_meta(resource.node())?;
    }
    resources.retain(|resource| {
        let annotations = resource.texts("annotations");
        annotations
            .get(LOCAL_CONFIG)
            .is_none_or(|value| value == "false")
    });
    Ok(())
}
