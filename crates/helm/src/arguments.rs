//! The command line of `helm template`, behind NAME and CHART.
//!
//! What replays recordings of helm reads its arguments here; `tiphys render` has its own flags and
//! fills [`TemplateOptions`] itself.

use crate::TemplateOptions;

/// Flags without a value that change nothing here.
const IGNORED: [&str; 4] = [
    "--skip-crds",
    "--validate",
    "--create-namespace",
    "--dry-run",
];

impl TemplateOptions {
    /// Reads arguments; `read` gives the text of a value file.
    ///
    /// # Errors
    /// What `read` says, and a flag that is not known or lacks its value.
    pub fn parse(
        arguments: &[String],
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<Self, String> {
        let mut options = TemplateOptions::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if IGNORED.contains(&argument.as_str()) || options.set_flag(argument) {
                continue;
            }
            let (flag, value) = match argument.split_once('=') {
                Some((flag, value)) if flag.starts_with("--") => (flag, value.to_owned()),
                _ => {
                    let value = rest.next().cloned();
                    let missing = || format!("flag needs an argument: {argument}");
                    (argument.as_str(), value.ok_or_else(missing)?)
                }
            };
            options.set_value(flag, value, read)?;
        }
        Ok(options)
    }

    fn set_flag(&mut self, name: &str) -> bool {
        let flags = &mut self.flags;
        let flag = match name {
            "--include-crds" => &mut flags.include_crds,
            "--skip-tests" => &mut flags.skip_tests,
            "--no-hooks" => &mut flags.no_hooks,
            "--is-upgrade" => &mut flags.is_upgrade,
            "--debug" => &mut flags.debug,
            "--skip-schema-validation" => &mut flags.skip_schemas,
            _ => return false,
        };
        *flag = true;
        true
    }

    fn set_value(
        &mut self,
        name: &str,
        value: String,
        read: &dyn Fn(&str) -> Result<String, String>,
    ) -> Result<(), String> {
        let values = &mut self.values;
        match name {
            "-f" | "--values" => {
                for file in value.split(',') {
                    values.files.push((file.to_owned(), read(file)?));
                }
            }
            "--set" => values.set.push(value),
            "--set-string" => values.strings.push(value),
            "--set-json" => values.json.push(value),
            "--set-file" => values.set_files.push(value),
            "--set-literal" => values.literals.push(value),
            "--name-template" => self.name_template = Some(value),
            "-n" | "--namespace" => self.namespace = value,
            "--kube-version" => self.kube_version = Some(value),
            "-a" | "--api-versions" => {
                self.api_versions
                    .extend(value.split(',').map(str::to_owned));
            }
            "-s" | "--show-only" => self.show_only.push(value),
            "-l" | "--labels" | "--description" | "--timeout" => {}
            _ => return Err(format!("unknown flag: {name}")),
        }
        Ok(())
    }
}
