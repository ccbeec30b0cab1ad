//! What a render may know besides files, and which of it took part.
//!
//! Read [`Environment`], then [`Facts`]: a render holds for another commit only if the facts that it
//! used are the same there. A chart that prints `$ARGOCD_APP_REVISION` is rendered at every commit,
//! others are not.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use api::Source;
use api::status::SourceType;
use helm::Spread;
use sha2::{Digest, Sha256};

use super::KustomizeSettings;

/// What a render may know besides files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The application's name as in tracking marks; it selects `.argocd-source-<name>.yaml`.
    pub instance: String,
    /// The name alone, which a release has unless the source says another.
    pub name: String,
    /// The namespace of the destination.
    pub namespace: String,
    /// The project.
    pub project: String,
    /// What the source's reference was resolved to.
    pub revision: String,
    /// The cluster, as charts may ask for it.
    pub capabilities: Arc<Capabilities>,
    /// When the revision was made, in seconds since 1970: what templates take for now, so that a
    /// revision always renders the same.
    pub seconds: i64,
    /// The names (`ref`) of sources whose files are in the tree under `$name`.
    pub references: Vec<String>,
    /// Schemes of value files that may be fetched (`helm.valuesFileSchemes`).
    pub value_file_schemes: Vec<String>,
    /// How kustomizations are built (`kustomize.buildOptions`).
    pub kustomize: Arc<KustomizeSettings>,
    /// Which tools may render (`helm.enable`, `kustomize.enable`).
    pub tools: Tools,
    /// Who parses what is long.
    pub spread: Spread,
}

/// The tools that may render; a source of another one is a plain folder (sources.md, R2 and R3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tools {
    /// Helm and Kustomize.
    #[default]
    All,
    /// Helm.
    Helm,
    /// Kustomize.
    Kustomize,
    /// Neither.
    None,
}

impl Tools {
    /// Those that are enabled.
    #[must_use]
    pub fn new(helm: bool, kustomize: bool) -> Self {
        match (helm, kustomize) {
            (true, true) => Tools::All,
            (true, false) => Tools::Helm,
            (false, true) => Tools::Kustomize,
            (false, false) => Tools::None,
        }
    }

    /// Whether a tool is among them; a plain folder needs none.
    #[must_use]
    pub fn render(self, kind: &SourceType) -> bool {
        match kind {
            SourceType::Helm => matches!(self, Tools::All | Tools::Helm),
            SourceType::Kustomize => matches!(self, Tools::All | Tools::Kustomize),
            _ => true,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Tools::All => "helm,kustomize",
            Tools::Helm => "helm",
            Tools::Kustomize => "kustomize",
            Tools::None => "",
        }
    }
}

/// A cluster's version and the APIs that it serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    kube_version: String,
    api_versions: Vec<String>,
    id: String,
}

impl Capabilities {
    /// Of a version, such as `v1.35.4`, and of `group/version` and `group/version/Kind`, sorted.
    #[must_use]
    pub fn new(kube_version: &str, api_versions: Vec<String>) -> Self {
        let mut hash = Sha256::new();
        for one in &api_versions {
            hash.update(one.as_bytes());
            hash.update([0]);
        }
        let id: String = hash
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let kube_version = kube_version.trim_start_matches('v').to_owned();
        Capabilities {
            id: format!("{kube_version} {id}"),
            kube_version,
            api_versions,
        }
    }

    /// Without a `v` before it; empty when nothing is known.
    #[must_use]
    pub fn kube_version(&self) -> &str {
        &self.kube_version
    }

    /// All APIs.
    #[must_use]
    pub fn api_versions(&self) -> &[String] {
        &self.api_versions
    }
}

/// One thing of an [`Environment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    Name,
    Namespace,
    Project,
    Revision,
    ShortRevision,
    ShortRevision8,
    Capabilities,
    Kustomize,
    Tools,
}

/// The variables of a build (sources.md section 4) that are facts; the others are of the source.
const VARIABLES: [(&str, Fact); 6] = [
    ("ARGOCD_APP_NAME", Fact::Name),
    ("ARGOCD_APP_NAMESPACE", Fact::Namespace),
    ("ARGOCD_APP_PROJECT_NAME", Fact::Project),
    ("ARGOCD_APP_REVISION", Fact::Revision),
    ("ARGOCD_APP_REVISION_SHORT", Fact::ShortRevision),
    ("ARGOCD_APP_REVISION_SHORT_8", Fact::ShortRevision8),
];

impl Environment {
    fn fact(&self, fact: Fact) -> &str {
        let first = |n_bytes: usize| self.revision.get(..n_bytes).unwrap_or(&self.revision);
        match fact {
            Fact::Name => &self.instance,
            Fact::Namespace => &self.namespace,
            Fact::Project => &self.project,
            Fact::Revision => &self.revision,
            Fact::ShortRevision => first(7),
            Fact::ShortRevision8 => first(8),
            Fact::Capabilities => &self.capabilities.id,
            Fact::Kustomize => self.kustomize.id(),
            Fact::Tools => self.tools.as_str(),
        }
    }
}

/// What of an environment took part in a render.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(Vec<(Fact, String)>);

