//! What templates see: `.Values`, `.Chart`, `.Release`, `.Files`, `.Capabilities` and the rest.
//!
//! Read [`Scopes`]. Charts share what they share in Helm: a subchart's values are a part of its
//! parent's, and a template that changes them changes both.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gotmpl::text::text_of_bytes;
use gotmpl::{
    Data, Element, Kind, List, Map, Member, Object, Scope, Signature, Type, Value as Go, Width,
};

use crate::capabilities::HELM_VERSION;
use crate::chart::Children;
use crate::dependencies::{Active, imports};
use crate::glob::Glob;
use crate::metadata::{Dependency, Metadata};
use crate::render::Release;
use crate::{Capabilities, File, KubeVersion, Values};

/// The dot of the templates of each chart.
pub(crate) struct Scopes<'a> {
    shared: Vec<(Arc<str>, Go)>,
    /// The charts from the root down, each with its dot.
    pub(crate) charts: Vec<(&'a Active<'a>, Map)>,
}

impl<'a> Scopes<'a> {
    /// The dots of all charts of a render.
    pub(crate) fn new(
        root: &'a Active<'a>,
        values: &Values,
        release: &Release,
        capabilities: &Capabilities,
    ) -> Self {
        let capabilities = Go::Object(Rc::new(CapabilitiesObject::new(capabilities)));
        let mut scopes = Scopes {
            shared: vec![
                ("Release".into(), Go::Map(release_map(release))),
                ("Capabilities".into(), capabilities),
            ],
            charts: Vec::new(),
        };
        scopes.chart(root, &values.to_template(), true);
        scopes
    }

    fn chart(&mut self, chart: &'a Active<'a>, values: &Map, is_root: bool) -> Map {
        let dot: Map = self.shared.iter().cloned().collect();
        let metadata = metadata_map(chart);
        metadata.set("IsRoot".into(), Go::Bool(is_root));
        let files = Files(chart.node.loaded.files.clone());
        dot.set("Chart".into(), Go::Map(metadata));
        dot.set("Files".into(), Go::Object(Rc::new(files)));
        dot.set("Values".into(), Go::Map(values.clone()));
        self.charts.push((chart, dot.clone()));
        let subcharts = Map::new(Element::Any);
        for child in &chart.children {
            let own =
                child
                    .name
                    .split('.')
                    .try_fold(values.clone(), |map, key| match map.get(key) {
                        Some(Go::Map(inner)) => Some(inner),
                        _ => None,
                    });
            let own = own.unwrap_or_else(|| Map::new(Element::Any));
            let dot = self.chart(child, &own, false);
            subcharts.set(child.name.clone(), Go::Map(dot));
        }
        dot.set("Subcharts".into(), Go::Map(subcharts));
        dot
    }
}

fn release_map(release: &Release) -> Map {
    [
        ("Name", Go::text(&release.name)),
        ("Namespace", Go::text(&release.namespace)),
        ("IsUpgrade", Go::Bool(release.is_upgrade)),
        ("IsInstall", Go::Bool(!release.is_upgrade)),
        ("Revision", Go::int(release.revision)),
        ("Service", Go::text("Helm")),
    ]
    .into_iter()
    .map(|(key, value)| (key.into(), value))
    .collect()
}

fn map_of<const N: usize>(fields: [(&str, Go); N]) -> Map {
    fields
        .into_iter()
        .map(|(key, value)| (key.into(), value))
        .collect()
}

fn text_list(texts: &[String]) -> Go {
    Go::list(texts.iter().map(|text| Go::text(text)).collect())
}

fn metadata_map(chart: &Active<'_>) -> Map {
    let metadata: &Metadata = &chart.node.loaded.metadata;
    let text = |text: &String| Go::text(text);
    let maintainers = metadata.maintainers.iter().map(|one| {
        Go::Map(map_of([
            ("Name", text(&one.name)),
            ("Email", text(&one.email)),
            ("URL", text(&one.url)),
        ]))
    });
    let annotations = match &metadata.annotations {
        None => Map::nil(Element::Text),
        Some(all) => text_map(all.iter().map(|(key, value)| (&**key, &**value))),
    };
    let dependencies = chart.declared.iter().map(|one| dependency(chart, one));
    map_of([
        ("Name", Go::Text(chart.name.clone())),
        ("Home", text(&metadata.home)),
        ("Sources", text_list(&metadata.sources)),
        ("Version", text(&metadata.version)),
        ("Description", text(&metadata.description)),
        ("Keywords", text_list(&metadata.keywords)),
        ("Maintainers", Go::list(maintainers.collect())),
        ("Icon", text(&metadata.icon)),
        ("APIVersion", text(&metadata.api_version)),
        ("Condition", text(&metadata.condition)),
        ("Tags", text(&metadata.tags)),
        ("AppVersion", text(&metadata.app_version)),
        ("Deprecated", Go::Bool(metadata.deprecated)),
        ("Annotations", Go::Map(annotations)),
        ("KubeVersion", text(&metadata.kube_version)),
        ("Dependencies", Go::list(dependencies.collect())),
        ("Type", text(&metadata.kind)),
    ])
}

