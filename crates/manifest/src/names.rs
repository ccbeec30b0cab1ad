//! The rules for names, labels and annotations, and how their violation is told.

const NAME_WORDS: &str = "consist of alphanumeric characters, '-', '_' or '.', and must start and \
                          end with an alphanumeric character";
const NAME_REGEX: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                         characters, '-' or '.', and must start and end with an alphanumeric \
                         character (e.g. 'example.com', regex used for validation is \
                         '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
                     characters or '-', and must start and end with an alphanumeric character \
                     (e.g. 'my-name',  or '123-abc', regex used for validation is \
                     '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
                          '-', start with an alphabetic character, and end with an alphanumeric \
                          character (e.g. 'my-name',  or 'abc-123', regex used for validation is \
                          '[a-z]([-a-z0-9]*[a-z0-9])?')";

/// The name of a built-in kind in paths: English plurals, of which only `endpoints` is odd.
#[must_use]
pub fn plural(kind: &str) -> String {
    let lower = kind.to_lowercase();
    match lower.as_bytes() {
        _ if lower == "endpoints" => lower,
        [.., b's'] => format!("{lower}es"),
        [start @ .., b'y'] => format!("{}ies", String::from_utf8_lossy(start)),
        _ => format!("{lower}s"),
    }
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn is_dns_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()), (Some(a), Some(b)) if is_lower(*a) && is_lower(*b))
        && bytes.iter().all(|byte| is_lower(*byte) || *byte == b'-')
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!((bytes.first(), bytes.last()),
        (Some(a), Some(b)) if a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

/// What is wrong with a DNS subdomain, each in a sentence.
#[must_use]
pub fn subdomain_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    if !text.split('.').all(is_dns_label) {
        problems.push(SUBDOMAIN.to_owned());
    }
    problems
}

/// What is wrong with a DNS label (RFC 1123).
#[must_use]
pub fn label_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 characters".to_owned());
    }
    if text.contains('.') && text.split('.').all(is_dns_label) {
        problems.push("must not contain dots".to_owned());
    } else if !is_dns_label(text) {
        problems.push(LABEL.to_owned());
    }
    problems
}

/// What is wrong with a DNS label (RFC 1035): as Services are called.
#[must_use]
pub fn label_1035_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 63 {
        problems.push("must be no more than 63 characters".to_owned());
    }
    if !is_dns_label(text) || text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        problems.push(LABEL_1035.to_owned());
    }
    problems
}

/// What is wrong with a part of a path: as RBAC objects and some names are checked.
#[must_use]
pub fn path_segment_problems(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|part| text.contains(**part))
        .map(|part| format!("may not contain '{part}'"))
        .collect()
}

/// What is wrong with a DNS subdomain that starts with `*.`.
#[must_use]
pub fn wildcard_subdomain_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push("must be no more than 253 bytes".to_owned());
    }
    let valid = |rest: &str| rest.split('.').all(is_dns_label);
    if !text.strip_prefix("*.").is_some_and(valid) {
        problems.push(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS \
             subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and \
             end with an alphanumeric character (e.g. '*.example.com', regex used for validation \
             is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    problems
}

/// What is wrong with a DNS subdomain whose labels may have underscores: as search domains of pods.
#[must_use]
pub fn underscored_subdomain_problems(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    let is_label = |label: &str| {
        let rest = label.strip_prefix('_').unwrap_or(label);
        !rest.starts_with('_') && is_dns_label(&rest.replace('_', "-"))
    };
    if !text.split('.').all(is_label) {
        problems.push(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \
             '_', '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')"
                .to_owned(),
        );
    }
    problems
}

/// What is wrong with the name of a port.
#[must_use]
pub fn port_name_problems(name: &str) -> Vec<String> {
    let known = |byte: u8| is_lower(byte) || byte == b'-';
    let rules = [
        (name.len() > 15, "must be no more than 15 characters"),
        (
            name.is_empty() || !name.bytes().all(known),
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
        ),
        (
            !name.bytes().any(|byte| byte.is_ascii_lowercase()),
            "must contain at least one letter (a-z)",
        ),
        (name.contains("--"), "must not contain consecutive hyphens"),
        (
            name.starts_with('-') || name.ends_with('-'),
            "must not begin or end with a hyphen",
        ),
    ];
    broken(&rules)
}

/// What is wrong with the name of an environment variable.
#[must_use]
pub fn variable_name_problems(name: &str) -> Vec<String> {
    let known = |letter: char| matches!(letter, ' '..='~') && letter != '=';
    broken(&[
        (
            name.is_empty(),
            "environment variable name must be non-empty",
        ),
        (
            !name.chars().all(known),
            "a valid environment variable name must consist only of printable ASCII characters \
             other than '='",
        ),
    ])
}

/// What is wrong with the name of a header of HTTP.
#[must_use]
pub fn header_name_problems(name: &str) -> Vec<String> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    broken(&[(
        name.is_empty() || !name.bytes().all(known),
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. \
         'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')",
    )])
}

