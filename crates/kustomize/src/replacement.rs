//! Replacements: a value of one resource, or a given one, is put into fields of others.
//!
//! Read [`Replacement`] first. Targets are collected as paths of places, then set.

use yaml::Value;
use yaml::node::{Node, Scalar};

use crate::decode::Fields;
use crate::error::{Error, Result, fail};
use crate::fields::{lookup, name_and_value, split_dotted, wrong_kind};
use crate::identity::Id;
use crate::kustomization::selector;
use crate::loader::Folder;
use crate::resource::Resource;
use crate::resources::Resources;
use crate::selector::{MetaMatcher, Selector, regex};

/// The field that counts where none is named.
const DEFAULT_FIELD: &str = "metadata.name";

/// An entry of `replacements`: a replacement, or a file with some.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReplacementField {
    replacement: Replacement,
    path: String,
}

/// What is put where.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replacement {
    source: Option<Source>,
    source_value: Option<String>,
    targets: Option<Vec<Target>>,
}

#[derive(Clone, Debug, Default)]
struct Source {
    id: Id,
    field: String,
    options: FieldOptions,
}

#[derive(Clone, Debug, Default)]
struct Target {
    select: Option<Selector>,
    reject: Vec<Selector>,
    fields: Vec<String>,
    options: FieldOptions,
}

#[derive(Clone, Debug, Default)]
struct FieldOptions {
    delimiter: String,
    index: i64,
    create: bool,
}

impl FieldOptions {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        fields.string("encoding")?;
        Ok(FieldOptions {
            delimiter: fields.string("delimiter")?,
            index: fields.integer("index", "int")?,
            create: fields.boolean("create")?,
        })
    }
}

impl Replacement {
    fn read(fields: &Fields<'_>) -> Result<Self> {
        let options = |fields: &Fields<'_>| {
            let read = fields.object("options", "FieldOptions", FieldOptions::read);
            read.map(Option::unwrap_or_default)
        };
        let target = |fields: &Fields<'_>| {
            Ok(Target {
                select: fields.object("select", "Selector", selector)?,
                reject: fields.list("reject", "[]*types.Selector", selector)?,
                fields: fields.strings("fieldPaths")?,
                options: options(fields)?,
            })
        };
        let targets = match fields.value("targets") {
            None => None,
            Some(_) => Some(fields.list("targets", "[]*types.TargetSelector", target)?),
        };
        Ok(Replacement {
            source: fields.object("source", "SourceSelector", |fields| {
                Ok(Source {
                    id: fields.id()?,
                    field: fields.string("fieldPath")?,
                    options: options(fields)?,
                })
            })?,
            source_value: fields.optional_string("sourceValue")?,
            targets,
        })
    }
}

impl ReplacementField {
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self> {
        Ok(ReplacementField {
            path: fields.string("path")?,
            replacement: Replacement::read(fields)?,
        })
    }

    /// The replacements themselves, those of the file when one is named.
    ///
    /// # Errors
    /// The file cannot be read, or there are replacements beside it.
    pub(crate) fn load(&self, folder: &Folder<'_>) -> Result<Vec<Replacement>> {
        if self.path.is_empty() {
            return Ok(vec![self.replacement.clone()]);
        }
        let targets = self.replacement.targets.as_deref().unwrap_or_default();
        if self.replacement.source.is_some() || !targets.is_empty() {
            return fail("cannot specify both path and inline replacement");
        }
        let bytes = folder.read(&self.path)?;
        let text = String::from_utf8_lossy(&bytes);
        let value = yaml::parse_str(&text).map_err(|error| {
            Error::Build(format!(
                "error converting YAML to JSON: {}",
                error.go_text()
            ))
        })?;
        let read = |value: &Value| {
            Fields::lenient(value, "Replacement").and_then(|fields| Replacement::read(&fields))
        };
        match &value {
            Value::List(items) => items.iter().map(read).collect(),
            Value::Map(_) => Ok(vec![read(&value)?]),
            other => fail(format!(
                "unsupported replacement type encountered within replacement path: {}",
                if other.is_null() {
                    "invalid"
                } else {
                    other.kind()
                }
            )),
        }
    }
}

impl Replacement {
    /// Replaces.
    ///
    /// # Errors
    /// No source or several, a field that is missing, options that do not fit.
    pub(crate) fn apply(&self, resources: &mut Resources) -> Result<()> {
        let Some(targets) = &self.targets else {
            return fail("replacements must specify a source and at least one target");
        };
        let value = self.value(resources)?;
        targets
            .iter()
            .try_for_each(|target| target.apply(resources, &value))
    }

