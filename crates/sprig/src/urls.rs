//! URLs, as Go's `net/url` takes them apart and puts them together.

use gotmpl::text::{bytes_of_text, string_of};
use gotmpl::{Map, Scope, Value, quote};

use crate::arguments::{Answer, Arguments, DICT, Row, TEXT, text};
use crate::reflection::kind_of;

pub(super) const ROWS: &[Row] = &[
    Row::new("urlParse", &[TEXT], DICT, parse),
    Row::new("urlJoin", &[DICT], TEXT, join),
];

/// The parts of a URL, unescaped.
#[derive(Default)]
struct Url {
    scheme: String,
    opaque: String,
    user: Option<User>,
    host: String,
    path: String,
    query: String,
    has_empty_query: bool,
    fragment: String,
}

struct User {
    name: String,
    password: Option<String>,
}

/// Where an escaped text stands: characters differ that need no escape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    User,
    Host,
    Zone,
    Fragment,
}

fn parse(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let whole = all.text(0);
    let url = Url::parse(whole).map_err(|problem| {
        let shown = quote(whole.split('#').next().unwrap_or_default());
        format!("unable to parse url: parse {shown}: {problem}")
    })?;
    let user = url.user.as_ref().map(User::text).unwrap_or_default();
    let map: Map = [
        ("scheme", url.scheme.as_str()),
        ("host", &url.host),
        ("hostname", hostname(&url.host)),
        ("path", &url.path),
        ("query", &url.query),
        ("opaque", &url.opaque),
        ("fragment", &url.fragment),
        ("userinfo", &user),
    ]
    .into_iter()
    .map(|(key, part)| (key.into(), Value::text(part)))
    .collect();
    Ok(Value::Map(map))
}

fn join(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let map = all.map(0);
    let part = |key: &str| match map.get(key) {
        None => Ok(String::new()),
        Some(Value::Text(text)) => Ok(text.to_string()),
        Some(Value::Nil) => {
            Err("runtime error: invalid memory address or nil pointer dereference".to_owned())
        }
        Some(other) => Err(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            kind_of(&other)
        )),
    };
    let mut url = Url {
        scheme: part("scheme")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        ..Url::default()
    };
    let user = part("userinfo")?;
    if !user.is_empty() {
        let whole = format!("proto://{user}@host");
        let parsed = Url::parse(&whole).map_err(|problem| {
            let shown = quote(&whole);
            format!("unable to parse userinfo in dict: parse {shown}: {problem}")
        })?;
        url.user = parsed.user;
    }
    text(url.text())
}

impl Url {
    fn parse(whole: &str) -> Result<Self, String> {
        let (rest, fragment) = whole.split_once('#').unwrap_or((whole, ""));
        let mut url = Url::default();
        if rest.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        url.fragment = unescape(fragment, Place::Fragment)?;
        if rest == "*" {
            url.path = "*".to_owned();
            return Ok(url);
        }
        let (scheme, mut rest) = scheme(rest)?;
        url.scheme = scheme.to_lowercase();
        match rest.strip_suffix('?') {
            Some(before) if !before.contains('?') => {
                url.has_empty_query = true;
                rest = before;
            }
            _ => {
                let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
                query.clone_into(&mut url.query);
                rest = before;
            }
        }
        if !rest.starts_with('/') {
            if !url.scheme.is_empty() {
                rest.clone_into(&mut url.opaque);
                return Ok(url);
            }
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_authority =
            rest.starts_with("//") && (!url.scheme.is_empty() || !rest.starts_with("///"));
        if has_authority {
            let inside = &rest[2..];
            let end = inside.find('/').unwrap_or(inside.len());
            url.authority(&inside[..end])?;
            rest = &inside[end..];
        }
        url.path = unescape(rest, Place::Path)?;
        Ok(url)
    }

    fn authority(&mut self, authority: &str) -> Result<(), String> {
        let Some((user, host)) = authority.rsplit_once('@') else {
            self.host = parse_host(authority)?;
            return Ok(());
        };
        self.host = parse_host(host)?;
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(it);
        if !user.chars().all(is_allowed) {
            return Err("net/url: invalid userinfo".to_owned());
        }
        let (name, password) = match user.split_once(':') {
            Some((name, password)) => (name, Some(password)),
            None => (user, None),
        };
        self.user = Some(User {
            name: unescape(name, Place::User)?,
            password: password.map(|it| unescape(it, Place::User)).transpose()?,
        });
        Ok(())
    }

    fn text(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if !self.opaque.is_empty() {
            out.push_str(&self.opaque);
        } else {
            if !self.scheme.is_empty() || !self.host.is_empty() || self.user.is_some() {
                if !self.host.is_empty() || !self.path.is_empty() || self.user.is_some() {
                    out.push_str("//");
                }
                if let Some(user) = &self.user {
                    out.push_str(&user.text());
                    out.push('@');
                }
                out.push_str(&escape(&self.host, Place::Host));
            }
            let path = if self.path == "*" {
                "*".to_owned()
            } else {
                escape(&self.path, Place::Path)
            };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            // A first part with a colon would be read as a scheme.
            let first = path.split('/').next().unwrap_or_default();
            if out.is_empty() && first.contains(':') {
                out.push_str("./");
            }
            out.push_str(&path);
        }
        if self.has_empty_query || !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Place::Fragment));
        }
        out
    }
}

