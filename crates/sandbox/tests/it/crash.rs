//! A server killed in the middle of writes has everything that it acknowledged.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use sandbox::Options;

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Set in the process that is killed: the data directory.
const CHILD: &str = "SANDBOX_CRASH_DIR";
const ROUNDS: usize = 5;
/// Acknowledged writes after which the child is killed; it writes on meanwhile.
const WRITES: usize = 20;

/// Not a test of its own: the process that is killed. It writes objects and prints their names when
/// they are acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn writer_that_is_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let client = Client::with(Options::in_dir(dir)).await;
    let round = client.get(MAPS).await.body["items"]
        .as_array()
        .unwrap()
        .len();
    for index in 0.. {
        let name = format!("m-{round}-{index}");
        let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        let made = client.post(MAPS, &body).await;
        assert_eq!(made.status, 201);
        let version = made.body["metadata"]["resourceVersion"].as_str().unwrap();
        writeln!(std::io::stderr(), "acknowledged {name} {version}").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged: Vec<(String, String)> = Vec::new();
    for _ in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::writer_that_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..WRITES {
            let line = lines.next().unwrap().unwrap();
            let mut words = line.split(' ').skip(1).map(str::to_owned);
            acknowledged.push((words.next().unwrap(), words.next().unwrap()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let client = Client::with(Options::in_dir(dir.path())).await;
    for (name, version) in acknowledged {
        let read = client.get(&format!("{MAPS}/{name}")).await;
        assert_eq!(read.status, 200, "{name}");
        assert_eq!(read.body["metadata"]["resourceVersion"], version.as_str());
    }
}
