//! What differs between one desired object and its live one.
//!
//! Read [`diff`] first. It asks what an apply would change: what Git says and the cluster lacks, and
//! what was applied before and left Git. What the cluster has besides is no difference
//! (semantics 142-148). Types come from the schema of the kind; without one, lists are compared
//! item by item, as Argo CD does it for custom resources.

use api::names;
use api::sync_options::SyncOption;
use kinds::Kind;
use manifest::Object;
use manifest::quantity::Quantity;
use manifest::schema::{PatchStrategy, Scalar, Schema, Type, TypeRef};
use yaml::{Map, Str, Value, json};

use super::{Means, managed};
use crate::hook;

/// The differences of one object, in the order of their paths; empty when an apply would change
/// nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    differences: Vec<Difference>,
}

/// One field that differs. The values of a Secret's data are never held here.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where, as a JSON pointer into the live object; an item that is not live has its index in
    /// the desired list.
    pub pointer: String,
    /// What Git says; `None` when the field left Git.
    pub desired: Option<Value>,
    /// What is live; `None` when the field is missing there.
    pub live: Option<Value>,
}

impl Diff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// Field by field.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Leaves out what an API server adds to the object that Git has: in a list that is replaced as a
    /// whole, its defaults are no difference (Argo CD fills them in before it compares; recording
    /// `kinds-order`). An object that Kubernetes' types cannot hold has none.
    fn leave_out_defaults(&mut self, desired: &Object, schema: &Schema) {
        let gvk = desired.gvk();
        let kind = Kind {
            group: &gvk.group,
            version: &gvk.version,
            kind: &gvk.kind,
            plural: &kinds::names::plural(&gvk.kind),
            custom: false,
            has_status: false,
        };
        let mut stored = desired.value().clone();
        if kinds::decode(kind, schema, &mut stored).is_ok() {
            let is_default = |it: &Difference| {
                it.desired.is_none() && stored.pointer(&it.pointer) == it.live.as_ref()
            };
            self.differences.retain(|it| !is_default(it));
        }
    }

    /// Takes out the differences that `is_taken` says, and gives them.
    pub(super) fn take_out(&mut self, is_taken: impl Fn(&Difference) -> bool) -> Vec<Difference> {
        self.differences
            .extract_if(.., |difference| is_taken(difference))
            .collect()
    }
}

/// Compares `desired` with `live`.
pub(super) fn diff(desired: &Object, live: &Object, means: &Means<'_>) -> Diff {
    let last = last_applied(desired, live, means);
    let mut sides = [
        prepare(desired.value()),
        prepare(live.value()),
        prepare(&last),
    ];
    let [desired_side, live_side, last_side] = &mut sides;
    means
        .rules
        .strip(live, &mut [desired_side, live_side, last_side]);
    let schema = means.schema_of(desired);
    let mut walk = Walk {
        pointer: String::new(),
        differences: Vec::new(),
        masks: desired.kind() == "Secret" && desired.group().is_empty(),
    };
    let at = Sides {
        desired: &sides[0],
        live: Some(&sides[1]),
        last: Some(&sides[2]),
    };
    walk.compare(at, schema.as_ref().map(Schema::root), Merge::Object);
    let mut found = Diff {
        differences: walk.differences,
    };
    if let Some(schema) = schema.filter(|_| !found.is_empty()) {
        found.leave_out_defaults(desired, &schema);
    }
    found
}

impl Means<'_> {
    /// The schema in the version that Git speaks. A custom resource is compared without one.
    fn schema_of(&self, object: &Object) -> Option<manifest::schema::Schema> {
        (self.schema_of)(&object.gvk()).filter(|schema| !schema.is_custom())
    }
}

