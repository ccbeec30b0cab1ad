//! Security contexts of pods and containers.

use yaml::Value;

use super::volume::descending;
use super::{Pod, container};
use crate::validate::field::Field;
use crate::{FieldError, names, quoted};

/// The longest path of a profile.
const PROFILE: usize = 4095;
const SYSCTL: usize = 253;
/// Sysctls that belong to the network or the communication of a pod.
const NETWORK: &str = "net.";
const MESSAGES: [&str; 3] = ["kernel.shm", "kernel.msg", "fs.mqueue."];
/// What a pod on Windows cannot have: members of the spec, of its context, of its containers.
const NOT_ON_WINDOWS: [&str; 15] = [
    "securityContext.appArmorProfile",
    "securityContext.seLinuxOptions",
    "hostUsers",
    "hostPID",
    "hostIPC",
    "securityContext.seccompProfile",
    "securityContext.fsGroup",
    "securityContext.fsGroupChangePolicy",
    "securityContext.sysctls",
    "shareProcessNamespace",
    "securityContext.runAsUser",
    "securityContext.runAsGroup",
    "securityContext.supplementalGroups",
    "securityContext.supplementalGroupsPolicy",
    "securityContext.seLinuxChangePolicy",
];
const NOT_IN_WINDOWS_CONTAINERS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

fn id(id: &Field<'_, '_>) {
    id.within(0, i64::from(i32::MAX));
}

pub(super) fn of_pod(pod: &Field<'_, '_>) {
    let context = pod.get("securityContext");
    for name in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(&context.get(name));
    }
    for group in context.get("supplementalGroups").items() {
        id(&group);
    }
    let (shares, host) = (pod.get("shareProcessNamespace"), pod.get("hostPID"));
    if shares.is_true() && host.is_true() {
        shares
            .told_at(&context.get("shareProcessNamespace"))
            .invalid("ShareProcessNamespace and HostPID cannot both be enabled");
    }
    sysctls(pod, &context.get("sysctls"));
    context
        .get("fsGroupChangePolicy")
        .optional_one_of(&["Always", "OnRootMismatch"]);
    seccomp(&context.get("seccompProfile"));
    app_armor(&context.get("appArmorProfile"));
    windows(&context.get("windowsOptions"));
    context
        .get("supplementalGroupsPolicy")
        .optional_one_of(&["Merge", "Strict"]);
    context
        .get("seLinuxChangePolicy")
        .optional_one_of(&["Recursive"]);
}

fn sysctls(pod: &Field<'_, '_>, sysctls: &Field<'_, '_>) {
    let mut seen = Vec::new();
    for sysctl in sysctls.items() {
        let name = sysctl.get("name");
        if !name.require() {
            continue;
        }
        let text = name.text();
        let segment = |part: &str| {
            let bytes = part.as_bytes();
            let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            let known = |byte: &u8| plain(byte) || b"-_".contains(byte);
            bytes.first().is_some_and(plain)
                && bytes.last().is_some_and(plain)
                && bytes.iter().all(known)
        };
        if text.len() > SYSCTL || !text.split(['.', '/']).all(segment) {
            name.invalid(
                "must have at most 253 characters and match regex \
                 ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$",
            );
        } else {
            name.unique(&mut seen);
        }
        let dotted = text.replace('/', ".");
        if pod.get("hostNetwork").is_true() && dotted.starts_with(NETWORK) {
            name.invalid("may not be specified when 'hostNetwork' is true");
        }
        if pod.get("hostIPC").is_true() && MESSAGES.iter().any(|part| dotted.starts_with(part)) {
            name.invalid("may not be specified when 'hostIPC' is true");
        }
    }
}

pub(super) fn of_container(context: &Field<'_, '_>, host_users: bool) {
    id(&context.get("runAsUser"));
    id(&context.get("runAsGroup"));
    let mount = context.get("procMount");
    mount.optional_one_of(&["Default", "Unmasked"]);
    if host_users && mount.text() == "Unmasked" {
        mount.invalid("`hostUsers` must be false to use `Unmasked`");
    }
    seccomp(&context.get("seccompProfile"));
    let escalates = context.get("allowPrivilegeEscalation");
    if escalates.value().and_then(Value::as_bool) == Some(false) {
        let refused = |what: &str| {
            let why = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            context.tell(|path| FieldError::invalid_printed(path, &printed(context), &why));
        };
        if context.get("privileged").is_true() {
            refused("`privileged` to true");
        }
        for capability in context.get("capabilities.add").items() {
            if capability.text() == "CAP_SYS_ADMIN" {
                refused("`capabilities.Add` CAP_SYS_ADMIN");
            }
        }
    }
    windows(&context.get("windowsOptions"));
    app_armor(&context.get("appArmorProfile"));
}

/// Who a process of Windows runs as.
fn windows(options: &Field<'_, '_>) {
    const SPECIFICATION: usize = 64 * 1024;
    let (name, specification) = (
        options.get("gmsaCredentialSpecName"),
        options.get("gmsaCredentialSpec"),
    );
    if name.is_set() {
        name.problems(names::subdomain_problems);
    }
    if specification.is_set() && specification.is_empty() {
        specification.invalid("gmsaCredentialSpec cannot be an empty string");
    } else if specification.text().len() > SPECIFICATION {
        specification.invalid("gmsaCredentialSpec size must be under 64 KiB");
    }
    let user = options.get("runAsUserName");
    if user.is_set() {
        user_name(&user);
    }
}

