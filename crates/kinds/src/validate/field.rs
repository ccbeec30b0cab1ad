//! A place in an object while it is validated: its path, what stands there, and what stood there.
//!
//! [`Field`] is all that a validator sees. It walks down by name, tells errors under its own path,
//! and has a word for every check that kinds share. A text of an error is written once, here or
//! beside the only rule that uses it.

use std::cell::RefCell;

use yaml::{Map, Value};

use crate::field_error::go_json;
use crate::internal::Internal;
use crate::quoted;
use crate::{FieldError, names};

/// Errors in the order in which they are found.
type Sink = RefCell<Vec<FieldError>>;

/// How the real server spells members of volumes of which one is too many.
const SPELT: [(&str, &str); 2] = [("cephfs", "cephFS"), ("downwardAPI", "downwarAPI")];
pub(crate) const IMMUTABLE: &str = "field is immutable";
const NEGATIVE: &str = "must be greater than or equal to 0";
const PORT: &str = "must be between 1 and 65535, inclusive";

/// Go name, name and what is printed when it is absent, of a member of a struct without JSON names.
pub(crate) type GoMember<'a> = (&'a str, &'a str, &'a str);

/// Whether a value alone satisfies a rule.
pub(super) fn satisfies(value: &Value, rule: impl Fn(&Field<'_, '_>)) -> bool {
    let sink = Sink::default();
    rule(&Field::root(value, None, &sink));
    sink.into_inner().is_empty()
}

/// How a path goes on from its parent.
#[derive(Clone, Copy)]
enum Step<'p> {
    /// `name`, the whole path of a root.
    Root(&'p str),
    /// `.name`.
    Member(&'p str),
    /// `[index]`.
    Index(usize),
    /// `[key]`.
    Key(&'p str),
}

/// What is checked of a member.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    /// These members of it must be there.
    Needs(&'static [&'static str]),
    /// A rule of its own.
    Rule(fn(&Field<'_, '_>)),
}

/// A place in an object, with the errors found so far.
#[derive(Clone, Copy)]
pub(crate) struct Field<'p, 'v> {
    parent: Option<&'p Field<'p, 'v>>,
    step: Step<'p>,
    value: Option<&'v Value>,
    /// `None` when there is no old object; else what stood here.
    old: Option<Option<&'v Value>>,
    sink: &'v Sink,
}

impl<'p, 'v> Field<'p, 'v> {
    /// The whole object; `old` is the state that an update replaces.
    pub(super) fn root(value: &'v Value, old: Option<&'v Value>, sink: &'v Sink) -> Self {
        Field {
            parent: None,
            step: Step::Root(""),
            value: Some(value),
            old: old.map(Some),
            sink,
        }
    }

    /// This value under another path: where messages name what the object does not have.
    pub(crate) fn under(&self, path: &'p str) -> Field<'p, 'v> {
        Field {
            parent: None,
            step: Step::Root(path),
            ..*self
        }
    }

    /// This value under another name in the same parent.
    pub(crate) fn renamed(&self, name: &'p str) -> Field<'p, 'v> {
        Field {
            step: Step::Member(name),
            ..*self
        }
    }

    /// This value under the path of another place.
    pub(crate) fn told_at<'q>(&self, place: &Field<'q, 'v>) -> Field<'q, 'v>
    where
        'p: 'q,
    {
        Field {
            parent: place.parent,
            step: place.step,
            ..*self
        }
    }

    /// Has another value checked as if it stood here: what the server computes from the object.
    pub(crate) fn judged_as(&self, value: &Value, check: impl FnOnce(&Field<'_, '_>)) {
        let errors = Sink::default();
        let path = self.path();
        check(&Field {
            parent: None,
            step: Step::Root(&path),
            value: Some(value),
            old: None,
            sink: &errors,
        });
        self.sink.borrow_mut().append(&mut errors.borrow_mut());
    }

    fn down<'q>(
        &'q self,
        step: Step<'q>,
        pick: impl Fn(&'v Value) -> Option<&'v Value>,
    ) -> Field<'q, 'v> {
        Field {
            parent: Some(self),
            step,
            value: self.value.and_then(&pick).filter(|value| !value.is_null()),
            old: self
                .old
                .map(|old| old.and_then(pick).filter(|value| !value.is_null())),
            sink: self.sink,
        }
    }

