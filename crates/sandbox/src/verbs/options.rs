//! What the query of a write may say: field manager, dry run, field validation.

use kinds::FieldError;
use yaml::Value;

use crate::core::Call;
use crate::status_error::{About, ApiError};

/// A field manager's name may not be longer.
const MANAGER_LENGTH: usize = 128;

/// Which options a request is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Options {
    Create,
    Update,
    /// A patch that is merged.
    Patch,
    /// Server-side apply.
    Apply,
}

impl Options {
    fn kind(self) -> &'static str {
        match self {
            Options::Create => "CreateOptions",
            Options::Update => "UpdateOptions",
            Options::Patch | Options::Apply => "PatchOptions",
        }
    }

    /// Checks the query of a request.
    ///
    /// # Errors
    /// 422 that lists what is wrong.
    pub(crate) fn check(self, call: &Call<'_>) -> Result<(), ApiError> {
        let query = &call.request.query;
        let mut errors = Vec::new();
        let manager = query.get("fieldManager");
        if self == Options::Patch && query.has("force") {
            let why = "may not be specified for non-apply patch";
            errors.push(FieldError::forbidden("force", why));
        }
        if self == Options::Apply && manager.is_empty() {
            let why = "is required for apply patch";
            errors.push(FieldError::required("fieldManager", why));
        }
        errors.extend(wrong_manager(manager));
        errors.extend(wrong_dry_run(query.all("dryRun")));
        let validation = query.get("fieldValidation");
        let known = ["", "Ignore", "Strict", "Warn"];
        if !known.contains(&validation) {
            let value = validation.into();
            errors.push(FieldError::not_supported("fieldValidation", &value, &known));
        }
        if errors.is_empty() {
            return Ok(());
        }
        let about = About {
            group: "meta.k8s.io",
            kind: self.kind(),
            name: "",
        };
        Err(ApiError::invalid(about, &errors))
    }
}

fn wrong_manager(manager: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if manager.len() > MANAGER_LENGTH {
        errors.push(FieldError::too_long("fieldManager", MANAGER_LENGTH));
    }
    // Unicode's other letters pass: only control characters and odd spaces are not printable.
    let odd = |letter: char| letter.is_control() || (letter.is_whitespace() && letter != ' ');
    for (index, letter) in manager.char_indices().filter(|(_, letter)| odd(*letter)) {
        let code = u32::from(letter);
        let why = format!("invalid character U+{code:04X} (at position {index})");
        errors.push(FieldError::invalid("fieldManager", &manager.into(), &why));
    }
    errors
}

/// The only dry run there is goes through all stages.
pub(crate) fn wrong_dry_run<'a>(values: impl Iterator<Item = &'a str>) -> Option<FieldError> {
    let values: Vec<&str> = values.collect();
    let wrong = values.iter().any(|value| *value != "All");
    wrong.then(|| FieldError::not_supported("dryRun", &Value::from(values), &["All"]))
}
