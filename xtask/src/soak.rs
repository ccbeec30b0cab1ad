//! `cargo xtask soak`: many watchers of many objects for a minute; nobody misses an event, and the
//! server's memory stays.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::json;

use crate::bench::subject::{Storage, Subject};
use crate::bench::wire::Api;

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";
/// Clients that make the objects.
const N_FILLERS: usize = 16;
/// Size of the objects.
const OBJECT_BYTES: usize = 1_024;
/// How long watchers may lag behind the last update.
const PATIENCE: Duration = Duration::from_secs(30);
/// Memory is flat when it ends within this share of what it was after the first third.
const GROWTH: f64 = 1.1;

/// How much, and how long.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Watchers of the whole collection
    #[arg(long, default_value_t = 20)]
    watchers: usize,
    /// Objects
    #[arg(long, default_value_t = 50_000)]
    objects: usize,
    /// Updates per second
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// Seconds of updates
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Runs it against the release binary.
///
/// # Errors
/// When an event is missed, or the memory grows.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let binary = crate::bench::build()?;
    tokio::runtime::Runtime::new()?.block_on(soak(arguments, &binary))
}

async fn soak(arguments: &Arguments, binary: &Path) -> Result<()> {
    let subject = Subject::sandbox(binary, Storage::Memory)?;
    let api = subject.api()?;
    fill(&api, arguments.objects).await?;
    println!(
        "{} objects: {} MB",
        arguments.objects,
        subject.resident_kilobytes()? / 1024
    );
    let n_updates = arguments.rate as usize * arguments.seconds as usize;
    let version: Arc<str> = api.version(COLLECTION).await?.into();
    let mut watchers = tokio::task::JoinSet::new();
    for _ in 0..arguments.watchers {
        watchers.spawn(see_all(api.clone(), Arc::clone(&version), n_updates));
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / arguments.rate);
    let mut memory = Vec::new();
    let began = Instant::now();
    for number in 0..n_updates {
        ticks.tick().await;
        let path = format!("{COLLECTION}/{}", name(number % arguments.objects));
        // The objects were made with the number 0, and a write that changes nothing is no event.
        let object = object(number % arguments.objects, number + 1);
        api.send(Method::PUT, &path, Some(object)).await?;
        if number % arguments.rate as usize == 0 {
            memory.push(subject.resident_kilobytes()?);
        }
    }
    let elapsed = began.elapsed().as_secs_f64();
    let all = async {
        while let Some(watcher) = watchers.join_next().await {
            watcher??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(PATIENCE, all)
        .await
        .context("a watcher misses events")??;
    memory.push(subject.resident_kilobytes()?);
    println!(
        "{n_updates} updates in {elapsed:.1} s; {} watchers saw every one, in order",
        arguments.watchers
    );
    judge(&memory)
}

/// The memory at the end beside that after the first third, when all buffers have their size.
fn judge(memory: &[u64]) -> Result<()> {
    let megabytes = |at: usize| memory.get(at).map_or(0, |kilobytes| kilobytes / 1024);
    let (settled, end) = (megabytes(memory.len() / 3), megabytes(memory.len() - 1));
    println!(
        "memory: {} MB when the updates began, {settled} MB after a third, {end} MB at the end",
        megabytes(0)
    );
    if end as f64 > settled as f64 * GROWTH {
        bail!("the memory grows");
    }
    Ok(())
}

fn name(index: usize) -> String {
    format!("soak-{index}")
}

fn object(index: usize, number: usize) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(index)},
        "data": {"filling": "x".repeat(OBJECT_BYTES), "number": number.to_string()}})
    .to_string()
}

async fn fill(api: &Api, n_objects: usize) -> Result<()> {
    let mut fillers = tokio::task::JoinSet::new();
    for filler in 0..N_FILLERS {
        let api = api.clone();
        fillers.spawn(async move {
            for index in (filler..n_objects).step_by(N_FILLERS) {
                let object = object(index, 0);
                api.send(Method::POST, COLLECTION, Some(object)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filled) = fillers.join_next().await {
        filled??;
    }
    Ok(())
}

/// Reads a watch until every update was seen once, in order.
async fn see_all(api: Api, version: Arc<str>, n_updates: usize) -> Result<()> {
    let mut events = api.watch(COLLECTION, &version).await?;
    for number in 0..n_updates {
        let event = events.next().await?;
        let seen = event["object"]["data"]["number"].as_str();
        if seen != Some(&(number + 1).to_string()) {
            bail!("event {number} tells of update {seen:?}");
        }
    }
    Ok(())
}
