//! Errors of templates as Helm shows them: the way through includes, line by line.

/// What `required` and `fail` put around their messages, so that Helm finds them again.
pub(crate) const WARN_START: &str = "HELM_ERR_START";
pub(crate) const WARN_END: &str = "HELM_ERR_END";

/// The error of a template that is none: `parse error at (web/templates/x.yaml:3): …`.
pub(crate) fn parse_error(name: &str, error: &str) -> String {
    let mut tokens = error.split(": ");
    match (tokens.next(), tokens.next()) {
        (Some(_), Some(location)) => {
            let problem = error.rsplit(": ").next().unwrap_or_default();
            format!("parse error at ({location}): {problem}")
        }
        _ => format!("parse error in ({name}): {error}"),
    }
}

/// The error of a template that could not be executed.
pub(crate) fn execution_error(name: &str, error: &str) -> String {
    let mut tokens = error.splitn(3, ": ");
    let (Some(_), Some(location), Some(problem)) = (tokens.next(), tokens.next(), tokens.next())
    else {
        return format!("execution error in ({name}): {error}");
    };
    if let Some(message) = warning(problem) {
        return format!("execution error at ({location}): {message}");
    }
    trace(error).unwrap_or_else(|| error.to_owned())
}

/// The message between the marks.
fn warning(problem: &str) -> Option<&str> {
    let start = problem.find(WARN_START)? + WARN_START.len();
    let end = problem.rfind(WARN_END)?;
    problem.get(start..end)
}

/// One step on the way to an error.
struct Step<'e> {
    place: &'e str,
    executing: &'e str,
    message: &'e str,
    /// The error of the function that was called, whole.
    cause: Option<&'e str>,
}

/// All steps; none when one of them is no error of a template.
fn trace(error: &str) -> Option<String> {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let step = Step::read(error)?;
        if !step.place.is_empty() {
            text.push_str(step.place);
            text.push_str("\n  ");
        }
        if !step.executing.is_empty() {
            text.push_str(step.executing);
            text.push_str("\n    ");
        }
        text.push_str(step.message);
        text.push('\n');
        next = step.cause;
    }
    Some(text.trim().to_owned())
}

impl<'e> Step<'e> {
    fn read(error: &'e str) -> Option<Self> {
        let rest = error.strip_prefix("template: ")?;
        if rest.starts_with("no template ") {
            return Some(Step {
                place: "",
                executing: "",
                message: error,
                cause: None,
            });
        }
        if let Some(step) = Step::executing(rest) {
            return Some(step);
        }
        let (place, message) = rest.rsplit_once(": ")?;
        Some(Step {
            place,
            executing: "",
            message: without_cause(message),
            cause: None,
        })
    }

    /// `PLACE: executing "NAME" at <NODE>: MESSAGE`
    fn executing(rest: &'e str) -> Option<Self> {
        let (place, _) = rest.split_once(": executing ")?;
        let after = &rest[place.len() + ": ".len()..];
        let quoted = after.strip_prefix("executing \"")?;
        let name_end = quoted.find('"')?;
        quoted[name_end + 1..].strip_prefix(" at <")?;
        let executing_end = after.find(">: ")?;
        let message = &after[executing_end + ">: ".len()..];
        let cause = message
            .strip_prefix("error calling ")
            .and_then(|call| call.split_once(": "))
            .map(|(_, cause)| cause);
        Some(Step {
            place,
            executing: &after[..executing_end + 2],
            message: without_cause(message),
            cause,
        })
    }
}

/// A message without the error of a template that follows in it.
fn without_cause(message: &str) -> &str {
    message
        .split_once(" template:")
        .map_or(message, |(message, _)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_through_includes_is_shown() {
        let check = |error: &str, want: &str| {
            assert_eq!(execution_error("w/t/a.yaml", error), want);
        };
        check(
            "template: w/t/a.yaml:1:6: executing \"w/t/a.yaml\" at <include \"h\" .>: error \
             calling include: template: w/t/_h.tpl:2:10: executing \"h\" at <.x.y>: nil pointer",
            "w/t/a.yaml:1:6\n  executing \"w/t/a.yaml\" at <include \"h\" .>:\n    error calling \
             include:\nw/t/_h.tpl:2:10\n  executing \"h\" at <.x.y>:\n    nil pointer",
        );
        let of_function = "template: w/t/a.yaml:1:6: executing \"w/t/a.yaml\" at <index .l 3>: \
                           error calling index: index out of range: 3";
        check(of_function, of_function);
        check(
            "template: w/t/a.yaml:1:3: executing \"w/t/a.yaml\" at <fail \"x\">: error calling \
             fail: HELM_ERR_STARTno\nwayHELM_ERR_END",
            "execution error at (w/t/a.yaml:1:3): no\nway",
        );
    }

    #[test]
    fn templates_that_are_none_are_placed() {
        let error = "template: w/t/a.yaml:3: unexpected EOF";
        assert_eq!(
            parse_error("w/t/a.yaml", error),
            "parse error at (w/t/a.yaml:3): unexpected EOF"
        );
    }
}
