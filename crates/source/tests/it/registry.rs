//! Charts and artifacts in registries: Debian's docker-registry, and servers of the test's own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use manifest::TreePath;
use source::chart::{ChartOptions, ChartProblem, ChartRepository, Charts, Digest, PassCredentials};
use source::{Credentials, Freshness};

use crate::charts::{basic, charts, demo, get, login, packed, text};
use crate::fixture::CANARY;
use crate::web::{Answer, Web};

const CHART: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";
const PROVENANCE: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The password of `user`, as `htpasswd -B` writes it: that of the tests.
const HTPASSWD: &str = "user:$2a$10$KqgVlYZ1H3xAipJiJrQlbeugkbuXgHX5JddGt3JY8lCs.Da2xvspy";

/// A running docker-registry; ends with the test.
struct Registry {
    child: Child,
    port: u16,
    authorization: Option<String>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: where `cargo xtask install-tools` puts it, or the system's.
fn program() -> Option<PathBuf> {
    let folder = match std::env::var_os("TIPHYS_ORACLE") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&std::env::var_os("HOME")?).join(".cache/tiphys/oracle"),
    };
    let places = [
        folder.join("docker-registry"),
        "/usr/bin/docker-registry".into(),
    ];
    places.into_iter().find(|it| it.is_file())
}

impl Registry {
    /// Starts a registry on a free port, or tells that it is not installed.
    fn start(folder: &Path, is_guarded: bool) -> Option<Registry> {
        let Some(program) = program() else {
            let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
            assert!(!is_ci, "CI must install docker-registry");
            eprintln!("SKIPPED: docker-registry is not installed (cargo xtask install-tools)");
            return None;
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let place = folder.display();
        let mut config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {place}/data}}\n\
             http: {{addr: 127.0.0.1:{port}}}\n"
        );
        if is_guarded {
            std::fs::write(folder.join("htpasswd"), format!("{HTPASSWD}\n")).unwrap();
            let auth = format!("auth:\n  htpasswd: {{realm: r, path: {place}/htpasswd}}\n");
            config.push_str(&auth);
        }
        std::fs::write(folder.join("config.yml"), config).unwrap();
        let mut child = Command::new(program)
            .arg("serve")
            .arg(folder.join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_up = lines.any(|line| line.unwrap().contains("listening on"));
        assert!(is_up, "docker-registry did not start");
        // Its output must go on being read, or it stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Registry {
            child,
            port,
            authorization: is_guarded.then(|| basic("user", CANARY)),
        })
    }

    fn address(&self, path: &str) -> String {
        format!("oci://127.0.0.1:{}/{path}", self.port)
    }

    async fn send(
        &self,
        method: reqwest::Method,
        url: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> reqwest::Response {
        // Only the first call in this process does something.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .request(method, url)
            .header("content-type", kind)
            .body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{url}: {:?}",
            response.status()
        );
        response
    }

    async fn push_blob(&self, repository: &str, content: &[u8]) -> String {
        let base = format!("http://127.0.0.1:{}", self.port);
        let uploads = format!("{base}/v2/{repository}/blobs/uploads/");
        let octets = "application/octet-stream";
        let begun = self
            .send(reqwest::Method::POST, &uploads, octets, Vec::new())
            .await;
        let location = begun.headers()["location"].to_str().unwrap().to_owned();
        let location = if location.starts_with('/') {
            format!("{base}{location}")
        } else {
            location
        };
        let digest = Digest::of(content).to_string();
        let and = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{and}digest={digest}");
        self.send(reqwest::Method::PUT, &url, octets, content.to_vec())
            .await;
        digest
    }

    /// Pushes a manifest with these layers; gives its digest.
    async fn push(&self, repository: &str, tag: &str, layers: &[(&str, &[u8])]) -> Digest {
        let config = self.push_blob(repository, b"{}").await;
        let mut described = Vec::new();
        for (kind, content) in layers {
            let digest = self.push_blob(repository, content).await;
            let size = content.len();
            described.push(format!(
                r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#
            ));
        }
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"{config}","size":2}},"layers":[{}]}}"#,
            described.join(",")
        );
        let url = format!(
            "http://127.0.0.1:{}/v2/{repository}/manifests/{tag}",
            self.port
        );
        let bytes = manifest.into_bytes();
        let digest = Digest::of(&bytes);
        self.send(reqwest::Method::PUT, &url, MANIFEST, bytes).await;
        digest
    }
}

