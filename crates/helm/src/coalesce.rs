//! Values of charts over those of their subcharts.
//!
//! Read [`coalesce`]: what a parent says wins, maps are merged, globals go down, and `null` takes a
//! default away. The rules are those of Helm 4.1 (`pkg/chart/common/util`), whose order of passes
//! shows in the results.

use std::fmt;
use std::sync::Arc;

use crate::dependencies::Active;
use crate::log::Warning;
use crate::{Error, Value, Values};

/// The name under which values reach all subcharts.
const GLOBAL: &str = "global";

/// What `null` over a default means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// The default goes, and the `null` with it.
    Remove,
    /// The `null` stays: a later pass will remove what it stands over.
    Keep,
}

/// The values of a chart and everything below it, under what was given.
///
/// # Errors
/// [`Error::Text`] when something that is no map stands where the values of a subchart go.
pub(crate) fn coalesce(
    chart: &Active<'_>,
    given: Values,
    nulls: Nulls,
    log: &mut Vec<Warning>,
) -> Result<Values, Error> {
    let mut values = given;
    Pass { nulls, log }.chart(chart, &mut values, None)?;
    Ok(values)
}

/// Fills `values` up with others that it lacks.
pub(crate) fn merge_tables(
    values: &mut Values,
    defaults: &Values,
    nulls: Nulls,
    log: &mut Vec<Warning>,
) {
    Pass { nulls, log }.tables(values, defaults, None, nulls);
}

/// Where something stands, from its end: it is written out only where something is said of it.
#[derive(Clone, Copy)]
struct Path<'p> {
    above: Option<&'p Path<'p>>,
    name: &'p str,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            write!(f, "{above}.")?;
        }
        f.write_str(self.name)
    }
}

/// One way through the tree of charts.
struct Pass<'l> {
    nulls: Nulls,
    log: &'l mut Vec<Warning>,
}

