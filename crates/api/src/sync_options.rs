//! Sync options: the texts of `syncOptions` and of the annotation, read once.

/// One known sync option (labels.md 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SyncOption {
    /// `Prune=false`: never delete.
    PruneFalse,
    /// `Prune=confirm`: delete after a confirmation.
    PruneConfirm,
    /// `Delete=false`: stay when the Application is deleted.
    DeleteFalse,
    /// `Delete=confirm`: go with the Application after a confirmation.
    DeleteConfirm,
    /// `Validate=false`: no schema validation.
    ValidateFalse,
    /// `SkipDryRunOnMissingResource=true`: an unknown kind does not fail the dry run.
    SkipDryRunOnMissingResource,
    /// `PruneLast=true`: delete after everything else.
    PruneLast,
    /// `Replace=true`: replace in place of apply.
    Replace,
    /// `Replace=false`: no effect.
    ReplaceFalse,
    /// `Force=true`: delete and create again on conflict.
    Force,
    /// `ServerSideApply=true`: server-side apply.
    ServerSideApply,
    /// `ServerSideApply=false`: an object opts out of server-side apply.
    ServerSideApplyFalse,
    /// `ApplyOutOfSyncOnly=true`: apply only what differs.
    ApplyOutOfSyncOnly,
    /// `ApplyOutOfSyncOnly=false`: no effect.
    ApplyOutOfSyncOnlyFalse,
    /// `CreateNamespace=true`: create the destination namespace.
    CreateNamespace,
    /// `FailOnSharedResource=true`: fail when another Application has an object.
    FailOnSharedResource,
    /// `RespectIgnoreDifferences=true`: keep live values of ignored fields.
    RespectIgnoreDifferences,
    /// `PrunePropagationPolicy=foreground`.
    PropagationForeground,
    /// `PrunePropagationPolicy=background`.
    PropagationBackground,
    /// `PrunePropagationPolicy=orphan`.
    PropagationOrphan,
    /// `ClientSideApplyMigration=false`: field managers are not migrated.
    ClientSideApplyMigrationFalse,
    /// `ClientSideApplyMigration=true`: no effect.
    ClientSideApplyMigration,
}

/// Every option with its text; the first of a group wins where they exclude each other.
const TABLE: &[(&str, SyncOption)] = &[
    ("Prune=false", SyncOption::PruneFalse),
    ("Prune=confirm", SyncOption::PruneConfirm),
    ("Delete=false", SyncOption::DeleteFalse),
    ("Delete=confirm", SyncOption::DeleteConfirm),
    ("Validate=false", SyncOption::ValidateFalse),
    (
        "SkipDryRunOnMissingResource=true",
        SyncOption::SkipDryRunOnMissingResource,
    ),
    ("PruneLast=true", SyncOption::PruneLast),
    ("Replace=true", SyncOption::Replace),
    ("Replace=false", SyncOption::ReplaceFalse),
    ("Force=true", SyncOption::Force),
    ("ServerSideApply=true", SyncOption::ServerSideApply),
    ("ServerSideApply=false", SyncOption::ServerSideApplyFalse),
    ("ApplyOutOfSyncOnly=true", SyncOption::ApplyOutOfSyncOnly),
    (
        "ApplyOutOfSyncOnly=false",
        SyncOption::ApplyOutOfSyncOnlyFalse,
    ),
    ("CreateNamespace=true", SyncOption::CreateNamespace),
    (
        "FailOnSharedResource=true",
        SyncOption::FailOnSharedResource,
    ),
    (
        "RespectIgnoreDifferences=true",
        SyncOption::RespectIgnoreDifferences,
    ),
    (
        "PrunePropagationPolicy=foreground",
        SyncOption::PropagationForeground,
    ),
    (
        "PrunePropagationPolicy=background",
        SyncOption::PropagationBackground,
    ),
    (
        "PrunePropagationPolicy=orphan",
        SyncOption::PropagationOrphan,
    ),
    (
        "ClientSideApplyMigration=false",
        SyncOption::ClientSideApplyMigrationFalse,
    ),
    (
        "ClientSideApplyMigration=true",
        SyncOption::ClientSideApplyMigration,
    ),
];

impl SyncOption {
    /// The option that `text` says exactly; `None` for every other text.
    #[must_use]
    pub fn from_text(text: &str) -> Option<SyncOption> {
        TABLE
            .iter()
            .find(|(known, _)| *known == text)
            .map(|(_, option)| *option)
    }