    /// The member of a name; names joined by dots go several steps down.
    pub(crate) fn get<'q>(&'q self, name: &'q str) -> Field<'q, 'v> {
        self.down(Step::Member(name), |value| {
            name.split('.').try_fold(value, |value, key| value.get(key))
        })
    }

    /// The member of a name that is taken as it is, dots included.
    pub(crate) fn member<'q>(&'q self, name: &'q str) -> Field<'q, 'v> {
        self.down(Step::Member(name), |value| value.get(name))
    }

    /// The entry of a map whose keys are data.
    pub(crate) fn key<'q>(&'q self, key: &'q str) -> Field<'q, 'v> {
        self.down(Step::Key(key), |value| value.get(key))
    }

    /// The item of a list.
    pub(crate) fn item<'q>(&'q self, index: usize) -> Field<'q, 'v> {
        self.down(Step::Index(index), |value| value.as_list()?.get(index))
    }

    /// The items of a list.
    pub(crate) fn items<'q>(&'q self) -> impl ExactSizeIterator<Item = Field<'q, 'v>> {
        (0..self.list().len()).map(|index| self.item(index))
    }

    /// The entries of a map whose keys are data, with their keys.
    pub(crate) fn entries<'q>(&'q self) -> impl Iterator<Item = (&'v str, Field<'q, 'v>)>
    where
        'v: 'q,
    {
        self.map()
            .into_iter()
            .flat_map(Map::keys)
            .map(|key| (key.as_str(), self.key(key.as_str())))
    }

    /// What stands here; `None` for nothing and for `null`.
    pub(crate) fn value(&self) -> Option<&'v Value> {
        self.value
    }

    /// What stood here before the update.
    pub(crate) fn old(&self) -> Option<&'v Value> {
        self.old.flatten()
    }

    /// Whether the object replaces an old one.
    pub(crate) fn is_update(&self) -> bool {
        self.old.is_some()
    }

    /// Whether an update changes what stands here; never on create.
    pub(crate) fn changed(&self) -> bool {
        self.old.is_some_and(|old| old != self.value)
    }

    /// Whether something stands here.
    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    /// Whether there is nothing here, or an empty text, list or map.
    pub(crate) fn is_empty(&self) -> bool {
        match self.value {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(Value::List(list)) => list.is_empty(),
            Some(Value::Map(map)) => map.is_empty(),
            Some(_) => false,
        }
    }

    /// The text; empty where there is none.
    pub(crate) fn text(&self) -> &'v str {
        self.value.and_then(Value::as_str).unwrap_or_default()
    }

    /// The whole number.
    pub(crate) fn number(&self) -> Option<i64> {
        self.value.and_then(Value::as_i64)
    }

    /// Whether `true` stands here.
    pub(crate) fn is_true(&self) -> bool {
        self.value.and_then(Value::as_bool) == Some(true)
    }

    /// The items of the list; none where there is no list.
    pub(crate) fn list(&self) -> &'v [Value] {
        self.value.and_then(Value::as_list).unwrap_or_default()
    }

    /// The map.
    pub(crate) fn map(&self) -> Option<&'v Map> {
        self.value.and_then(Value::as_map)
    }

    /// The path, as messages print it.
    pub(crate) fn path(&self) -> String {
        let mut path = String::new();
        self.write_path(&mut path);
        path
    }

    fn write_path(&self, out: &mut String) {
        use std::fmt::Write;
        if let Some(parent) = self.parent {
            parent.write_path(out);
        }
        let _infallible = match self.step {
            Step::Member(name) if !out.is_empty() => write!(out, ".{name}"),
            Step::Member(name) | Step::Root(name) => write!(out, "{name}"),
            Step::Index(index) => write!(out, "[{index}]"),
            Step::Key(key) => write!(out, "[{key}]"),
        };
    }

    fn shown(&self) -> Value {
        self.value.cloned().unwrap_or_default()
    }

    /// Tells an error that is made for this path.
    pub(crate) fn tell(&self, error: impl FnOnce(String) -> FieldError) {
        self.sink.borrow_mut().push(error(self.path()));
    }

    /// Something must stand here. An empty `why` is left out.
    pub(crate) fn required(&self, why: &str) {
        self.tell(|path| FieldError::required(path, why));
    }

    /// What stands here is wrong.
    pub(crate) fn invalid(&self, why: &str) {
        let shown = self.shown();
        self.invalid_as(&shown, why);
    }

    /// What stands here is wrong, told with another value.
    pub(crate) fn invalid_as(&self, shown: &Value, why: &str) {
        self.tell(|path| FieldError::invalid(path, shown, why));
    }

    /// What stands here is wrong, told as a struct that its own package prints: the members under
    /// their Go names, in the order of the struct, absent ones as what `None` says.
    pub(crate) fn invalid_struct(&self, members: &[GoMember<'_>], why: &str) {
        self.invalid_struct_of(self, members, why);
    }

    /// As [`Field::invalid_struct`], where the struct stands elsewhere.
    pub(crate) fn invalid_struct_of(
        &self,
        of: &Field<'_, '_>,
        members: &[GoMember<'_>],
        why: &str,
    ) {
        let shown = of.go_struct(members);
        self.tell(|path| FieldError::invalid_printed(path, &shown, why));
    }

    /// What stands here as Go prints a struct without JSON names.
    pub(crate) fn go_struct(&self, members: &[GoMember<'_>]) -> String {
        let texts: Vec<String> = members
            .iter()
            .map(|(go_name, name, absent)| match self.get(name).value() {
                Some(value) => format!("{}:{}", quoted(go_name), go_json(value)),
                None => format!("{}:{absent}", quoted(go_name)),
            })
            .collect();
        format!("{{{}}}", texts.join(","))
    }

    /// As [`Field::go_struct`], for a list of such structs.
    pub(crate) fn go_list(&self, members: &[GoMember<'_>]) -> String {
        if !self.is_set() {
            return "null".to_owned();
        }
        let items: Vec<String> = self.items().map(|item| item.go_struct(members)).collect();
        format!("[{}]", items.join(","))
    }

    /// This may not be set, or not so.
    pub(crate) fn forbidden(&self, why: &str) {
        self.tell(|path| FieldError::forbidden(path, why));
    }

    /// This may not be changed so: what changes is printed, as the internal type of a name.
    pub(crate) fn forbidden_change(&self, ty: &str, (old, new): (&Value, &Value), why: &str) {
        let (old, new) = (Internal::of(ty, Some(old)), Internal::of(ty, Some(new)));
        let difference = Internal::difference(&old, &new);
        self.forbidden(&format!("{why}\n{difference}"));
    }

    /// What stands here is wrong, printed as the internal type of a name.
    pub(crate) fn invalid_internal(&self, ty: &str, why: &str) {
        let shown = Internal::of(ty, self.value).line();
        self.tell(|path| FieldError::invalid_printed(path, &shown, why));
    }

    /// This was there already.
    pub(crate) fn duplicate(&self) {
        let shown = self.shown();
        self.tell(|path| FieldError::duplicate(path, &shown));
    }

    /// As [`Field::duplicate`], told with another value.
    pub(crate) fn duplicate_of(&self, shown: &Value) {
        self.tell(|path| FieldError::duplicate(path, shown));
    }

    /// What this refers to is not there.
    pub(crate) fn not_found(&self) {
        let shown = self.shown();
        self.tell(|path| FieldError::not_found(path, &shown));
    }

    /// None of the known words.
    pub(crate) fn not_supported(&self, known: &[&str]) {
        let shown = self.value.cloned().unwrap_or_else(|| "".into());
        self.not_supported_as(&shown, known);
    }

    /// None of the known words, told with another value.
    pub(crate) fn not_supported_as(&self, shown: &Value, known: &[&str]) {
        self.tell(|path| FieldError::not_supported(path, shown, known));
    }

    /// A list with more than `limit` items.
    pub(crate) fn too_many(&self, limit: usize) {
        let found = self.list().len();
        self.tell(|path| FieldError::too_many(path, found, limit));
    }

    /// The text has at most `limit` bytes.
    pub(crate) fn at_most(&self, limit: usize) {
        if self.text().len() > limit {
            self.too_long(limit);
        }
    }

    /// Longer than `limit` bytes.
    pub(crate) fn too_long(&self, limit: usize) {
        self.tell(|path| FieldError::too_long(path, limit));
    }

    /// Every problem that a rule of `names` finds in the text.
    pub(crate) fn problems(&self, rule: impl Fn(&str) -> Vec<String>) {
        self.invalid_each(rule(self.text()));
    }

    /// What stands here has all these problems.
    pub(crate) fn invalid_each(&self, problems: Vec<String>) {
        for problem in problems {
            self.invalid(&problem);
        }
    }

    /// How many errors there are so far, of the whole object.
    pub(crate) fn errors(&self) -> usize {
        self.sink.borrow().len()
    }

    /// Requires something here; gives whether it is there.
    pub(crate) fn require(&self) -> bool {
        let there = !self.is_empty();
        if !there {
            self.required("");
        }
        there
    }

    /// Requires something in each of these members.
    pub(crate) fn require_all(&self, members: &[&str]) {
        for member in members {
            self.get(member).require();
        }
    }

    /// The text is one of `known`, in the order in which they are listed; required when absent.
    pub(crate) fn require_one_of(&self, known: &[&str]) {
        if self.require() {
            self.one_of(known);
        }
    }

    /// The text is one of `known`, in the order in which they are listed; an absent one counts as the empty text.
    pub(crate) fn one_of(&self, known: &[&str]) {
        if !known.contains(&self.text()) {
            self.not_supported(known);
        }
    }

    /// As [`Field::one_of`], where something stands here.
    pub(crate) fn optional_one_of(&self, known: &[&str]) {
        if self.is_set() {
            self.one_of(known);
        }
    }

    /// Requires a text here, which must fit a rule of `names`.
    pub(crate) fn require_name(&self, rule: impl Fn(&str) -> Vec<String>) {
        if self.require() {
            self.problems(rule);
        }
    }

    /// The text must fit a rule of `names`, where there is one.
    pub(crate) fn optional_name(&self, rule: impl Fn(&str) -> Vec<String>) {
        if !self.is_empty() {
            self.problems(rule);
        }
    }

    /// The text may not stand in `seen`, to which it is added.
    pub(crate) fn unique(&self, seen: &mut Vec<&'v str>) {
        if seen.contains(&self.text()) {
            self.duplicate();
        } else {
            seen.push(self.text());
        }
    }

    /// A number from `low` to `high`, where there is one.
    pub(crate) fn within(&self, low: i64, high: i64) {
        if self
            .number()
            .is_some_and(|number| number < low || number > high)
        {
            self.invalid(&format!("must be between {low} and {high}, inclusive"));
        }
    }

    /// A number above zero, where there is one.
    pub(crate) fn positive(&self) {
        if self.number().is_some_and(|number| number <= 0) {
            self.invalid("must be greater than zero");
        }
    }

    /// A number that is not below zero, where there is one.
    pub(crate) fn not_negative(&self) {
        if self.number().is_some_and(|number| number < 0) {
            self.invalid(NEGATIVE);
        }
    }

    /// A quantity that is not below zero, where there is one.
    pub(crate) fn not_negative_quantity(&self) {
        if self.text().starts_with('-') {
            self.invalid(NEGATIVE);
        }
    }

    /// Applies a rule; gives whether it found nothing.
    pub(crate) fn holds(&self, rule: impl Fn(&Self)) -> bool {
        let before = self.sink.borrow().len();
        rule(self);
        self.sink.borrow().len() == before
    }

    /// A port number from 1 to 65535; an absent one counts as 0.
    pub(crate) fn port_number(&self) {
        let number = self.number().unwrap_or(0);
        if !(1..=65535).contains(&number) {
            self.invalid_as(&number.into(), PORT);
        }
    }

    /// A port number from 1 to 65535, or the name of a port.
    pub(crate) fn port(&self) {
        match self.value {
            Some(Value::String(_)) => self.problems(names::port_name_problems),
            _ => self.port_number(),
        }
    }

    /// At most one of the members is set: `check` sees the first, others are refused. Gives
    /// whether there is one.
    pub(crate) fn one_member<const N: usize>(
        &self,
        members: [(&str, Check); N],
        refusal: &str,
    ) -> bool {
        let mut found = false;
        for (name, check) in members {
            let member = self.get(name);
            if !member.is_set() {
                continue;
            }
            match check {
                _ if found => {
                    let spelt = SPELT.iter().find(|(own, _)| *own == name);
                    let told = spelt.map_or(name, |(_, told)| *told);
                    member.renamed(told).forbidden(refusal);
                }
                Check::Needs(names) => member.require_all(names),
                Check::Rule(rule) => rule(&member),
            }
            found = true;
        }
        found
    }

    /// As [`Field::immutable`], where Go has a plain text, which is never absent.
    pub(crate) fn immutable_text(&self) {
        if self.changed() {
            self.invalid_as(&self.text().into(), IMMUTABLE);
        }
    }

    /// An update may not change what stands here.
    pub(crate) fn immutable(&self) {
        if self.changed() {
            self.invalid(IMMUTABLE);
        }
    }
}
