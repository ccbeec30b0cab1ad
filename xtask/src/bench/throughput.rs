//! The API beside the real one: what clients get done, on all servers in one run and in turns, so
//! that whatever else the machine does hits all of them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::json;

use super::median;
use super::subject::{Storage, Subject, processor_time};
use super::wire::Api;

/// Objects in the list that is timed.
const N_LISTED: usize = 10_000;
/// Clients that write at once.
const N_FILLERS: usize = 16;
/// Watchers that all get every event.
const N_WATCHERS: usize = 20;
/// Size of the objects.
const OBJECT_BYTES: usize = 2_048;
/// What the sandbox is to be faster by.
const FACTOR: f64 = 5.0;

const COLLECTION: &str = "/api/v1/namespaces/default/configmaps";

/// What is timed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    Create,
    Update,
    FanOut,
    Fill,
    List,
}

struct Plan {
    activity: Activity,
    what: &'static str,
    /// The servers take turns so often.
    n_rounds: usize,
    /// Operations of one turn.
    n_each: usize,
}

const WARM_UP: Plan = Plan {
    activity: Activity::Create,
    what: "",
    n_rounds: 1,
    n_each: 100,
};

const PLANS: &[Plan] = &[
    Plan {
        activity: Activity::Create,
        what: "create",
        n_rounds: 10,
        n_each: 100,
    },
    Plan {
        activity: Activity::Update,
        what: "update",
        n_rounds: 10,
        n_each: 100,
    },
    Plan {
        activity: Activity::FanOut,
        what: "update until the last of 20 watchers has it",
        n_rounds: 10,
        n_each: 100,
    },
    Plan {
        activity: Activity::Fill,
        what: "create, 16 clients at once",
        n_rounds: 9,
        n_each: 1_000,
    },
    Plan {
        activity: Activity::List,
        what: "list of 10,000 objects",
        n_rounds: 7,
        n_each: 1,
    },
];

/// What one turn took, per operation.
#[derive(Clone, Copy, Default)]
struct Cost {
    elapsed: Duration,
    /// User and system time of the server's processes.
    server: Duration,
    /// The same of this client.
    client: Duration,
}

/// One server and its figures.
struct Side {
    name: &'static str,
    subject: Subject,
    api: Api,
    /// Objects made so far.
    n_objects: usize,
    turns: Vec<Cost>,
}

impl Side {
    fn new(name: &'static str, subject: Subject) -> Result<Self> {
        Ok(Side {
            name,
            api: subject.api()?,
            subject,
            n_objects: 0,
            turns: Vec::new(),
        })
    }

    async fn turn(&mut self, plan: &Plan, round: usize) -> Result<()> {
        let first = self.n_objects;
        let watchers = match plan.activity {
            Activity::FanOut => Some(Watchers::open(&self.api, plan.n_each).await?),
            _ => None,
        };
        let (server, client) = (self.subject.processor_time()?, processor_time("self")?);
        let began = Instant::now();
        match plan.activity {
            Activity::Create => {
                for index in first..first + plan.n_each {
                    create(&self.api, index).await?;
                }
            }
            Activity::Fill => fill(&self.api, first, plan.n_each).await?,
            Activity::Update => {
                for index in 0..plan.n_each {
                    update(&self.api, index, round + 1).await?;
                }
            }
            Activity::FanOut => {}
            Activity::List => {
                let n_bytes = self.api.count(COLLECTION).await?;
                ensure!(
                    n_bytes > N_LISTED * OBJECT_BYTES,
                    "a list of {n_bytes} bytes"
                );
            }
        }
        if let Some(watchers) = watchers {
            watchers.run(&self.api, plan.n_each, round).await?;
        }
        if matches!(plan.activity, Activity::Create | Activity::Fill) {
            self.n_objects += plan.n_each;
        }
        let n_each = u32::try_from(plan.n_each).unwrap_or(1);
        self.turns.push(Cost {
            elapsed: began.elapsed() / n_each,
            server: (self.subject.processor_time()? - server) / n_each,
            client: (processor_time("self")? - client) / n_each,
        });
        Ok(())
    }

    /// The middle of the turns; their mean for processor time, which the system counts coarsely.
    fn cost(&mut self) -> Cost {
        let turns = std::mem::take(&mut self.turns);
        let n_turns = u32::try_from(turns.len()).unwrap_or(1).max(1);
        Cost {
            elapsed: median(turns.iter().map(|turn| turn.elapsed).collect()),
            server: turns.iter().map(|turn| turn.server).sum::<Duration>() / n_turns,
            client: turns.iter().map(|turn| turn.client).sum::<Duration>() / n_turns,
        }
    }
}