impl Pass<'_> {
    fn say(&mut self, message: String) {
        self.log.push(Warning::info(message));
    }

    fn chart(
        &mut self,
        chart: &Active<'_>,
        values: &mut Values,
        above: Option<&Path<'_>>,
    ) -> Result<(), Error> {
        let name = &chart.name;
        let path = Path { above, name };
        self.defaults(chart, values, &path);
        for child in &chart.children {
            let mut own = match values.get(&child.name) {
                None => Values::new(),
                Some(Value::Table(table)) => table.clone(),
                Some(other) => {
                    let shown = other.formatted("%t");
                    let problem = format!("type mismatch on {}: {shown}", child.name);
                    return Err(Error::text(problem));
                }
            };
            self.globals(&mut own, values, &path);
            // The parent's share goes first, or the child would copy every map that it changes.
            values.remove(&child.name);
            self.chart(child, &mut own, Some(&path))?;
            values.insert(child.name.clone(), Value::Table(own));
        }
        Ok(())
    }

    /// The chart's own values below those at hand.
    fn defaults(&mut self, chart: &Active<'_>, values: &mut Values, path: &Path<'_>) {
        if values.is_empty() {
            *values = chart.values.clone();
            return;
        }
        for (key, default) in chart.values.iter() {
            match values.get(key) {
                None => values.insert(key.clone(), default.clone()),
                Some(Value::Null) if self.nulls == Nulls::Remove => {
                    values.remove(key);
                }
                Some(Value::Table(_)) => self.default_of_table(chart, values, (key, default), path),
                Some(_) => {}
            }
        }
    }

    fn default_of_table(
        &mut self,
        chart: &Active<'_>,
        values: &mut Values,
        (key, default): (&Arc<str>, &Value),
        path: &Path<'_>,
    ) {
        let Value::Table(default) = default else {
            if !default.is_null() {
                self.say(format!(
                    "warning: skipped value for {path}.{key}: Not a table."
                ));
            }
            return;
        };
        let is_child = chart.children.iter().any(|child| child.name == *key);
        let nulls = if is_child { Nulls::Keep } else { self.nulls };
        self.inner_table(values, (key, default), Some(path), nulls);
    }

    /// `default` below the map at a key.
    fn inner_table(
        &mut self,
        values: &mut Values,
        (key, default): (&Arc<str>, &Values),
        above: Option<&Path<'_>>,
        nulls: Nulls,
    ) {
        // What is the default already is not looked for to be changed: that would copy it.
        let own = values.get(key).and_then(Value::as_table);
        if own.is_none_or(|own| own.is_same(default)) {
            return;
        }
        if let Some(Value::Table(table)) = values.get_mut(key) {
            let path = Path { above, name: key };
            self.tables(table, default, Some(&path), nulls);
        }
    }

    /// `defaults` below `values`, map by map.
    fn tables(
        &mut self,
        values: &mut Values,
        defaults: &Values,
        above: Option<&Path<'_>>,
        nulls: Nulls,
    ) {
        if values.is_empty() {
            *values = defaults.clone();
        }
        if values.is_same(defaults) {
            return;
        }
        for (key, default) in defaults.iter() {
            let path = Path { above, name: key };
            match (values.get(key), default) {
                (None, _) => values.insert(key.clone(), default.clone()),
                (Some(Value::Null), default) if nulls == Nulls::Keep || default.is_null() => {}
                (Some(Value::Null), _) => {
                    values.remove(key);
                }
                (Some(Value::Table(_)), Value::Table(default)) => {
                    self.inner_table(values, (key, default), above, nulls);
                }
                (Some(_), Value::Table(_)) => {
                    let shown = default.shown();
                    self.say(format!(
                        "warning: cannot overwrite table with non table for {path} ({shown})"
                    ));
                }
                (Some(Value::Table(_)), default) if !default.is_null() => {
                    let shown = default.shown();
                    self.say(format!(
                        "warning: destination for {path} is a table. Ignoring non-table value ({shown})"
                    ));
                }
                _ => {}
            }
        }
    }

    /// What is global for the parent is so for the child, and wins there.
    fn globals(&mut self, child: &mut Values, parent: &Values, path: &Path<'_>) {
        let mut skip = |side: &str| {
            self.say(format!(
                "warning: skipping globals because {side} {GLOBAL} is not a table."
            ));
        };
        let mut globals = match child.get(GLOBAL) {
            None => Values::new(),
            Some(Value::Table(table)) => table.clone(),
            Some(_) => return skip("destination"),
        };
        let from_parent = match parent.get(GLOBAL) {
            None => Values::new(),
            Some(Value::Table(table)) => table.clone(),
            Some(_) => return skip("source"),
        };
        if child.get(GLOBAL).is_some() && globals.is_same(&from_parent) {
            return;
        }
        if globals.is_empty() {
            globals = from_parent;
        } else {
            for (key, value) in from_parent.iter() {
                self.global(&mut globals, key, value, path);
            }
        }
        child.insert(GLOBAL, Value::Table(globals));
    }

    fn global(&mut self, globals: &mut Values, key: &Arc<str>, value: &Value, path: &Path<'_>) {
        match (value, globals.get(key)) {
            (Value::Table(table), Some(Value::Table(known))) => {
                let mut merged = table.clone();
                let path = Path {
                    above: Some(path),
                    name: key,
                };
                self.tables(&mut merged, &known.clone(), Some(&path), Nulls::Keep);
                globals.insert(key.clone(), Value::Table(merged));
            }
            (Value::Table(_), Some(_)) => {
                let key = gotmpl::quote(key);
                self.say(format!(
                    "Conflict: cannot merge map onto non-map for {key}. Skipping."
                ));
            }
            (Value::Table(_), None) => globals.insert(key.clone(), value.clone()),
            (_, Some(Value::Table(_))) => self.say(format!("key {key} is table. Skipping")),
            _ => globals.insert(key.clone(), value.clone()),
        }
    }
}
