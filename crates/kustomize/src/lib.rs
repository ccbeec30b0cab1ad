//! Builds kustomizations: bases, overlays, patches and generators become objects, as
//! `kubectl kustomize` (kustomize v5.7.1) prints them.
//!
//! Read [`build()`] first. A build reads a [`manifest::Tree`] and nothing else: remote bases that are
//! missing are an answer ([`Error::Missing`]), and charts are inflated by a function of the caller.
//! Resources are kept as [`yaml::node::Node`], read once and changed in place through all layers, and
//! become values at the end.
//!
//! This crate knows what a kustomization means. It must never know an Application or a cluster.

mod build;
mod config;
mod decode;
mod edit;
mod error;
mod fields;
mod fieldspec;
mod generate;
mod helm;
mod identity;
mod kustomization;
mod limits;
mod loader;
mod merge;
mod names;
mod origin;
mod patch;
mod plugin;
mod remote;
mod replacement;
mod resource;
mod resources;
mod selector;
mod sort;
mod target;
mod transform;
mod variable;

pub use build::{Built, Options, build};
pub use edit::{Edit, Existing, LabelReach};
pub use error::Error;
pub use helm::{HelmChart, Inflate, Inflation};
pub use limits::{MAX_BYTES, MAX_DEPTH, MAX_KUSTOMIZATIONS, MAX_RESOURCES};
pub use loader::LoadRestriction;
pub use remote::{Content, Needed, Remote, Remotes, RepoSpec};