/// What was applied before: by server-side apply what the manager owns, else the annotation, else
/// what Git says now, so that nothing counts as having left Git.
fn last_applied(desired: &Object, live: &Object, means: &Means<'_>) -> Value {
    let own = hook::options(desired);
    let is_server_side = own.has(SyncOption::ServerSideApply)
        || (means.options.has(SyncOption::ServerSideApply)
            && !own.has(SyncOption::ServerSideApplyFalse));
    if is_server_side {
        return managed::applied_by(live, names::FIELD_MANAGER)
            .unwrap_or_else(|| desired.value().clone());
    }
    let text = live.annotation(names::LAST_APPLIED);
    text.and_then(|text| json::parse(text.as_bytes()).ok())
        .unwrap_or_else(|| desired.value().clone())
}

/// Takes out what is never compared (semantics 147, 149, 155), and a Secret's `stringData` in.
fn prepare(value: &Value) -> Value {
    let mut value = value.clone();
    let Some(map) = value.as_map_mut() else {
        return value;
    };
    map.remove("status");
    if map.get("kind").and_then(Value::as_str) == Some("Secret") {
        merge_string_data(map);
    }
    let Some(metadata) = map.get_mut("metadata").and_then(Value::as_map_mut) else {
        return value;
    };
    for field in [
        "creationTimestamp",
        "managedFields",
        "namespace",
        "generation",
    ] {
        metadata.remove(field);
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_map_mut) {
        annotations.remove(names::LAST_APPLIED);
        // kubectl remembers an object without annotations as one with none in it.
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    value
}

fn merge_string_data(secret: &mut Map) {
    let Some(Value::Map(plain)) = secret.remove("stringData") else {
        return;
    };
    let data = secret.entry_or_insert("data", Value::Map(Map::new()));
    if data.as_map().is_none() {
        *data = Value::Map(Map::new());
    }
    let Some(data) = data.as_map_mut() else {
        return;
    };
    for (key, value) in plain {
        let Value::String(text) = value else { continue };
        data.insert(key, encode_base64(text.as_bytes()));
    }
}

fn encode_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or_default());
        let group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for i in 0..4_usize {
            let six = (group >> (18 - 6 * i)) & 0x3f;
            text.push(if i <= chunk.len() {
                char::from(ALPHABET[six as usize])
            } else {
                '='
            });
        }
    }
    text
}

/// The three states of one field.
#[derive(Clone, Copy)]
struct Sides<'a> {
    desired: &'a Value,
    live: Option<&'a Value>,
    last: Option<&'a Value>,
}

/// How a value is changed by an apply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Merge {
    /// Member by member.
    Object,
    /// As one value: a live member that Git does not have is a difference.
    Whole,
}

struct Walk {
    pointer: String,
    differences: Vec<Difference>,
    masks: bool,
}

