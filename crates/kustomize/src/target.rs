//! One kustomization: what it accumulates, generates and changes, and those it is made of.
//!
//! Read [`Builder::accumulate`] first; it is the order of things. A kustomization gives its resources
//! to the one that names it, which changes them further.

use std::rc::Rc;
use std::sync::Arc;

use manifest::go::quote;
use yaml::Value;

use crate::build::Options;
use crate::config::{Config, add, add_all, of_definitions};
use crate::error::{Error, Result, fail};
use crate::fieldspec::FieldSpec;
use crate::identity::Gvk;
use crate::kustomization::{FILE_NAMES, Kustomization, Label};
use crate::limits::{MAX_DEPTH, MAX_KUSTOMIZATIONS};
use crate::loader::Folder;
use crate::merge::Merger;
use crate::merge::schema::Schemas;
use crate::origin::{self, Origin};
use crate::patch::{LoadedPatch, load_own};
use crate::plugin;
use crate::remote::{Content, Needed, Remote};
use crate::resource::{Resource, parse};
use crate::resources::Resources;
use crate::transform::{Subjects, Transformer};
use crate::variable::{Var, Vars};

/// A kustomization in its folder.
pub(crate) struct Target<'a> {
    pub(crate) folder: Rc<Folder<'a>>,
    pub(crate) kustomization: Kustomization,
    file: &'static str,
    /// Where it is, when that is to be told.
    pub(crate) origin: Option<Origin>,
}

/// What kustomizations have given so far.
#[derive(Default)]
pub(crate) struct Accumulated {
    pub(crate) resources: Resources,
    pub(crate) config: Option<Arc<Config>>,
    pub(crate) vars: Vars,
}

impl Accumulated {
    fn merge_config(&mut self, other: &Arc<Config>) -> Result<()> {
        if self
            .config
            .as_ref()
            .is_some_and(|own| Arc::ptr_eq(own, other))
        {
            return Ok(());
        }
        // Merging into nothing is no copy: a field for all kinds may give way to one for some.
        let own = self.config.get_or_insert_default();
        Arc::make_mut(own).merge(Config::clone(other))
    }

    fn merge(&mut self, other: Accumulated) -> Result<()> {
        self.resources.append_all(other.resources.into_list())?;
        match (&self.config, other.config) {
            (None, config) => self.config = config,
            (Some(_), Some(config)) => self.merge_config(&config)?,
            (Some(_), None) => {}
        }
        self.vars.merge(other.vars)
    }
}

/// The state of one build.
pub(crate) struct Builder<'a, 'o> {
    options: &'o Options<'a>,
    defaults: Arc<Config>,
    custom: Option<Schemas>,
    schema_is_set: bool,
    n_kustomizations: usize,
    pub(crate) missing: Vec<Needed>,
    pub(crate) warnings: Vec<String>,
}

/// What a file says is wrong with it, with its name.
pub(crate) fn of_file(error: Error, path: &str) -> Error {
    match error.is_malformed_yaml() {
        true => error.reworded(|text| format!("{text} in File: {path}")),
        false => error,
    }
}

impl<'a, 'o> Builder<'a, 'o> {
    pub(crate) fn new(options: &'o Options<'a>) -> Self {
        Builder {
            options,
            defaults: Config::shared_defaults(),
            custom: None,
            schema_is_set: false,
            n_kustomizations: 0,
            missing: Vec::new(),
            warnings: Vec::new(),
        }
    }

    fn schemas(&self) -> &Schemas {
        match &self.custom {
            Some(custom) => custom,
            None => Schemas::builtin(),
        }
    }

