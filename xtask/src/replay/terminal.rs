//! What kubectl prints, with placeholders for what is volatile.
//!
//! Owns the rules of the corpus' README for command lines: ages, addresses, ports, temporary files
//! and the width of columns. It must never know what a command was.

use anyhow::Result;
use regex::Regex;

use super::placeholders::Bindings;

/// Replacements before the values are bound that stand in other texts too.
const FIRST: &[(&str, &str)] = &[
    (r"(?m)(AGE|Age) *$", "$1"),
    (r"https://[\w.-]+:\d+", "<server>"),
    (r"(?:/tmp/[\w./-]*?|<tmp>/)(LIVE|MERGED)-\d+", "<tmp>/$1"),
];

/// Replacements after that, in this order.
const SECOND: &[(&str, &str)] = &[
    (r"(--- |\+\+\+ )(<tmp>\S+)\t.*", "$1$2\t<time>"),
    (r"(?m)([ \t])(?:\d+m)?\d+s([ \t]*$|[ \t]{2,})", "$1<age>$2"),
    (r"([ \t])\d+s( +\S)", "$1<age>$2"),
    (
        r"(?m)^(\s*(?:Start Time|CreationTimestamp|Creation Timestamp|Created|Time|Last Transition Time|deletionTimestamp|renewTime):\s+)\w{3}, \d\d \w{3} \d{4} .*$",
        "$1<time>",
    ),
    (r"[ \t]*<age>", " <age>"),
    (
        r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}",
        "<time>",
    ),
    (r"(?m)[ \t]+$", ""),
    (r"(?m)^[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "<klog> "),
    // kubectl's own deadline has cut a watch that it opened late: the machine was busy.
    (
        r#"(?m)^<klog> reflector\.go:\d+\] "Warning: watch ended with error".*very short watch.*\n"#,
        "",
    ),
];

/// The rules, compiled once per session.
pub(super) struct Terminal {
    first: Vec<(Regex, &'static str)>,
    second: Vec<(Regex, &'static str)>,
    address: Regex,
    node_port: Regex,
    version: Regex,
    volatile: Regex,
    spaces: Regex,
}

impl Terminal {
    /// # Errors
    /// Never in practice: the patterns are fixed.
    pub(super) fn new() -> Result<Self> {
        Ok(Terminal {
            first: compiled(FIRST)?,
            second: compiled(SECOND)?,
            address: Regex::new(r"10\.96\.\d{1,3}\.\d{1,3}")?,
            node_port: Regex::new(
                r#"(?:(?:\d:|  )(3[0-2]\d{3})/(?:TCP|UDP)|(?:nodePort"?: )(3[0-2]\d{3}))"#,
            )?,
            version: Regex::new(r#"(?:Resource Version:\s+|resourceVersion"?: "?)(\d+)"#)?,
            volatile: Regex::new(r"<(?:ip|nodeport|name|rand|hash):\d+>")?,
            spaces: Regex::new(r"(\S) {2,}")?,
        })
    }

    /// The text with placeholders; `folder` is where the command ran.
    pub(super) fn normalize(&self, bindings: &mut Bindings, folder: &str, text: &str) -> String {
        let mut out = bindings.normalize_text(&text.replace(folder, "<tmp>"));
        out = replaced(&self.first, out);
        out = self.bound(bindings, &out);
        out = replaced(&self.second, out);
        if self.volatile.is_match(&out) {
            out = self.spaces.replace_all(&out, "$1  ").into_owned();
        }
        out
    }

    /// Binds addresses, ports and versions, which tables and descriptions show without their keys.
    fn bound(&self, bindings: &mut Bindings, text: &str) -> String {
        let is_part = |next: char| next.is_ascii_digit() || next == '.';
        let address = |at: regex::Match<'_>| {
            let before = text[..at.start()].chars().next_back();
            let after = text[at.end()..].chars().next();
            !before.is_some_and(is_part) && !after.is_some_and(is_part)
        };
        let addresses = self.address.find_iter(text).filter(|at| address(*at));
        let mut found: Vec<(std::ops::Range<usize>, &'static str)> =
            addresses.map(|at| (at.range(), "ip")).collect();
        for (pattern, kind) in [(&self.node_port, "nodeport"), (&self.version, "rv")] {
            let groups = pattern.captures_iter(text);
            let values = groups.filter_map(|groups| groups.get(1).or(groups.get(2)));
            found.extend(values.map(|at| (at.range(), kind)));
        }
        found.sort_by_key(|(range, _)| range.start);
        let mut out = String::new();
        let mut done = 0;
        for (range, kind) in found {
            out.push_str(&text[done..range.start]);
            out.push_str(&bindings.bind_shown(kind, &text[range.clone()]));
            done = range.end;
        }
        out + &text[done..]
    }
}

fn compiled(rules: &[(&str, &'static str)]) -> Result<Vec<(Regex, &'static str)>> {
    let compile = |(pattern, with): &(&str, &'static str)| Ok((Regex::new(pattern)?, *with));
    rules.iter().map(compile).collect()
}

/// Applies each rule until it changes nothing: two values may share the space between them.
fn replaced(rules: &[(Regex, &str)], mut text: String) -> String {
    for (pattern, with) in rules {
        loop {
            let next = pattern.replace_all(&text, *with).into_owned();
            if next == text {
                break;
            }
            text = next;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let terminal = Terminal::new().expect("fixed patterns");
        let mut bindings = Bindings::new();
        assert_eq!(
            terminal.normalize(&mut bindings, "/tmp/kcs", text),
            want,
            "{text}"
        );
    }

    #[test]
    fn ages_are_volatile_wherever_they_stand() {
        check("web   0/2     5s", "web   0/2 <age>");
        check("web  5s  1m5s  x", "web <age> <age>  x");
        check("NAME  AGE   \nx  ", "NAME  AGE\nx");
    }

    #[test]
    fn addresses_and_ports_are_numbered_and_columns_shrink() {
        check(
            "web      10.96.3.4    80:30123/TCP\nIP: 10.96.3.4, 10.96.3.41",
            "web  <ip:1>  80:<nodeport:1>/TCP\nIP: <ip:1>, <ip:2>",
        );
        check(
            "nodePort: 30007\nport: 30007",
            "nodePort: <nodeport:1>\nport: 30007",
        );
    }

    #[test]
    fn files_of_the_machine_are_replaced() {
        check(
            "diff -u -N /tmp/kcs/LIVE-12/v1.x /tmp/kcs/MERGED-3/v1.x\n--- /tmp/kcs/LIVE-12/v1.x\t2026-01-01 10:00",
            "diff -u -N <tmp>/LIVE/v1.x <tmp>/MERGED/v1.x\n--- <tmp>/LIVE/v1.x\t<time>",
        );
        check("get https://127.0.0.1:18443/x", "get <server>/x");
    }

    #[test]
    fn a_version_has_one_number_in_every_output() {
        check(
            "Resource Version:  71\nresourceVersion: \"71\"\n\"resourceVersion\":\"72\"",
            "Resource Version:  <rv:1>\nresourceVersion: \"<rv:1>\"\n\"resourceVersion\":\"<rv:2>\"",
        );
    }

    #[test]
    fn a_watch_that_its_own_deadline_cut_says_nothing() {
        check(
            "E0102 10:00:00.123456   42 reflector.go:578] \"Warning: watch ended with error\" err=\"very short watch: lasted less than a second\"\nerror: timed out\n",
            "error: timed out\n",
        );
    }
}