impl User {
    fn text(&self) -> String {
        let name = escape(&self.name, Place::User);
        match &self.password {
            Some(password) => format!("{name}:{}", escape(password, Place::User)),
            None => name,
        }
    }
}

/// The scheme of a URL, and what is behind its colon.
fn scheme(whole: &str) -> Result<(&str, &str), String> {
    for (at, byte) in whole.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((&whole[..at], &whole[at + 1..])),
            _ => break,
        }
    }
    Ok(("", whole))
}

fn parse_host(host: &str) -> Result<String, String> {
    let is_port = |port: &str| {
        port.is_empty()
            || port
                .strip_prefix(':')
                .is_some_and(|port| port.bytes().all(|it| it.is_ascii_digit()))
    };
    if let Some(open) = host.rfind('[') {
        if open > 0 {
            return Err("invalid IP-literal".to_owned());
        }
        let Some(close) = host.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        let port = &host[close + 1..];
        if !is_port(port) {
            return Err(format!("invalid port {} after host", quote(port)));
        }
        return match host[..close].find("%25") {
            Some(zone) => {
                let before = unescape(&host[..zone], Place::Host)?;
                let zone = unescape(&host[zone..close], Place::Zone)?;
                Ok(format!(
                    "{before}{zone}{}",
                    unescape(&host[close..], Place::Host)?
                ))
            }
            None => unescape(host, Place::Host),
        };
    }
    if let Some(colon) = host.rfind(':') {
        let port = &host[colon..];
        if !is_port(port) {
            return Err(format!("invalid port {} after host", quote(port)));
        }
    }
    unescape(host, Place::Host)
}

/// The host without its port and brackets.
fn hostname(host: &str) -> &str {
    let without_port = match host.rsplit_once(':') {
        Some((before, port)) if port.bytes().all(|it| it.is_ascii_digit()) => {
            let is_address = host.starts_with('[') && !before.ends_with(']');
            if is_address { host } else { before }
        }
        _ => host,
    };
    let inside = without_port
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'));
    inside.unwrap_or(without_port)
}

fn unescape(escaped: &str, place: Place) -> Result<String, String> {
    let mut out = Vec::with_capacity(escaped.len());
    let source = bytes_of_text(escaped);
    let mut at = 0;
    while let Some(byte) = source.get(at) {
        if *byte != b'%' {
            let is_wrong = matches!(place, Place::Host | Place::Zone)
                && byte.is_ascii()
                && needs_escape(*byte, place);
            if is_wrong {
                let shown = quote(&char::from(*byte).to_string());
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(*byte);
            at += 1;
            continue;
        }
        let digits = source.get(at + 1..at + 3).and_then(|digits| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            Some(digit(digits[0])? * 16 + digit(digits[1])?)
        });
        let escape = &source[at..source.len().min(at + 3)];
        let wrong = || format!("invalid URL escape {}", quote(&string_of(escape)));
        let code = digits
            .and_then(|code| u8::try_from(code).ok())
            .ok_or_else(wrong)?;
        match place {
            Place::Host if code.is_ascii() && escape != b"%25" => return Err(wrong()),
            Place::Zone if escape != b"%25" && code != b' ' && needs_escape(code, Place::Host) => {
                return Err(wrong());
            }
            _ => out.push(code),
        }
        at += 3;
    }
    Ok(string_of(&out))
}

fn needs_escape(byte: u8, place: Place) -> bool {
    if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
        return false;
    }
    match (place, byte) {
        (
            Place::Host | Place::Zone,
            b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':'
            | b'[' | b']' | b'<' | b'>' | b'"',
        ) => false,
        (_, b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@') => match place {
            Place::Path => byte == b'?',
            Place::User => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Place::Fragment => false,
            Place::Host | Place::Zone => true,
        },
        (Place::Fragment, b'!' | b'(' | b')' | b'*') => false,
        // Go keeps what a path may hold, when it stands for itself.
        (Place::Path, b'!' | b'\'' | b'(' | b')' | b'*' | b'[' | b']') => false,
        _ => true,
    }
}

fn escape(plain: &str, place: Place) -> String {
    let mut out = Vec::with_capacity(plain.len());
    for byte in bytes_of_text(plain).iter() {
        if needs_escape(*byte, place) {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            out.push(*byte);
        }
    }
    string_of(&out)
}