impl Walk {
    fn within(&mut self, token: &str, work: impl FnOnce(&mut Self)) {
        let length = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&token.replace('~', "~0").replace('/', "~1"));
        work(self);
        self.pointer.truncate(length);
    }

    fn differs(&mut self, desired: Option<&Value>, live: Option<&Value>) {
        let is_secret = self.masks && self.pointer.starts_with("/data");
        let show = |value: Option<&Value>| match value {
            Some(_) if is_secret => Some(Value::from("++++++++")),
            value => value.cloned(),
        };
        self.differences.push(Difference {
            pointer: self.pointer.clone(),
            desired: show(desired),
            live: show(live),
        });
    }

    fn compare(&mut self, at: Sides<'_>, ty: Option<TypeRef<'_>>, merge: Merge) {
        let Some(live) = at.live else {
            // A custom resource keeps its zero values.
            if ty.is_none() || !is_dropped(at, ty) {
                self.differs(Some(at.desired), None);
            }
            return;
        };
        match (at.desired, live) {
            (Value::Map(desired), Value::Map(live_map)) => {
                self.compare_maps(
                    (desired, live_map),
                    at.last.and_then(Value::as_map),
                    (ty, merge),
                );
            }
            (Value::List(desired), Value::List(live_list)) => {
                let last = at.last.and_then(Value::as_list);
                self.compare_lists((desired, live_list), last, ty);
            }
            (desired, live) => {
                if !is_equal_scalar(desired, live, ty) {
                    self.differs(Some(desired), Some(live));
                }
            }
        }
    }

    fn compare_maps(
        &mut self,
        (desired, live): (&Map, &Map),
        last: Option<&Map>,
        (ty, merge): (Option<TypeRef<'_>>, Merge),
    ) {
        for (name, value) in desired.iter().filter(|(_, value)| !value.is_null()) {
            let at = Sides {
                desired: value,
                live: live.get(name).filter(|value| !value.is_null()),
                last: last.and_then(|last| last.get(name)),
            };
            let below = member_type(ty, name);
            if at.live.is_none() && is_unknown_field(ty, name) {
                self.within(name, |walk| walk.differs(Some(value), None));
                continue;
            }
            self.within(name, |walk| {
                walk.compare_member(at, ty, (name, below, merge));
            });
        }
        let is_gone = |name: &Str| desired.get(name).is_none_or(Value::is_null);
        for (name, value) in live
            .iter()
            .filter(|(name, value)| is_gone(name) && !value.is_null())
        {
            let was_applied =
                last.is_some_and(|last| last.get(name).is_some_and(|value| !value.is_null()));
            let is_extra = match merge {
                Merge::Object => was_applied,
                Merge::Whole => was_applied || (ty.is_some() && !is_default(ty, name, value)),
            };
            if is_extra && !is_zero(value) {
                self.within(name, |walk| walk.differs(None, Some(value)));
            }
        }
    }

    fn compare_member(
        &mut self,
        at: Sides<'_>,
        parent: Option<TypeRef<'_>>,
        (name, ty, merge): (&str, Option<TypeRef<'_>>, Merge),
    ) {
        let field = parent.and_then(|parent| parent.field(name));
        let merges = field.is_some_and(|field| field.patch.strategy == PatchStrategy::Merge);
        let replaces = field.is_some_and(|field| field.patch.strategy == PatchStrategy::Replace);
        if let (true, Value::List(desired), Some(Value::List(live))) = (merges, at.desired, at.live)
        {
            let last = at.last.and_then(Value::as_list).unwrap_or_default();
            let key = field.and_then(|field| field.patch.merge_key.clone());
            let element = ty.and_then(TypeRef::element);
            match key {
                Some(key) => self.compare_keyed((desired, live, last), &key, element),
                None => self.compare_sets(desired, live, last),
            }
            return;
        }
        let merge = if replaces { Merge::Whole } else { merge };
        self.compare(at, ty, merge);
    }

    /// Lists whose items are told apart by a member: live may have more items.
    fn compare_keyed(
        &mut self,
        (desired, live, last): (&[Value], &[Value], &[Value]),
        key: &str,
        ty: Option<TypeRef<'_>>,
    ) {
        let find = |list: &'_ [Value], item: &Value| {
            list.iter().position(|one| one.get(key) == item.get(key))
        };
        for (number, item) in desired.iter().enumerate() {
            let place = find(live, item);
            let at = Sides {
                desired: item,
                live: place.and_then(|place| live.get(place)),
                last: find(last, item).and_then(|place| last.get(place)),
            };
            let token = place.unwrap_or(number).to_string();
            self.within(&token, |walk| walk.compare(at, ty, Merge::Object));
        }
        for item in last.iter().filter(|item| find(desired, item).is_none()) {
            if let Some(place) = find(live, item) {
                self.within(&place.to_string(), |walk| {
                    walk.differs(None, live.get(place));
                });
            }
        }
        let order: Vec<usize> = desired.iter().filter_map(|item| find(live, item)).collect();
        if !order.is_sorted() && order.len() == desired.len() {
            self.differs(
                Some(&Value::List(desired.to_vec())),
                Some(&Value::List(live.to_vec())),
            );
        }
    }

    /// Lists that are sets of plain values: live may have more.
    fn compare_sets(&mut self, desired: &[Value], live: &[Value], last: &[Value]) {
        let missing = desired.iter().any(|item| !live.contains(item));
        let left = last
            .iter()
            .any(|item| !desired.contains(item) && live.contains(item));
        if missing || left {
            self.differs(
                Some(&Value::List(desired.to_vec())),
                Some(&Value::List(live.to_vec())),
            );
        }
    }

    /// Lists that an apply replaces as a whole.
    fn compare_lists(
        &mut self,
        (desired, live): (&[Value], &[Value]),
        last: Option<&[Value]>,
        ty: Option<TypeRef<'_>>,
    ) {
        if desired.len() != live.len() {
            self.differs(
                Some(&Value::List(desired.to_vec())),
                Some(&Value::List(live.to_vec())),
            );
            return;
        }
        let element = ty.and_then(TypeRef::element);
        for (number, (item, found)) in desired.iter().zip(live).enumerate() {
            let at = Sides {
                desired: item,
                live: Some(found),
                last: last.and_then(|last| last.get(number)),
            };
            self.within(&number.to_string(), |walk| {
                walk.compare(at, element, Merge::Whole);
            });
        }
    }
}

