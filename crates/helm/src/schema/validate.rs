//! A value against a compiled schema.
//!
//! Read [`Validator`]: one schema over one value. The order of keywords is that of
//! `santhosh-tekuri/jsonschema`, which decides what is told when several do not fit.

use std::collections::BTreeSet;

use super::compile::{Compiled, Dependent, Draft, Index, Items, Keywords, Node, Rules};
use super::number;
use super::report::{Kind, Problem};
use crate::{Value, Values};

/// What does not fit; nothing when all does.
pub(super) fn validate(schema: &Compiled, value: &Value) -> Option<Problem> {
    let mut run = Run {
        schema,
        path: Vec::new(),
        scopes: Vec::new(),
    };
    let problem = run.at(Compiled::ROOT, value, Needs::Nothing).err()?;
    let causes = match problem.kind {
        Kind::Group => problem.causes,
        _ => vec![problem],
    };
    let place = schema.node(Compiled::ROOT).place.clone();
    Some(Problem {
        path: Vec::new(),
        kind: Kind::Schema(place),
        causes,
    })
}

/// Whether whoever asks wants to know which parts were looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Unevaluated,
}

/// Properties and items that no keyword looked at yet.
#[derive(Clone, Debug, Default)]
struct Unevaluated {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
}

impl Unevaluated {
    fn of(value: &Value, is_needed: bool) -> Self {
        let mut unevaluated = Unevaluated::default();
        match value {
            Value::Table(table) if is_needed => {
                unevaluated.properties = table.iter().map(|(key, _)| key.to_string()).collect();
            }
            Value::List(items) if is_needed => unevaluated.items = (0..items.len()).collect(),
            _ => {}
        }
        unevaluated
    }

    /// What another schema has looked at is looked at.
    fn merge(&mut self, other: &Unevaluated) {
        self.properties.retain(|key| other.properties.contains(key));
        self.items.retain(|item| other.items.contains(item));
    }

    fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.items.is_empty()
    }
}

type Outcome = Result<Unevaluated, Problem>;

/// One validation: where it is.
struct Run<'s> {
    schema: &'s Compiled,
    path: Vec<String>,
    /// The schemas above, each with the depth of the value that it is about.
    scopes: Vec<(Index, usize)>,
}

/// One schema over one value.
struct Validator<'r, 's> {
    run: &'r mut Run<'s>,
    node: &'s Node,
    value: &'r Value,
    unevaluated: Unevaluated,
    problems: Vec<Problem>,
}

/// Schemas within schemas for one value and all values around it.
const MAX_DEPTH: usize = 500;

impl<'s> Run<'s> {
    fn problem(&self, kind: Kind) -> Problem {
        Problem {
            path: self.path.clone(),
            kind,
            causes: Vec::new(),
        }
    }

    /// A schema over the value at hand.
    fn at(&mut self, index: Index, value: &Value, needs: Needs) -> Outcome {
        let node = self.schema.node(index);
        let keywords = match &node.rules {
            Rules::Bool(true) => return Ok(Unevaluated::default()),
            Rules::Bool(false) => return Err(self.problem(Kind::False)),
            Rules::Object(keywords) => keywords,
        };
        let scope = (index, self.path.len());
        if self.scopes.contains(&scope) || self.scopes.len() >= MAX_DEPTH {
            return Err(self.problem(Kind::Cycle(node.place.clone())));
        }
        let is_needed = needs == Needs::Unevaluated
            || keywords.unevaluated_properties.is_some()
            || keywords.unevaluated_items.is_some();
        self.scopes.push(scope);
        let validator = Validator {
            unevaluated: Unevaluated::of(value, is_needed),
            run: self,
            node,
            value,
            problems: Vec::new(),
        };
        let outcome = validator.check(keywords);
        self.scopes.pop();
        outcome
    }

    /// A schema over a value inside of the one at hand.
    fn inside(&mut self, index: Index, value: &Value, key: String) -> Result<(), Problem> {
        self.path.push(key);
        let outcome = self.at(index, value, Needs::Nothing);
        self.path.pop();
        outcome.map(|_| ())
    }
}