    /// Reads the kustomization of a folder.
    ///
    /// # Errors
    /// There is none, or more than one, and what is wrong with it.
    pub(crate) fn load(&mut self, folder: Rc<Folder<'a>>) -> Result<Target<'a>> {
        self.n_kustomizations += 1;
        for (what, number, limit) in [
            (
                "number of kustomizations",
                self.n_kustomizations,
                MAX_KUSTOMIZATIONS,
            ),
            ("nesting of kustomizations", folder.depth(), MAX_DEPTH),
        ] {
            if number > limit {
                return Err(Error::Limit { what, limit });
            }
        }
        let mut found = Vec::new();
        for name in FILE_NAMES {
            if folder.has_file(name)? {
                found.push(name);
            }
        }
        let file = match found.as_slice() {
            [one] => *one,
            [] => {
                return fail(format!(
                    "unable to find one of 'kustomization.yaml', 'kustomization.yml' or \
                     'Kustomization' in directory '{}'",
                    folder.shown()
                ));
            }
            _ => {
                return fail(format!(
                    "Found multiple kustomization files under: {}\n",
                    folder.shown()
                ));
            }
        };
        let bytes = folder.read(file)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return fail("invalid Kustomization: yaml: invalid leading UTF-8 octet");
        };
        let mut kustomization = Kustomization::parse(text, &folder.shown())?;
        self.warnings.append(&mut kustomization.warnings);
        Ok(Target {
            folder,
            kustomization,
            file,
            origin: None,
        })
    }

    /// Takes the OpenAPI data that a kustomization names; the first one counts.
    ///
    /// # Errors
    /// The file cannot be read, or the version is not there.
    pub(crate) fn set_schema(&mut self, target: &Target<'_>) -> Result<()> {
        let Some(openapi) = &target.kustomization.openapi else {
            return Ok(());
        };
        let bytes = match openapi.get("path") {
            Some(path) => Some(target.folder.read(path)?),
            None => None,
        };
        if self.schema_is_set {
            return Ok(());
        }
        let version = openapi.get("version").map(String::as_str);
        let Some(bytes) = bytes else {
            return match version {
                None | Some("") => Ok(()),
                Some("v1.21.2") => {
                    self.schema_is_set = true;
                    Ok(())
                }
                Some(_) => fail("the specified OpenAPI version is not built in"),
            };
        };
        if version.is_some() {
            return fail("builtin version and custom schema provided, cannot use both");
        }
        self.schema_is_set = true;
        let document: Value = yaml::parse_str(&String::from_utf8_lossy(&bytes))
            .map_err(|error| Error::from(error).within("invalid schema file"))?;
        // What was read before is known by the built-in data, which then stays.
        let mut schemas = match self.n_kustomizations {
            1 => Schemas::empty(),
            _ => Schemas::builtin().clone(),
        };
        schemas.add(document);
        self.custom = Some(schemas);
        Ok(())
    }

    /// All that a kustomization gives, added to `found`.
    ///
    /// # Errors
    /// The first thing that is wrong, with the way there.
    pub(crate) fn accumulate(
        &mut self,
        target: &Target<'a>,
        mut found: Accumulated,
    ) -> Result<Accumulated> {
        let kustomization = &target.kustomization;
        for path in &kustomization.resources {
            self.resource(target, &mut found, path)
                .map_err(|error| error.within("accumulating resources"))?;
        }
        let config = self.config(target)?;
        match &found.config {
            None if Arc::ptr_eq(&config, &self.defaults) => found.config = Some(config),
            _ => found
                .merge_config(&config)
                .map_err(|error| error.within("merging config"))?,
        }
        self.add_definitions(target, &mut found)?;
        self.generate(target, &mut found)?;
        for path in &kustomization.components {
            found = self
                .component(target, found, path)
                .map_err(|error| error.within("accumulating components"))?;
        }
        self.transform(target, &mut found)?;
        self.validate(target, &mut found)?;
        found
            .vars
            .add(&kustomization.vars, &mut found.resources)
            .map_err(|error| {
                let vars: Vec<String> = kustomization.vars.iter().map(Var::shown).collect();
                error.within(&format!("merging vars [{}]", vars.join(" ")))
            })?;
        Ok(found)
    }

    fn config(&self, target: &Target<'_>) -> Result<Arc<Config>> {
        if target.kustomization.configurations.is_empty() {
            return Ok(Arc::clone(&self.defaults));
        }
        let mut more = Config::default();
        for path in &target.kustomization.configurations {
            let bytes = target.folder.read(path)?;
            more.merge(Config::parse(&String::from_utf8_lossy(&bytes))?)?;
        }
        let mut config = Config::clone(&self.defaults);
        config.merge(more)?;
        Ok(Arc::new(config))
    }