fn plain(credentials: Credentials) -> Credentials {
    Credentials {
        plain_http: true,
        ..credentials
    }
}

fn open(charts: &Charts, address: &str, credentials: Credentials) -> ChartRepository {
    let pass = PassCredentials::OwnServer;
    charts
        .repository(address, &plain(credentials), pass)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn charts_are_pulled_from_a_real_registry() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path(), false) else {
        return;
    };
    let signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n";
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1", "1.1.0_build.5"] {
        let chart = demo(&version.replace('_', "+"));
        let layers: [(&str, &[u8]); 2] = [(PROVENANCE, signed), (CHART, &chart)];
        registry.push("team/demo", version, &layers).await;
    }
    let charts = charts(&folder.path().join("cache"));
    let repository = open(&charts, &registry.address("team"), Credentials::default());
    let check = async |wanted: &str, want: &str| {
        let (version, archive) = get(&repository, "demo", wanted).await.unwrap();
        assert_eq!(version, want, "{wanted}");
        assert!(text(&archive, "Chart.yaml").contains(&format!("version: {want}")));
        assert_eq!(archive.provenance.as_deref(), Some(&signed[..]));
    };
    check("~1.0", "1.0.0").await;
    check("1.1.0+build.5", "1.1.0+build.5").await;
    check(">=2.0.0-0", "2.0.0-rc.1").await;
    check("1.0.0", "1.0.0").await;
    let problem = async |chart: &str, wanted: &str| {
        get(&repository, chart, wanted).await.unwrap_err().problem
    };
    assert_eq!(
        problem("no", "*").await,
        ChartProblem::Absent("such repository")
    );
    assert_eq!(
        problem("demo", "7.0.0").await,
        ChartProblem::Absent("such tag")
    );
    assert!(matches!(
        problem("demo", "^7").await,
        ChartProblem::NoVersion { n_versions: 4, .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_registry_is_logged_in_to() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path(), true) else {
        return;
    };
    let chart = demo("1.0.0");
    registry.push("demo", "1.0.0", &[(CHART, &chart)]).await;
    let address = registry.address("");
    let check =
        async |charts: &Charts, credentials: Credentials, want: Result<(), ChartProblem>| {
            let repository = open(charts, &address, credentials);
            let got = get(&repository, "demo", "*").await;
            assert_eq!(got.map(|_| ()).map_err(|it| it.problem), want);
        };
    let cache = charts(&folder.path().join("cache"));
    check(&cache, login("user", CANARY), Ok(())).await;
    let at_once = Credentials {
        force_basic: true,
        ..login("user", CANARY)
    };
    check(&cache, at_once, Ok(())).await;
    let refused = ChartProblem::Authentication("the credentials are refused");
    check(&cache, login("user", "canary-5up3r-wrong"), Err(refused)).await;
    let none = ChartProblem::Authentication("there are no credentials");
    check(&cache, Credentials::default(), Err(none)).await;
    // A login of Docker's file is taken where nobody configured one.
    let auth = basic("user", CANARY).replace("Basic ", "");
    let host = format!("127.0.0.1:{}", registry.port);
    let config = folder.path().join("config.json");
    std::fs::write(
        &config,
        format!(r#"{{"auths":{{"{host}":{{"auth":"{auth}"}}}}}}"#),
    )
    .unwrap();
    let options = ChartOptions {
        docker_config: Some(config),
        ..ChartOptions::default()
    };
    let with_file = Charts::open(&folder.path().join("other"), options).unwrap();
    check(&with_file, Credentials::default(), Ok(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_of_files_is_a_tree() {
    let folder = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::start(folder.path(), false) else {
        return;
    };
    let files = packed("", &[("a.yaml", "kind: A"), ("deep/b.yaml", "kind: B")]);
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let digest = registry
        .push("team/config", "1.2.0", &[(layer, &files)])
        .await;
    let charts = charts(&folder.path().join("cache"));
    let repository = open(
        &charts,
        &registry.address("team/config"),
        Credentials::default(),
    );
    for wanted in ["1.2.0", "^1", "", &digest.to_string()] {
        let found = repository.resolve_artifact(wanted, Freshness::Now).await;
        assert_eq!(found, Ok(digest.clone()), "{wanted}");
    }
    let tree = repository.artifact(&digest).await.unwrap();
    let content = tree.read(&TreePath::parse("deep/b.yaml").unwrap()).unwrap();
    assert_eq!(&*content, b"kind: B");
    let odd = registry
        .push("team/config", "odd", &[("text/plain", b"x")])
        .await;
    let got = repository.artifact(&odd).await.err().unwrap();
    assert!(matches!(got.problem, ChartProblem::Artifact(_)), "{got}");
}

/// A registry of the test's own that wants tokens, with its token server and its storage.
struct TokenRegistry {
    tokens: Web,
    storage: Web,
    web: Web,
}

impl TokenRegistry {
    async fn start() -> TokenRegistry {
        let tokens = Web::guarded(&basic("user", CANARY), "Basic realm=\"t\"").await;
        let token = br#"{"access_token":"canary-5up3r-token"}"#;
        tokens.put("/token", Answer::Content(token.to_vec()));
        let challenge = format!(
            "Bearer realm=\"{}\",service=\"reg\",scope=\"repository:demo:pull\"",
            tokens.url("/token")
        );
        TokenRegistry {
            tokens,
            storage: Web::open().await,
            web: Web::guarded("Bearer canary-5up3r-token", &challenge).await,
        }
    }

    /// Version 1.0.0, whose content is in the storage, on two pages of tags; and version 2.0.0,
    /// whose content is not the promised one.
    fn fill(&self) {
        let chart = demo("1.0.0");
        let manifest = |digest: &Digest| {
            let size = chart.len();
            let layer = format!(r#"{{"mediaType":"{CHART}","digest":"{digest}","size":{size}}}"#);
            Answer::Content(format!(r#"{{"layers":[{layer}]}}"#).into_bytes())
        };
        let web = &self.web;
        let next = "</v2/demo/tags/list?last=0.9.0&n=1>; rel=\"next\"".to_owned();
        let first = Answer::With("link", next, br#"{"tags":["0.9.0"]}"#.to_vec());
        web.put("/v2/demo/tags/list?n=1000", first);
        let second = Answer::Content(br#"{"tags":["1.0.0","2.0.0"]}"#.to_vec());
        web.put("/v2/demo/tags/list?last=0.9.0&n=1", second);
        let digest = Digest::of(&chart);
        web.put("/v2/demo/manifests/1.0.0", manifest(&digest));
        let elsewhere = Answer::Redirect(self.storage.url("/blob"));
        web.put(&format!("/v2/demo/blobs/{digest}"), elsewhere);
        self.storage.put("/blob", Answer::Content(chart.clone()));
        let wrong = Digest::of(b"wrong");
        web.put("/v2/demo/manifests/2.0.0", manifest(&wrong));
        let content = Answer::Content(chart.clone());
        web.put(&format!("/v2/demo/blobs/{wrong}"), content);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for_and_shown_to_the_registry_alone() {
    let registry = TokenRegistry::start().await;
    registry.fill();
    let folder = tempfile::tempdir().unwrap();
    let charts = charts(folder.path());
    let address = format!("oci://{}", registry.web.address);
    let repository = open(&charts, &address, login("user", CANARY));
    assert_eq!(get(&repository, "demo", "^1").await.unwrap().0, "1.0.0");
    let asked = registry.tokens.asked();
    let asked: Vec<&str> = asked.iter().map(|it| it.place.as_str()).collect();
    assert_eq!(asked, ["/token?service=reg&scope=repository%3Ademo%3Apull"]);
    assert_eq!(registry.storage.asked()[0].authorization, None);
    let password = Some(basic("user", CANARY));
    let asked = registry.web.asked();
    assert!(asked.iter().all(|it| it.authorization != password));
    let got = get(&repository, "demo", "2.0.0").await.unwrap_err();
    assert!(matches!(got.problem, ChartProblem::Digest { .. }), "{got}");
    let stranger = open(&charts, &address, login("user", "canary-5up3r-wrong"));
    let got = get(&stranger, "demo", "^1").await.unwrap_err();
    let refused = ChartProblem::Authentication("the credentials are refused");
    assert_eq!(got.problem, refused);
}
