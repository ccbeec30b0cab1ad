//! Which charts take part in a render, and with which values of their own.
//!
//! Read [`activate`]: conditions and tags take charts away, then parents take over values of their
//! children. The passes are Helm's, as each sees the values that the one before left.

use std::sync::Arc;

use crate::chart::{Children, Node};
use crate::coalesce::{Nulls, coalesce, merge_tables};
use crate::log::Warning;
use crate::metadata::Dependency;
use crate::{Chart, Error, Value, Values};

/// A chart that takes part.
pub(crate) struct Active<'c> {
    pub(crate) node: &'c Node,
    pub(crate) name: Arc<str>,
    /// Its own values, with what it took over from its children.
    pub(crate) values: Values,
    /// What it declares and has turned on.
    pub(crate) declared: Vec<&'c Dependency>,
    pub(crate) children: Vec<Active<'c>>,
}

/// The charts that take part when these values are given.
///
/// # Errors
/// As [`coalesce`].
pub(crate) fn activate<'c>(
    chart: &'c Chart,
    given: &Values,
    log: &mut Vec<Warning>,
) -> Result<Active<'c>, Error> {
    let mut root = Active::of(chart.root());
    root.enable(given, "", log)?;
    root.take_over(log)?;
    Ok(root)
}

impl<'c> Active<'c> {
    fn of(node: &'c Node) -> Self {
        Active {
            node,
            name: node.name.clone(),
            values: node.loaded.values.clone(),
            declared: node.loaded.metadata.dependencies.iter().collect(),
            children: node.children.iter().map(Active::of).collect(),
        }
    }

    /// The name of what it declares; where Helm does not look, aliases do not count.
    pub(crate) fn name_of(&self, one: &'c Dependency) -> &'c str {
        match self.node.children_of {
            Children::Declared => one.name_in_parent(),
            Children::InFolder => &one.name,
        }
    }

    /// Takes away what conditions and tags turn off.
    fn enable(&mut self, given: &Values, path: &str, log: &mut Vec<Warning>) -> Result<(), Error> {
        if self.node.children_of == Children::InFolder {
            return Ok(());
        }
        let values = coalesce(self, given.clone(), Nulls::Remove, log)?;
        let by_tags: Vec<bool> = self
            .declared
            .iter()
            .map(|one| enabled_by_tags(one, &values, log))
            .collect();
        let mut off: Vec<&str> = Vec::new();
        let mut on = Vec::new();
        for (one, by_tags) in self.declared.iter().zip(by_tags) {
            if enabled_by_condition(one, &values, path, log).unwrap_or(by_tags) {
                on.push(*one);
            } else {
                off.push(one.name_in_parent());
            }
        }
        self.children.retain(|child| !off.contains(&&*child.name));
        on.retain(|one| !off.contains(&one.name_in_parent()));
        self.declared = on;
        for child in &mut self.children {
            let path = format!("{path}{}.", child.name);
            child.enable(&values, &path, log)?;
        }
        Ok(())
    }

    /// Takes over values of children, deepest first, and keeps everything that was merged on the
    /// way, as Helm does.
    fn take_over(&mut self, log: &mut Vec<Warning>) -> Result<(), Error> {
        for child in &mut self.children {
            child.take_over(log)?;
        }
        if self.declared.is_empty() {
            return Ok(());
        }
        let mut values = coalesce(self, Values::new(), Nulls::Keep, log)?;
        let mut imported = Values::new();
        for one in &self.declared {
            let name = self.name_of(one);
            for import in imports(one) {
                match values.table(&format!("{name}.{}", import.child)) {
                    Ok(table) => {
                        let table = at_path(&import.parent, table.clone());
                        merge_tables(&mut imported, &table, Nulls::Keep, log);
                    }
                    Err(key) => log.push(no_table(&import, name, &key)),
                }
            }
        }
        merge_tables(&mut values, &imported, Nulls::Keep, log);
        self.values = values;
        Ok(())
    }
}

fn enabled_by_tags(one: &Dependency, values: &Values, log: &mut Vec<Warning>) -> bool {
    let Some(Value::Table(tags)) = values.get("tags") else {
        return true;
    };
    let (mut has_true, mut has_false) = (false, false);
    for tag in &one.tags {
        match tags.get(tag) {
            None => {}
            Some(Value::Bool(flag)) => {
                has_true |= flag;
                has_false |= !flag;
            }
            Some(_) => log.push(
                Warning::warn("returned non-bool value")
                    .with("tag", tag.as_str())
                    .with("chart", one.name_in_parent()),
            ),
        }
    }
    has_true || !has_false
}

/// What the first path says that leads to a boolean.
fn enabled_by_condition(
    one: &Dependency,
    values: &Values,
    path: &str,
    log: &mut Vec<Warning>,
) -> Option<bool> {
    let conditions = one.condition.trim().split(',');
    for condition in conditions.filter(|condition| !condition.is_empty()) {
        match values.leaf(&format!("{path}{condition}")) {
            None => {}
            Some(Value::Bool(flag)) => return Some(*flag),
            Some(_) => log.push(
                Warning::warn("returned non-bool value")
                    .with("path", condition)
                    .with("chart", one.name_in_parent()),
            ),
        }
    }
    None
}

/// Values of a child that its parent takes over.
pub(crate) struct Import {
    pub(crate) child: String,
    pub(crate) parent: String,
    /// Named by what the child exports.
    is_export: bool,
}

/// What a dependency asks to take over.
pub(crate) fn imports(one: &Dependency) -> impl Iterator<Item = Import> {
    one.import_values.iter().filter_map(|import| match import {
        Value::Table(table) => {
            let text = |key: &str| table.get(key).unwrap_or(&Value::Null).shown();
            Some(Import {
                child: text("child"),
                parent: text("parent"),
                is_export: false,
            })
        }
        Value::Text(name) => Some(Import {
            child: format!("exports.{name}"),
            parent: ".".to_owned(),
            is_export: true,
        }),
        _ => None,
    })
}

fn no_table(import: &Import, chart: &str, key: &str) -> Warning {
    let problem = format!("{} is not a table", gotmpl::quote(key));
    if import.is_export {
        return Warning::warn("ImportValues missing table").with("error", problem);
    }
    Warning::warn("ImportValues missing table from chart")
        .with("chart", chart)
        .with("error", problem)
}

/// Values below a path; `.` is no path.
fn at_path(path: &str, values: Values) -> Values {
    if path == "." {
        return values;
    }
    path.rsplit('.').fold(values, |inner, key| {
        let mut outer = Values::new();
        outer.insert(key, Value::Table(inner));
        outer
    })
}
