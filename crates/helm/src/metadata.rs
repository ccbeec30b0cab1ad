//! `Chart.yaml`: what a chart says of itself.
//!
//! Read [`Metadata`]. Fields are read as Go's decoder reads them into Helm's structs: scalars become
//! texts where a text is wanted, and the first field of a wrong type is named.

use yaml::Value as Yaml;

use crate::versions;
use crate::{Error, Value};

/// What `Chart.yaml` says, and `requirements.yaml` for charts of version 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The name; that of an alias where a chart is one.
    pub name: String,
    /// The version.
    pub version: String,
    /// `v1` or `v2`.
    pub api_version: String,
    /// The version of what is in it.
    pub app_version: String,
    /// A sentence about it.
    pub description: String,
    /// `application`, `library` or nothing.
    pub kind: String,
    /// Which versions of Kubernetes it needs.
    pub kube_version: String,
    /// Whether nobody should use it any more.
    pub deprecated: bool,
    /// Charts that it needs.
    pub dependencies: Vec<Dependency>,
    /// Whether it has a list of those at all: Helm looks at conditions of the charts in it only then.
    pub(crate) declares: bool,
    /// The list that has a null in it.
    absent: Option<&'static str>,
    /// Where its project is.
    pub home: String,
    /// Where its sources are.
    pub sources: Vec<String>,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who keeps it.
    pub maintainers: Vec<Maintainer>,
    /// A picture.
    pub icon: String,
    /// A condition; only for charts of Helm 2.
    pub condition: String,
    /// Tags; only for charts of Helm 2.
    pub tags: String,
    /// What others noted on it; none when the field is absent.
    pub annotations: Option<Vec<(String, String)>>,
}

/// Somebody who keeps a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// Their page.
    pub url: String,
}

/// A chart that another one needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// A version or a range of versions.
    pub version: String,
    /// Where it is: a URL, `file://…`, `@name` or `alias:name`; may be empty.
    pub repository: String,
    /// Paths of values that turn it on or off, the first one found decides.
    pub condition: String,
    /// Names in the values' `tags` that turn it on or off.
    pub tags: Vec<String>,
    /// Which of its values its parent takes over.
    pub import_values: Vec<Value>,
    /// Another name for it.
    pub alias: String,
}

/// Deserializes as Go does: goes on after an error, and tells the first one.
struct Fields<'y> {
    map: &'y yaml::Map,
    /// The struct, as Go names it.
    of: &'static str,
    /// The fields above, each with a point behind it.
    path: String,
    problem: Option<String>,
}

impl<'y> Fields<'y> {
    fn get(&self, name: &str) -> Option<&'y Yaml> {
        let same = |key: &&yaml::Str| key.eq_ignore_ascii_case(name);
        let found = self.map.get(name).or_else(|| {
            let key = self.map.keys().find(same)?;
            self.map.get(key)
        });
        found.filter(|value| !value.is_null())
    }

    fn wrong(&mut self, name: &str, found: &Yaml, wanted: &str) {
        if self.problem.is_none() {
            self.problem = Some(format!(
                "json: cannot unmarshal {} into Go struct field {}.{}{name} of type {wanted}",
                found.kind(),
                self.of,
                self.path
            ));
        }
    }

    fn text(&mut self, name: &str) -> String {
        match self.get(name) {
            None => String::new(),
            Some(value) => match as_text(value) {
                Some(text) => sanitized(&text),
                None => {
                    self.wrong(name, value, "string");
                    String::new()
                }
            },
        }
    }

    fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Yaml::Bool(flag)) => *flag,
            Some(other) => {
                self.wrong(name, other, "bool");
                false
            }
        }
    }

    fn list(&mut self, name: &str, wanted: &str) -> &'y [Yaml] {
        match self.get(name) {
            None => &[],
            Some(Yaml::List(items)) => items,
            Some(other) => {
                self.wrong(name, other, wanted);
                &[]
            }
        }
    }

    fn texts(&mut self, name: &str) -> Vec<String> {
        let items = self.list(name, "[]string");
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match as_text(item) {
                Some(text) => texts.push(sanitized(&text)),
                None if item.is_null() => texts.push(String::new()),
                None => self.wrong(name, item, "string"),
            }
        }
        texts
    }

    fn text_map(&mut self, name: &str) -> Option<Vec<(String, String)>> {
        let map = match self.get(name)? {
            Yaml::Map(map) => map,
            other => {
                self.wrong(name, other, "map[string]string");
                return None;
            }
        };
        let mut texts = Vec::with_capacity(map.len());
        for (key, value) in map.iter() {
            match as_text(value) {
                Some(text) => texts.push((key.to_string(), text)),
                None if value.is_null() => texts.push((key.to_string(), String::new())),
                None => self.wrong(name, value, "string"),
            }
        }
        Some(texts)
    }

    /// The structs of a list; a null one is none.
    fn structs<T>(
        &mut self,
        name: &str,
        wanted: &'static str,
        read: fn(&mut Fields<'y>) -> T,
    ) -> Vec<Option<T>> {
        let mut all = Vec::new();
        for item in self.list(name, wanted) {
            all.push(match item {
                Yaml::Null => None,
                Yaml::Map(map) => {
                    let mut fields = Fields {
                        map,
                        of: wanted.trim_start_matches("[]*v2."),
                        path: format!("{}{name}.", self.path),
                        problem: self.problem.take(),
                    };
                    let value = read(&mut fields);
                    self.problem = fields.problem;
                    Some(value)
                }
                other => {
                    self.wrong(name, other, wanted.trim_start_matches("[]*"));
                    None
                }
            });
        }
        all
    }
}