fn member_type<'a>(ty: Option<TypeRef<'a>>, name: &str) -> Option<TypeRef<'a>> {
    ty?.member(name)
}

/// Whether a built-in kind has no such field: the server drops it, and it differs for ever, as
/// recorded (validate-false).
fn is_unknown_field(ty: Option<TypeRef<'_>>, name: &str) -> bool {
    ty.is_some_and(|ty| match ty.ty() {
        Type::Map(map) => map.element.is_none() && map.field(name).is_none(),
        Type::Scalar(_) | Type::List(_) | Type::Any | Type::Opaque => false,
    })
}

/// Whether a field that is desired and not live was dropped by the server as a zero value: it was
/// applied before just so. Custom resources (without a type) keep their zero values.
fn is_dropped(at: Sides<'_>, ty: Option<TypeRef<'_>>) -> bool {
    match at.desired {
        Value::Null => true,
        _ if ty.is_none() => false,
        Value::Map(map) if map.is_empty() => at.last == Some(at.desired),
        Value::Map(map) => map.iter().all(|(name, value)| {
            let below = Sides {
                desired: value,
                live: None,
                last: at.last.and_then(|last| last.get(name)),
            };
            is_dropped(below, member_type(ty, name))
        }),
        zero => is_zero(zero) && at.last == Some(zero),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Int(number) => *number == 0,
        Value::Uint(_) => false,
        Value::Float(number) => *number == 0.0,
        Value::String(text) => text.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
    }
}

/// The lifetime of a projected service account token, in seconds.
const TOKEN_SECONDS: i64 = 3607;
const DEFAULT_TOKEN_SECONDS: i64 = 3600;

fn is_default(ty: Option<TypeRef<'_>>, name: &str, value: &Value) -> bool {
    let declared = ty
        .and_then(|ty| ty.field(name))
        .and_then(|field| field.default.as_ref());
    let is_token = name == "expirationSeconds"
        && matches!(value.as_i64(), Some(DEFAULT_TOKEN_SECONDS | TOKEN_SECONDS));
    declared == Some(value) || is_token || name == "status"
}

fn is_equal_scalar(desired: &Value, live: &Value, ty: Option<TypeRef<'_>>) -> bool {
    if desired == live {
        return true;
    }
    match ty.map(TypeRef::ty) {
        Some(Type::Scalar(Scalar::Quantity)) => {
            quantity(desired).is_some_and(|one| quantity(live).is_some_and(|other| one == other))
        }
        Some(Type::Scalar(Scalar::Time | Scalar::MicroTime)) => {
            let time = |value: &Value| value.as_str()?.parse::<jiff::Timestamp>().ok();
            time(desired).is_some() && time(desired) == time(live)
        }
        _ => match (desired, live) {
            (Value::Float(_), Value::Int(_) | Value::Uint(_))
            | (Value::Int(_) | Value::Uint(_), Value::Float(_)) => {
                desired.as_f64() == live.as_f64()
            }
            (Value::Null, other) | (other, Value::Null) => is_zero(other),
            _ => false,
        },
    }
}

fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Int(number) => number.to_string().parse().ok(),
        Value::Float(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