/// Measures all servers and prints a table.
///
/// # Errors
/// When the sandbox does not start or refuses a request.
pub(crate) fn table(binary: &Path) -> Result<()> {
    let memory = Subject::sandbox(binary, Storage::Memory)?;
    let disk = Subject::sandbox(binary, Storage::Disk)?;
    let mut sides = vec![
        Side::new("sandbox", memory)?,
        Side::new("sandbox on disk", disk)?,
    ];
    match Subject::real()? {
        Some(real) => sides.push(Side::new("kube-apiserver + etcd", real)?),
        None => println!("kube-apiserver is not installed"),
    }
    println!();
    println!(
        "Clients over HTTPS on one connection, objects of 2 KB, servers in turns; processor time \
         per operation in brackets: server, client"
    );
    let names: Vec<&str> = sides.iter().map(|side| side.name).collect();
    println!("| what | {} | faster by |", names.join(" | "));
    println!("|---|{}---|", "---|".repeat(names.len()));
    // One thread: a client that wakes threads of its own takes the processors from the servers.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run(&mut sides, &WARM_UP))?;
    for side in &mut sides {
        side.turns.clear();
    }
    for plan in PLANS {
        runtime.block_on(run(&mut sides, plan))?;
        let costs: Vec<Cost> = sides.iter_mut().map(Side::cost).collect();
        let cells: Vec<String> = costs.iter().map(|cost| shown(*cost)).collect();
        println!(
            "| {} | {} | {} |",
            plan.what,
            cells.join(" | "),
            ratio(&costs)
        );
    }
    for side in &sides {
        let megabytes = side.subject.resident_kilobytes()? / 1024;
        println!(
            "{}: {megabytes} MB with {} objects",
            side.name, side.n_objects
        );
    }
    Ok(())
}

async fn run(sides: &mut [Side], plan: &Plan) -> Result<()> {
    for round in 0..plan.n_rounds {
        for side in &mut *sides {
            let turn = side.turn(plan, round).await;
            turn.with_context(|| format!("{}: {}", side.name, plan.what))?;
        }
    }
    Ok(())
}

/// How much faster the first server is than the last one, by the clock and by processor time.
fn ratio(costs: &[Cost]) -> String {
    let [sandbox, _, real] = costs else {
        return "-".to_owned();
    };
    let factor = |real: Duration, ours: Duration| real.as_secs_f64() / ours.as_secs_f64();
    let clock = factor(real.elapsed, sandbox.elapsed);
    let processor = factor(real.server, sandbox.server);
    let verdict = if clock < FACTOR { ", budget: 5" } else { "" };
    format!("{clock:.1} (server's processor time {processor:.1}{verdict})")
}

/// A time, how many of it fit into a second, and the processor time in milliseconds.
fn shown(cost: Cost) -> String {
    let milliseconds = |time: Duration| time.as_secs_f64() * 1_000.0;
    let each = milliseconds(cost.elapsed);
    format!(
        "{each:.2} ms, {:.0}/s [{:.2}, {:.2}]",
        1_000.0 / each,
        milliseconds(cost.server),
        milliseconds(cost.client)
    )
}

fn object(index: usize, number: usize) -> String {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name(index)},
        "data": {"filling": "x".repeat(OBJECT_BYTES), "number": number.to_string()}})
    .to_string()
}

fn name(index: usize) -> String {
    format!("bench-{index}")
}

async fn create(api: &Api, index: usize) -> Result<()> {
    let body = Some(object(index, 0));
    api.send(Method::POST, COLLECTION, body).await.map(drop)
}

async fn update(api: &Api, index: usize, number: usize) -> Result<()> {
    let path = format!("{COLLECTION}/{}", name(index));
    let body = Some(object(index, number));
    api.send(Method::PUT, &path, body).await.map(drop)
}

/// Makes objects by many clients at once.
async fn fill(api: &Api, first: usize, n_objects: usize) -> Result<()> {
    let mut fillers = tokio::task::JoinSet::new();
    for filler in 0..N_FILLERS {
        let api = api.clone();
        fillers.spawn(async move {
            for index in (first + filler..first + n_objects).step_by(N_FILLERS) {
                create(&api, index).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(filled) = fillers.join_next().await {
        filled??;
    }
    Ok(())
}

/// Watchers of the collection, which count what they see.
struct Watchers {
    tasks: tokio::task::JoinSet<Result<()>>,
    /// How many events all of them have seen; openings count as one.
    seen: tokio::sync::watch::Receiver<usize>,
}

impl Watchers {
    async fn open(api: &Api, n_events: usize) -> Result<Self> {
        let version = api.version(COLLECTION).await?;
        let (count, seen) = tokio::sync::watch::channel(0);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..N_WATCHERS {
            let (api, version, count) = (api.clone(), version.clone(), count.clone());
            // Only the last watcher wakes who waits.
            let saw = move || {
                count.send_if_modified(|count| {
                    *count += 1;
                    *count % N_WATCHERS == 0
                });
            };
            tasks.spawn(async move {
                let mut events = api.watch(COLLECTION, &version).await?;
                saw();
                for _ in 0..n_events {
                    events.line().await?;
                    saw();
                }
                anyhow::Ok(())
            });
        }
        let mut watchers = Watchers { tasks, seen };
        watchers.all_saw(1).await?;
        Ok(watchers)
    }

    async fn all_saw(&mut self, n_events: usize) -> Result<()> {
        let all = N_WATCHERS * n_events;
        self.seen.wait_for(|seen| *seen >= all).await?;
        Ok(())
    }

    /// Updates one object again and again, each time until everybody has seen it.
    async fn run(mut self, api: &Api, n_events: usize, round: usize) -> Result<()> {
        for number in 0..n_events {
            update(api, 0, (round + 1) * 10_000 + number).await?;
            self.all_saw(number + 2).await?;
        }
        while let Some(watcher) = self.tasks.join_next().await {
            watcher??;
        }
        Ok(())
    }
}
