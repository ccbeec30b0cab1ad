//! Logins, certificates and redirects over TLS.

use std::collections::BTreeMap;

use base64::Engine;
use source::{Problem, Trust};

use crate::fixture::{CANARY, Fixture, credentials, read, url};
use crate::server::{Authority, Guard, Mood, Protocol, Server};

/// What a login gives: the file's text, or the problem.
async fn login(
    server: &Server,
    fixture: &Fixture,
    keys: &[(&str, &str)],
) -> Result<String, Problem> {
    let url = url(&server.url("/work/.git"));
    let store = fixture.store();
    let certificates = BTreeMap::from([("localhost".to_owned(), server.authority.pem.clone())]);
    let (trust, problems) = Trust::new(&certificates, "");
    assert_eq!(problems, []);
    store.set_trust(trust);
    let credentials = credentials(&url, keys);
    assert!(!format!("{credentials:?}").contains(CANARY));
    let repository = match store.repository(&url, &credentials) {
        Ok(repository) => repository,
        Err(error) => {
            assert!(!format!("{error} {error:?}").contains(CANARY));
            return Err(error.problem);
        }
    };
    let text = read(&repository, "main", "a.yaml").await;
    text.map_err(|error| error.problem)
}

const TEXT: &str = "v: annotated\n";