/// A name of a user with, perhaps, its domain before a backslash.
fn user_name(user: &Field<'_, '_>) {
    const LONGEST: usize = 104;
    let parts: Vec<&str> = user.text().split('\\').collect();
    let name = parts.last().copied().unwrap_or_default();
    if user.is_empty() {
        user.invalid("runAsUserName cannot be an empty string");
    } else if user.text().chars().any(char::is_control) {
        user.invalid("runAsUserName cannot contain control characters");
    } else if parts.len() > 2 {
        user.invalid("runAsUserName cannot contain more than one backslash");
    } else if name.len() > LONGEST {
        user.invalid("runAsUserName's User length must not be longer than 104 characters");
    }
}

/// A context as the server's internal type prints it: all members, by their Go names.
fn printed(context: &Field<'_, '_>) -> String {
    const MEMBERS: [(&str, &str); 12] = [
        ("Capabilities", "capabilities"),
        ("Privileged", "privileged"),
        ("SELinuxOptions", "seLinuxOptions"),
        ("WindowsOptions", "windowsOptions"),
        ("RunAsUser", "runAsUser"),
        ("RunAsGroup", "runAsGroup"),
        ("RunAsNonRoot", "runAsNonRoot"),
        ("ReadOnlyRootFilesystem", "readOnlyRootFilesystem"),
        ("AllowPrivilegeEscalation", "allowPrivilegeEscalation"),
        ("ProcMount", "procMount"),
        ("SeccompProfile", "seccompProfile"),
        ("AppArmorProfile", "appArmorProfile"),
    ];
    let json = |field: &Field<'_, '_>| {
        field
            .value()
            .map_or("null".to_owned(), yaml::json::to_string)
    };
    let members = MEMBERS.map(|(name, member)| {
        let member = context.get(member);
        let text = if name == "Capabilities" && member.is_set() {
            let (add, drop) = (member.get("add"), member.get("drop"));
            format!("{{\"Add\":{},\"Drop\":{}}}", json(&add), json(&drop))
        } else {
            json(&member)
        };
        format!("\"{name}\":{text}")
    });
    format!("{{{}}}", members.join(","))
}

fn seccomp(profile: &Field<'_, '_>) {
    if !profile.is_set() {
        return;
    }
    let (kind, path) = (profile.get("type"), profile.get("localhostProfile"));
    match kind.text() {
        "" => kind.required("type is required when seccompProfile is set"),
        _ => kind.one_of(&["Localhost", "RuntimeDefault", "Unconfined"]),
    }
    if kind.text() != "Localhost" {
        if path.is_set() {
            let (kind, text) = (quoted(kind.text()), quoted(path.text()));
            let shown = format!("{{\"Type\":{kind},\"LocalhostProfile\":{text}}}");
            let why = "can only be set when seccomp type is Localhost";
            path.tell(|path| FieldError::invalid_printed(path, &shown, why));
        }
    } else if path.is_set() {
        descending(&path);
    } else {
        path.required("must be set when seccomp type is Localhost");
    }
}

fn app_armor(profile: &Field<'_, '_>) {
    if !profile.is_set() {
        return;
    }
    let (kind, path) = (profile.get("type"), profile.get("localhostProfile"));
    match kind.text() {
        "Localhost" => {
            let text = path.text();
            if path.is_set() && text != text.trim() {
                path.invalid("must not be padded with whitespace");
            } else if text.is_empty() {
                path.required("must be set when AppArmor type is Localhost");
            }
            if text.len() > PROFILE {
                path.too_long(PROFILE);
            }
        }
        "RuntimeDefault" | "Unconfined" if path.is_set() => {
            path.invalid("can only be set when AppArmor type is Localhost");
        }
        "RuntimeDefault" | "Unconfined" => {}
        "" => kind.required("type is required when appArmorProfile is set"),
        _ => kind.not_supported(&["Localhost", "RuntimeDefault", "Unconfined"]),
    }
}

/// A pod with users of its own shares no process or message space with the host.
pub(super) fn host_users(pod: &Field<'_, '_>, shared: &Pod<'_>) {
    if shared.host_users {
        return;
    }
    for (member, told) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if pod.get(member).is_true() {
            pod.get(told).forbidden("when `hostUsers` is false");
        }
    }
    container::visit(pod, |container| {
        let devices = container.get("volumeDevices");
        if !devices.is_empty() {
            devices.forbidden("when `hostUsers` is false");
        }
    });
}

/// What only one operating system has.
pub(super) fn of_system(pod: &Field<'_, '_>, os: &str) {
    let forbid = |member: Field<'_, '_>, why: &str| {
        if member.is_set() {
            member.forbidden(why);
        }
    };
    match os {
        "linux" => {
            let why = "windows options cannot be set for a linux pod";
            forbid(pod.get("securityContext.windowsOptions"), why);
            container::visit(pod, |container| {
                forbid(container.get("securityContext.windowsOptions"), why);
            });
        }
        "windows" => {
            let why = "cannot be set for a windows pod";
            for member in NOT_ON_WINDOWS {
                forbid(pod.get(member), why);
            }
            container::visit(pod, |container| {
                let context = container.get("securityContext");
                for member in NOT_IN_WINDOWS_CONTAINERS {
                    forbid(context.get(member), why);
                }
            });
        }
        _ => {}
    }
}
