//! Strategic merge patches (`application/strategic-merge-patch+json`): merging by schema.
//!
//! Read [`strategic_merge`] first. Maps merge member by member; lists merge when the schema says so,
//! items found by their merge key. Members that start with `$` are directives: `$patch`,
//! `$retainKeys`, `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`.

use yaml::{Map, Str, Value};

use super::PatchError;
use super::list::{self, Items};
use crate::go;
use crate::schema::{PatchRule, PatchStrategy, Schema, Type, TypeRef};

pub(super) const DIRECTIVE: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const SET_ORDER: &str = "$setElementOrder";
pub(super) const DELETE_ITEMS: &str = "$deleteFromPrimitiveList";

/// Applies `patch` to `original`, both trees of an object of `schema`.
///
/// The result is not checked against the schema: the patch may put a text where a number belongs.
///
/// # Errors
/// [`PatchError`]: a body that is no object, an unknown directive, a list item without its merge key,
/// lists of mixed items, or directives of the wrong shape.
pub fn strategic_merge(
    original: Value,
    patch: &Value,
    schema: &Schema,
) -> Result<Value, PatchError> {
    let patch = match patch {
        Value::Map(patch) => patch.clone(),
        Value::Null => return Ok(original),
        other => return Err(PatchError::NotAnObject(other.kind())),
    };
    let original = match original {
        Value::Map(original) => original,
        Value::Null => Map::new(),
        other => return Err(PatchError::NotAnObject(other.kind())),
    };
    merge_map(original, patch, schema.root(), Mode::Apply).map(Value::Map)
}

/// What a merge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A patch goes into an object: directives are carried out, `null` deletes.
    Apply,
    /// A patch goes into another patch: directives and `null` stay for later.
    Combine,
}

/// How a struct's member is patched, and the type below it.
pub(super) struct Member<'a> {
    pub(super) ty: TypeRef<'a>,
    pub(super) rule: PatchRule,
}

/// The declared member `key` of a struct.
pub(super) fn struct_member<'a>(ty: TypeRef<'a>, key: &str) -> Result<Member<'a>, PatchError> {
    let kind = match ty.ty() {
        Type::Any | Type::Opaque => {
            return Ok(Member {
                ty,
                rule: PatchRule::default(),
            });
        }
        Type::Map(map) if !map.fields.is_empty() => {
            let folded = || map.fields.iter().find(|f| f.name.eq_ignore_ascii_case(key));
            return match map.field(key).or_else(folded) {
                Some(field) => Ok(Member {
                    ty: ty.resolve(field.ty),
                    rule: field.patch.clone(),
                }),
                None => Err(PatchError::UnknownField {
                    owner: map.name.clone(),
                    field: key.into(),
                }),
            };
        }
        Type::Map(_) => "map",
        Type::List(_) => "slice",
        Type::Scalar(_) => "string",
    };
    Err(PatchError::NotAStruct(kind))
}

/// The declared list `key` of a struct; the type is that of its items.
pub(super) fn list_member<'a>(ty: TypeRef<'a>, key: &str) -> Result<Member<'a>, PatchError> {
    let member = struct_member(ty, key)?;
    let element = match member.ty.ty() {
        Type::List(_) | Type::Any | Type::Opaque => member.ty.element(),
        Type::Map(_) | Type::Scalar(_) => None,
    };
    match element {
        Some(ty) => Ok(Member { ty, ..member }),
        None => Err(PatchError::NotAList),
    }
}

/// Merges `patch` into `original`.
pub(super) fn merge_map(
    mut original: Map,
    mut patch: Map,
    ty: TypeRef<'_>,
    mode: Mode,
) -> Result<Map, PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE).cloned() {
        return match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&directive, patch)),
        };
    }
    retain_keys(&mut original, &mut patch, mode)?;
    merge_ordered_lists(&mut original, &mut patch, ty, mode)?;
    for (key, change) in patch {
        merge_member(&mut original, (key, change), ty, mode)?;
    }
    Ok(original)
}

fn unknown_directive(directive: &Value, patch: Map) -> PatchError {
    PatchError::UnknownDirective {
        directive: go::display(directive),
        map: go::display(&Value::Map(patch)),
    }
}

