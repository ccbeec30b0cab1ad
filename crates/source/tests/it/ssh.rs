//! SSH against a real sshd with keys and known_hosts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use source::{Credentials, Masked, Problem, Trust, Verification};

use crate::fixture::{CANARY, Fixture, read, url};

const SSHD: &str = "/usr/sbin/sshd";

/// A running sshd; ends with the test.
struct Sshd {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keygen(folder: &Path, name: &str, kind: &[&str]) {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-N", "", "-C", "", "-f"])
        .arg(folder.join(name))
        .args(kind)
        .status()
        .unwrap();
    assert!(status.success());
}

impl Sshd {
    /// Starts sshd on a free port, or tells that it is not installed.
    fn start(folder: &Path, accept_env: &str) -> Option<Sshd> {
        if !Path::new(SSHD).exists() {
            let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
            assert!(!is_ci, "CI must install openssh-server");
            eprintln!("SKIPPED: {SSHD} is not installed (apt-get install openssh-server)");
            return None;
        }
        for (name, kind) in [
            ("host", &["-t", "ed25519"][..]),
            ("other", &["-t", "ed25519"]),
            ("user", &["-t", "ed25519"]),
            ("stranger", &["-t", "ed25519"]),
            ("ecdsa", &["-t", "ecdsa"]),
            ("rsa", &["-t", "rsa", "-b", "2048"]),
        ] {
            keygen(folder, name, kind);
        }
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let authorized = ["user.pub", "ecdsa.pub", "rsa.pub"].map(text).concat();
        std::fs::write(folder.join("authorized_keys"), authorized).unwrap();
        let _ = std::fs::create_dir_all("/run/sshd");
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let place = folder.display();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nPidFile none\nUsePAM no\n\
             AuthorizedKeysFile {place}/authorized_keys\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n{accept_env}\n"
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        let mut child = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("sshd_config"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let is_up = lines.any(|line| line.unwrap().contains("Server listening on"));
        assert!(is_up, "sshd did not start");
        // Its output must go on being read, or it stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Sshd {
            child,
            port,
            folder: folder.to_path_buf(),
        })
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.join(name)).unwrap()
    }

    /// A line of known_hosts with the key of that name.
    fn known(&self, key: &str) -> String {
        format!(
            "[127.0.0.1]:{} {}",
            self.port,
            self.text(&format!("{key}.pub"))
        )
    }
}

fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn login(
    fixture: &Fixture,
    sshd: &Sshd,
    known_hosts: &str,
    credentials: &Credentials,
    path: &str,
) -> Result<String, Problem> {
    let url = url(&format!("ssh://{}@127.0.0.1:{}{path}", user(), sshd.port));
    let store = fixture.store();
    let (trust, problems) = Trust::new(&BTreeMap::new(), known_hosts);
    assert_eq!(problems, []);
    store.set_trust(trust);
    let repository = store
        .repository(&url, credentials)
        .map_err(|error| error.problem)?;
    let text = read(&repository, ">=1.0.0 <2.0.0", "a.yaml").await;
    text.map_err(|error| error.problem)
}

fn with_key(text: &str) -> Credentials {
    Credentials {
        ssh_private_key: Some(Masked::new(text)),
        ..Credentials::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_log_in_where_the_host_key_is_known() {
    for accept_env in ["", "AcceptEnv GIT_PROTOCOL"] {
        let fixture = Fixture::with_history();
        let Some(sshd) = Sshd::start(fixture.folder.path(), accept_env) else {
            return;
        };
        let path = fixture.work().display().to_string();
        let known = sshd.known("host");
        for key in ["user", "ecdsa", "rsa"] {
            let key = with_key(&sshd.text(key));
            let got = login(&fixture, &sshd, &known, &key, &path).await;
            assert_eq!(got.as_deref(), Ok("v: 1.1.0\n"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_host_keys_and_wrong_keys_are_told() {
    let fixture = Fixture::with_history();
    let Some(sshd) = Sshd::start(fixture.folder.path(), "") else {
        return;
    };
    let path = fixture.work().display().to_string();
    let key = with_key(&sshd.text("user"));
    let host = format!("127.0.0.1:{}", sshd.port);
    let check = async |known: &str, credentials: &Credentials, want: Problem| {
        let got = login(&fixture, &sshd, known, credentials, &path).await;
        assert_eq!(got, Err(want));
    };
    let host_key = |verdict| Problem::HostKey {
        host: host.clone(),
        verdict,
    };
    check("", &key, host_key("host is not in ssh_known_hosts")).await;
    let differs = host_key("differs from that in ssh_known_hosts");
    check(&sshd.known("other"), &key, differs).await;
    let revoked = format!("@revoked {}", sshd.known("host"));
    check(&revoked, &key, host_key("is revoked in ssh_known_hosts")).await;
    let known = sshd.known("host");
    let stranger = with_key(&sshd.text("stranger"));
    check(
        &known,
        &stranger,
        Problem::Authentication("the SSH key is refused"),
    )
    .await;
    let nobody = Credentials::default();
    check(
        &known,
        &nobody,
        Problem::Authentication("there is no SSH key"),
    )
    .await;
    let password = Credentials {
        password: Some(Masked::new(CANARY)),
        ..Credentials::default()
    };
    check(
        &known,
        &password,
        Problem::Authentication("the password is refused"),
    )
    .await;
    let broken = with_key(CANARY);
    let unreadable = Problem::Credentials("the SSH private key cannot be read");
    check(&known, &broken, unreadable).await;
    for verification in [Verification::None, Verification::IgnoreHostKey] {
        let insecure = Credentials {
            verification,
            ..key.clone()
        };
        let got = login(&fixture, &sshd, "", &insecure, &path).await;
        assert_eq!(got.as_deref(), Ok("v: 1.1.0\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_one_word_and_a_missing_one_is_told() {
    let fixture = Fixture::with_history();
    let Some(sshd) = Sshd::start(fixture.folder.path(), "") else {
        return;
    };
    let key = with_key(&sshd.text("user"));
    let known = sshd.known("host");
    let bait = fixture.folder.path().join("bait");
    let path = format!("/nowhere';touch${{IFS}}{};'", bait.display());
    let got = login(&fixture, &sshd, &known, &key, &path).await;
    assert!(
        matches!(&got, Err(Problem::Protocol(text)) if text.contains("git repository")),
        "{got:?}"
    );
    assert!(!bait.exists());
}
