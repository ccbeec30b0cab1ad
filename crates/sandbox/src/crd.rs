//! Custom resources: what a CustomResourceDefinition says about one version of a kind.

use yaml::Value;

/// One served version of a custom resource.
#[derive(Clone, Debug, Default)]
pub(crate) struct Served {
    /// `openAPIV3Schema`.
    pub(crate) schema: Value,
    pub(crate) selectable_fields: Vec<String>,
    /// Where the scale subresource reads and writes.
    pub(crate) scale: Option<ScalePaths>,
    pub(crate) has_status: bool,
}

/// The paths of a scale subresource, with their leading dots.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScalePaths {
    pub(crate) replicas: String,
    pub(crate) status: String,
    pub(crate) selector: Option<String>,
}

impl Served {
    /// Fields that objects can be selected by, without a leading dot.
    pub(crate) fn selectable_fields(&self) -> impl Iterator<Item = &str> {
        self.selectable_fields.iter().map(String::as_str)
    }
}
