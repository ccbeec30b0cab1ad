//! A Kubernetes API server without a cluster: for `tiphys up`, previews and tests.
//!
//! Read [`Server`] first: [`Server::start`] gives one, [`Server::service`] is its API as a tower
//! service that `kube::Client::new` takes. Inside, a request becomes an answer in `core`, a
//! synchronous function over the `store`; only watches are streams.
//!
//! It serves what `data/` describes and is judged by recordings of a real kube-apiserver. It must
//! never know what Tiphys does with it.

mod admission;
mod audit;
mod auth;
mod budget;
mod codec;
mod connection;
mod conversion;
mod convert;
mod core;
mod crd;
mod custom;
mod decode;
mod discovery;
mod error;
mod kubeconfig;
mod list_text;
mod meta;
mod negotiate;
mod openapi;
mod options;
mod outbound;
mod ownership;
mod registry;
mod render;
mod reply;
mod request;
mod seed;
mod selector;
mod server;
mod service;
mod status_error;
mod strategy;
mod table;
mod tls;
mod typing;
mod verbs;
mod watch;

pub use error::{Error, StoreError};
pub use life::Clock;
pub use options::{Controllers, Options, Rbac, Storage};
pub use server::Server;
pub use service::{ResponseBody, Service};
