//! Acting as somebody else, by the `Impersonate-` headers.

use http::HeaderMap;

use super::Authorizer;
use super::attributes::Attributes;
use crate::request::User;
use crate::status_error::ApiError;
use store::Store;

const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";
const ANONYMOUS: &str = "system:anonymous";
const EXTRA: &str = "impersonate-extra-";
/// The group of what is neither a user nor a group.
const GROUP: &str = "authentication.k8s.io";

/// Whom `user` acts as: himself when no header asks for another.
///
/// # Errors
/// 400 when something is asked for without a user, 403 when `user` may not act so.
pub(crate) fn acting(
    user: User,
    headers: &HeaderMap,
    authorizer: &Authorizer,
    store: &Store,
) -> Result<User, ApiError> {
    let Some(wanted) = wanted(headers)? else {
        return Ok(user);
    };
    for action in actions(&wanted) {
        authorizer.check(store, &user, &action)?;
    }
    Ok(completed(wanted))
}

/// Whom the headers name, as they name him.
fn wanted(headers: &HeaderMap) -> Result<Option<User>, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let groups: Vec<String> = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_owned)
        .collect();
    let uid = text("impersonate-uid").unwrap_or_default().to_owned();
    let mut extra: Vec<(String, Vec<String>)> = Vec::new();
    for key in headers.keys() {
        let Some(coded) = key.as_str().strip_prefix(EXTRA) else {
            continue;
        };
        let values = headers.get_all(key).iter();
        let values = values.filter_map(|value| value.to_str().ok());
        let name = percent_encoding::percent_decode_str(coded).decode_utf8_lossy();
        extra.push((name.into_owned(), values.map(str::to_owned).collect()));
    }
    extra.sort();
    let Some(name) = text("impersonate-user").filter(|name| !name.is_empty()) else {
        return without_user(&groups, &uid, &extra);
    };
    Ok(Some(User {
        name: name.to_owned(),
        uid,
        groups,
        extra,
    }))
}

/// Groups, a uid or extra values alone are nobody.
fn without_user(
    groups: &[String],
    uid: &str,
    extra: &[(String, Vec<String>)],
) -> Result<Option<User>, ApiError> {
    let mut asked: Vec<String> = Vec::new();
    asked.extend(groups.iter().map(|group| format!("{{Group  {group}    }}")));
    for (key, values) in extra {
        let entry = |value| format!("{{UserExtra  {value}  {GROUP}/v1 {key} }}");
        asked.extend(values.iter().map(entry));
    }
    if !uid.is_empty() {
        asked.push(format!("{{UID  {uid}  {GROUP}/v1  }}"));
    }
    if asked.is_empty() {
        return Ok(None);
    }
    Err(ApiError::bad_request(format!(
        "requested [{}] without impersonating a user",
        asked.join(" ")
    )))
}

/// What one must be allowed to do to act as this user.
fn actions(wanted: &User) -> Vec<Attributes> {
    let action = |group: &str, resource: &str, name: &str| Attributes {
        verb: "impersonate".to_owned(),
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: name.to_owned(),
        is_resource: true,
        ..Attributes::default()
    };
    let mut actions = Vec::new();
    match service_account(&wanted.name) {
        Some((namespace, name)) => actions.push(Attributes {
            namespace: namespace.to_owned(),
            ..action("", "serviceaccounts", name)
        }),
        None => actions.push(action("", "users", &wanted.name)),
    }
    actions.extend(
        wanted
            .groups
            .iter()
            .map(|group| action("", "groups", group)),
    );
    for (key, values) in &wanted.extra {
        actions.extend(values.iter().map(|value| Attributes {
            subresource: key.clone(),
            ..action(GROUP, "userextras", value)
        }));
    }
    if !wanted.uid.is_empty() {
        actions.push(action(GROUP, "uids", &wanted.uid));
    }
    actions
}

fn service_account(user: &str) -> Option<(&str, &str)> {
    user.strip_prefix("system:serviceaccount:")?.split_once(':')
}

/// The groups that everybody of a kind is in.
fn completed(mut user: User) -> User {
    if user.groups.is_empty()
        && let Some((namespace, _)) = service_account(&user.name)
    {
        user.groups = vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    let implied = if user.name == ANONYMOUS {
        UNAUTHENTICATED
    } else {
        AUTHENTICATED
    };
    let known = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if !user.groups.iter().any(known) {
        user.groups.push(implied.to_owned());
    }
    user
}
