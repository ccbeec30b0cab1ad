//! The controllers and the kubelet that a cluster has beside its API server, simulated: they give
//! objects a life.
//!
//! Everything here talks to an API server through a tower service, with the requests and watches
//! that any client may send; it would run on any API server, and it must never look into the
//! sandbox's storage. Read [`start()`] first, then `control`: each controller is a pure function from
//! the indexed `world` to the writes it wants, and one `runtime` does the rest.

mod account_token;
mod aggregation;
mod autoscaler;
mod client;
pub mod clock;
mod control;
mod course;
mod cron_job;
mod cron_schedule;
mod daemon_set;
mod definition;
mod deployment;
mod disruption;
mod endpoints;
mod execute;
mod fate;
mod fields;
mod garbage;
mod hash;
mod job;
mod job_backoff;
mod job_pods;
mod job_policy;
mod job_status;
mod kind;
mod kubelet;
mod kubelet_status;
mod load_balancer;
mod log_text;
mod logs;
mod mirror;
mod namespace;
mod neighbours;
mod node;
mod notes;
mod pairs;
mod placement;
mod pod;
mod pod_garbage;
mod quota;
mod replica_set;
mod revisions;
mod rollout;
mod rollout_status;
mod runtime;
mod scheduler;
mod selector;
mod slices;
mod start;
mod stateful_pods;
mod stateful_set;
mod time;
mod volume;
mod watchers;
mod world;
mod write;

#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use control::Switch;
pub use log_text::NoLog;
pub use logs::{Asked, Logs, Wanted};
pub use start::{Life, Options, start};
