//! URLs, as Go's `net/url` takes them for requests.

use super::{Done, no_overload};
use crate::eval::EvalError;
use crate::value::{MapValue, Opaque, Val};

/// The parts of a URL that expressions ask for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Url {
    scheme: String,
    host: String,
    path: String,
    query: String,
}

/// Whether Go's `url.ParseRequestURI` takes a text.
#[must_use]
pub fn is_request_uri(text: &str) -> bool {
    parse(text).is_ok()
}

/// Reads an absolute URL or an absolute path.
pub(crate) fn parse(text: &str) -> Result<Url, String> {
    let failed = |why: &str| Err(format!("parse {text:?}: {why}"));
    if text.is_empty() {
        return failed("empty url");
    }
    if text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return failed("net/url: invalid control character in URL");
    }
    let (main, query) = text.split_once('?').unwrap_or((text, ""));
    let mut url = Url {
        query: query.to_owned(),
        ..Url::default()
    };
    let rest = match main.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => {
            url.scheme = scheme.to_ascii_lowercase();
            rest
        }
        Some(("", _)) => return failed("missing protocol scheme"),
        _ => main,
    };
    if url.scheme.is_empty() && !rest.starts_with('/') {
        return failed("invalid URI for request");
    }
    let is_host = rest.starts_with("//") && (!url.scheme.is_empty() || !rest.starts_with("///"));
    url.path = rest.to_owned();
    if is_host {
        let authority = &rest[2..];
        let end = authority.find('/').unwrap_or(authority.len());
        let (authority, path) = authority.split_at(end);
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        if host.contains(' ') {
            return failed("invalid character \" \" in host name");
        }
        let port = split_port(host).1;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return failed(&format!("invalid port \":{port}\" after host"));
        }
        url.host = host.to_owned();
        url.path = path.to_owned();
    }
    Ok(url)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The name and the port of a host.
fn split_port(host: &str) -> (&str, &str) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    }
}

pub(crate) fn url<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => parse(text)
            .map(|url| Val::Opaque(Opaque::Url(url)))
            .map_err(|why| {
                EvalError::new(format!(
                    "URL parse error during conversion from string: {why}"
                ))
            }),
        _ => no_overload(),
    }
}

pub(crate) fn is_url<'a>(args: &[Val<'a>]) -> Done<'a> {
    match args {
        [Val::String(text)] => Ok(Val::Bool(parse(text).is_ok())),
        _ => no_overload(),
    }
}

fn part<'a>(args: &[Val<'a>], of: fn(&Url) -> &str) -> Done<'a> {
    match args {
        [Val::Opaque(Opaque::Url(url))] => Ok(Val::text(of(url))),
        _ => no_overload(),
    }
}

pub(crate) fn scheme<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |url| &url.scheme)
}

pub(crate) fn host<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |url| &url.host)
}

pub(crate) fn hostname<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |url| split_port(&url.host).0.trim_matches(['[', ']']))
}

pub(crate) fn port<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |url| split_port(&url.host).1)
}

pub(crate) fn escaped_path<'a>(args: &[Val<'a>]) -> Done<'a> {
    part(args, |url| &url.path)
}

pub(crate) fn query<'a>(args: &[Val<'a>]) -> Done<'a> {
    let [Val::Opaque(Opaque::Url(url))] = args else {
        return no_overload();
    };
    let mut found: Vec<(String, Vec<Val<'a>>)> = Vec::new();
    for pair in url.query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (key, value) = (unescape(key), Val::text(&unescape(value)));
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) => values.push(value),
            None => found.push((key, vec![value])),
        }
    }
    let entries = found
        .into_iter()
        .map(|(key, values)| (Val::text(&key), Val::list(values)))
        .collect();
    Ok(Val::Map(MapValue::Made(std::sync::Arc::new(entries))))
}

/// `%41` and `+` as what they stand for.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        let code = after
            .get(..2)
            .and_then(|code| std::str::from_utf8(code).ok())
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                rest = &after[2..];
                bytes.push(code);
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