    fn add_definitions(&self, target: &Target<'_>, found: &mut Accumulated) -> Result<()> {
        let crds = &target.kustomization.crds;
        let within = |error: Error| error.within(&format!("loading CRDs [{}]", crds.join(" ")));
        for path in crds {
            let bytes = target.folder.read(path).map_err(within)?;
            let marked = of_definitions(&String::from_utf8_lossy(&bytes), path).map_err(within)?;
            found.merge_config(&Arc::new(marked))?;
        }
        Ok(())
    }

    /// Adds what an entry of `resources` stands for: a file, a folder, or something fetched.
    fn resource(&mut self, target: &Target<'a>, found: &mut Accumulated, path: &str) -> Result<()> {
        if let Some(remote) = Remote::parse(path)
            && !matches!(target.folder.has_file(path), Ok(true))
        {
            return self.remote(target, found, remote);
        }
        let of_file = match self.file(target, found, path) {
            Ok(()) => return Ok(()),
            Err(Error::Build(text)) => Error::Build(text),
            Err(other) => return Err(other),
        };
        let within = |error: Error| error.within(&format!("accumulation err='{of_file}'"));
        let folder = match target.folder.enter(path) {
            Ok(folder) => folder,
            Err(Error::Build(_)) if of_file.is_malformed_yaml() => return Err(of_file),
            Err(error) => return Err(within(error)),
        };
        let base = std::mem::take(found);
        *found = self
            .folder(target, base, (folder, path), Role::Resource)
            .map_err(within)?;
        Ok(())
    }

    fn remote(
        &mut self,
        target: &Target<'a>,
        found: &mut Accumulated,
        remote: Remote,
    ) -> Result<()> {
        let path = remote.url.as_str();
        match self.options.remotes.get(path).cloned() {
            None => {
                self.missing.push(Needed::Remote(remote));
                Ok(())
            }
            Some(Content::File(bytes)) => {
                let resources = parse(&bytes).map_err(|error| {
                    error.within(&format!("accumulating resources from '{path}'"))
                })?;
                append(target, found, path, resources)
            }
            Some(Content::Repository(tree)) => {
                let inner = remote
                    .repository
                    .as_ref()
                    .map_or("", |spec| spec.path.as_str());
                let folder = target.folder.enter_repository(tree, inner)?;
                let base = std::mem::take(found);
                *found = self.folder(target, base, (folder, path), Role::Resource)?;
                Ok(())
            }
        }
    }

    fn file(&self, target: &Target<'_>, found: &mut Accumulated, path: &str) -> Result<()> {
        let resources = target
            .folder
            .read(path)
            .and_then(|bytes| parse(&bytes).map_err(|error| of_file(error, path)));
        let resources = resources
            .map_err(|error| error.within(&format!("accumulating resources from '{path}'")))?;
        append(target, found, path, resources)
    }

    fn component(
        &mut self,
        target: &Target<'a>,
        found: Accumulated,
        path: &str,
    ) -> Result<Accumulated> {
        let folder = match Remote::parse(path) {
            None => target
                .folder
                .enter(path)
                .map_err(|error| error.reworded(|text| format!("loader.New {}", quote(text))))?,
            Some(remote) => match self.options.remotes.get(path) {
                Some(Content::Repository(tree)) => {
                    let inner = remote
                        .repository
                        .as_ref()
                        .map_or("", |spec| spec.path.as_str());
                    target.folder.enter_repository(*tree, inner)?
                }
                Some(Content::File(_)) => return fail(format!("'{path}' is a file")),
                None => {
                    self.missing.push(Needed::Remote(remote));
                    return Ok(found);
                }
            },
        };
        self.folder(target, found, (folder, path), Role::Component)
            .map_err(|error| error.reworded(|text| format!("accumulateDirectory: {}", quote(text))))
    }