fn text_map<'t>(entries: impl Iterator<Item = (&'t str, &'t str)>) -> Map {
    let map = Map::new(Element::Text);
    for (key, value) in entries {
        map.set(key.into(), Go::text(value));
    }
    map
}

fn dependency<'c>(chart: &Active<'c>, one: &'c Dependency) -> Go {
    let imports = imports(one).map(|import| {
        let entries = [("child", &*import.child), ("parent", &*import.parent)];
        Go::Map(text_map(entries.into_iter()))
    });
    Go::Map(map_of([
        ("Name", Go::text(chart.name_of(one))),
        ("Version", Go::text(&one.version)),
        ("Repository", Go::text(&one.repository)),
        ("Condition", Go::text(&one.condition)),
        ("Tags", text_list(&one.tags)),
        (
            "Enabled",
            Go::Bool(chart.node.children_of == Children::Declared),
        ),
        ("ImportValues", Go::list(imports.collect())),
        ("Alias", Go::text(&one.alias)),
    ]))
}

/// `.Files`: the files of a chart that have no other meaning.
#[derive(Clone)]
struct Files(Arc<[File]>);

impl Files {
    fn bytes(&self, name: &str) -> &[u8] {
        let found = self.0.iter().find(|file| &*file.name == name);
        found.map_or(&[], |file| &file.data)
    }

    /// A broken pattern stands for all files, as in Helm.
    fn glob(&self, pattern: &str) -> Files {
        let glob = Glob::parse(pattern);
        let fits = |file: &&File| glob.as_ref().is_none_or(|glob| glob.fits(&file.name));
        Files(self.0.iter().filter(fits).cloned().collect())
    }

    fn lines(&self, name: &str) -> Vec<Go> {
        let text = text_of_bytes(self.bytes(name));
        if text.is_empty() {
            return Vec::new();
        }
        let text = text.strip_suffix('\n').unwrap_or(&text);
        text.split('\n').map(Go::text).collect()
    }

    /// Files under the last parts of their names, as YAML.
    fn as_yaml(&self, text: impl Fn(&[u8]) -> String) -> String {
        let entries = self.0.iter().map(|file| {
            let name = file
                .name
                .rsplit_once('/')
                .map_or(&*file.name, |(_, name)| name);
            (name.to_owned(), yaml::Value::from(text(&file.data)))
        });
        let map: yaml::Map = entries.collect();
        yaml::emit(&map.into()).trim_end_matches('\n').to_owned()
    }
}

fn byte_list(bytes: &[u8]) -> Go {
    let items = bytes
        .iter()
        .map(|byte| Go::Integer((*byte).into(), Width::Uint8));
    Go::List(List::new(items.collect(), Element::Byte))
}

