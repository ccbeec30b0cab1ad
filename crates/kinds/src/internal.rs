//! Parts of objects as Go prints kube-apiserver's internal types: their structs have no JSON names,
//! an order of their own, and members that are never left out.
//!
//! [`Internal`] is such a print, [`Internal::line`] as messages show one value, and
//! [`Internal::difference`] as they show what changed. What the structs are stands in a table.

use std::collections::HashMap;
use std::sync::OnceLock;

use yaml::Value;

use crate::lines;

/// A value that is printed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Internal {
    /// JSON of a scalar.
    Plain(String),
    List(Vec<Internal>),
    /// In the order in which they are printed.
    Members(Vec<(String, Internal)>),
}

/// A member of a struct of the table.
struct Member {
    printed: &'static str,
    /// It is left out when it is empty.
    may_vanish: bool,
    name: &'static str,
    ty: &'static str,
}

type Structs = HashMap<&'static str, Vec<Member>>;

fn structs() -> &'static Structs {
    static STRUCTS: OnceLock<Structs> = OnceLock::new();
    STRUCTS.get_or_init(|| {
        let mut structs = Structs::new();
        let mut current = "";
        for line in include_str!("../data/internal.txt").lines() {
            if let Some(member) = line.strip_prefix(' ') {
                let mut words = member.split(' ');
                if let (Some(printed), Some(name), Some(ty)) =
                    (words.next(), words.next(), words.next())
                {
                    structs.entry(current).or_default().push(Member {
                        printed: printed.trim_end_matches('?'),
                        may_vanish: printed.ends_with('?'),
                        name,
                        ty,
                    });
                }
            } else if !line.starts_with('#') {
                current = line;
            }
        }
        structs
    })
}

impl Internal {
    /// A value of a type of the table; an absent one is the zero value of its type.
    pub(crate) fn of(ty: &str, value: Option<&Value>) -> Internal {
        typed(ty, value.filter(|value| !value.is_null()), None)
    }

    /// On one line.
    pub(crate) fn line(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// What an update changes, line by line.
    pub(crate) fn difference(old: &Internal, new: &Internal) -> String {
        let text = |of: &Internal| {
            let mut out = String::new();
            of.write(&mut out, Some(0));
            out
        };
        lines::unified(&text(old), &text(new))
    }

    /// `depth` is that of lines that are indented; `None` for one line.
    fn write(&self, out: &mut String, depth: Option<usize>) {
        match self {
            Internal::Plain(text) => out.push_str(text),
            Internal::List(items) => {
                let write = |out: &mut String, item: &Internal, depth| item.write(out, depth);
                enclosed(out, ('[', ']'), items, depth, write);
            }
            Internal::Members(members) => {
                enclosed(out, ('{', '}'), members, depth, |out, (name, of), inner| {
                    out.push_str(&yaml::json::to_string(&name.as_str().into()));
                    out.push_str(if inner.is_some() { ": " } else { ":" });
                    of.write(out, inner);
                });
            }
        }
    }
}

/// Items between brackets, each on a line of its own where there is a depth.
fn enclosed<T>(
    out: &mut String,
    (open, close): (char, char),
    items: &[T],
    depth: Option<usize>,
    write: impl Fn(&mut String, &T, Option<usize>),
) {
    let inner = depth.map(|depth| depth + 1);
    let broken = |out: &mut String, depth: Option<usize>| {
        if let Some(depth) = depth {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth));
        }
    };
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        broken(out, inner);
        write(out, item, inner);
    }
    if !items.is_empty() {
        broken(out, depth);
    }
    out.push(close);
}

fn null() -> Internal {
    Internal::Plain("null".to_owned())
}

/// `around` is the struct that holds the value.
fn typed(ty: &str, value: Option<&Value>, around: Option<&Value>) -> Internal {
    if let Some(of) = ty.strip_prefix("[]").filter(|of| !of.is_empty()) {
        let items = value.and_then(Value::as_list);
        let item = |value| typed(of, Some(value), None);
        return items.map_or_else(null, |items| {
            Internal::List(items.iter().map(item).collect())
        });
    }
    let of = ty.strip_prefix('*').unwrap_or(ty);
    if structs().contains_key(of) {
        return match value {
            None if ty.starts_with('*') => null(),
            value => Internal::Members(members(of, value, around)),
        };
    }
    match (value, ty) {
        (Some(value), _) => plain(value),
        (None, "s") => Internal::Plain("\"\"".to_owned()),
        (None, "b") => Internal::Plain("false".to_owned()),
        (None, "i" | "x") => Internal::Plain("0".to_owned()),
        (None, "q") => Internal::Plain("\"0\"".to_owned()),
        (None, _) => null(),
    }
}

fn members(of: &str, value: Option<&Value>, around: Option<&Value>) -> Vec<(String, Internal)> {
    let mut printed = Vec::new();
    for member in structs().get(of).into_iter().flatten() {
        let found = match member.name.strip_prefix("../") {
            Some(name) => around.and_then(|around| around.get(name)),
            None if member.name == "." => value,
            None => value.and_then(|value| value.get(member.name)),
        };
        let found = found.filter(|found| !found.is_null());
        if member.printed == "^" {
            printed.append(&mut members(member.ty, found, value));
        } else if !(member.may_vanish && found.is_none_or(is_empty)) {
            let inner = typed(member.ty, found, value);
            printed.push((member.printed.to_owned(), inner));
        }
    }
    printed
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        other => crate::decode::is_empty(other),
    }
}

/// What has no struct of its own is printed as it stands.
fn plain(value: &Value) -> Internal {
    match value {
        Value::List(items) => Internal::List(items.iter().map(plain).collect()),
        Value::Map(map) => {
            let member = |(key, value): (&yaml::Str, &Value)| (key.to_string(), plain(value));
            Internal::Members(map.iter().map(member).collect())
        }
        scalar => Internal::Plain(yaml::json::to_string(scalar)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: &str, value: &str, want: &str) {
        let value = yaml::json::parse(value.as_bytes()).expect("is JSON");
        assert_eq!(Internal::of(ty, Some(&value)).line(), want, "{ty}");
    }

    #[test]
    fn structs_have_go_names_and_their_order() {
        check(
            "Toleration",
            r#"{"key":"a","operator":"Exists"}"#,
            r#"{"Key":"a","Operator":"Exists","Value":"","Effect":"","TolerationSeconds":null}"#,
        );
        check(
            "SecretKeySelector",
            r#"{"key":"a","name":"b"}"#,
            r#"{"Name":"b","Key":"a","Optional":null}"#,
        );
    }

    #[test]
    fn shared_types_keep_their_names_and_leave_out_what_is_empty() {
        check(
            "LabelSelector",
            r#"{"matchExpressions":[{"key":"a","operator":"In","values":["x"]}],
                "matchLabels":{"c":"d"}}"#,
            r#"{"matchLabels":{"c":"d"},"matchExpressions":[{"key":"a","operator":"In","values":["x"]}]}"#,
        );
    }

    #[test]
    fn what_pods_share_with_their_host_stands_in_their_security_context() {
        let value = yaml::json::parse(br#"{"hostNetwork":true}"#).expect("is JSON");
        let shown = Internal::of("PodSpec", Some(&value)).line();
        let want = r#""SecurityContext":{"HostNetwork":true,"HostPID":false,"HostIPC":false"#;
        assert!(shown.contains(want), "{shown}");
    }
}
