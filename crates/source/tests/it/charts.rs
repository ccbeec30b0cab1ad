//! Charts of an HTTP repository that the test serves.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use base64::Engine;
use manifest::TreePath;
use source::chart::{
    Archive, ArchiveError, ChartError, ChartOptions, ChartProblem, ChartRepository, Charts, Digest,
    PassCredentials,
};
use source::{Credentials, Freshness, Masked, Trust};

use crate::fixture::CANARY;
use crate::server::{Authority, Identity};
use crate::web::{Answer, Web};

/// A chart's archive with these files in its folder.
pub(crate) fn packed(name: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    for (path, text) in files {
        let path = if name.is_empty() {
            (*path).to_owned()
        } else {
            format!("{name}/{path}")
        };
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, text.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// A chart `demo` of a version.
pub(crate) fn demo(version: &str) -> Vec<u8> {
    let chart = format!("apiVersion: v2\nname: demo\nversion: {version}\n");
    packed("demo", &[("Chart.yaml", &chart), ("values.yaml", "a: b\n")])
}

pub(crate) fn charts(folder: &Path) -> Charts {
    Charts::open(folder, ChartOptions::default()).unwrap()
}

pub(crate) fn login(user: &str, password: &str) -> Credentials {
    Credentials {
        username: Some(Masked::new(user)),
        password: Some(Masked::new(password)),
        ..Credentials::default()
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

/// The version and the archive that a range means. No error may show a credential.
pub(crate) async fn get(
    repository: &ChartRepository,
    chart: &str,
    wanted: &str,
) -> Result<(String, Archive), ChartError> {
    let checked = |error: ChartError| {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        error
    };
    let version = repository.resolve(chart, wanted, Freshness::Now).await;
    let version = version.map_err(checked)?;
    let archive = repository.fetch(chart, &version).await.map_err(checked)?;
    Ok((version, archive))
}

pub(crate) fn text(archive: &Archive, path: &str) -> String {
    let content = archive
        .tree()
        .unwrap()
        .read(&TreePath::parse(path).unwrap());
    String::from_utf8(content.unwrap().to_vec()).unwrap()
}

/// An index with versions of `demo`: each with its address and digest.
fn index(versions: &[(&str, &str, &str)]) -> Answer {
    let mut text =
        "apiVersion: v1\nentries:\n  other:\n  - version: 9.9.9\n    urls: [x.tgz]\n  demo:\n"
            .to_owned();
    for (version, url, digest) in versions {
        text.push_str(&format!(
            "  - name: demo\n    version: {version}\n    digest: {digest}\n    urls:\n    - {url}\n"
        ));
    }
    Answer::Content(text.into_bytes())
}

/// A server with two versions of `demo` below `/charts`.
fn fill(web: &Web) {
    let (one, two) = (demo("1.0.0"), demo("1.1.0"));
    let digests = [Digest::of(&one), Digest::of(&two)];
    web.put(
        "/charts/index.yaml",
        index(&[
            ("1.1.0", "demo-1.1.0.tgz", digests[1].hex()),
            ("1.0.0", "sub/demo-1.0.0.tgz", &digests[0].to_string()),
        ]),
    );
    web.put("/charts/demo-1.1.0.tgz", Answer::Content(two));
    web.put("/charts/sub/demo-1.0.0.tgz", Answer::Content(one));
}

fn places(web: &Web) -> Vec<(String, u16)> {
    let asked = web.asked().into_iter();
    asked.map(|it| (it.place, it.status)).collect()
}

fn place(path: &str, status: u16) -> (String, u16) {
    (path.to_owned(), status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_resolved_and_its_chart_is_fetched_once() {
    let web = Web::open().await;
    fill(&web);
    let signed = b"-----BEGIN PGP SIGNED MESSAGE-----\n".to_vec();
    web.put(
        "/charts/demo-1.1.0.tgz.prov",
        Answer::Content(signed.clone()),
    );
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let address = web.url("/charts");
        let none = Credentials::default();
        charts(folder.path()).repository(&address, &none, PassCredentials::OwnServer)
    };
    let repository = open().unwrap();
    let (version, archive) = get(&repository, "demo", "^1.0").await.unwrap();
    assert_eq!(version, "1.1.0");
    assert!(text(&archive, "Chart.yaml").contains("version: 1.1.0"));
    assert_eq!(archive.provenance.as_deref(), Some(&*signed));
    let want = [
        place("/charts/index.yaml", 200),
        place("/charts/demo-1.1.0.tgz", 200),
        place("/charts/demo-1.1.0.tgz.prov", 200),
    ];
    assert_eq!(places(&web), want);
    // The index is asked whether it changed; the archive is at hand.
    assert_eq!(get(&repository, "demo", "").await.unwrap().1, archive);
    assert_eq!(places(&web), [place("/charts/index.yaml", 304)]);
    let usual = Freshness::Within(std::time::Duration::from_secs(60));
    assert_eq!(
        repository.resolve("demo", "*", usual).await.unwrap(),
        "1.1.0"
    );
    assert_eq!(places(&web), []);
    // After a restart too; and an exact version needs no index.
    let again = open().unwrap();
    assert_eq!(again.fetch("demo", "1.1.0").await.unwrap(), archive);
    assert_eq!(places(&web), []);
    assert_eq!(get(&again, "demo", "v1.0.0").await.unwrap().0, "v1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_repository_has_is_named_with_its_place() {
    let web = Web::open().await;
    fill(&web);
    let folder = tempfile::tempdir().unwrap();
    let charts = charts(folder.path());
    let none = Credentials::default();
    let open = |path: &str| {
        let address = web.url(path);
        charts.repository(&address, &none, PassCredentials::OwnServer)
    };
    let at = web.url("/charts");
    let repository = open("/charts").unwrap();
    let check = async |chart: &str, wanted: &str, want: &str| {
        let got = get(&repository, chart, wanted).await.unwrap_err();
        assert_eq!(got.to_string(), format!("{want} (looked up in {at})"));
    };
    check(
        "no",
        "*",
        "chart \"no\" of version \"*\": the index has no such chart",
    )
    .await;
    check(
        "demo",
        "^2",
        "chart \"demo\" of version \"^2\": no version fits (2 versions, the newest is 1.1.0)",
    )
    .await;
    check(
        "demo",
        "3.0.0",
        "chart \"demo\" of version \"3.0.0\": no version fits (2 versions, the newest is 1.1.0)",
    )
    .await;
    let got = get(&open("/no").unwrap(), "demo", "*").await.unwrap_err();
    assert_eq!(got.problem, ChartProblem::Absent("index.yaml"));
    let address = format!("http://user:{CANARY}@127.0.0.1:1/x");
    let closed = charts.repository(&address, &none, PassCredentials::OwnServer);
    let got = get(&closed.unwrap(), "demo", "*").await.unwrap_err();
    let refused = ChartProblem::Network("connection refused".to_owned());
    assert_eq!(got.problem, refused);
    assert_eq!(got.retry(), source::Retry::Later);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_sent_to_their_server() {
    let web = Web::guarded(&basic("user", CANARY), "Basic realm=\"charts\"").await;
    fill(&web);
    let folder = tempfile::tempdir().unwrap();
    let charts = charts(folder.path());
    let check = async |credentials: Credentials, want: Result<&str, ChartProblem>| {
        let address = web.url("/charts");
        let repository = charts.repository(&address, &credentials, PassCredentials::OwnServer);
        let got = get(&repository.unwrap(), "demo", "~1.0").await;
        let got = got.map(|(version, _)| version).map_err(|it| it.problem);
        assert_eq!(got.as_deref(), want.as_ref().map(|it| *it));
    };
    check(login("user", CANARY), Ok("1.0.0")).await;
    let refused = ChartProblem::Authentication("the credentials are refused");
    check(login("user", "canary-5up3r-wrong"), Err(refused)).await;
    // What one login may read is not in the cache of another.
    let none = ChartProblem::Authentication("there are no credentials");
    check(Credentials::default(), Err(none)).await;
    let in_address = format!("http://user:{CANARY}@{}/charts", web.address);
    let none = Credentials::default();
    let repository = charts.repository(&in_address, &none, PassCredentials::OwnServer);
    assert!(get(&repository.unwrap(), "demo", "*").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_gets_no_credentials_unless_told() {
    let wanted = basic("user", CANARY);
    let web = Web::guarded(&wanted, "Basic realm=\"charts\"").await;
    let other = Web::open().await;
    let (one, two) = (demo("1.0.0"), demo("2.0.0"));
    web.put(
        "/index.yaml",
        index(&[
            (
                "1.0.0",
                &other.url("/demo-1.0.0.tgz"),
                Digest::of(&one).hex(),
            ),
            ("2.0.0", "demo-2.0.0.tgz", Digest::of(&two).hex()),
        ]),
    );
    other.put("/demo-1.0.0.tgz", Answer::Content(one));
    other.put("/elsewhere", Answer::Content(two));
    web.put("/demo-2.0.0.tgz", Answer::Redirect(other.url("/elsewhere")));
    let check = async |pass: PassCredentials, want: Option<&String>| {
        let folder = tempfile::tempdir().unwrap();
        let credentials = login("user", CANARY);
        let repository = charts(folder.path()).repository(&web.url(""), &credentials, pass);
        let repository = repository.unwrap();
        for version in ["1.0.0", "2.0.0"] {
            get(&repository, "demo", version).await.unwrap();
        }
        let asked = other.asked();
        let is_right = |path: &str| {
            let mut of_path = asked.iter().filter(|it| it.place == path);
            of_path.all(|it| it.authorization.as_ref() == want)
        };
        assert!(
            asked.len() >= 2 && is_right("/demo-1.0.0.tgz") && is_right("/elsewhere"),
            "{asked:?}"
        );
    };
    check(PassCredentials::OwnServer, None).await;
    check(PassCredentials::Everywhere, Some(&wanted)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_in_circles_or_to_an_unsafe_place_is_refused() {
    let web = Web::open().await;
    web.put(
        "/a/index.yaml",
        Answer::Redirect("/a/index.yaml".to_owned()),
    );
    web.put(
        "/b/index.yaml",
        Answer::Redirect("file:///etc/passwd".to_owned()),
    );
    let folder = tempfile::tempdir().unwrap();
    let charts = charts(folder.path());
    for path in ["/a", "/b"] {
        let none = Credentials::default();
        let repository = charts.repository(&web.url(path), &none, PassCredentials::OwnServer);
        let got = get(&repository.unwrap(), "demo", "*").await.unwrap_err();
        assert!(matches!(got.problem, ChartProblem::Redirect(_)), "{got}");
    }
    assert!(web.asked().len() <= 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_cut_leaves_nothing_behind() {
    let web = Web::open().await;
    fill(&web);
    let whole = demo("1.1.0");
    web.put("/charts/demo-1.1.0.tgz", Answer::Cut(whole.clone()));
    let folder = tempfile::tempdir().unwrap();
    let none = Credentials::default();
    let repository = charts(folder.path())
        .repository(&web.url("/charts"), &none, PassCredentials::OwnServer)
        .unwrap();
    let got = get(&repository, "demo", "1.1.0").await.unwrap_err();
    assert!(matches!(got.problem, ChartProblem::Network(_)), "{got}");
    web.put("/charts/demo-1.1.0.tgz", Answer::Content(whole));
    assert!(get(&repository, "demo", "1.1.0").await.is_ok());
    // The same for an index: the one before stays.
    web.put("/charts/index.yaml", Answer::Cut(vec![b'x'; 10_000]));
    let got = get(&repository, "demo", "*").await.unwrap_err();
    assert!(matches!(got.problem, ChartProblem::Network(_)), "{got}");
    let files = crate::fixture::contents(folder.path());
    assert!(
        files
            .keys()
            .all(|path| !path.to_string_lossy().contains("draft")),
        "{files:?}"
    );
    assert!(get(&repository, "demo", "1.0.0").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_with_another_digest_is_refused() {
    let web = Web::open().await;
    let bytes = demo("1.0.0");
    let wrong = Digest::of(b"another");
    web.put("/index.yaml", index(&[("1.0.0", "demo.tgz", wrong.hex())]));
    web.put("/demo.tgz", Answer::Content(bytes.clone()));
    let folder = tempfile::tempdir().unwrap();
    let none = Credentials::default();
    let repository = charts(folder.path())
        .repository(&web.url("/"), &none, PassCredentials::OwnServer)
        .unwrap();
    let got = get(&repository, "demo", "1.0.0").await.unwrap_err();
    let want = ChartProblem::Digest {
        want: wrong.to_string(),
        got: Digest::of(&bytes).to_string(),
    };
    assert_eq!(got.problem, want);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_escapes_or_is_too_large_is_refused() {
    let web = Web::open().await;
    let escaping = packed("demo", &[("Chart.yaml", "x"), ("../../evil", "x")]);
    web.put(
        "/index.yaml",
        index(&[("1.0.0", "demo.tgz", Digest::of(&escaping).hex())]),
    );
    web.put("/demo.tgz", Answer::Content(escaping));
    let folder = tempfile::tempdir().unwrap();
    let none = Credentials::default();
    let repository = charts(folder.path())
        .repository(&web.url("/"), &none, PassCredentials::OwnServer)
        .unwrap();
    let (_, archive) = get(&repository, "demo", "1.0.0").await.unwrap();
    let got = archive.tree().err();
    assert_eq!(
        got,
        Some(ArchiveError::Escapes("demo/../../evil".to_owned()))
    );
    let small = ChartOptions {
        max_archive_bytes: 10,
        max_index_bytes: 1_000_000,
        ..ChartOptions::default()
    };
    let other = tempfile::tempdir().unwrap();
    let charts = Charts::open(other.path(), small).unwrap();
    let repository = charts.repository(&web.url("/"), &none, PassCredentials::OwnServer);
    let got = get(&repository.unwrap(), "demo", "1.0.0")
        .await
        .unwrap_err();
    assert_eq!(got.problem, ChartProblem::TooLarge(10));
}

fn pem(text: &str) -> Vec<rustls::pki_types::CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    let all = rustls::pki_types::CertificateDer::pem_slice_iter(text.as_bytes());
    all.collect::<Result<_, _>>().unwrap()
}

fn tls(authority: &Authority) -> rustls::ServerConfig {
    use rustls::pki_types::pem::PemObject;
    let Identity { certificate, key } = authority.sign("localhost");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(pem(&authority.pem));
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        std::sync::Arc::new(roots),
        provider.clone(),
    );
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(pem(&certificate), key)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_shown_and_checked() {
    let authority = Authority::new();
    let web = Web::over_tls(tls(&authority)).await;
    fill(&web);
    let folder = tempfile::tempdir().unwrap();
    let charts = charts(folder.path());
    let own = authority.sign("client");
    let with = |it: Identity| Credentials {
        tls_client_cert: Some(Masked::new(it.certificate)),
        tls_client_key: Some(Masked::new(it.key)),
        ..Credentials::default()
    };
    let right = with(own);
    let ask = async |credentials: &Credentials| {
        let address = format!("https://localhost:{}/charts", web.address.port());
        let repository = charts.repository(&address, credentials, PassCredentials::OwnServer);
        get(&repository.unwrap(), "demo", "*")
            .await
            .map_err(|it| it.problem)
    };
    let is_certificate =
        |it: Result<_, ChartProblem>| matches!(it, Err(ChartProblem::Certificate(_)));
    assert!(is_certificate(ask(&right).await), "an unknown authority");
    let insecure = Credentials {
        verification: source::Verification::None,
        ..right.clone()
    };
    assert!(ask(&insecure).await.is_ok());
    let certificates = BTreeMap::from([("localhost".to_owned(), authority.pem.clone())]);
    charts.set_trust(Trust::new(&certificates, "").0);
    assert!(ask(&right).await.is_ok());
    assert!(
        is_certificate(ask(&Credentials::default()).await),
        "no certificate"
    );
    let stranger = with(Authority::new().sign("client"));
    assert!(is_certificate(ask(&stranger).await), "a stranger's");
}

#[test]
fn the_archive_of_a_chart_is_a_tar_in_gzip() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"no tar").unwrap();
    let bytes = gzip.finish().unwrap();
    let archive = Archive {
        digest: Digest::of(&bytes),
        bytes: bytes.into(),
        provenance: None,
    };
    assert!(matches!(
        archive.tree().err(),
        Some(ArchiveError::Broken(_))
    ));
}