impl Object for Files {
    fn type_name(&self) -> String {
        "engine.files".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn data(&self) -> Data {
        let map = Map::new(Element::Any);
        for file in self.0.iter() {
            map.set(file.name.clone(), byte_list(&file.data));
        }
        Data::Value(Go::Map(map))
    }

    fn member(&self, name: &str) -> Option<Member> {
        method(&FILES, name)
    }

    fn call(&self, _: &mut Scope<'_>, name: &str, given: &[Go]) -> Result<Go, String> {
        let argument = match given.first() {
            Some(Go::Text(text)) => text,
            _ => "",
        };
        Ok(match name {
            "Get" => Go::Text(text_of_bytes(self.bytes(argument))),
            "GetBytes" => byte_list(self.bytes(argument)),
            "Glob" => Go::Object(Rc::new(self.glob(argument))),
            "Lines" => Go::List(List::new(self.lines(argument), Element::Text)),
            "AsConfig" => {
                Go::text(&self.as_yaml(|bytes| String::from_utf8_lossy(bytes).into_owned()))
            }
            _ => Go::text(&self.as_yaml(|bytes| STANDARD.encode(bytes))),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Methods by name.
type Methods = [(&'static str, Signature<'static>)];

fn method(methods: &Methods, name: &str) -> Option<Member> {
    let (_, signature) = methods.iter().find(|(known, _)| *known == name)?;
    Some(Member::Method(*signature))
}

const NAME: &[Type] = &[Type::Text];

const FILES: [(&str, Signature<'static>); 6] = [
    ("Get", Signature::new(NAME, Type::Text)),
    ("GetBytes", Signature::new(NAME, Type::List(Element::Byte))),
    ("Glob", Signature::new(NAME, Type::Named("engine.files"))),
    ("Lines", Signature::new(NAME, Type::List(Element::Text))),
    ("AsConfig", Signature::new(&[], Type::Text)),
    ("AsSecrets", Signature::new(&[], Type::Text)),
];

/// `.Capabilities`: each look at a field gives an object of its own over what is there once.
struct CapabilitiesObject {
    kube_version: Rc<KubeVersion>,
    api_versions: Rc<[String]>,
}

impl CapabilitiesObject {
    fn new(capabilities: &Capabilities) -> Self {
        CapabilitiesObject {
            kube_version: Rc::new(capabilities.kube_version.clone()),
            api_versions: capabilities.api_versions.as_slice().into(),
        }
    }
}

impl Object for CapabilitiesObject {
    fn type_name(&self) -> String {
        "*common.Capabilities".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Pointer
    }

    fn data(&self) -> Data {
        let versions = VersionSet(self.api_versions.clone());
        Data::Fields(vec![
            (
                "KubeVersion",
                Go::Object(Rc::new(KubeVersionObject(self.kube_version.clone()))),
            ),
            ("APIVersions", Go::Object(Rc::new(versions))),
            ("HelmVersion", Go::Object(Rc::new(BuildInfo))),
        ])
    }

    fn member(&self, name: &str) -> Option<Member> {
        field(self.data(), name)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn field(data: Data, name: &str) -> Option<Member> {
    let Data::Fields(fields) = data else {
        return None;
    };
    let (_, value) = fields.into_iter().find(|(known, _)| *known == name)?;
    Some(Member::Field(value))
}

/// `.Capabilities.KubeVersion`
struct KubeVersionObject(Rc<KubeVersion>);

impl Object for KubeVersionObject {
    fn type_name(&self) -> String {
        "common.KubeVersion".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn text(&self) -> Option<String> {
        Some(self.0.plain.clone())
    }

    fn data(&self) -> Data {
        Data::Fields(vec![
            ("Version", Go::text(&self.0.version)),
            ("Major", Go::text(&self.0.major)),
            ("Minor", Go::text(&self.0.minor)),
        ])
    }

    fn member(&self, name: &str) -> Option<Member> {
        const METHODS: [(&str, Signature<'static>); 2] = [
            ("String", Signature::new(&[], Type::Text)),
            ("GitVersion", Signature::new(&[], Type::Text)),
        ];
        method(&METHODS, name).or_else(|| field(self.data(), name))
    }

    fn call(&self, _: &mut Scope<'_>, name: &str, _: &[Go]) -> Result<Go, String> {
        Ok(Go::text(match name {
            "String" => &self.0.plain,
            _ => &self.0.version,
        }))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.APIVersions`
struct VersionSet(Rc<[String]>);

impl Object for VersionSet {
    fn type_name(&self) -> String {
        "common.VersionSet".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn data(&self) -> Data {
        let texts = self.0.iter().map(|text| Go::text(text)).collect();
        Data::Value(Go::List(List::new(texts, Element::Text)))
    }

    fn member(&self, name: &str) -> Option<Member> {
        const METHODS: [(&str, Signature<'static>); 1] =
            [("Has", Signature::new(NAME, Type::Bool))];
        method(&METHODS, name)
    }

    fn call(&self, _: &mut Scope<'_>, _: &str, given: &[Go]) -> Result<Go, String> {
        let has = match given.first() {
            Some(Go::Text(wanted)) => self.0.iter().any(|known| **known == **wanted),
            _ => false,
        };
        Ok(Go::Bool(has))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `.Capabilities.HelmVersion`
struct BuildInfo;

impl Object for BuildInfo {
    fn type_name(&self) -> String {
        "version.BuildInfo".to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn data(&self) -> Data {
        // Encoders see the names of its JSON form.
        let fields = HELM_VERSION.iter();
        Data::Fields(
            fields
                .map(|(_, name, text)| (*name, Go::text(text)))
                .collect(),
        )
    }

    fn member(&self, name: &str) -> Option<Member> {
        let (.., text) = HELM_VERSION.iter().find(|(known, ..)| *known == name)?;
        Some(Member::Field(Go::text(text)))
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
