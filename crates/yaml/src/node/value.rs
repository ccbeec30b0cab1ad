//! What nodes mean, and nodes of values: the way of go-yaml v3 and Go's JSON encoder.

use std::fmt::Write as _;

use super::{Node, Scalar, Tag};
use crate::error::{Cause, Error, Position};
use crate::resolve::{Mode, Scalar as Meaning, Times, resolve};
use crate::{Map, Str, Value, json, number};

impl Node {
    /// What the node means once it is written by go-yaml v3, read again and written as JSON.
    ///
    /// # Errors
    /// A key that is there twice, a key that is no string, a tag that does not fit its text, and
    /// numbers that JSON cannot have. Nodes have no places, so positions are empty.
    pub fn to_value(&self) -> Result<Value, Error> {
        match self {
            Node::Scalar(scalar) => scalar.to_value(),
            Node::List(items) => {
                let items: Result<_, Error> = items.iter().map(Node::to_value).collect();
                Ok(Value::List(items?))
            }
            Node::Map(entries) => {
                let mut pairs: Vec<(Str, Value)> = Vec::with_capacity(entries.len());
                let mut text_keys = true;
                for (key, value) in entries {
                    text_keys &= matches!(key.meaning()?, Meaning::Text | Meaning::Merge);
                    pairs.push((key.text.clone(), value.to_value()?));
                }
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                if let Some(two) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
                    return Err(placeless(Cause::DuplicateKey(two[0].0.to_string())));
                }
                if !text_keys {
                    return Err(placeless(Cause::UnsupportedKey("interface {}")));
                }
                Ok(Value::Map(Map::from_sorted(pairs.into_iter())))
            }
        }
    }

    /// The node that go-yaml v3 reads from what it writes for `value`.
    #[must_use]
    pub fn from_value(value: &Value) -> Self {
        let plain = |text: String, tag| Node::Scalar(Scalar::new(text, tag));
        match value {
            Value::Null => Node::null(),
            Value::Bool(flag) => plain(flag.to_string(), Tag::Bool),
            Value::Int(number) => plain(number.to_string(), Tag::Int),
            Value::Uint(number) => plain(number.to_string(), Tag::Int),
            Value::Float(number) => {
                let mut text = String::new();
                number::write_yaml_float(&mut text, *number);
                let is_whole = text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'-');
                plain(text, if is_whole { Tag::Int } else { Tag::Float })
            }
            Value::String(text) => Node::Scalar(Scalar::written(text.clone())),
            Value::List(items) => Node::List(items.iter().map(Node::from_value).collect()),
            Value::Map(map) => {
                let entry = |(key, value): (&Str, &Value)| {
                    (Scalar::written(key.clone()), Node::from_value(value))
                };
                Node::Map(map.iter().map(entry).collect())
            }
        }
    }
}

impl Scalar {
    /// What the scalar means once it is written and read again.
    ///
    /// # Errors
    /// A tag that does not fit the text, and numbers that JSON cannot have.
    pub fn to_value(&self) -> Result<Value, Error> {
        if self.tag == Tag::Binary {
            let bytes = crate::decode::base64(&self.text);
            let bytes = bytes.ok_or_else(|| placeless(Cause::BadBase64))?;
            return Ok(Value::String(json::text_of(&bytes).as_ref().into()));
        }
        Ok(match self.meaning()? {
            Meaning::Null => Value::Null,
            Meaning::Bool(flag) => Value::Bool(flag),
            Meaning::Int(number) => Value::Int(number),
            Meaning::Uint(number) => Value::Uint(number),
            Meaning::Float(number) => float(number)?,
            Meaning::Timestamp => Value::String(go_time(&self.text).into()),
            Meaning::Merge | Meaning::Text => Value::String(self.text.clone()),
        })
    }

    /// The encoder drops a tag that the text has anyway, and quotes a string that would not be one;
    /// what it cannot say in either way it tags, and the decoder checks that.
    fn meaning(&self) -> Result<Meaning, Error> {
        if self.tag == Tag::Str || self.tag == Tag::Binary {
            return Ok(Meaning::Text);
        }
        let plain = resolve(&self.text, Mode::GoYaml3, Times::Seen);
        let fits = match self.tag {
            Tag::Unset => true,
            tag => tag_of(plain) == tag,
        };
        if fits && !self.tagged {
            let block = self.text.contains('\n');
            return Ok(if self.quoted || block {
                Meaning::Text
            } else {
                plain
            });
        }
        match (self.tag, plain) {
            _ if fits => Ok(plain),
            #[allow(clippy::cast_precision_loss, reason = "!!float asks for a float")]
            (Tag::Float, Meaning::Int(number)) => Ok(Meaning::Float(number as f64)),
            _ => Err(placeless(Cause::BadTag {
                found: plain.tag(),
                text: self.text.to_string(),
                tag: name(self.tag),
            })),
        }
    }
}

fn placeless(cause: Cause) -> Error {
    Error::new(Position::default(), cause)
}

pub(super) fn tag_of(meaning: Meaning) -> Tag {
    match meaning {
        Meaning::Null => Tag::Null,
        Meaning::Bool(_) => Tag::Bool,
        Meaning::Int(_) | Meaning::Uint(_) => Tag::Int,
        Meaning::Float(_) => Tag::Float,
        Meaning::Timestamp => Tag::Timestamp,
        Meaning::Merge => Tag::Merge,
        Meaning::Text => Tag::Str,
    }
}

fn name(tag: Tag) -> &'static str {
    match tag {
        Tag::Null => "!!null",
        Tag::Bool => "!!bool",
        Tag::Int => "!!int",
        Tag::Float => "!!float",
        Tag::Timestamp => "!!timestamp",
        Tag::Merge => "!!merge",
        Tag::Binary => "!!binary",
        Tag::Unset | Tag::Str => "!!str",
    }
}

/// A float after it went through JSON: whole ones are whole numbers.
fn float(number: f64) -> Result<Value, Error> {
    let name = match number {
        _ if number.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => return Ok(number::whole(number).map_or(Value::Float(number), Value::Int)),
    };
    Err(placeless(Cause::NotJson(name)))
}

/// A text that go-yaml reads as a time, as Go's JSON encoder writes it: RFC 3339, with two digits
/// for each part and no zeros behind the seconds.
fn go_time(text: &str) -> String {
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0:0:0"),
    };
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone_at);
    let (clock, fraction) = clock.split_once(['.', ',']).unwrap_or((clock, ""));
    let mut out = String::new();
    let two_digits = |text: &str, separator: char, out: &mut String| {
        for (index, part) in text.split(separator).enumerate() {
            if index > 0 {
                out.push(separator);
            }
            // Writing to a String cannot fail.
            let _ = write!(out, "{part:0>2}");
        }
    };
    two_digits(date, '-', &mut out);
    out.push('T');
    two_digits(clock, ':', &mut out);
    // Go keeps nanoseconds.
    let fraction: String = fraction.chars().take(9).collect();
    let fraction = fraction.trim_end_matches('0');
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out.push_str(match zone {
        "" | "+00:00" | "-00:00" => "Z",
        zone => zone,
    });
    out
}
