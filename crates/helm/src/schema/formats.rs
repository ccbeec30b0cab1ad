//! `format`: what texts of some kinds look like. Only drafts up to 7 ask for it.

use regex::Regex;

/// Checks a text, and says why it is none of the kind.
pub(super) type Format = fn(&str) -> Result<(), String>;

/// The formats by name; others say nothing.
const FORMATS: [(&str, Format); 11] = [
    ("regex", regex),
    ("ipv4", ipv4),
    ("ipv6", ipv6),
    ("hostname", hostname),
    ("email", email),
    ("date", date),
    ("time", time),
    ("date-time", date_time),
    ("uri", uri),
    ("uuid", uuid),
    ("json-pointer", json_pointer),
];

/// A format.
pub(super) fn find(name: &str) -> Option<Format> {
    let (_, format) = FORMATS.iter().find(|(known, _)| *known == name)?;
    Some(*format)
}

fn refuse<T>(why: &str) -> Result<T, String> {
    Err(why.to_owned())
}

/// Whether a text is a pattern.
pub(super) fn regex(text: &str) -> Result<(), String> {
    match Regex::new(text) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("error parsing regexp: `{text}`")),
    }
}

fn ipv4(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('.').collect();
    if groups.len() != 4 {
        return refuse("expected four decimals");
    }
    for group in groups {
        if group.len() > 1 && group.starts_with('0') {
            return refuse("leading zeros");
        }
        match group.parse::<u32>() {
            Ok(number) if number <= 255 => {}
            Ok(_) => return refuse("decimal must be between 0 and 255"),
            Err(_) => {
                let group = gotmpl::quote(group);
                return Err(format!("strconv.Atoi: parsing {group}: invalid syntax"));
            }
        }
    }
    Ok(())
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return refuse("missing colon");
    }
    match text.parse::<std::net::Ipv6Addr>() {
        Ok(_) => Ok(()),
        Err(_) => {
            let text = gotmpl::quote(text);
            Err(format!("ParseAddr({text}): unable to parse IP"))
        }
    }
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return refuse("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return refuse("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return refuse("label starts with hyphen");
        }
        if label.ends_with('-') {
            return refuse("label ends with hyphen");
        }
        let wrong = label
            .chars()
            .find(|it| !it.is_ascii_alphanumeric() && *it != '-');
        if let Some(it) = wrong {
            return Err(format!("invalid character '{it}'"));
        }
    }
    Ok(())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return refuse("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return refuse("missing @");
    };
    if local.len() > 64 {
        return refuse("local part more than 64 characters long");
    }
    if local.is_empty() || local.contains(' ') && !local.starts_with('"') {
        return refuse("invalid local part");
    }
    match domain.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(address) => match address.strip_prefix("IPv6:") {
            Some(address) => ipv6(address).map_err(|why| format!("invalid ipv6 address: {why}")),
            None => ipv4(address).map_err(|why| format!("invalid ipv4 address: {why}")),
        },
        None => hostname(domain).map_err(|why| format!("invalid domain: {why}")),
    }
}

fn date(text: &str) -> Result<(), String> {
    let refused = |why: &str| {
        let text = gotmpl::quote(text);
        Err(format!("parsing time {text}: {why}"))
    };
    let parts: Vec<&str> = text.split('-').collect();
    let is_digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
    let [year, month, day] = parts[..] else {
        return refused("cannot parse as \"2006-01-02\"");
    };
    if [year.len(), month.len(), day.len()] != [4, 2, 2] || !parts.iter().all(is_digits) {
        return refused("cannot parse as \"2006-01-02\"");
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(year), number(month), number(day));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let n_days = match month {
        2 => 28 + u32::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if !(1..=12).contains(&month) {
        return refused("month out of range");
    }
    if !(1..=n_days).contains(&day) {
        return refused("day out of range");
    }
    Ok(())
}

fn time(text: &str) -> Result<(), String> {
    if text.len() < "15:04:05Z".len() {
        return refuse("less than 9 characters long");
    }
    let bytes = text.as_bytes();
    if bytes[2] != b':' || bytes[5] != b':' {
        return refuse("missing colon in correct place");
    }
    let number = |from: usize, most: u32| {
        let part = text.get(from..from + 2)?;
        part.parse::<u32>().ok().filter(|number| *number <= most)
    };
    if number(0, 23).is_none() || number(3, 59).is_none() || number(6, 60).is_none() {
        return refuse("hour/min/sec out of range");
    }
    let rest = text.get(8..).unwrap_or_default();
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.trim_start_matches(|it: char| it.is_ascii_digit());
            if digits.len() == fraction.len() {
                return refuse("no digits in second fraction");
            }
            digits
        }
        None => rest,
    };
    let is_offset = rest.len() == 6
        && rest.starts_with(['+', '-'])
        && rest.as_bytes()[3] == b':'
        && rest[1..].chars().all(|it| it.is_ascii_digit() || it == ':');
    if rest.eq_ignore_ascii_case("z") || is_offset {
        return Ok(());
    }
    refuse("offset must begin with plus/minus")
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < "2006-01-02T15:04:05Z".len() {
        return refuse("less than 20 characters long");
    }
    let (Some(day), Some(separator), Some(rest)) =
        (text.get(..10), text.get(10..11), text.get(11..))
    else {
        return refuse("11th character must be t or T");
    };
    if !separator.eq_ignore_ascii_case("t") {
        return refuse("11th character must be t or T");
    }
    date(day).map_err(|why| format!("invalid date element: {why}"))?;
    time(rest).map_err(|why| format!("invalid time element: {why}"))
}

fn uri(text: &str) -> Result<(), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let is_scheme = scheme.is_some_and(|scheme| {
        scheme.starts_with(|it: char| it.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || "+-.".contains(it))
    });
    if is_scheme {
        Ok(())
    } else {
        refuse("relative url")
    }
}

fn uuid(text: &str) -> Result<(), String> {
    let groups: Vec<&str> = text.split('-').collect();
    if groups.len() != 5 {
        return refuse("must have 5 elements");
    }
    for (number, (group, length)) in groups.iter().zip([8, 4, 4, 4, 12]).enumerate() {
        if group.len() != length {
            return Err(format!(
                "element {} must be {length} characters long",
                number + 1
            ));
        }
        if !group.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return refuse("non hex character found");
        }
    }
    Ok(())
}

fn json_pointer(text: &str) -> Result<(), String> {
    if text.is_empty() || text.starts_with('/') {
        return Ok(());
    }
    refuse("not starting with /")
}