    fn value(&self, resources: &mut Resources) -> Result<Node> {
        let source = match (&self.source, &self.source_value) {
            (Some(_), Some(_)) => {
                return fail("value and resource selectors are mutually exclusive");
            }
            (None, None) => {
                return fail("replacements must specify a source and at least one target");
            }
            (None, Some(value)) => return Ok(Node::Scalar(Scalar::unset(value.as_str()))),
            (Some(source), None) => source,
        };
        let mut found = resources
            .iter()
            .filter(|resource| is_selected(resource, &source.id));
        let resource = match (found.next(), found.next()) {
            (Some(one), None) => one,
            (None, _) => return fail(format!("nothing selected by {source}")),
            (Some(_), Some(_)) => return fail(format!("multiple matches for selector {source}")),
        };
        let value = lookup(resource.node(), &split_dotted(source.field()))
            .map_err(|error| error.within("error looking up replacement source"))?;
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return fail(format!(
                "fieldPath `{}` is missing for replacement source {}",
                source.field(),
                source.id
            ));
        };
        let mut value = value.clone();
        if let Node::Scalar(scalar) = &mut value {
            scalar.cell = 0;
        }
        let delimiter = source.options.delimiter.as_str();
        if !delimiter.is_empty() {
            let Node::Scalar(scalar) = &mut value else {
                return fail("delimiter option can only be used with scalar nodes");
            };
            let index = usize::try_from(source.options.index).ok();
            let part = index.and_then(|index| scalar.text.split(delimiter).nth(index));
            let Some(part) = part else {
                return fail(format!(
                    "options.index {} is out of bounds for value {}",
                    source.options.index, scalar.text
                ));
            };
            scalar.text = part.into();
        }
        Ok(value)
    }
}

impl Source {
    fn field(&self) -> &str {
        match self.field.as_str() {
            "" => DEFAULT_FIELD,
            field => field,
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.id)?;
        if !self.field.is_empty() {
            write!(f, ":{}", self.field)?;
        }
        let options = &self.options;
        if !options.delimiter.is_empty() || options.create {
            let (delimiter, index) = (&options.delimiter, options.index);
            write!(f, ":{delimiter}({index}), create={}", options.create)?;
        }
        Ok(())
    }
}

fn is_selected(resource: &Resource, selector: &Id) -> bool {
    resource.any_id(|id| id.is_selected_by(selector))
}

impl Target {
    fn apply(&self, resources: &mut Resources, value: &Node) -> Result<()> {
        let Some(select) = &self.select else {
            return fail("target must specify resources to select");
        };
        let default = [DEFAULT_FIELD.to_owned()];
        let fields = match self.fields.as_slice() {
            [] => &default,
            fields => fields,
        };
        let meta = MetaMatcher::new(select)?;
        let mut rejects = Vec::new();
        for reject in &self.reject {
            if !reject.annotations.is_empty() || !reject.labels.is_empty() {
                rejects.push(MetaMatcher::new(reject)?);
            }
        }
        for at in 0..resources.len() {
            let resource = resources.at(at);
            let is_meant = meta.fits(resource)
                && !rejects.iter().any(|reject| reject.fits(resource))
                && is_selected(resource, &select.id)
                && !self
                    .reject
                    .iter()
                    .any(|reject| !reject.id.is_blank() && is_selected(resource, &reject.id));
            if is_meant {
                for field in fields {
                    resources.change(at, |resource| {
                        resource.change(|node, _| self.set(node, field, value))
                    })?;
                }
            }
        }
        Ok(())
    }

    fn set(&self, node: &mut Node, field: &str, value: &Node) -> Result<()> {
        let make = self.options.create.then_some(value);
        let mut places = Vec::new();
        let missing = |how: &str| {
            format!(
                "unable to {how} field {} in replacement target",
                manifest::go::quote(field)
            )
        };
        let missing = missing(if make.is_some() {
            "find or create"
        } else {
            "find"
        });
        collect(
            node,
            &split_dotted(field),
            make,
            &mut Vec::new(),
            &mut places,
        )
        .map_err(|error| error.within(&missing))?;
        if places.is_empty() {
            return fail(missing);
        }
        for place in places {
            if let Some(found) = at_place(node, &place) {
                self.replace(found, value)?;
            }
        }
        Ok(())
    }

    fn replace(&self, found: &mut Node, value: &Node) -> Result<()> {
        let mut value = value.clone();
        let delimiter = self.options.delimiter.as_str();
        if !delimiter.is_empty() {
            let Node::Scalar(old) = &*found else {
                return fail("delimiter option can only be used with scalar nodes");
            };
            let Node::Scalar(new) = &mut value else {
                return fail("delimiter option can only be used with scalar nodes");
            };
            let text = if new.is_null() { "" } else { new.text.as_str() };
            let mut parts: Vec<&str> = old.text.split(delimiter).collect();
            match usize::try_from(self.options.index) {
                Err(_) => parts.insert(0, text),
                Ok(index) if index >= parts.len() => parts.push(text),
                Ok(index) => parts[index] = text,
            }
            new.text = parts.join(delimiter).into();
        }
        match (found, value) {
            (Node::Scalar(old), Node::Scalar(new)) => old.text = new.text,
            // A map or list has no text of its own.
            (Node::Scalar(old), _) => old.text = "".into(),
            (found, value) => *found = value,
        }
        Ok(())
    }
}