/// What is wrong with a percentage.
#[must_use]
pub fn percent_problems(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or_default();
    broken(&[(
        digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()),
        "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  \
         or '93%', regex used for validation is '[0-9]+%')",
    )])
}

/// An address as Go's sloppy parser reads it: zeros may lead.
#[must_use]
pub fn address(text: &str) -> Option<std::net::IpAddr> {
    if text.contains(':') {
        return text.parse().ok();
    }
    let plain: Vec<&str> = text
        .split('.')
        .map(|part| match part.trim_start_matches('0') {
            "" if !part.is_empty() => "0",
            rest => rest,
        })
        .collect();
    plain.join(".").parse().ok()
}

/// What is wrong with an address of the kind that predates strict checks.
#[must_use]
pub fn address_problems(text: &str) -> Vec<String> {
    broken(&[(
        address(text).is_none(),
        "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
    )])
}

/// What is wrong with a range of addresses, `address/length`, before strict checks.
#[must_use]
pub fn range_problems(text: &str) -> Vec<String> {
    let fits = |address: std::net::IpAddr, length: u8| match address {
        std::net::IpAddr::V4(_) => length <= 32,
        std::net::IpAddr::V6(_) => length <= 128,
    };
    let parts = text.split_once('/');
    let valid = parts
        .and_then(|(start, length)| Some((address(start)?, length.parse::<u8>().ok()?)))
        .is_some_and(|(start, length)| fits(start, length));
    broken(&[(
        !valid,
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
    )])
}

/// The texts of the rules that are broken.
fn broken(rules: &[(bool, &str)]) -> Vec<String> {
    let texts = rules.iter().filter(|(broken, _)| *broken);
    texts.map(|(_, text)| (*text).to_owned()).collect()
}

/// What is wrong with a key of a ConfigMap or a Secret.
#[must_use]
pub fn config_key_problems(key: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if key.len() > 253 {
        problems.push("must be no more than 253 characters".to_owned());
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if key.is_empty() || !key.bytes().all(known) {
        problems.push(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. \
             'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
             '[-._a-zA-Z0-9]+')"
                .to_owned(),
        );
    }
    match key {
        "." => problems.push("must not be '.'".to_owned()),
        ".." => problems.push("must not be '..'".to_owned()),
        _ if key.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// What is wrong with a qualified name: `[prefix/]name`, each in a sentence.
#[must_use]
pub fn qualified_name_problems(key: &str) -> Vec<String> {
    let parts: Vec<&str> = key.split('/').collect();
    let mut problems = Vec::new();
    let name = match parts.as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                problems.push("prefix part must be non-empty".to_owned());
            } else {
                problems.extend(
                    subdomain_problems(prefix)
                        .into_iter()
                        .map(|problem| format!("prefix part {problem}"))
                        .map(|problem| problem.replace("253 characters", "253 bytes")),
                );
            }
            *name
        }
        _ => {
            return vec![format!(
                "a valid label key must {NAME_WORDS} (e.g. 'MyName',  or 'my.name',  or \
                 '123-abc', regex used for validation is '{NAME_REGEX}') with an optional DNS \
                 subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_name(name) {
        problems.push(format!(
            "name part must {NAME_WORDS} (e.g. 'MyName',  or 'my.name',  or '123-abc', regex \
             used for validation is '{NAME_REGEX}')"
        ));
    }
    problems
}

/// What is wrong with the key of a label in a selector.
#[must_use]
pub fn label_key_problem(key: &str) -> Option<String> {
    let problems = qualified_name_problems(key);
    if problems.is_empty() {
        return None;
    }
    Some(problems.join("; "))
}

/// What is wrong with the value of a label, each in a sentence.
#[must_use]
pub fn label_value_problems(value: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if value.len() > 63 {
        problems.push("must be no more than 63 bytes".to_owned());
    }
    if !value.is_empty() && !is_name(value) {
        problems.push(format!(
            "a valid label must be an empty string or {NAME_WORDS} (e.g. 'MyValue',  or \
             'my_value',  or '12345', regex used for validation is \
             '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
        ));
    }
    problems
}

/// What is wrong with the value of a label, in one sentence.
#[must_use]
pub fn label_value_problem(value: &str) -> Option<String> {
    let problems = label_value_problems(value);
    (!problems.is_empty()).then(|| problems.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_others() {
        assert!(subdomain_problems("a.b-c.1").is_empty());
        assert_eq!(subdomain_problems("A").len(), 1);
        assert!(label_problems("a-b").is_empty());
        assert!(!label_problems("a.b").is_empty());
        assert!(!label_1035_problems("1a").is_empty());
        assert!(qualified_name_problems("example.com/a_b").is_empty());
        assert!(!qualified_name_problems("a/b/c").is_empty());
        assert!(label_value_problem("").is_none());
        assert!(label_value_problem("-").is_some());
    }
}