    /// The text, as people write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TABLE
            .iter()
            .find(|(_, option)| *option == self)
            .map(|(text, _)| *text)
            .expect("every option is in the table")
    }
}

/// What an option with confirmation says: `Prune=…` or `Delete=…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Never.
    Never,
    /// After a confirmation.
    Confirm,
}

/// How deletions go on to dependents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// Dependents first; the default.
    Foreground,
    /// Dependents later.
    Background,
    /// Dependents stay.
    Orphan,
}

/// The options of an Application, an operation or an object, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions {
    known: Vec<SyncOption>,
    /// Texts that are no known option, kept as they are.
    pub unknown: Vec<String>,
}

impl SyncOptions {
    /// Reads a list of options.
    #[must_use]
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Self {
        let mut options = SyncOptions::default();
        for text in texts {
            options.add(text.as_ref());
        }
        options
    }

    /// Reads the annotation of an object: items between commas, trimmed, empty ones left out.
    #[must_use]
    pub fn parse_annotation(text: &str) -> Self {
        let mut options = SyncOptions::default();
        for item in text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
        {
            options.add(item);
        }
        options
    }

    fn add(&mut self, text: &str) {
        match SyncOption::from_text(text) {
            Some(option) if self.has(option) => {}
            Some(option) => self.known.push(option),
            None if self.unknown.iter().any(|it| it == text) => {}
            None => self.unknown.push(text.to_owned()),
        }
    }

    /// Whether the option was given.
    #[must_use]
    pub fn has(&self, option: SyncOption) -> bool {
        self.known.contains(&option)
    }

    /// What the first `Prune=` option says.
    #[must_use]
    pub fn prune(&self) -> Option<Consent> {
        self.first([
            (SyncOption::PruneFalse, Consent::Never),
            (SyncOption::PruneConfirm, Consent::Confirm),
        ])
    }

    /// What the first `Delete=` option says.
    #[must_use]
    pub fn delete(&self) -> Option<Consent> {
        self.first([
            (SyncOption::DeleteFalse, Consent::Never),
            (SyncOption::DeleteConfirm, Consent::Confirm),
        ])
    }

    fn first(&self, meanings: [(SyncOption, Consent); 2]) -> Option<Consent> {
        self.known.iter().find_map(|option| {
            let found = meanings.iter().find(|(meant, _)| meant == option);
            found.map(|(_, consent)| *consent)
        })
    }

    /// How deletions go on to dependents; `background` is looked for first (labels.md 3).
    #[must_use]
    pub fn propagation(&self) -> Propagation {
        if self.has(SyncOption::PropagationBackground) {
            Propagation::Background
        } else if self.has(SyncOption::PropagationOrphan) {
            Propagation::Orphan
        } else {
            Propagation::Foreground
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], prune: Option<Consent>, unknown: &[&str]) {
        let options = SyncOptions::parse(texts);
        assert_eq!(options.prune(), prune);
        assert_eq!(options.unknown, unknown);
    }

    #[test]
    fn the_first_prune_option_wins_and_unknown_ones_stay() {
        check(
            &["Prune=confirm", "Prune=false"],
            Some(Consent::Confirm),
            &[],
        );
        check(&["Prune=false", "Prune=confirm"], Some(Consent::Never), &[]);
        check(
            &["prune=false", "Prune = false", "X=1", "X=1"],
            None,
            &["prune=false", "Prune = false", "X=1"],
        );
    }

    #[test]
    fn every_option_reads_back_from_its_text() {
        for (text, option) in TABLE {
            assert_eq!(SyncOption::from_text(text), Some(*option));
            assert_eq!(option.as_str(), *text);
        }
    }

    #[test]
    fn an_annotation_is_split_at_commas_and_trimmed() {
        let options = SyncOptions::parse_annotation(" Prune=false , ,Replace=true");
        assert_eq!(options.prune(), Some(Consent::Never));
        assert!(options.has(SyncOption::Replace));
        assert!(options.unknown.is_empty());
    }

    #[test]
    fn background_propagation_is_looked_for_first() {
        let options = SyncOptions::parse(&[
            "PrunePropagationPolicy=orphan",
            "PrunePropagationPolicy=background",
        ]);
        assert_eq!(options.propagation(), Propagation::Background);
    }
}