fn merge_member(
    original: &mut Map,
    (key, change): (Str, Value),
    ty: TypeRef<'_>,
    mode: Mode,
) -> Result<(), PatchError> {
    let mut target = key.clone();
    let deletes_items = key.starts_with(DELETE_ITEMS);
    if deletes_items {
        if mode == Mode::Combine {
            original.insert(key, change);
            return Ok(());
        }
        target = directive_target(&key, DELETE_ITEMS).ok_or(PatchError::BadDeleteList)?;
    }
    if change.is_null() {
        original.remove(&target);
        if mode == Mode::Apply {
            return Ok(());
        }
    }
    match (original.get_mut(&target), change) {
        (Some(Value::Map(current)), Value::Map(change)) => {
            let member = struct_member(ty, &target)?;
            let merged = if member.rule.strategy == PatchStrategy::Replace {
                change
            } else {
                merge_map(std::mem::take(current), change, member.ty, mode)?
            };
            original.insert(target, merged);
        }
        (Some(Value::List(current)), Value::List(change)) => {
            let member = list_member(ty, &target)?;
            let current = std::mem::take(current);
            let merged = if deletes_items {
                delete_items(current, &change)?
            } else {
                merge_list(current, change, &member, mode)?
            };
            original.insert(target, Value::List(merged));
        }
        (_, _) if deletes_items => {}
        (_, change) => put(original, target, change, mode),
    }
    Ok(())
}

/// Puts a value in place of whatever is there.
fn put(original: &mut Map, key: Str, mut change: Value, mode: Mode) {
    if mode == Mode::Apply {
        discard_nulls(&mut change);
    }
    match without_directives(change) {
        Some(value) => original.insert(key, value),
        None => original.remove(&key),
    };
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Map(map) => map.retain(|_, member| {
            discard_nulls(member);
            !member.is_null()
        }),
        Value::List(list) => list.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// `None` for a map that is a directive itself.
pub(super) fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Map(map) if map.contains_key(DIRECTIVE) => None,
        Value::Map(map) => {
            let kept = map
                .into_iter()
                .filter_map(|(key, member)| without_directives(member).map(|kept| (key, kept)));
            Some(Value::Map(kept.collect()))
        }
        Value::List(list) => Some(Value::List(
            list.into_iter().filter_map(without_directives).collect(),
        )),
        other => Some(other),
    }
}

/// `$directive/<name>` without its prefix.
fn directive_target(key: &str, prefix: &str) -> Option<Str> {
    key.split_once('/')
        .filter(|(found, _)| *found == prefix)
        .map(|(_, target)| target.into())
}

/// Carries out `$retainKeys`: members that it does not list go.
fn retain_keys(original: &mut Map, patch: &mut Map, mode: Mode) -> Result<(), PatchError> {
    let Some(retained) = patch.remove(RETAIN_KEYS) else {
        return Ok(());
    };
    if mode == Mode::Combine {
        match original.get(RETAIN_KEYS) {
            Some(other) if *other != retained => {
                return Err(PatchError::RetainKeysDiffer {
                    left: go::display(other),
                    right: go::display(&retained),
                });
            }
            Some(_) => {}
            None => {
                original.insert(RETAIN_KEYS, retained);
            }
        }
        return Ok(());
    }
    let keys = retained.as_list().ok_or(PatchError::BadRetainKeys)?;
    let is_listed = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    for (key, change) in patch.iter() {
        let counts =
            !change.is_null() && !key.starts_with(DELETE_ITEMS) && !key.starts_with(SET_ORDER);
        if counts && !is_listed(key) {
            return Err(PatchError::BadRetainKeys);
        }
    }
    original.retain(|key, _| is_listed(key));
    Ok(())
}

