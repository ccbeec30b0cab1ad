//! The members of the messages: their numbers, names and types, read from data once.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What every body starts with.
pub(crate) const MAGIC: &[u8] = b"k8s\0";
/// Messages in messages deeper than this are refused.
pub(crate) const MAX_DEPTH: usize = 64;

/// One member of a message.
pub(crate) struct Member {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) ty: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    One,
    Many,
    /// Text to a value.
    Map,
    /// The members stand in the message that holds it.
    Inlined,
}

pub(crate) type Table = HashMap<&'static str, Vec<Member>>;

pub(crate) fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::new();
        let mut current = "";
        for line in include_str!("../data/protobuf.txt").lines() {
            let Some(rest) = line.strip_prefix(' ') else {
                current = line;
                continue;
            };
            let mut parts = rest.split(' ');
            let (Some(number), Some(name), Some(ty)) = (parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            let (form, ty) = match ty.as_bytes().first() {
                Some(b'*') => (Form::Many, &ty[1..]),
                Some(b'%') => (Form::Map, &ty[1..]),
                Some(b'^') => (Form::Inlined, &ty[1..]),
                _ => (Form::One, ty),
            };
            if let Ok(number) = number.parse() {
                table.entry(current).or_default().push(Member {
                    number,
                    name,
                    form,
                    ty,
                });
            }
        }
        table
    })
}

/// The message of a kind: `apps.v1.Deployment`.
pub(crate) fn message_name(api_version: &str, kind: &str) -> String {
    let (group, version) = api_version.split_once('/').unwrap_or(("core", api_version));
    let package = match kind {
        "DeleteOptions" | "PatchOptions" | "CreateOptions" | "UpdateOptions" | "Status"
        | "APIVersions" | "APIGroup" | "APIGroupList" | "APIResourceList" => "meta",
        _ => group.split('.').next().unwrap_or_default(),
    };
    let version = if package == "meta" { "v1" } else { version };
    format!("{package}.{version}.{kind}")
}