impl Validator<'_, '_> {
    fn check(mut self, keywords: &Keywords) -> Outcome {
        if let Some(kind) = self.first(keywords) {
            return Err(self.run.problem(kind));
        }
        if let Some(index) = keywords.reference {
            let followed = self.follow(index);
            if self.node.draft < Draft::D2019 {
                return match followed {
                    None => Ok(self.unevaluated),
                    Some(problem) => Err(problem),
                };
            }
            self.problems.extend(followed);
        }
        match self.value {
            Value::Table(table) => self.object(keywords, table),
            Value::List(items) => self.list(keywords, items),
            Value::Text(text) => self.text(keywords, text),
            Value::Int(_) | Value::Float(_) => self.number(keywords),
            Value::Null | Value::Bool(_) => {}
        }
        self.dynamic(keywords);
        self.conditions(keywords);
        self.rest(keywords);
        match self.problems.len() {
            0 => Ok(self.unevaluated),
            1 => Err(self.problems.remove(0)),
            _ => {
                let causes = std::mem::take(&mut self.problems);
                let problem = self.run.problem(Kind::Group);
                Err(Problem { causes, ..problem })
            }
        }
    }

    fn add(&mut self, kind: Kind) {
        let problem = self.run.problem(kind);
        self.problems.push(problem);
    }

    fn add_all(&mut self, kind: Kind, causes: Vec<Problem>) {
        let problem = self.run.problem(kind);
        self.problems.push(Problem { causes, ..problem });
    }

