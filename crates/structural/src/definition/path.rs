//! Paths that definitions name: `.spec.size`, `.spec['a-b']`.

use crate::schema::{Additional, Schema};

/// What a path leads to.
pub(crate) struct Found<'a> {
    /// The path as errors print it.
    pub(crate) text: String,
    pub(crate) schema: &'a Schema,
}

/// The path as errors print it; `None` when it leads nowhere.
pub(crate) fn normalized(path: &str, schema: &Schema) -> Option<String> {
    find(path, schema, true).ok().map(|found| found.text)
}

/// Follows a path of field names and, where allowed, of `['name']`.
///
/// # Errors
/// Why it leads nowhere, in words of the real server.
pub(crate) fn find<'a>(
    path: &str,
    schema: &'a Schema,
    takes_brackets: bool,
) -> Result<Found<'a>, String> {
    let mut found = Found {
        text: String::new(),
        schema,
    };
    let mut rest = path;
    while !rest.is_empty() {
        let (token, after) = token(rest);
        rest = after;
        match token {
            "." => {
                if rest.is_empty() {
                    return Err("unexpected end of JSON path".to_owned());
                }
                let (name, after) = self::token(rest);
                rest = after;
                step(&mut found, name)?;
            }
            "[" if !takes_brackets => return Err("array notation is not allowed".to_owned()),
            "[" => rest = bracket(&mut found, rest)?,
            other => return Err(format!("expected [ or . but got: {other}")),
        }
    }
    Ok(found)
}

/// The first token: a delimiter, a quoted text, or what stands before the next delimiter.
fn token(text: &str) -> (&str, &str) {
    if let Some(inner) = text.strip_prefix('\'') {
        let mut escaped = false;
        for (index, letter) in inner.char_indices() {
            match letter {
                '\'' if !escaped => return text.split_at(index + 2),
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        return (text, "");
    }
    match text.find(['.', '[', ']']) {
        Some(0) => text.split_at(1),
        Some(end) => text.split_at(end),
        None => (text, ""),
    }
}

fn bracket<'t>(found: &mut Found<'_>, rest: &'t str) -> Result<&'t str, String> {
    let end = || "unexpected end of JSON path".to_owned();
    if rest.is_empty() {
        return Err(end());
    }
    let (quoted, after) = token(rest);
    let inner = quoted
        .strip_prefix('\'')
        .and_then(|inner| inner.strip_suffix('\''))
        .ok_or_else(|| format!("expected single quoted string but got {quoted}"))?;
    step(found, &unescape(inner)?)?;
    if after.is_empty() {
        return Err(end());
    }
    match token(after) {
        ("]", rest) => Ok(rest),
        (other, _) => Err(format!("expected ] but got {other}")),
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        out.push(match letters.next() {
            Some('a') => '\u{7}',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{b}',
            Some(same @ ('\'' | '\\')) => same,
            other => {
                let other = other.map(String::from).unwrap_or_default();
                return Err(format!(
                    "invalid string literal: invalid escape char \\{other}"
                ));
            }
        });
    }
    Ok(out)
}

fn step(found: &mut Found<'_>, name: &str) -> Result<(), String> {
    let nowhere = || "does not refer to a valid field".to_owned();
    if !found.schema.properties.is_empty() {
        found.schema = found.schema.properties.get(name).ok_or_else(nowhere)?;
        if !found.text.is_empty() {
            found.text.push('.');
        }
        found.text.push_str(name);
        return Ok(());
    }
    match &found.schema.additional {
        Additional::Schema(schema) => {
            found.schema = schema;
            found.text.push_str(&format!("[{name}]"));
            Ok(())
        }
        Additional::Unsaid | Additional::Any(_) => Err(nowhere()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_fields_or_say_why_not() {
        let value = yaml::parse_str(
            "{type: object, properties: {spec: {type: object, properties: {x: {type: string}}}, m: {type: object, additionalProperties: {type: string}}}}",
        );
        let schema = Schema::parse(&value.unwrap());
        let check = |path: &str, want: Result<&str, &str>| {
            let got = find(path, &schema, true).map(|found| found.text);
            assert_eq!(got.as_deref().map_err(String::as_str), want, "{path}");
        };
        check(".spec.x", Ok("spec.x"));
        check(".spec['x']", Ok("spec.x"));
        check(".m['a.b']", Ok("m[a.b]"));
        check("x", Err("expected [ or . but got: x"));
        check(".spec.y", Err("does not refer to a valid field"));
        check(".spec.", Err("unexpected end of JSON path"));
    }
}
