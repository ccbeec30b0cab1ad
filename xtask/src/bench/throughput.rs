//! The API beside the real one: what one client gets done, on both servers in one run.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::json;
use tokio::sync::Barrier;

use super::median;
use super::subject::{Storage, Subject};
use super::wire::Api;

/// Writes of each kind that are timed.
const N_WRITES: usize = 1_000;
/// Objects in the list that is timed.
const N_LISTED: usize = 10_000;
const N_LISTS: usize = 5;
/// Clients that fill the list.
const N_FILLERS: usize = 16;
/// Watchers that all get every event.
const N_WATCHERS: usize = 20;
const N_EVENTS: usize = 100;
/// Size of the objects.
const OBJECT_BYTES: usize = 2_048;
/// What the sandbox is to be faster by.
const FACTOR: f64 = 5.0;

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

/// What was measured on one server; each figure is a time, so less is better.
struct Figures {
    create: Duration,
    update: Duration,
    list: Duration,
    fan_out: Duration,
}

impl Figures {
    fn lines(&self) -> [(&'static str, Duration); 4] {
        [
            ("create", self.create),
            ("update", self.update),
            ("list of 10,000 objects", self.list),
            ("update until the last of 20 watchers has it", self.fan_out),
        ]
    }
}

/// Measures both servers and prints a table.
///
/// # Errors
/// When the sandbox does not start or refuses a request.
pub(crate) fn table(binary: &Path) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let measure = |subject: &Subject| runtime.block_on(figures(&subject.api()?));
    let memory = measure(&Subject::sandbox(binary, Storage::Memory)?)?;
    let disk = measure(&Subject::sandbox(binary, Storage::Disk)?)?;
    let real = match Subject::real()? {
        Some(subject) => Some(measure(&subject)?),
        None => None,
    };
    println!();
    println!("One client over HTTPS, objects of 2 KB; the real server in the same run");
    println!("| what | sandbox, memory | sandbox, disk | kube-apiserver + etcd | faster by |");
    println!("|---|---|---|---|---|");
    for (index, (what, time)) in memory.lines().into_iter().enumerate() {
        let other = |figures: &Figures| figures.lines()[index].1;
        let disk = shown(other(&disk));
        match real.as_ref().map(other) {
            Some(real) => {
                let factor = real.as_secs_f64() / time.as_secs_f64();
                let verdict = if factor < FACTOR { " (budget: 5)" } else { "" };
                let (time, real) = (shown(time), shown(real));
                println!("| {what} | {time} | {disk} | {real} | {factor:.1}{verdict} |");
            }
            None => println!("| {what} | {} | {disk} | not installed | - |", shown(time)),
        }
    }
    Ok(())
}

/// A time, and how many of it fit into a second.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    format!("{:.2} ms ({:.0}/s)", seconds * 1_000.0, 1.0 / seconds)
}

async fn figures(api: &Api) -> Result<Figures> {
    // The first requests open the connection and warm both sides up.
    for index in 0..N_WRITES / 10 {
        create(api, &format!("warm-{index}")).await?;
    }
    let began = Instant::now();
    for index in 0..N_WRITES {
        create(api, &format!("bench-{index}")).await?;
    }
    let create = each(began.elapsed());
    let began = Instant::now();
    for index in 0..N_WRITES {
        update(api, &format!("bench-{index}"), index).await?;
    }
    let update = each(began.elapsed());
    let fan_out = fan_out(api).await?;
    Ok(Figures {
        create,
        update,
        list: list(api).await?,
        fan_out,
    })
}

fn each(elapsed: Duration) -> Duration {
    elapsed / u32::try_from(N_WRITES).unwrap_or(1)
}

fn object(name: &str, number: usize) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
        "data": {"filling": "x".repeat(OBJECT_BYTES), "number": number.to_string()}})
    .to_string()
}

async fn create(api: &Api, name: &str) -> Result<()> {
    api.send(Method::POST, COLLECTION, Some(object(name, 0)))
        .await?;
    Ok(())
}

async fn update(api: &Api, name: &str, number: usize) -> Result<()> {
    let path = format!("{COLLECTION}/{name}");
    api.send(Method::PUT, &path, Some(object(name, number + 1)))
        .await?;
    Ok(())
}

/// Fills the collection up to its size, then reads it whole.
async fn list(api: &Api) -> Result<Duration> {
    let mut fillers = tokio::task::JoinSet::new();
    for filler in 0..N_FILLERS {
        let api = api.clone();
        fillers.spawn(async move {
            for index in (filler..N_LISTED - N_WRITES - N_WRITES / 10).step_by(N_FILLERS) {
                create(&api, &format!("fill-{index}")).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filled) = fillers.join_next().await {
        filled??;
    }
    let mut times = Vec::new();
    for _ in 0..N_LISTS {
        let began = Instant::now();
        api.send(Method::GET, COLLECTION, None).await?;
        times.push(began.elapsed());
    }
    Ok(median(times))
}

/// The median time from the start of an update until the last watcher has its event.
async fn fan_out(api: &Api) -> Result<Duration> {
    let version = api.version(COLLECTION).await?;
    // Everybody meets when a watcher is open, and after each event.
    let meeting = Arc::new(Barrier::new(N_WATCHERS + 1));
    let mut watchers = tokio::task::JoinSet::new();
    for _ in 0..N_WATCHERS {
        let (api, version, meeting) = (api.clone(), version.clone(), Arc::clone(&meeting));
        watchers.spawn(async move {
            let mut events = api.watch(COLLECTION, &version).await?;
            meeting.wait().await;
            for _ in 0..N_EVENTS {
                let event = events.next().await?;
                event["object"].as_object().context("an object")?;
                meeting.wait().await;
            }
            anyhow::Ok(())
        });
    }
    meeting.wait().await;
    let mut times = Vec::new();
    for number in 0..N_EVENTS {
        let began = Instant::now();
        update(api, "bench-0", N_WRITES + number).await?;
        meeting.wait().await;
        times.push(began.elapsed());
    }
    while let Some(watcher) = watchers.join_next().await {
        watcher??;
    }
    Ok(median(times))
}