    /// What is wrong with the value as a whole: nothing else is looked at then.
    fn first(&self, keywords: &Keywords) -> Option<Kind> {
        let got = self.value.json_type();
        let fits = |wanted: &&'static str| {
            *wanted == got || *wanted == "integer" && number::is_whole(self.value)
        };
        if !keywords.types.is_empty() && !keywords.types.iter().any(fits) {
            let want = keywords.types.clone();
            return Some(Kind::Type { got, want });
        }
        if let Some(want) = &keywords.constant
            && !equal(self.value, want)
        {
            return Some(Kind::Const(want.clone()));
        }
        if let Some(all) = &keywords.values
            && !all.iter().any(|want| equal(self.value, want))
        {
            return Some(Kind::Enum(all.clone()));
        }
        if let (Some((want, format)), Value::Text(text)) = (&keywords.format, self.value)
            && let Err(why) = format(text)
        {
            return Some(Kind::Format {
                got: self.value.clone(),
                want: want.clone(),
                why,
            });
        }
        None
    }

    /// Another schema over the same value; what it looked at is looked at.
    fn same(&mut self, index: Index) -> Result<(), Problem> {
        let needs = match self.unevaluated.is_empty() {
            true => Needs::Nothing,
            false => Needs::Unevaluated,
        };
        let unevaluated = self.run.at(index, self.value, needs)?;
        self.unevaluated.merge(&unevaluated);
        Ok(())
    }

    fn follow(&mut self, index: Index) -> Option<Problem> {
        let problem = self.same(index).err()?;
        let causes = match problem.kind {
            Kind::Group => problem.causes,
            _ => vec![problem],
        };
        let problem = self.run.problem(Kind::Reference);
        Some(Problem { causes, ..problem })
    }

    fn counted(
        &mut self,
        keywords: &Keywords,
        (least, most): (&'static str, &'static str),
        got: usize,
    ) {
        let length = i64::try_from(got).unwrap_or(i64::MAX);
        for (keyword, want) in &keywords.counts {
            let is_wrong =
                *keyword == least && length < *want || *keyword == most && length > *want;
            if is_wrong {
                self.add(Kind::Count {
                    keyword,
                    got,
                    want: *want,
                });
            }
        }
    }

    fn object(&mut self, keywords: &Keywords, table: &Values) {
        self.counted(keywords, ("minProperties", "maxProperties"), table.len());
        let missing = |names: &[String]| -> Vec<String> {
            let names = names.iter().filter(|name| table.get(name).is_none());
            names.cloned().collect()
        };
        let required = missing(&keywords.required);
        if !required.is_empty() {
            self.add(Kind::Required(required));
        }
        for (name, dependent) in &keywords.dependent {
            if table.get(name).is_none() {
                continue;
            }
            match dependent {
                Dependent::Names(names) => {
                    let (property, missing) = (name.clone(), missing(names));
                    if !missing.is_empty() {
                        self.add(Kind::Dependency { property, missing });
                    }
                }
                Dependent::Schema(index) => {
                    let problem = self.same(*index).err();
                    self.problems.extend(problem);
                }
            }
        }
        self.properties(keywords, table);
        let Some(index) = keywords.property_names else {
            return;
        };
        for (name, _) in table.iter() {
            let value = Value::Text(name.clone());
            if let Some(problem) = apart(self.run, index, &value) {
                self.problems.push(Problem {
                    path: Vec::new(),
                    kind: Kind::PropertyName(name.to_string()),
                    causes: problem,
                });
            }
        }
    }

    fn properties(&mut self, keywords: &Keywords, table: &Values) {
        let mut additional = Vec::new();
        for (name, value) in table.iter() {
            let known = keywords.properties.get(&**name).copied();
            let fitting = keywords
                .patterns
                .iter()
                .filter(|(regex, _)| regex.is_match(name));
            let mut all: Vec<Index> = known.into_iter().collect();
            all.extend(fitting.map(|(_, index)| *index));
            if all.is_empty() {
                let Some(index) = keywords.additional_properties else {
                    continue;
                };
                if let Rules::Bool(false) = self.run.schema.node(index).rules {
                    additional.push(name.to_string());
                } else {
                    all.push(index);
                }
            }
            for index in all {
                let problem = self.run.inside(index, value, name.to_string()).err();
                self.problems.extend(problem);
            }
            self.unevaluated.properties.remove(&**name);
        }
        if !additional.is_empty() {
            self.add(Kind::AdditionalProperties(additional));
        }
    }

    fn list(&mut self, keywords: &Keywords, items: &[Value]) {
        self.counted(keywords, ("minItems", "maxItems"), items.len());
        if keywords.unique_items
            && let Some((first, second)) = duplicates(items)
        {
            self.add(Kind::Duplicates(first, second));
        }
        let first = match &keywords.items {
            None => 0,
            Some(Items::All(index)) => {
                for number in 0..items.len() {
                    self.item(*index, items, number);
                }
                items.len()
            }
            Some(Items::Each(indexes)) => {
                for (number, index) in indexes.iter().enumerate().take(items.len()) {
                    self.item(*index, items, number);
                }
                indexes.len().min(items.len())
            }
        };
        if let Some(index) = keywords.additional_items {
            let is_false = matches!(self.run.schema.node(index).rules, Rules::Bool(false));
            if is_false && self.node.draft < Draft::D2020 {
                if first < items.len() {
                    self.add(Kind::AdditionalItems(items.len() - first));
                }
            } else {
                // The library that Helm uses counts these from 0 again.
                for (number, item) in items.iter().enumerate().skip(first) {
                    let key = (number - first).to_string();
                    let problem = self.run.inside(index, item, key).err();
                    self.problems.extend(problem);
                    self.unevaluated.items.remove(&number);
                }
            }
        }
        if let Some(index) = keywords.contains {
            self.contains(keywords, index, items);
        }
    }

    fn item(&mut self, index: Index, items: &[Value], number: usize) {
        let problem = self.run.inside(index, &items[number], number.to_string());
        self.problems.extend(problem.err());
        self.unevaluated.items.remove(&number);
    }

    fn contains(&mut self, keywords: &Keywords, index: Index, items: &[Value]) {
        let (mut got, mut others) = (Vec::new(), Vec::new());
        for (number, item) in items.iter().enumerate() {
            match self.run.inside(index, item, number.to_string()) {
                Err(problem) => others.push(problem),
                Ok(()) => {
                    got.push(number);
                    if self.node.draft >= Draft::D2020 {
                        self.unevaluated.items.remove(&number);
                    }
                }
            }
        }
        let count = |wanted: &str| {
            let found = keywords
                .counts
                .iter()
                .find(|(keyword, _)| *keyword == wanted);
            found.map(|(_, count)| *count)
        };
        let length = i64::try_from(got.len()).unwrap_or(i64::MAX);
        match count("minContains") {
            Some(want) if length < want => {
                let got = got.clone();
                self.add_all(Kind::MinContains { got, want }, others);
            }
            None if got.is_empty() => self.add_all(Kind::Contains, others),
            _ => {}
        }
        if let Some(want) = count("maxContains").filter(|want| length > *want) {
            self.add(Kind::MaxContains { got, want });
        }
    }

    fn text(&mut self, keywords: &Keywords, text: &str) {
        self.counted(keywords, ("minLength", "maxLength"), text.chars().count());
        if let Some(pattern) = &keywords.pattern
            && !pattern.is_match(text)
        {
            self.add(Kind::Pattern {
                got: text.to_owned(),
                want: pattern.as_str().to_owned(),
            });
        }
    }

    fn number(&mut self, keywords: &Keywords) {
        let Some(got) = number::of_value(self.value) else {
            return;
        };
        for (keyword, want) in &keywords.numbers {
            let want = *want;
            let fits = match *keyword {
                "minimum" => got >= want,
                "maximum" => got <= want,
                "exclusiveMinimum" => got > want,
                "exclusiveMaximum" => got < want,
                _ => number::is_multiple(got, want),
            };
            if !fits {
                self.add(Kind::Number { keyword, got, want });
            }
        }
    }

    /// `$recursiveRef` and `$dynamicRef`: the outermost schema with that anchor.
    fn dynamic(&mut self, keywords: &Keywords) {
        let Some((first, anchor)) = &keywords.dynamic else {
            return;
        };
        let schema = self.run.schema;
        let found =
            |index: Index, name: &str| schema.dynamic_anchor(&schema.node(index).resource, name);
        let mut target = *first;
        if let Some(name) = anchor
            && found(target, name).is_some()
        {
            let mut scopes = self.run.scopes.iter();
            target = scopes
                .find_map(|(index, _)| found(*index, name))
                .unwrap_or(target);
        }
        let problem = self.follow(target);
        self.problems.extend(problem);
    }

    fn conditions(&mut self, keywords: &Keywords) {
        if let Some(index) = keywords.not
            && self.same(index).is_ok()
        {
            self.add(Kind::Not);
        }
        let mut problems = Vec::new();
        for index in &keywords.all_of {
            problems.extend(self.same(*index).err());
        }
        if !problems.is_empty() {
            self.add_all(Kind::AllOf, problems);
        }
        if !keywords.any_of.is_empty() {
            self.any_of(&keywords.any_of);
        }
        if !keywords.one_of.is_empty() {
            self.one_of(&keywords.one_of);
        }
        if let Some(condition) = keywords.condition {
            let next = match self.same(condition) {
                Ok(()) => keywords.then,
                Err(_) => keywords.otherwise,
            };
            let problem = next.and_then(|index| self.same(index).err());
            self.problems.extend(problem);
        }
    }

    fn any_of(&mut self, all: &[Index]) {
        let mut problems = Vec::new();
        let mut has_fitted = false;
        for index in all {
            match self.same(*index) {
                Err(problem) => problems.push(problem),
                Ok(()) => {
                    has_fitted = true;
                    if self.unevaluated.is_empty() {
                        break;
                    }
                }
            }
        }
        if !has_fitted {
            self.add_all(Kind::AnyOf, problems);
        }
    }

    fn one_of(&mut self, all: &[Index]) {
        let mut problems = Vec::new();
        let mut fitted = None;
        for (number, index) in all.iter().enumerate() {
            match (self.same(*index), fitted) {
                (Err(problem), None) => problems.push(problem),
                (Err(_), Some(_)) => {}
                (Ok(()), None) => fitted = Some(number),
                (Ok(()), Some(first)) => return self.add(Kind::OneOf(Some((first, number)))),
            }
        }
        if fitted.is_none() {
            self.add_all(Kind::OneOf(None), problems);
        }
    }

    /// What nothing has looked at.
    fn rest(&mut self, keywords: &Keywords) {
        match (self.value, keywords) {
            (
                Value::Table(table),
                Keywords {
                    unevaluated_properties: Some(index),
                    ..
                },
            ) => {
                for name in std::mem::take(&mut self.unevaluated.properties) {
                    if let Some(value) = table.get(&name) {
                        let problem = self.run.inside(*index, value, name).err();
                        self.problems.extend(problem);
                    }
                }
            }
            (
                Value::List(items),
                Keywords {
                    unevaluated_items: Some(index),
                    ..
                },
            ) => {
                for number in std::mem::take(&mut self.unevaluated.items) {
                    self.item(*index, items, number);
                }
            }
            _ => {}
        }
    }
}