#[tokio::test(flavor = "multi_thread")]
async fn basic_authentication_is_sent_and_its_refusal_is_told() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let wanted = base64::engine::general_purpose::STANDARD.encode(format!("user:{CANARY}"));
    let server = Server::start(root, Guard::Header(format!("Basic {wanted}")), Mood::Serves).await;
    let right = [("username", "user"), ("password", CANARY)];
    assert_eq!(login(&server, &fixture, &right).await.as_deref(), Ok(TEXT));
    let refused = Problem::Authentication("the credentials are refused");
    let wrong = [("username", "user"), ("password", "canary-5up3r-wrong")];
    assert_eq!(login(&server, &fixture, &wrong).await, Err(refused.clone()));
    let wrong = [("username", CANARY), ("password", CANARY)];
    assert_eq!(login(&server, &fixture, &wrong).await, Err(refused.clone()));
    let wrong = [("bearerToken", CANARY)];
    assert_eq!(login(&server, &fixture, &wrong).await, Err(refused));
    let none = Problem::Authentication("there are no credentials");
    assert_eq!(login(&server, &fixture, &[]).await, Err(none));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_is_sent() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let guard = Guard::Header(format!("Bearer {CANARY}"));
    let server = Server::start(root, guard, Mood::Serves).await;
    let right = [("bearerToken", CANARY)];
    assert_eq!(login(&server, &fixture, &right).await.as_deref(), Ok(TEXT));
    let refused = Problem::Authentication("the credentials are refused");
    let wrong = [("bearerToken", "canary-5up3r-wrong")];
    assert_eq!(login(&server, &fixture, &wrong).await, Err(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_url_is_used_and_never_shown() {
    let fixture = Fixture::with_history();
    let wanted = base64::engine::general_purpose::STANDARD.encode(format!("{CANARY}:x"));
    let guard = Guard::Header(format!("Basic {wanted}"));
    let server = Server::start(fixture.folder.path().to_path_buf(), guard, Mood::Serves).await;
    let store = fixture.store();
    let certificates = BTreeMap::from([("localhost".to_owned(), server.authority.pem.clone())]);
    store.set_trust(Trust::new(&certificates, "").0);
    for (password, is_right) in [("x", true), (CANARY, false)] {
        let port = server.address.port();
        let url = url(&format!(
            "https://{CANARY}:{password}@localhost:{port}/work/.git"
        ));
        let repository = store.repository(&url, &Default::default()).unwrap();
        assert_eq!(read(&repository, "main", "a.yaml").await.is_ok(), is_right);
        assert!(!format!("{url} {url:?}").contains(CANARY));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_is_shown_and_its_lack_is_told() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, Guard::Certificate, Mood::Serves).await;
    let own = server.authority.sign("client");
    let right = [
        ("tlsClientCertData", own.certificate.as_str()),
        ("tlsClientCertKey", own.key.as_str()),
    ];
    assert_eq!(login(&server, &fixture, &right).await.as_deref(), Ok(TEXT));
    let other = Authority::new().sign("client");
    let wrong = [
        ("tlsClientCertData", other.certificate.as_str()),
        ("tlsClientCertKey", other.key.as_str()),
    ];
    let is_certificate = |problem| matches!(problem, Err(Problem::Certificate(_)));
    assert!(is_certificate(login(&server, &fixture, &wrong).await));
    assert!(is_certificate(login(&server, &fixture, &[]).await));
    let broken = [("tlsClientCertData", CANARY), ("tlsClientCertKey", CANARY)];
    let unreadable = "the client certificate or its key cannot be read";
    let problem = Err(Problem::Credentials(unreadable));
    assert_eq!(login(&server, &fixture, &broken).await, problem);
    let half = [("tlsClientCertData", own.certificate.as_str())];
    let problem = Err(Problem::Credentials("the client certificate has no key"));
    assert_eq!(login(&server, &fixture, &half).await, problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_authority_is_refused_unless_insecure() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, Guard::Nobody, Mood::Serves).await;
    let url = url(&server.url("/work/.git"));
    let check = async |trust: Option<&str>, keys: &[(&str, &str)], want: Result<&str, ()>| {
        let store = fixture.store();
        let certificates = trust.map(|pem| ("localhost".to_owned(), pem.to_owned()));
        store.set_trust(Trust::new(&certificates.into_iter().collect(), "").0);
        let repository = store.repository(&url, &credentials(&url, keys)).unwrap();
        let got = read(&repository, "main", "a.yaml").await.map_err(|error| {
            assert!(matches!(error.problem, Problem::Certificate(_)), "{error}");
        });
        assert_eq!(got.as_deref(), want.as_ref().map(|it| *it));
    };
    check(None, &[], Err(())).await;
    check(Some(&Authority::new().pem), &[], Err(())).await;
    check(Some(&server.authority.pem), &[], Ok(TEXT)).await;
    // `insecure` is no key of a template: see the next test for a repository.
    check(None, &[("insecure", "true")], Err(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insecure_repositories_take_any_certificate() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, Guard::Nobody, Mood::Serves).await;
    let url = url(&server.url("/work/.git"));
    let credentials = source::Credentials {
        verification: source::Verification::None,
        ..Default::default()
    };
    let repository = fixture.store().repository(&url, &credentials).unwrap();
    assert_eq!(
        read(&repository, "main", "a.yaml").await.as_deref(),
        Ok(TEXT)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_to_another_server_is_followed_without_credentials() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let other = Server::start(root.clone(), Guard::Nobody, Mood::Serves).await;
    let strict = Server::start(root.clone(), Guard::Header("x".to_owned()), Mood::Serves).await;
    for (target, want) in [
        (&other, Ok(TEXT)),
        (
            &strict,
            Err(Problem::Authentication(
                "another server asks for them after a redirect",
            )),
        ),
    ] {
        let mood = Mood::Redirects(target.url(""));
        let first = Server::start(root.clone(), Guard::Nobody, mood).await;
        let url = url(&first.url("/work/.git"));
        let store = fixture.store();
        let both = format!("{}{}", first.authority.pem, target.authority.pem);
        let certificates = BTreeMap::from([("localhost".to_owned(), both)]);
        store.set_trust(Trust::new(&certificates, "").0);
        let keys = [("username", "user"), ("password", CANARY)];
        let repository = store.repository(&url, &credentials(&url, &keys)).unwrap();
        let got = read(&repository, "main", "a.yaml").await;
        assert_eq!(got.as_deref().map_err(|it| it.problem.clone()), want);
        let seen = target.seen.lock().unwrap().clone();
        assert!(!seen.is_empty());
        assert!(seen.iter().all(|it| it.authorization.is_none()), "{seen:?}");
        let seen = first.seen.lock().unwrap().clone();
        assert!(seen.iter().all(|it| it.authorization.is_some()), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_in_circles_and_to_plain_text_end() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    for base in ["", "http://localhost:1"] {
        let mood = Mood::Redirects(base.to_owned());
        let server = Server::start(root.clone(), Guard::Nobody, mood).await;
        let got = login(&server, &fixture, &[]).await;
        assert!(matches!(got, Err(Problem::Redirect(_))), "{got:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_answers_is_told() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    for (mood, want) in [
        (Mood::Fails(403), Problem::Forbidden),
        (Mood::Fails(404), Problem::NotFound),
        (Mood::Fails(503), Problem::Status(503)),
        (Mood::Fails(418), Problem::Status(418)),
        (
            Mood::Chats,
            Problem::Protocol("the answer is not of a Git server".to_owned()),
        ),
    ] {
        let server = Server::start(root.clone(), Guard::Nobody, mood).await;
        let keys = [("username", CANARY), ("password", CANARY)];
        assert_eq!(login(&server, &fixture, &keys).await, Err(want));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_there_is_told() {
    let fixture = Fixture::new();
    let check = async |text: &str, want: Problem| {
        let url = url(text);
        let repository = fixture
            .store()
            .repository(&url, &Default::default())
            .unwrap();
        let error = read(&repository, "main", "a").await.unwrap_err();
        assert_eq!(error.problem, want);
        assert_eq!(error.retry(), source::Retry::Later);
        assert!(error.to_string().contains("reference 'main'"), "{error}");
    };
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    check(&format!("https://127.0.0.1:{port}/a"), Problem::Refused).await;
    check(&format!("ssh://git@127.0.0.1:{port}/a"), Problem::Refused).await;
    // A label of no letters is refused before any name server is asked.
    let no_host = "no..host".to_owned();
    check("http://no..host/a", Problem::Dns(no_host.clone())).await;
    check("ssh://git@no..host/a", Problem::Dns(no_host)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_signs_itself_is_believed_when_it_is_configured() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, Guard::Itself, Mood::Serves).await;
    assert_eq!(login(&server, &fixture, &[]).await.as_deref(), Ok(TEXT));
    // For its own name only.
    let store = fixture.store();
    let certificates = BTreeMap::from([("127.0.0.1".to_owned(), server.authority.pem.clone())]);
    store.set_trust(Trust::new(&certificates, "").0);
    let url = url(&format!(
        "https://127.0.0.1:{}/work/.git",
        server.address.port()
    ));
    let repository = store.repository(&url, &Default::default()).unwrap();
    let problem = read(&repository, "main", "a.yaml")
        .await
        .unwrap_err()
        .problem;
    assert!(matches!(problem, Problem::Certificate(_)), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn http_2_is_spoken_where_the_server_offers_it() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let guard = Guard::Header(format!("Bearer {CANARY}"));
    let server = Server::start_with(root, guard, Mood::Serves, Protocol::Http2).await;
    let keys = [("bearerToken", CANARY)];
    assert_eq!(login(&server, &fixture, &keys).await.as_deref(), Ok(TEXT));
}