/// Carries out every `$setElementOrder/<list>` together with the list that it orders.
fn merge_ordered_lists(
    original: &mut Map,
    patch: &mut Map,
    ty: TypeRef<'_>,
    mode: Mode,
) -> Result<(), PatchError> {
    let directives: Vec<Str> = patch
        .keys()
        .filter(|key| key.starts_with(SET_ORDER))
        .cloned()
        .collect();
    for directive in directives {
        let Some(order) = patch.remove(&directive) else {
            continue;
        };
        if mode == Mode::Combine {
            match original.get(&directive) {
                Some(other) if *other != order => return Err(PatchError::BadOrderList),
                Some(_) => {}
                None => {
                    original.insert(directive.clone(), order.clone());
                }
            }
        }
        let order = as_list(order)?;
        let target = directive_target(&directive, SET_ORDER).ok_or(PatchError::BadOrderList)?;
        merge_ordered_list(original, patch, (&target, order), (ty, mode))?;
    }
    Ok(())
}

fn as_list(value: Value) -> Result<Vec<Value>, PatchError> {
    match value {
        Value::List(list) => Ok(list),
        other => Err(PatchError::WrongType {
            expected: "[]interface {}",
            found: go::type_name(&other),
        }),
    }
}

fn merge_ordered_list(
    original: &mut Map,
    patch: &mut Map,
    (target, order): (&Str, Vec<Value>),
    (ty, mode): (TypeRef<'_>, Mode),
) -> Result<(), PatchError> {
    let current = original.get(target).cloned().map(as_list).transpose()?;
    let change = patch.get(target).cloned().map(as_list).transpose()?;
    let member = list_member(ty, target)?;
    let key = member.rule.merge_key.clone();
    check_order(
        change.as_deref().unwrap_or_default(),
        &order,
        key.as_deref(),
    )?;
    let shape = list::items_of(&[
        current.as_deref().unwrap_or_default(),
        change.as_deref().unwrap_or_default(),
    ]);
    let live_order = match (&current, &change, &key) {
        (Some(current), Some(change), Some(key)) => reused_order(current, change, key),
        _ => current.clone().unwrap_or_default(),
    };
    let merged = match (current, change) {
        (Some(current), None) => current,
        (None, Some(change)) => change.into_iter().filter_map(without_directives).collect(),
        (Some(current), Some(change)) => merge_list(current, change, &member, mode)?,
        (None, None) => return Ok(()),
    };
    let by = list::Identity {
        key: key.as_deref(),
        items: shape?,
    };
    let (ordered, live_only) = by.partition(merged, &order)?;
    let merged = by.normalize(ordered, live_only, (&order, &live_order))?;
    original.insert(target.clone(), Value::List(merged));
    patch.remove(target);
    Ok(())
}

/// The order of the live list that decides where live items go among those of an ordered patch.
///
/// The reference deletes and appends in the array that it later reads the order from: an item that is
/// added while others are deleted stands in their place there, and keeps it.
fn reused_order(current: &[Value], change: &[Value], key: &str) -> Vec<Value> {
    let mut order = current.to_vec();
    let mut n_items = order.len();
    let directive = |item: &Value| {
        item.get(DIRECTIVE)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    for gone in change
        .iter()
        .filter(|item| directive(item).as_deref() == Some("delete"))
    {
        while let Some(at) = order[..n_items]
            .iter()
            .position(|item| item.get(key) == gone.get(key))
        {
            order[at..n_items].rotate_left(1);
            n_items -= 1;
            // What stood last stays there as well.
            if let Some(last) = n_items.checked_sub(1).filter(|last| *last >= at) {
                order[n_items] = order[last].clone();
            }
        }
    }
    if change
        .iter()
        .any(|item| directive(item).as_deref() == Some("replace"))
    {
        return order;
    }
    for added in change.iter().filter(|item| directive(item).is_none()) {
        let is_there = order[..n_items]
            .iter()
            .any(|item| item.get(key) == added.get(key));
        if !is_there && let Some(slot) = order.get_mut(n_items) {
            *slot = added.clone();
            n_items += 1;
        }
    }
    order
}

/// Items of the patch must stand in the order that the directive lists.
fn check_order(change: &[Value], order: &[Value], key: Option<&str>) -> Result<(), PatchError> {
    if change.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut items = Vec::with_capacity(change.len());
    for item in change {
        let directive = item.get(DIRECTIVE).and_then(Value::as_str);
        if key.is_none() {
            items.push(item);
        } else if item.as_map().is_none() {
            return Err(PatchError::WrongType {
                expected: "map[string]interface {}",
                found: go::type_name(item),
            });
        } else if directive != Some("delete") {
            items.push(item);
        }
    }
    let (mut items, mut places) = (items.into_iter().peekable(), order.iter().peekable());
    while let (Some(item), Some(place)) = (items.peek(), places.peek()) {
        if item.get(DIRECTIVE).is_some() {
            items.next();
            continue;
        }
        if list::same_item(item, place, key)? {
            items.next();
        }
        places.next();
    }
    if items.peek().is_none() {
        return Ok(());
    }
    Err(PatchError::OrderMismatch {
        patch: go::display(&Value::List(change.to_vec())),
        order: go::display(&Value::List(order.to_vec())),
    })
}

fn merge_list(
    current: Vec<Value>,
    change: Vec<Value>,
    member: &Member<'_>,
    mode: Mode,
) -> Result<Vec<Value>, PatchError> {
    if member.rule.strategy != PatchStrategy::Merge {
        return Ok(change);
    }
    if current.is_empty() && change.is_empty() {
        return Ok(current);
    }
    let items = list::items_of(&[&current, &change])?;
    let by = list::Identity {
        key: member.rule.merge_key.as_deref(),
        items,
    };
    if items == Items::Scalars {
        let mut both = current.clone();
        both.extend_from_slice(&change);
        let merged = list::deduplicate(both);
        let (patched, live_only) = by.partition(merged, &change)?;
        return by.normalize(patched, live_only, (&change, &current));
    }
    let key = by.key.ok_or(PatchError::NoMergeKeyDeclared("struct"))?;
    let (current, change) = special_items(current, change, key)?;
    let merged = merge_items(current.clone(), &change, (key, member.ty), mode)?;
    let (patched, live_only) = by.partition(merged, &change)?;
    by.normalize(patched, live_only, (&change, &current))
}

/// Carries out the items that are directives: `$patch: delete` and `$patch: replace`.
fn special_items(
    mut current: Vec<Value>,
    change: Vec<Value>,
    key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::with_capacity(change.len());
    let mut replaces = false;
    for item in change {
        let Some(directive) = item.get(DIRECTIVE) else {
            plain.push(item);
            continue;
        };
        match directive.as_str() {
            Some("delete") => {
                let wanted = item
                    .get(key)
                    .ok_or_else(|| PatchError::no_merge_key(&item, key))?;
                current.retain(|live| live.get(key) != Some(wanted));
            }
            Some("replace") => replaces = true,
            Some("merge") => return Err(PatchError::MergeDirectiveInList),
            _ => {
                let map = item.as_map().cloned().unwrap_or_default();
                return Err(unknown_directive(directive, map));
            }
        }
    }
    Ok(if replaces {
        (plain, Vec::new())
    } else {
        (current, plain)
    })
}

fn merge_items(
    mut current: Vec<Value>,
    change: &[Value],
    (key, ty): (&str, TypeRef<'_>),
    mode: Mode,
) -> Result<Vec<Value>, PatchError> {
    for item in change {
        let wanted = item
            .get(key)
            .ok_or_else(|| PatchError::no_merge_key(item, key))?;
        let found = current
            .iter_mut()
            .find(|live| live.get(key) == Some(wanted));
        match (found, item) {
            (Some(Value::Map(live)), Value::Map(item)) => {
                *live = merge_map(std::mem::take(live), item.clone(), ty, mode)?;
            }
            _ => current.push(item.clone()),
        }
    }
    Ok(current)
}

/// Carries out `$deleteFromPrimitiveList`; what is left keeps its order.
fn delete_items(mut current: Vec<Value>, gone: &[Value]) -> Result<Vec<Value>, PatchError> {
    if current.is_empty() && gone.is_empty() {
        return Ok(current);
    }
    if list::items_of(&[&current, gone])? == Items::Maps {
        return Err(PatchError::NoMergeKeyDeclared("struct"));
    }
    current.retain(|item| !gone.contains(item));
    Ok(current)
}