/// A schema over a value that stands nowhere: the name of a property.
fn apart(run: &mut Run<'_>, index: Index, value: &Value) -> Option<Vec<Problem>> {
    let path = std::mem::take(&mut run.path);
    let scopes = std::mem::take(&mut run.scopes);
    let outcome = run.at(index, value, Needs::Nothing);
    run.path = path;
    run.scopes = scopes;
    let problem = outcome.err()?;
    Some(match problem.kind {
        Kind::Group => problem.causes,
        _ => vec![problem],
    })
}

/// Equality of data: numbers by value.
fn equal(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::List(one), Value::List(two)) => {
            one.len() == two.len() && one.iter().zip(two.iter()).all(|(one, two)| equal(one, two))
        }
        (Value::Table(one), Value::Table(two)) => {
            one.len() == two.len()
                && one
                    .iter()
                    .all(|(key, one)| two.get(key).is_some_and(|two| equal(one, two)))
        }
        _ => match (number::of_value(one), number::of_value(two)) {
            (Some(one), Some(two)) => one == two,
            _ => one == two,
        },
    }
}

/// The first two items that are equal.
fn duplicates(items: &[Value]) -> Option<(usize, usize)> {
    (1..items.len()).find_map(|second| {
        let first = items[..second]
            .iter()
            .position(|one| equal(one, &items[second]))?;
        Some((first, second))
    })
}
