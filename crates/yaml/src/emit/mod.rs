//! YAML text as go-yaml writes it: every space, quote and fold as in Go, because charts hash this
//! text and people diff it.
//!
//! Read [`emit`] first. [`writer`] owns the layout (columns, indentation, folding), [`scalar`] the
//! choice of quotes, [`order`] the order of keys. None of them knows how YAML is read, except that
//! a string is quoted when the resolver would take its plain text for something else.

mod order;
mod scalar;
mod writer;

use std::fmt::Write as _;

use crate::resolve::Mode;
use crate::{Map, Value, number};
use scalar::Shape;
use writer::{Context, Writer};

/// Which Go program's text is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `sigs.k8s.io/yaml`'s `Marshal` (go-yaml v2): 2 spaces, lists not indented below their key,
    /// long plain and quoted text folded at column 80.
    GoYaml2,
    /// go-yaml v3's `Marshal`: 4 spaces, lists indented, no folding.
    GoYaml3,
    /// go-yaml v3 as Helm's `toYamlPretty` sets it: 2 spaces, lists indented, no folding.
    GoYaml3Narrow,
    /// go-yaml v3 as kustomize sets it: 2 spaces, lists not indented below their key, no folding.
    Kustomize,
}

impl Dialect {
    fn indent(self) -> usize {
        match self {
            Dialect::GoYaml2 | Dialect::GoYaml3Narrow | Dialect::Kustomize => 2,
            Dialect::GoYaml3 => 4,
        }
    }

    fn mode(self) -> Mode {
        match self {
            Dialect::GoYaml2 => Mode::GoYaml2,
            Dialect::GoYaml3 | Dialect::GoYaml3Narrow | Dialect::Kustomize => Mode::GoYaml3,
        }
    }

    fn is_v2(self) -> bool {
        self == Dialect::GoYaml2
    }
}

/// The text that `sigs.k8s.io/yaml`'s `Marshal` gives for `value`, line break at the end included.
#[must_use]
pub fn emit(value: &Value) -> String {
    emit_in(value, Dialect::GoYaml2)
}

/// The text of `value` in a dialect.
#[must_use]
pub fn emit_in(value: &Value, dialect: Dialect) -> String {
    let mut emitter = Emitter {
        dialect,
        writer: Writer::new(dialect),
    };
    emitter.node(value, Place::Root);
    emitter.writer.finish()
}

/// Where a node stands; it decides on indentation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Item,
    Key,
    Value,
}

struct Emitter {
    dialect: Dialect,
    writer: Writer,
}

impl Emitter {
    fn node(&mut self, value: &Value, place: Place) {
        let mut text = String::new();
        match value {
            Value::Null => self.plain("null", place),
            Value::Bool(flag) => self.plain(if *flag { "true" } else { "false" }, place),
            Value::Int(number) => {
                let _ = write!(text, "{number}");
                self.plain(&text, place);
            }
            Value::Uint(number) => {
                let _ = write!(text, "{number}");
                self.plain(&text, place);
            }
            Value::Float(number) => {
                self.write_float(&mut text, *number);
                self.plain(&text, place);
            }
            Value::String(content) => self.string(content, place),
            Value::List(items) if items.is_empty() => self.writer.indicator("[]", Context::SPACED),
            Value::List(items) => self.list(items, place),
            Value::Map(map) if map.is_empty() => self.writer.indicator("{}", Context::SPACED),
            Value::Map(map) => self.map(map, place),
        }
    }

    /// `sigs.k8s.io/yaml` writes JSON and reads that as YAML before it writes YAML, so whole
    /// floats that fit 64 bits come out as whole numbers.
    fn write_float(&self, text: &mut String, number: f64) {
        const UNSIGNED_END: f64 = 18_446_744_073_709_551_616.0;
        if !self.dialect.is_v2() {
            return number::write_yaml_float(text, number);
        }
        if let Some(whole) = number::whole(number) {
            let _ = write!(text, "{whole}");
        } else if number > 0.0 && number < UNSIGNED_END && number.trunc() == number {
            // The digits that JSON shows, which are not those of the exact number.
            number::write_json_float(text, number);
        } else {
            number::write_yaml_float(text, number);
        }
    }

    fn plain(&mut self, text: &str, place: Place) {
        let indent = self.deeper(place);
        self.writer.plain(text, indent, place == Place::Key);
    }

    fn string(&mut self, text: &str, place: Place) {
        let shape = Shape::of(text, self.dialect);
        self.shaped(text, &shape, place);
    }

    fn shaped(&mut self, text: &str, shape: &Shape, place: Place) {
        let is_key = place == Place::Key;
        let indent = self.deeper(place);
        match shape.style(is_key && shape.is_simple_key(text)) {
            scalar::Style::Plain => self.writer.plain(text, indent, is_key),
            scalar::Style::Single => self.writer.single_quoted(text, indent, is_key),
            scalar::Style::Double => self.writer.double_quoted(text, indent, is_key),
            scalar::Style::Literal => self.writer.literal(text, indent),
        }
    }

    /// The indentation of what is inside the node at `place`.
    fn deeper(&self, place: Place) -> usize {
        let step = self.dialect.indent();
        match (self.writer.indent, place) {
            (None, _) => step,
            (Some(indent), Place::Item) if !self.dialect.is_v2() => indent + 2,
            (Some(indent), _) if !self.dialect.is_v2() => step * ((indent + step) / step),
            (Some(indent), _) => indent + step,
        }
    }

    fn list(&mut self, items: &[Value], place: Place) {
        let outer = self.writer.indent;
        let in_map = matches!(place, Place::Value | Place::Key);
        let inner = match outer {
            None => 0,
            Some(indent) => match self.dialect {
                Dialect::GoYaml2 if in_map && !self.writer.indention => indent,
                Dialect::Kustomize
                    if in_map && (self.writer.column == 0 || !self.writer.indention) =>
                {
                    self.deeper(place).saturating_sub(2)
                }
                _ => self.deeper(place),
            },
        };
        self.writer.indent = Some(inner);
        for item in items {
            self.writer.start_line();
            self.writer.indicator("-", Context::INDENTING);
            self.node(item, Place::Item);
        }
        self.writer.indent = outer;
    }

    fn map(&mut self, map: &Map, place: Place) {
        let outer = self.writer.indent;
        self.writer.indent = Some(match outer {
            None => 0,
            Some(_) => self.deeper(place),
        });
        for (key, value) in order::natural(map, self.dialect.is_v2()) {
            self.writer.start_line();
            let shape = Shape::of(key, self.dialect);
            if shape.is_simple_key(key) {
                self.shaped(key, &shape, Place::Key);
                self.writer.indicator(":", Context::ATTACHED);
            } else {
                self.writer.indicator("?", Context::INDENTING);
                self.shaped(key, &shape, Place::Value);
                self.writer.start_line();
                self.writer.indicator(":", Context::INDENTING);
            }
            self.node(value, Place::Value);
        }
        self.writer.indent = outer;
    }
}

#[cfg(test)]
mod tests;
