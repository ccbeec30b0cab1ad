//! What a pod's containers will do: from the annotation that sets it, or from commands that are
//! simple enough to know their end.
//!
//! No process is ever started. A command that is not known runs for ever, or, in a Job, as long as
//! any job does here.

use std::time::Duration;

use manifest::Object;
use yaml::Value;

use super::fields::{controller, items, text};
use super::time::duration;

/// The annotation that sets a pod's fate.
pub(crate) const FATE: &str = "sandbox.tiphys.dev/pod";
/// The annotation that delays a pod's readiness, such as `5s`.
pub(crate) const READY_AFTER: &str = "sandbox.tiphys.dev/ready-after";
/// How long a Job's pod works when nothing says otherwise.
pub(crate) const JOB_TIME: Duration = Duration::from_millis(700);
/// The most that a simulated `echo` prints.
const MAX_OUTPUT_BYTES: usize = 64 << 10;

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// No node takes it.
    Pending,
    /// Its image cannot be pulled.
    ImagePull,
    /// Its containers crash over and over.
    Crash,
    /// It runs and never becomes ready.
    NeverReady,
    /// It runs; its containers do what their commands say.
    Runs,
}

/// What one container does when it is started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// What it prints, and how long after its start; each text is a line or the start of one.
    pub(crate) prints: Vec<(Duration, String)>,
    /// Its exit code and how long it runs; without it runs until it is stopped.
    pub(crate) end: Option<(i64, Duration)>,
}

impl Plan {
    const FOREVER: Plan = Plan {
        prints: Vec::new(),
        end: None,
    };

    pub(crate) fn ends(code: i64, after: Duration) -> Self {
        Plan {
            prints: Vec::new(),
            end: Some((code, after)),
        }
    }
}

/// What the containers of a pod do, each list in the order of the spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plans {
    /// One after the other, before the others; with whether it is a sidecar, which stays.
    pub(crate) initial: Vec<(Plan, bool)>,
    /// All at once.
    pub(crate) main: Vec<Plan>,
    /// Added for debugging.
    pub(crate) ephemeral: Vec<Plan>,
}

/// The fate that the annotation sets; one that is unknown sets none.
pub(crate) fn fate(pod: &Object) -> Fate {
    match pod.annotation(FATE) {
        Some("pending") => Fate::Pending,
        Some("image-pull") => Fate::ImagePull,
        Some("crash") => Fate::Crash,
        Some("never-ready") => Fate::NeverReady,
        _ => Fate::Runs,
    }
}

/// How long a running container takes to be ready.
pub(crate) fn ready_after(pod: &Object) -> Duration {
    pod.annotation(READY_AFTER)
        .and_then(duration)
        .unwrap_or_default()
}

/// What each container does. The annotation is about the main containers only.
pub(crate) fn plans(pod: &Object) -> Plans {
    let in_job = controller(pod).is_some_and(|owner| text(owner, &["kind"]) == "Job");
    let fixed = match pod.annotation(FATE) {
        Some("run" | "never-ready" | "crash" | "image-pull") => Some(Plan::FOREVER),
        Some("complete") => Some(Plan::ends(0, JOB_TIME)),
        Some("fail") => Some(Plan::ends(1, JOB_TIME)),
        _ => None,
    };
    let default = if in_job {
        Plan::ends(0, JOB_TIME)
    } else {
        Plan::FOREVER
    };
    let containers = |key: &'static str| items(pod.value(), &["spec", key]).iter();
    let initial = |container: &Value| {
        let is_sidecar = text(container, &["restartPolicy"]) == "Always";
        let unknown = || match is_sidecar {
            true => Plan::FOREVER,
            false => Plan::ends(0, Duration::ZERO),
        };
        (known_command(container).unwrap_or_else(unknown), is_sidecar)
    };
    let main = |container: &Value| {
        let known = || known_command(container).unwrap_or_else(|| default.clone());
        fixed.clone().unwrap_or_else(known)
    };
    let ephemeral = |container: &Value| known_command(container).unwrap_or(Plan::FOREVER);
    Plans {
        initial: containers("initContainers").map(initial).collect(),
        main: containers("containers").map(main).collect(),
        ephemeral: containers("ephemeralContainers").map(ephemeral).collect(),
    }
}