impl Facts {
    /// Whether a render in `environment` would find the same.
    #[must_use]
    pub fn hold_in(&self, environment: &Environment) -> bool {
        self.0
            .iter()
            .all(|(fact, value)| environment.fact(*fact) == value)
    }
}

/// An environment that notes what is asked of it.
pub(super) struct Asked<'a> {
    environment: &'a Environment,
    source: &'a Source,
    facts: RefCell<BTreeSet<Fact>>,
}

impl<'a> Asked<'a> {
    pub(super) fn new(environment: &'a Environment, source: &'a Source) -> Self {
        Asked {
            environment,
            source,
            facts: RefCell::default(),
        }
    }

    /// What a render is of: the application, and what never changes for it.
    pub(super) fn environment(&self) -> &'a Environment {
        self.environment
    }

    pub(super) fn fact(&self, fact: Fact) -> &'a str {
        self.facts.borrow_mut().insert(fact);
        self.environment.fact(fact)
    }

    pub(super) fn capabilities(&self) -> &'a Capabilities {
        self.fact(Fact::Capabilities);
        &self.environment.capabilities
    }

    /// Whether a tool may render.
    pub(super) fn renders(&self, kind: &SourceType) -> bool {
        self.fact(Fact::Tools);
        self.environment.tools.render(kind)
    }

    pub(super) fn into_facts(self) -> Facts {
        let value = |fact: Fact| (fact, self.environment.fact(fact).to_owned());
        Facts(self.facts.into_inner().into_iter().map(value).collect())
    }

    fn variable(&self, name: &str) -> &str {
        if let Some((_, fact)) = VARIABLES.iter().find(|(known, _)| *known == name) {
            return self.fact(*fact);
        }
        match name {
            "ARGOCD_APP_SOURCE_REPO_URL" => &self.source.repo_url,
            "ARGOCD_APP_SOURCE_PATH" => &self.source.path,
            "ARGOCD_APP_SOURCE_TARGET_REVISION" => &self.source.target_revision,
            "$" => "$",
            _ => "",
        }
    }

    /// Puts variables in, as Go's `os.Expand` with Argo CD's variables: `$NAME`, `${NAME}`; unknown
    /// ones are empty, `$$` is a `$`.
    pub(super) fn substitute(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            result.push_str(before);
            if after.is_empty() {
                result.push('$');
            }
            let (name, n_bytes) = shell_name(after);
            match (name, n_bytes) {
                ("", 0) if !after.is_empty() => result.push('$'),
                (name, _) => result.push_str(self.variable(name)),
            }
            rest = &after[n_bytes..];
        }
        result + rest
    }
}

/// The name of a variable behind a `$`, and how many bytes it takes there; bad braces are eaten.
fn shell_name(text: &str) -> (&str, usize) {
    let is_special = |byte: &u8| b"*#$@!?-0123456789".contains(byte);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'{') => match text.find('}') {
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        },
        Some(byte) if is_special(byte) => (&text[..1], 1),
        _ => {
            let n_bytes = bytes.iter().take_while(|byte| is_name(byte)).count();
            (&text[..n_bytes], n_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in_as_go_does() {
        let environment = Environment {
            instance: "app".to_owned(),
            revision: "0123456789abcdef".to_owned(),
            ..Environment::default()
        };
        let source = Source {
            path: "charts/x".to_owned(),
            ..Source::default()
        };
        let check = |text: &str, want: &str, n_facts: usize| {
            let asked = Asked::new(&environment, &source);
            assert_eq!(asked.substitute(text), want, "{text}");
            assert_eq!(asked.into_facts().0.len(), n_facts, "{text}");
        };
        check("plain", "plain", 0);
        check("$ARGOCD_APP_NAME-x", "app-x", 1);
        check("${ARGOCD_APP_NAME}x", "appx", 1);
        check("$ARGOCD_APP_NAMEx", "", 0);
        check(
            "$ARGOCD_APP_REVISION_SHORT/$ARGOCD_APP_REVISION_SHORT_8",
            "0123456/01234567",
            2,
        );
        check("$ARGOCD_APP_SOURCE_PATH", "charts/x", 0);
        check("a$$b", "a$b", 0);
        check("5$ off", "5$ off", 0);
        check("end$", "end$", 0);
        check("${}x${", "x", 0);
        check("$1x", "x", 0);
        check("$Ünicode", "$Ünicode", 0);
    }

    #[test]
    fn a_render_holds_where_the_facts_that_it_used_are_the_same() {
        let at = |revision: &str| Environment {
            revision: revision.to_owned(),
            ..Environment::default()
        };
        let (first, second, source) = (at("aaaaaaa1"), at("aaaaaaa2"), Source::default());
        let facts = |text: &str| {
            let asked = Asked::new(&first, &source);
            asked.substitute(text);
            asked.into_facts()
        };
        assert!(facts("$ARGOCD_APP_NAME").hold_in(&second));
        assert!(facts("$ARGOCD_APP_REVISION_SHORT").hold_in(&second));
        assert!(!facts("$ARGOCD_APP_REVISION").hold_in(&second));
    }
}
