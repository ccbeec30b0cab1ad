use super::*;

const APP: &str =
    "{metadata: {name: shop}, spec: {destination: {server: https://a, namespace: web}}}";

fn windows(text: &str) -> Vec<SyncWindow> {
    let list = yaml::parse_str(text).expect("YAML");
    let list = list.as_list().expect("a list").iter();
    list.map(|it| SyncWindow::from_value(it.clone()).expect("a window"))
        .collect()
}

/// Whether an operation of `asked` may run at `now`; windows are open for an hour from noon.
fn check_at(text: &str, asked: Asked, now: &str, want: bool) {
    let app = Application::from_value(yaml::parse_str(APP).expect("YAML")).expect("an app");
    let found = check(&windows(text), &app, asked, now.parse().expect("a time"));
    assert_eq!(found == Verdict::Open, want, "{text} {asked:?} {now}");
}

const NOON: &str = "2026-07-01T12:30:00Z";
const EVENING: &str = "2026-07-01T18:30:00Z";
const ALLOW: &str = "kind: allow, schedule: 0 12 * * *, duration: 1h, applications: [sh*]";
const DENY: &str = "kind: deny, schedule: 0 12 * * *, duration: 1h, applications: [sh*]";

#[test]
fn windows_open_and_close_a_sync() {
    let check = |text: &str, now: &str, want: bool| {
        check_at(&format!("[{text}]"), Asked::ByAutomation, now, want);
    };
    check("", NOON, true);
    check(&format!("{{{ALLOW}}}"), NOON, true);
    check(&format!("{{{ALLOW}}}"), EVENING, false);
    check(&format!("{{{DENY}}}"), NOON, false);
    check(&format!("{{{DENY}}}"), EVENING, true);
    check(&format!("{{{ALLOW}}}, {{{DENY}}}"), NOON, false);
    // An inactive window that allows blocks although the one that denies is inactive as well.
    check(&format!("{{{ALLOW}}}, {{{DENY}}}"), EVENING, false);
    // The end is not part of it.
    check(&format!("{{{DENY}}}"), "2026-07-01T13:00:00Z", true);
    check(&format!("{{{DENY}}}"), "2026-07-01T12:00:00Z", true);
    check(&format!("{{{DENY}}}"), "2026-07-01T12:00:01Z", false);
}

#[test]
fn a_manual_sync_passes_windows_that_say_so() {
    let check = |text: &str, now: &str, want: bool| {
        check_at(&format!("[{text}]"), Asked::Manual(None), now, want);
    };
    check(&format!("{{{DENY}}}"), NOON, false);
    check(&format!("{{{DENY}, manualSync: true}}"), NOON, true);
    check(
        &format!("{{{DENY}, manualSync: true}}, {{{DENY}}}"),
        NOON,
        false,
    );
    check(&format!("{{{ALLOW}, manualSync: true}}"), EVENING, true);
}

#[test]
fn an_operation_that_began_in_time_may_run_over() {
    let check = |text: &str, began: &str, want: bool| {
        let began = Some(began.parse().expect("a time"));
        check_at(&format!("[{text}]"), Asked::Automated(began), NOON, want);
    };
    let before = "2026-07-01T11:59:00Z";
    check(&format!("{{{DENY}}}"), before, false);
    check(&format!("{{{DENY}, syncOverrun: true}}"), before, true);
    check(
        &format!("{{{DENY}, syncOverrun: true}}"),
        "2026-07-01T12:10:00Z",
        false,
    );
}

#[test]
fn a_window_is_for_what_its_lists_match() {
    let check = |lists: &str, is_denied: bool| {
        let text = format!("[{{kind: deny, schedule: 0 12 * * *, duration: 1h, {lists}}}]");
        check_at(&text, Asked::ByAutomation, NOON, !is_denied);
    };
    check("applications: [other]", false);
    check("namespaces: [w*]", true);
    check("clusters: ['https://*']", true);
    check("clusters: [in-cluster]", false);
    check("applications: [other], namespaces: [web]", true);
    check(
        "applications: [other], namespaces: [web], andOperator: true",
        false,
    );
    check(
        "applications: [shop], namespaces: [web], andOperator: true",
        true,
    );
    check("andOperator: true", false);
}

#[test]
fn a_window_follows_the_clocks_of_its_zone() {
    let text = |zone: &str| format!("[{{{DENY}, timeZone: {zone}}}]");
    // Noon in Berlin is ten o'clock in summer.
    let check = |zone: &str, now: &str, want: bool| {
        check_at(&text(zone), Asked::ByAutomation, now, want);
    };
    check("Europe/Berlin", "2026-07-01T10:30:00Z", false);
    check("Europe/Berlin", "2026-01-01T10:30:00Z", true);
    check("Nowhere/Land", NOON, false);
}

#[test]
fn a_window_that_cannot_be_read_blocks() {
    let check_text = |window: &str, want: &str| {
        let app = Application::from_value(yaml::parse_str(APP).expect("YAML")).expect("an app");
        let windows = windows(&format!("[{{kind: deny, applications: ['*'], {window}}}]"));
        let found = check(
            &windows,
            &app,
            Asked::ByAutomation,
            NOON.parse().expect("a time"),
        );
        let want = format!("{BLOCKED}: invalid sync windows: {want}");
        assert_eq!(found, Verdict::Blocked(want));
    };
    check_text(
        "schedule: '@daily', duration: 1h",
        "cannot parse schedule '@daily': parser does not accept descriptors: @daily",
    );
    check_text(
        "schedule: '* *', duration: 1h",
        "cannot parse schedule '* *': expected exactly 5 fields, found 2: [* *]",
    );
    check_text(
        "schedule: '* * * * *', duration: 1x",
        "cannot parse duration '1x': time: unknown unit \"x\" in duration \"1x\"",
    );
}
