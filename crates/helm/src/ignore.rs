//! `.helmignore`: which files of a folder belong to its chart.

use crate::Error;
use crate::path_match::path_match;

/// The rules of one file, and those that always hold.
pub(crate) struct Rules(Vec<Rule>);

struct Rule {
    pattern: String,
    is_negated: bool,
    /// It is about folders only.
    of_folders: bool,
    scope: Scope,
}

/// What a pattern is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Path,
    Name,
}

impl Rules {
    /// Reads the rules of a file; without one only dot files of `templates/` are left out.
    ///
    /// # Errors
    /// Helm's words for a pattern that it does not know.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.lines().chain(["templates/.?*"]);
        let mut rules = Vec::new();
        for line in lines.map(str::trim) {
            if !line.is_empty() && !line.starts_with('#') {
                rules.push(Rule::parse(line)?);
            }
        }
        Ok(Rules(rules))
    }

    /// Whether a path is left out; the first rule that fits decides. A negated rule leaves out
    /// everything that does not fit it, as Helm does.
    pub(crate) fn leave_out(&self, path: &str, is_folder: bool) -> bool {
        for rule in &self.0 {
            let is_right_kind = is_folder || !rule.of_folders;
            match (rule.is_negated, is_right_kind && rule.fits(path)) {
                (true, false) | (false, true) => return true,
                _ => {}
            }
        }
        false
    }
}

impl Rule {
    fn parse(line: &str) -> Result<Self, Error> {
        if line.contains("**") {
            return Err(Error::text("double-star (**) syntax is not supported"));
        }
        if path_match(line, "abc").is_err() {
            return Err(Error::text("syntax error in pattern"));
        }
        let (is_negated, line) = match line.strip_prefix('!') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (of_folders, line) = match line.strip_suffix('/') {
            Some(line) => (true, line),
            None => (false, line),
        };
        let (scope, line) = match line.strip_prefix('/') {
            Some(line) => (Scope::Path, line),
            None if line.contains('/') => (Scope::Path, line),
            None => (Scope::Name, line),
        };
        Ok(Rule {
            pattern: line.to_owned(),
            is_negated,
            of_folders,
            scope,
        })
    }

    fn fits(&self, path: &str) -> bool {
        let name = match self.scope {
            Scope::Path => path,
            Scope::Name => path.rsplit_once('/').map_or(path, |(_, name)| name),
        };
        self.may_fit(name) && path_match(&self.pattern, name).unwrap_or(false)
    }

    /// Most names begin or end otherwise than a pattern does; that is seen without going through it.
    fn may_fit(&self, name: &str) -> bool {
        let is_plain = |byte: &&u8| !matches!(byte, b'*' | b'?' | b'[' | b']' | b'\\');
        let differ = |wanted: Option<&u8>, found: Option<&u8>| {
            wanted
                .filter(is_plain)
                .is_some_and(|wanted| found != Some(wanted))
        };
        let (pattern, name) = (self.pattern.as_bytes(), name.as_bytes());
        !differ(pattern.first(), name.first()) && !differ(pattern.last(), name.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_leave_out_as_in_helm() {
        let check = |rules: &str, path: &str, is_folder: bool, want: bool| {
            let rules = Rules::parse(rules).expect("rules");
            assert_eq!(rules.leave_out(path, is_folder), want, "{path}");
        };
        check("", "templates/.x", false, true);
        check("# all\n\n *.txt ", "a/b.txt", false, true);
        check("/*.txt", "a/b.txt", false, false);
        check("conf/", "conf", true, true);
        check("conf/", "conf", false, false);
        check("!conf/a.txt", "Chart.yaml", false, true);
        check("!conf/a.txt", "conf/a.txt", false, false);
        assert!(Rules::parse("a/**").is_err());
        assert!(Rules::parse("[").is_err());
    }
}
