//! Helm charts, as `helm template` v4.1 renders them: in process, from memory, with nothing executed.
//!
//! Read [`Chart`] and [`render()`] first. A chart is loaded once, from a [`manifest::Tree`] or an
//! archive, and keeps its parsed templates; a render takes [`Values`] and a [`Release`] and gives
//! manifests in Helm's order. [`template()`] is the whole command, text for text.
//!
//! This crate is pure: what a render may know of the world (time, randomness, a cluster) is an
//! argument. It must never know an Application or a repository.

mod archive;
mod arguments;
mod capabilities;
mod chart;
mod coalesce;
mod dependencies;
mod error;
mod file;
mod functions;
mod glob;
mod ignore;
mod load;
mod log;
mod manifests;
mod metadata;
mod path_match;
mod render;
mod schema;
mod scope;
mod spread;
mod strvals;
mod template;
mod trace;
mod value;
mod values;
mod versions;

pub use capabilities::{Capabilities, KubeVersion};
pub use chart::Chart;
pub use error::Error;
pub use file::File;
pub use log::{Level, Warning};
pub use manifests::{Hook, Manifest};
pub use metadata::{Dependency, Metadata};
pub use render::{Release, Rendered, SchemaCheck, World, execute, render};
pub use spread::Spread;
pub use template::{Flags, Output, TemplateOptions, template};
pub use value::{Value, Values};
pub use values::ValueSources;