fn known_command(container: &Value) -> Option<Plan> {
    let words: Vec<&str> = items(container, &["command"])
        .iter()
        .chain(items(container, &["args"]))
        .filter_map(Value::as_str)
        .collect();
    if items(container, &["command"]).is_empty() {
        return None;
    }
    let (program, arguments) = words.split_first()?;
    match (base_name(program), arguments) {
        ("sh" | "bash" | "ash" | "dash", [flags, script, ..])
            if flags.starts_with('-') && flags.ends_with('c') =>
        {
            run_script(script)
        }
        _ => {
            let mut run = Run::default();
            run.step(&words).is_some().then(|| run.plan())
        }
    }
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

#[derive(Default)]
struct Run {
    code: i64,
    after: Duration,
    prints: Vec<(Duration, String)>,
    n_bytes: usize,
    ended: bool,
    endless: bool,
}

impl Run {
    /// Runs one simple command; `None` for one that is not known.
    fn step(&mut self, words: &[&str]) -> Option<()> {
        let (program, arguments) = words.split_first()?;
        self.code = match (base_name(program), arguments) {
            ("true" | ":", _) => 0,
            ("false", _) => 1,
            ("exit", []) => {
                self.ended = true;
                self.code
            }
            ("exit", [code]) => {
                self.ended = true;
                code.parse::<i64>().ok()?.rem_euclid(256)
            }
            ("sleep", ["infinity" | "inf"]) | ("tail", ["-f", "/dev/null"]) => {
                self.ended = true;
                self.endless = true;
                0
            }
            ("sleep", [time]) => {
                let seconds = time.parse::<f64>().ok().map(Duration::try_from_secs_f64);
                let wait = match seconds {
                    Some(wait) => wait.ok()?,
                    None => duration(time)?,
                };
                self.after = self.after.checked_add(wait)?;
                0
            }
            ("echo", ["-n", words @ ..]) => self.print(words.join(" ")),
            ("echo", words) => self.print(words.join(" ") + "\n"),
            _ => return None,
        };
        Some(())
    }

    /// Prints a text; it goes on with a line that has no end yet.
    fn print(&mut self, text: String) -> i64 {
        self.n_bytes = self.n_bytes.saturating_add(text.len());
        if self.n_bytes > MAX_OUTPUT_BYTES {
            return 0;
        }
        match self.prints.last_mut() {
            Some((_, line)) if !line.ends_with('\n') => line.push_str(&text),
            _ => self.prints.push((self.after, text)),
        }
        0
    }

    fn plan(self) -> Plan {
        Plan {
            prints: self.prints,
            end: (!self.endless).then_some((self.code, self.after)),
        }
    }
}

/// Runs a script of known commands joined by `;`, `&&`, `||` and line ends.
fn run_script(script: &str) -> Option<Plan> {
    let mut run = Run::default();
    for line in script.split(['\n', ';']) {
        let mut rest = line.trim();
        let mut wanted = true;
        while !rest.is_empty() {
            let and = rest.find("&&");
            let or = rest.find("||");
            let cut = match (and, or) {
                (Some(and), Some(or)) => Some(and.min(or)),
                (and, or) => and.or(or),
            };
            let (command, after) = cut.map_or((rest, ""), |cut| (&rest[..cut], &rest[cut + 2..]));
            let words = split_words(command)?;
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            if wanted && words.first().is_some_and(|word| *word != "set") {
                run.step(&words)?;
                if run.ended {
                    return Some(run.plan());
                }
            }
            wanted = if cut.is_some() && cut == and {
                run.code == 0
            } else {
                run.code != 0
            };
            rest = after.trim();
        }
    }
    Some(run.plan())
}

/// Words with quotes removed; `None` where a shell would do more than split.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.trim().chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (_, '$' | '`' | '\\' | '|' | '<' | '>' | '&' | '(' | ')' | '*') => return None,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::tests::json;

    fn check(command: &str, want: Option<(i64, u64, &str)>) {
        let container = json(&format!(r#"{{"command": {command}}}"#));
        let got = known_command(&container).map(|plan| {
            let (code, after) = plan.end.expect("it ends");
            let printed: String = plan.prints.into_iter().map(|(_, text)| text).collect();
            (
                code,
                after.as_millis().try_into().expect("is short"),
                printed,
            )
        });
        let want =
            want.map(|(code, millis, output): (_, u64, _)| (code, millis, output.to_owned()));
        assert_eq!(got, want, "{command}");
    }

    #[test]
    fn simple_commands_are_obeyed() {
        check(r#"["true"]"#, Some((0, 0, "")));
        check(r#"["/bin/false"]"#, Some((1, 0, "")));
        check(r#"["sleep", "2"]"#, Some((0, 2000, "")));
        check(r#"["sleep", "1m"]"#, Some((0, 60_000, "")));
        check(r#"["sh", "-c", "exit 3"]"#, Some((3, 0, "")));
        check(r#"["echo", "a", "b"]"#, Some((0, 0, "a b\n")));
        check(
            r#"["/bin/sh", "-ec", "echo 'a b'; sleep 0.5 && exit 2"]"#,
            Some((2, 500, "a b\n")),
        );
        check(
            r#"["sh", "-c", "false || echo no\nfalse && echo yes"]"#,
            Some((1, 0, "no\n")),
        );
        check(r#"["nginx"]"#, None);
        check(r#"["sh", "-c", "echo $HOME"]"#, None);
        check(r#"["sh", "-c", "nginx"]"#, None);
        check("[]", None);
    }

    #[test]
    fn lines_are_printed_at_their_time() {
        let script =
            r#"{"command": ["sh", "-c", "echo -n a; sleep 1; echo b; echo c; sleep infinity"]}"#;
        let plan = known_command(&json(script)).expect("is known");
        let line = |seconds: u64, text: &str| (Duration::from_secs(seconds), text.to_owned());
        assert_eq!(plan.prints, [line(0, "ab\n"), line(1, "c\n")]);
        assert_eq!(plan.end, None);
    }

    #[test]
    fn the_annotation_beats_the_command() {
        let pod = |annotation: &str| {
            Object::new(json(&format!(
                r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"annotations": {{"{FATE}": "{annotation}"}}}},
                    "spec": {{"containers": [{{"command": ["false"]}}]}}}}"#
            )))
            .expect("is an object")
        };
        assert_eq!(plans(&pod("run")).main, [Plan::FOREVER]);
        assert_eq!(plans(&pod("complete")).main, [Plan::ends(0, JOB_TIME)]);
        assert_eq!(plans(&pod("")).main, [Plan::ends(1, Duration::ZERO)]);
        assert_eq!(fate(&pod("crash")), Fate::Crash);
    }
}