    /// Builds another kustomization: a component changes what was found, all else is added to it.
    fn folder(
        &mut self,
        target: &Target<'a>,
        mut found: Accumulated,
        (folder, path): (Folder<'a>, &str),
        role: Role,
    ) -> Result<Accumulated> {
        let shown = folder.shown();
        let mut inner = self
            .load(Rc::new(folder))
            .map_err(|error| error.within(&format!("couldn't make target for path '{shown}'")))?;
        inner.kustomization.build_metadata = target.kustomization.build_metadata.clone();
        inner.origin = target.origin.as_ref().map(|origin| origin.append(path));
        self.set_schema(&inner)?;
        match (role, inner.kustomization.is_component) {
            (Role::Component, false) => {
                return fail(format!(
                    "expected kind 'Component' for path '{shown}' but got 'Kustomization'"
                ));
            }
            (Role::Resource, true) => {
                return fail(format!("expected kind != 'Component' for path '{shown}'"));
            }
            _ => {}
        }
        let given = match role {
            Role::Component => std::mem::take(&mut found),
            Role::Resource => Accumulated::default(),
        };
        let built = self
            .accumulate(&inner, given)
            .map_err(|error| error.within(&format!("recursed accumulation of path '{shown}'")))?;
        found
            .merge(built)
            .map_err(|error| error.within(&format!("recursed merging from path '{shown}'")))?;
        Ok(found)
    }

    fn generate(&mut self, target: &Target<'a>, found: &mut Accumulated) -> Result<()> {
        let kustomization = &target.kustomization;
        let global = kustomization.generator_options.as_ref();
        let folder = &target.folder;
        for arguments in &kustomization.config_map_generator {
            let made = arguments.clone().with_global(global).config_map(folder)?;
            target.absorb(found, vec![made], "ConfigMapGenerator")?;
        }
        for arguments in &kustomization.secret_generator {
            let made = arguments.clone().with_global(global).secret(folder)?;
            target.absorb(found, vec![made], "SecretGenerator")?;
        }
        for chart in &kustomization.helm_charts {
            let name = "HelmChartInflationGenerator";
            let text = chart.inflate(folder, self.options.inflate);
            if let Some(text) = self.at_hand(text)? {
                target.absorb(found, parse(text.as_bytes())?, name)?;
            }
        }
        let configs = self
            .configs(target, &kustomization.generators)
            .map_err(|error| error.within("loading generator plugins"))?;
        for config in &configs {
            let made = plugin::generator(config, folder, self.options.inflate);
            let made = self.at_hand(made)?.unwrap_or_default();
            let origin = Origin::of_plugin(config);
            absorb(found, made, origin.as_ref(), &config.id().gvk.kind)?;
        }
        Ok(())
    }

    /// What needs something that is missing is left out, so that all that is missing can be told.
    fn at_hand<T>(&mut self, result: Result<T>) -> Result<Option<T>> {
        match result {
            Err(Error::Missing(needed)) => {
                self.missing.extend(needed);
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// The resources that configure transformers or generators: texts, files and folders.
    fn configs(&mut self, target: &Target<'a>, entries: &[String]) -> Result<Vec<Resource>> {
        let mut found = Accumulated::default();
        let mut paths = Vec::new();
        for entry in entries {
            match parse(entry.as_bytes()) {
                Err(_) => paths.push(entry),
                Ok(mut resources) => {
                    if let Some(origin) = &target.origin {
                        let text = origin.append(target.file).to_text();
                        for resource in &mut resources {
                            origin::set(resource, &text)?;
                        }
                    }
                    found.resources.append_all(resources)?;
                }
            }
        }
        for path in paths {
            self.resource(target, &mut found, path)?;
        }
        Ok(found.resources.into_list())
    }

    fn transform(&mut self, target: &Target<'a>, found: &mut Accumulated) -> Result<()> {
        let config = found
            .config
            .clone()
            .unwrap_or_else(|| Arc::clone(&self.defaults));
        let mut all = target.transformers(&config)?;
        for resource in self.configs(target, &target.kustomization.transformers)? {
            let transformer = plugin::transformer(&resource, &target.folder)?;
            all.push((transformer, Origin::of_plugin(&resource)));
        }
        if all.is_empty() {
            return Ok(());
        }
        let merger = Merger {
            schemas: self.schemas(),
        };
        for (transformer, origin) in all {
            transformer.apply(&mut found.resources, &merger)?;
            if let Some(origin) = origin {
                for resource in found.resources.iter_mut() {
                    origin::note(resource, &origin)?;
                }
            }
            found.resources.drop_gone();
        }
        Ok(())
    }

    fn validate(&mut self, target: &Target<'a>, found: &mut Accumulated) -> Result<()> {
        const VALIDATED_BY: &str = "validated-by";
        for config in self.configs(target, &target.kustomization.validators)? {
            let transformer = plugin::transformer(&config, &target.folder)?;
            let before: Vec<Resource> = found.resources.iter().cloned().collect();
            let merger = Merger {
                schemas: self.schemas(),
            };
            transformer.apply(&mut found.resources, &merger)?;
            for (one, was) in found.resources.iter().zip(&before) {
                let mut now = one.clone();
                let mut labels = now.texts("labels");
                if labels.remove(VALIDATED_BY).is_some() {
                    now.set_texts("labels", &labels)?;
                }
                if now.to_value()? != was.to_value()? {
                    return fail(format!(
                        "validator shouldn't modify the resource map: nodes unequal: \n -- {},\n -- {}\n",
                        was.to_json(),
                        now.to_json()
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What a kustomization in another one is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Resource,
    Component,
}

/// Adds the resources of a file.
fn append(
    target: &Target<'_>,
    found: &mut Accumulated,
    path: &str,
    mut resources: Vec<Resource>,
) -> Result<()> {
    if let Some(origin) = &target.origin {
        let text = origin.append(path).to_text();
        for resource in &mut resources {
            origin::set(resource, &text)?;
        }
    }
    found
        .resources
        .append_all(resources)
        .map_err(|error| error.within(&format!("merging resources from '{path}'")))
}

/// Adds what a generator made.
fn absorb(
    found: &mut Accumulated,
    made: Vec<Resource>,
    origin: Option<&Origin>,
    name: &str,
) -> Result<()> {
    for mut resource in made {
        if let Some(origin) = origin.filter(|_| !origin::has_origin(&resource)) {
            origin::set(&mut resource, &origin.to_text())?;
        }
        found
            .resources
            .absorb(resource)
            .map_err(|error| error.within(&format!("merging from generator {name}")))?;
    }
    Ok(())
}

type Noted = (Transformer, Option<Origin>);

impl Target<'_> {
    fn builtin(&self, kind: &str) -> Option<Origin> {
        let origin = self.origin.as_ref()?;
        Some(origin.builtin(self.file, kind))
    }

    fn absorb(&self, found: &mut Accumulated, made: Vec<Resource>, name: &str) -> Result<()> {
        absorb(found, made, self.builtin(name).as_ref(), name)
    }

    /// The transformers that the fields ask for, in their order.
    fn transformers(&self, config: &Config) -> Result<Vec<Noted>> {
        let mut all = Vec::new();
        self.add_patches(&mut all)?;
        self.add_names(config, &mut all);
        self.add_texts(config, &mut all)?;
        let kustomization = &self.kustomization;
        for patch in &kustomization.patches_json6902 {
            let name = "PatchJson6902Transformer";
            let loaded = patch
                .load_json6902(&self.folder)
                .map_err(|error| trouble(error, name, &patch.shown()))?;
            all.push((Transformer::Patch(loaded), self.builtin(name)));
        }
        for replica in &kustomization.replicas {
            let transformer = Transformer::Replicas {
                replica: replica.clone(),
                specs: config.replicas.clone(),
            };
            all.push((transformer, self.builtin("ReplicaCountTransformer")));
        }
        for image in &kustomization.images {
            let transformer = Transformer::Images {
                image: image.clone(),
                specs: config.images.clone(),
            };
            all.push((transformer, self.builtin("ImageTagTransformer")));
        }
        if !kustomization.replacements.is_empty() {
            let name = "ReplacementTransformer";
            let mut loaded = Vec::new();
            for replacement in &kustomization.replacements {
                loaded.extend(
                    replacement
                        .load(&self.folder)
                        .map_err(|error| trouble(error, name, ""))?,
                );
            }
            all.push((Transformer::Replacements(loaded), self.builtin(name)));
        }
        Ok(all)
    }

    fn add_patches(&self, all: &mut Vec<Noted>) -> Result<()> {
        let own = &self.kustomization.patches_strategic_merge;
        if !own.is_empty() {
            let name = "PatchStrategicMergeTransformer";
            let shown = || {
                let mut map = yaml::Map::new();
                let paths = own.iter().map(|path| Value::from(path.as_str()));
                map.insert("paths", Value::List(paths.collect()));
                yaml::emit(&Value::Map(map))
            };
            let loaded = load_own(own, &self.folder)
                .and_then(|patches| match patches.is_empty() {
                    true => fail(format!(
                        "patch appears to be empty; files=[{}], Patch=",
                        own.join(" ")
                    )),
                    false => Ok(patches),
                })
                .map_err(|error| trouble(error, name, &shown()))?;
            let transformer = Transformer::Patch(LoadedPatch::Own(loaded));
            all.push((transformer, self.builtin(name)));
        }
        for patch in &self.kustomization.patches {
            let name = "PatchTransformer";
            let loaded = patch
                .load(&self.folder, "")
                .map_err(|error| trouble(error, name, &patch.shown()))?;
            all.push((Transformer::Patch(loaded), self.builtin(name)));
        }
        Ok(())
    }

    fn add_names(&self, config: &Config, all: &mut Vec<Noted>) {
        let kustomization = &self.kustomization;
        if !kustomization.namespace.is_empty() {
            let transformer = Transformer::Namespace {
                namespace: kustomization.namespace.clone(),
                specs: config.namespace.clone(),
                unset_only: false,
                subjects: Subjects::NamedDefault,
            };
            all.push((transformer, self.builtin("NamespaceTransformer")));
        }
        if !kustomization.name_prefix.is_empty() {
            let transformer = Transformer::Affix {
                prefix: kustomization.name_prefix.clone(),
                suffix: String::new(),
                specs: config.name_prefix.clone(),
            };
            all.push((transformer, self.builtin("PrefixTransformer")));
        }
        if !kustomization.name_suffix.is_empty() {
            let transformer = Transformer::Affix {
                prefix: String::new(),
                suffix: kustomization.name_suffix.clone(),
                specs: config.name_suffix.clone(),
            };
            all.push((transformer, self.builtin("SuffixTransformer")));
        }
    }

    fn add_texts(&self, config: &Config, all: &mut Vec<Noted>) -> Result<()> {
        let kustomization = &self.kustomization;
        let labels = || self.builtin("LabelTransformer");
        for label in &kustomization.labels {
            let specs = label_specs(label, config)?;
            let texts = label.pairs.clone();
            all.push((Transformer::Texts { texts, specs }, labels()));
        }
        let common = kustomization.common_labels.clone().unwrap_or_default();
        if !kustomization.labels.is_empty() || !common.is_empty() {
            let transformer = Transformer::Texts {
                texts: common,
                specs: config.common_labels.clone(),
            };
            all.push((transformer, labels()));
        }
        if !kustomization.common_annotations.is_empty() {
            let transformer = Transformer::Texts {
                texts: kustomization.common_annotations.clone(),
                specs: config.common_annotations.clone(),
            };
            all.push((transformer, self.builtin("AnnotationsTransformer")));
        }
        Ok(())
    }
}

/// The fields that an entry of `labels` is put into.
fn label_specs(label: &Label, config: &Config) -> Result<Vec<FieldSpec>> {
    let within = |error: Error| error.within("failed to merge labels");
    let mut specs = label.fields.clone();
    add_all(&mut specs, config.labels.clone()).map_err(within)?;
    if label.include_selectors {
        add_all(&mut specs, config.common_labels.clone()).map_err(within)?;
        return Ok(specs);
    }
    if label.include_templates {
        add_all(&mut specs, config.template_labels.clone())
            .map_err(|error| error.within("failed to merge template fieldSpec"))?;
    }
    let own = FieldSpec::new(Gvk::default(), "metadata/labels".to_owned(), true);
    add(&mut specs, own).map_err(within)?;
    Ok(specs)
}

fn trouble(error: Error, name: &str, config: &str) -> Error {
    error.within(&format!(
        "trouble configuring builtin {name} with config: `\n{config}`"
    ))
}