/// The way to a node: places in maps and lists.
type Place = Vec<usize>;

fn at_place<'a>(node: &'a mut Node, place: &[usize]) -> Option<&'a mut Node> {
    place.iter().try_fold(node, |node, at| match node {
        Node::Map(entries) => entries.get_mut(*at).map(|(_, value)| value),
        Node::List(items) => items.get_mut(*at),
        Node::Scalar(_) => None,
    })
}

/// What stands at a path that goes on with `next`; at its end, a node of the value's kind.
fn made(next: Option<&String>, value: &Node) -> Node {
    let empty_like = |node: &Node| match node {
        Node::Scalar(_) => Node::Scalar(Scalar::unset("")),
        Node::List(_) => Node::List(Vec::new()),
        Node::Map(_) => Node::Map(Vec::new()),
    };
    match next.map(String::as_str) {
        None | Some("") => empty_like(value),
        Some(next) if is_item(next) || next.parse::<usize>().is_ok() => Node::List(Vec::new()),
        Some(_) => Node::Map(Vec::new()),
    }
}

fn is_item(part: &str) -> bool {
    part.starts_with('[') && part.ends_with(']')
}

/// Collects the places that a path leads to, and makes what is missing when there is something to make.
fn collect(
    node: &mut Node,
    path: &[String],
    make: Option<&Node>,
    way: &mut Place,
    places: &mut Vec<Place>,
) -> Result<()> {
    let Some((part, rest)) = path.split_first() else {
        places.push(way.clone());
        return Ok(());
    };
    let next = |node: &mut Node, at: usize, way: &mut Place, places: &mut Vec<Place>| {
        way.push(at);
        let result = match at_place(node, &[at]) {
            Some(node) => collect(node, rest, make, way, places),
            None => Ok(()),
        };
        way.pop();
        result
    };
    if let Ok(index) = part.parse::<usize>() {
        let items = items(node)?;
        if let Some(value) = make.filter(|_| items.len() == index) {
            items.push(made(rest.first(), value));
        }
        if items.len() <= index {
            let n = items.len();
            return fail(format!(
                "index {index} specified but only {n} elements found"
            ));
        }
        return next(node, index, way, places);
    }
    if is_item(part) {
        return collect_items(node, part, make, &mut |node, at| {
            next(node, at, way, places)
        });
    }
    if part == "*" {
        for at in 0..items(node)?.len() {
            next(node, at, way, places)?;
        }
        return Ok(());
    }
    if node.is_null() {
        return Ok(());
    }
    let Node::Map(entries) = node else {
        return wrong_kind("MappingNode", node);
    };
    let found = entries
        .iter()
        .position(|(key, _)| key.text == *part.as_str());
    let at = match (found, make) {
        (Some(at), _) => at,
        (None, None) => return Ok(()),
        (None, Some(value)) => {
            entries.push((Scalar::unset(part.as_str()), made(rest.first(), value)));
            entries.len() - 1
        }
    };
    next(node, at, way, places)
}

fn items(node: &mut Node) -> Result<&mut Vec<Node>> {
    match node {
        Node::List(items) => Ok(items),
        node if node.is_null() => {
            *node = Node::List(Vec::new());
            items(node)
        }
        node => wrong_kind("SequenceNode", node),
    }
}

/// Goes on with the items that `[name=pattern]` or `[=pattern]` means, made when there are none.
fn collect_items(
    node: &mut Node,
    part: &str,
    make: Option<&Node>,
    next: &mut dyn FnMut(&mut Node, usize) -> Result<()>,
) -> Result<()> {
    let (name, pattern) = name_and_value(part)?;
    let regex = regex(pattern)?;
    let fits = |item: &Node| {
        let text = match name {
            "" => item.text(),
            name => item.get(name).and_then(Node::text),
        };
        text.is_some_and(|text| regex.is_match(text.trim()))
    };
    let list = items(node)?;
    let mut found: Vec<usize> = (0..list.len()).filter(|at| fits(&list[*at])).collect();
    if found.is_empty() && make.is_some() {
        let value = Node::Scalar(Scalar::unset(pattern));
        list.push(match name {
            "" => value,
            name => Node::Map(vec![(Scalar::unset(name), value)]),
        });
        found.push(list.len() - 1);
    }
    found.into_iter().try_for_each(|at| next(node, at))
}