/// A scalar where a text is wanted.
fn as_text(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(text) => Some(text.to_string()),
        Yaml::Bool(flag) => Some(flag.to_string()),
        Yaml::Int(number) => Some(number.to_string()),
        Yaml::Uint(number) => Some(number.to_string()),
        Yaml::Float(number) => Some(gotmpl::text::sprintf(
            "%g",
            &[gotmpl::Value::Float(*number)],
        )),
        Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
    }
}

/// All space is a space, and what cannot be printed goes.
fn sanitized(text: &str) -> String {
    let is_plain = |it: char| it == ' ' || !it.is_whitespace() && !it.is_control();
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    text.chars()
        .filter_map(|it| match it {
            it if it.is_whitespace() => Some(' '),
            it if it.is_control() => None,
            it => Some(it),
        })
        .collect()
}

/// The map that a file is; nothing when it says nothing. Errors name the Go type that is wanted.
pub(crate) fn parse_map(text: &str, wanted: &str) -> Result<yaml::Map, Error> {
    let value = yaml::parse_str(text).map_err(|error| {
        Error::text(format!(
            "error converting YAML to JSON: {}",
            error.go_text()
        ))
    })?;
    match value {
        Yaml::Null => Ok(yaml::Map::new()),
        Yaml::Map(map) => Ok(map),
        other => Err(wrong_document(&format!(
            "json: cannot unmarshal {} into Go value of type {wanted}",
            other.kind()
        ))),
    }
}

fn wrong_document(problem: &str) -> Error {
    Error::text(format!(
        "error unmarshaling JSON: while decoding JSON: {problem}"
    ))
}

impl Metadata {
    /// Reads a `Chart.yaml`, or a `requirements.yaml` over one.
    ///
    /// # Errors
    /// [`Error::Text`] when a field is of a wrong type.
    pub(crate) fn read(map: &yaml::Map) -> Result<Self, Error> {
        let mut fields = Fields {
            map,
            of: "Metadata",
            path: String::new(),
            problem: None,
        };
        let mut metadata = Metadata {
            name: fields.text("name"),
            home: fields.text("home"),
            sources: fields.texts("sources"),
            version: fields.text("version"),
            description: fields.text("description"),
            keywords: fields.texts("keywords"),
            maintainers: Vec::new(),
            icon: fields.text("icon"),
            api_version: fields.text("apiVersion"),
            condition: fields.text("condition"),
            tags: fields.text("tags"),
            app_version: fields.text("appVersion"),
            deprecated: fields.flag("deprecated"),
            annotations: fields.text_map("annotations"),
            kube_version: fields.text("kubeVersion"),
            dependencies: Vec::new(),
            declares: fields.get("dependencies").is_some(),
            absent: None,
            kind: fields.text("type"),
        };
        let maintainers = fields.structs("maintainers", "[]*v2.Maintainer", maintainer);
        let dependencies = fields.structs("dependencies", "[]*v2.Dependency", dependency);
        if let Some(problem) = fields.problem {
            return Err(wrong_document(&problem));
        }
        if metadata.api_version.is_empty() {
            metadata.api_version = "v1".to_owned();
        }
        let has_null = maintainers.iter().any(Option::is_none);
        let absent = [
            has_null.then_some("maintainers"),
            dependencies
                .iter()
                .any(Option::is_none)
                .then_some("dependencies"),
        ];
        metadata.absent = absent.into_iter().flatten().next();
        metadata.maintainers = maintainers.into_iter().flatten().collect();
        metadata.dependencies = dependencies.into_iter().flatten().collect();
        Ok(metadata)
    }

