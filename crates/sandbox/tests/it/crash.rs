//! A server killed in the middle of writes has everything that it acknowledged.
//!
//! The gate affords a few rounds; `cargo xtask crash` runs 200 of them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sandbox::Options;

use crate::client::Client;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
/// Set in the process that is killed: the data directory, and the round.
const CHILD: &str = "SANDBOX_CRASH_DIR";
const ROUND: &str = "SANDBOX_CRASH_ROUND";
/// How many times the server is killed; the gate's number unless set.
const ROUNDS: &str = "SANDBOX_CRASH_ROUNDS";
const ROUNDS_IN_GATE: u64 = 6;
/// Clients that write at once, so that commits hold several writes.
const WRITERS: u64 = 4;
/// At most so many acknowledgements are read before a kill.
const MAX_WRITES: usize = 60;

/// Not a test of its own: the process that is killed. It writes objects and says what is
/// acknowledged, and which deletions are under way.
#[tokio::test(flavor = "multi_thread")]
async fn writer_that_is_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let client = Client::with(Options::in_dir(dir)).await;
    let writers = (0..WRITERS).map(|writer| write_on(&client, round, writer));
    futures::future::join_all(writers).await;
}

/// Creates, updates and deletes objects of its own, for ever.
async fn write_on(client: &Client, round: u64, writer: u64) {
    let mut random = StdRng::seed_from_u64(round * WRITERS + writer);
    let mut names: Vec<String> = Vec::new();
    for index in 0_u64.. {
        let known = (!names.is_empty()).then(|| random.random_range(0..names.len()));
        let body = |name: &str| {
            format!(r#"{{"metadata":{{"name":"{name}"}},"data":{{"index":"{index}"}}}}"#)
        };
        match (known, random.random_range(0..4)) {
            (Some(at), 0) => {
                let name = names.swap_remove(at);
                say(&format!("deleting {name}"));
                let answer = client.send("DELETE", &format!("{MAPS}/{name}"), "").await;
                assert_eq!(answer.status, 200);
                say(&format!("deleted {name}"));
            }
            (Some(at), 1 | 2) => {
                let name = &names[at];
                let path = format!("{MAPS}/{name}");
                let answer = client.send("PUT", &path, &body(name)).await;
                assert_eq!(answer.status, 200);
                say(&format!("written {name} {}", version(&answer.body)));
            }
            _ => {
                let name = format!("m-{round}-{writer}-{index}");
                let answer = client.post(MAPS, &body(&name)).await;
                assert_eq!(answer.status, 201);
                say(&format!("written {name} {}", version(&answer.body)));
                names.push(name);
            }
        }
    }
}

/// One line in one write: a kill cannot leave half of it.
fn say(line: &str) {
    let text = format!("ACK {line}\n");
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

fn version(object: &serde_json::Value) -> u64 {
    let text = object["metadata"]["resourceVersion"].as_str().unwrap();
    text.parse().unwrap()
}

/// What is known of an object.
#[derive(Clone, Copy, PartialEq)]
enum Known {
    /// It was acknowledged at this version.
    Written(u64),
    /// Its deletion may have happened.
    Deleting,
    Deleted,
}

/// All that was acknowledged.
#[derive(Default)]
struct Acknowledged {
    objects: BTreeMap<String, Known>,
    newest: u64,
}

impl Acknowledged {
    fn take(&mut self, line: &str) {
        // The test harness prints lines of its own.
        let Some((_, line)) = line.split_once("ACK ") else {
            return;
        };
        let mut words = line.split(' ');
        let (what, name) = (words.next().unwrap(), words.next().unwrap());
        let known = match what {
            "deleting" => Known::Deleting,
            "deleted" => Known::Deleted,
            _ => {
                let version = words.next().unwrap().parse().unwrap();
                self.newest = self.newest.max(version);
                Known::Written(version)
            }
        };
        self.objects.insert(name.to_owned(), known);
    }

    /// Looks at every object in a server that was started on what is left.
    async fn check(&self, dir: &Path) {
        let client = Client::with(Options::in_dir(dir)).await;
        let list = client.get(MAPS).await.body;
        assert!(version(&list) >= self.newest, "the revision went back");
        let items = list["items"].as_array().unwrap().iter();
        let found: BTreeMap<&str, u64> = items
            .map(|item| (item["metadata"]["name"].as_str().unwrap(), version(item)))
            .collect();
        for (name, known) in &self.objects {
            let here = found.get(name.as_str()).copied();
            match known {
                // A write that was not acknowledged may have happened too.
                Known::Written(version) => assert!(here >= Some(*version), "{name}: {here:?}"),
                Known::Deleting => {}
                Known::Deleted => assert_eq!(here, None, "{name}"),
            }
        }
        client.server.stop().await;
    }
}

fn start_writer(dir: &Path, round: u64) -> (Child, Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writer_that_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .env(ROUND, round.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_kill() {
    let rounds = std::env::var(ROUNDS).map_or(ROUNDS_IN_GATE, |text| text.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    for round in 0..rounds {
        let (mut child, mut lines) = start_writer(dir.path(), round);
        let n_writes = StdRng::seed_from_u64(round).random_range(1..=MAX_WRITES);
        for _ in 0..n_writes {
            acknowledged.take(&lines.next().unwrap().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What was said between the last line read and the kill.
        for line in lines {
            acknowledged.take(&line.unwrap());
        }
        acknowledged.check(dir.path()).await;
    }
    let n_objects = acknowledged.objects.len();
    println!("{rounds} kills, {n_objects} objects, nothing acknowledged was lost");
}