    /// What Helm checks before it uses a chart.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let name = gotmpl::quote(&self.name);
        if self.name.is_empty() {
            return invalid("chart.metadata.name is required");
        }
        if self.name == "." || self.name == ".." {
            return invalid(&format!("chart.metadata.name {name} is not allowed"));
        }
        if self.name.contains('/') {
            return invalid(&format!("chart.metadata.name {name} is invalid"));
        }
        if self.version.is_empty() {
            return invalid("chart.metadata.version is required");
        }
        if !versions::is_version(&self.version) {
            let version = gotmpl::quote(&self.version);
            return invalid(&format!("chart.metadata.version {version} is invalid"));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return invalid("chart.metadata.type must be application or library");
        }
        if let Some(list) = self.absent {
            return invalid(&format!("{list} must not contain empty or null nodes"));
        }
        self.validate_dependencies()
    }

    fn validate_dependencies(&self) -> Result<(), Error> {
        let mut names: Vec<&str> = Vec::new();
        for dependency in &self.dependencies {
            let is_plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '_' | '-');
            if !dependency.alias.chars().all(is_plain) {
                let name = gotmpl::quote(&dependency.name);
                return invalid(&format!(
                    "dependency {name} has disallowed characters in the alias"
                ));
            }
            let name = dependency.name_in_parent();
            if names.contains(&name) {
                let name = gotmpl::quote(name);
                return invalid(&format!(
                    "more than one dependency with name or alias {name}"
                ));
            }
            names.push(name);
        }
        Ok(())
    }

    /// Whether its templates are only for other charts.
    pub(crate) fn is_library(&self) -> bool {
        self.kind.eq_ignore_ascii_case("library")
    }
}

fn invalid<T>(problem: &str) -> Result<T, Error> {
    Err(Error::text(format!("validation: {problem}")))
}

fn maintainer(fields: &mut Fields<'_>) -> Maintainer {
    Maintainer {
        name: fields.text("name"),
        email: fields.text("email"),
        url: fields.text("url"),
    }
}

fn dependency(fields: &mut Fields<'_>) -> Dependency {
    let import_values = fields.list("import-values", "[]interface {}");
    Dependency {
        name: fields.text("name"),
        version: fields.text("version"),
        repository: fields.text("repository"),
        condition: fields.text("condition"),
        tags: fields.texts("tags"),
        import_values: import_values.iter().cloned().map(Value::from).collect(),
        alias: fields.text("alias"),
    }
}

impl Dependency {
    /// The dependencies that a `Chart.lock` names.
    pub(crate) fn read_lock(map: &yaml::Map) -> Result<Vec<Dependency>, Error> {
        let mut fields = Fields {
            map,
            of: "Lock",
            path: String::new(),
            problem: None,
        };
        let all = fields.structs("dependencies", "[]*v2.Dependency", dependency);
        match fields.problem {
            Some(problem) => Err(wrong_document(&problem)),
            None => Ok(all.into_iter().flatten().collect()),
        }
    }

    /// The name that it has in its parent's values: the alias when there is one.
    #[must_use]
    pub fn name_in_parent(&self) -> &str {
        match self.alias.as_str() {
            "" => &self.name,
            alias => alias,
        }
    }
}
