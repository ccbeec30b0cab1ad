//! What each container of a pod does at a time after the pod's start: init containers one after the
//! other, then all others; restarts with growing waits.
//!
//! Pure: [`course`] follows the plans through the time that has passed, so nothing needs to be
//! remembered between two looks.

use std::time::Duration;

use super::fate::{Plan, Plans};

/// The wait before a container is started again doubles from the first to the second.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// What one container is doing at some time after the start of its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// It was not started: others come first.
    Waiting,
    /// It runs.
    Running,
    /// It has ended with that code, and stays so.
    Ended(i64, Duration),
    /// It has ended with that code and will be started again after that wait.
    BackingOff(i64, Duration, Duration),
}

/// A run that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) code: i64,
    pub(crate) begun: Duration,
    pub(crate) end: Duration,
}

/// A container at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// What it does.
    pub(crate) doing: Doing,
    /// How often it was restarted.
    pub(crate) restarts: i64,
    /// When its last run began, after the start of the pod.
    pub(crate) begun: Duration,
    /// The run before that.
    pub(crate) before: Option<Run>,
    /// When what it does changes by itself.
    pub(crate) changes: Option<Duration>,
}

impl State {
    const WAITING: State = State {
        doing: Doing::Waiting,
        restarts: 0,
        begun: Duration::ZERO,
        before: None,
        changes: None,
    };
}

/// The containers of a pod, in the order of its spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Course {
    pub(crate) initial: Vec<State>,
    pub(crate) main: Vec<State>,
    pub(crate) ephemeral: Vec<State>,
    /// When the main containers were started; `None` as long as the initial ones have work to do.
    pub(crate) initialized: Option<Duration>,
}

/// Up to where a pod is followed: what waits for a step must not miss it, however short it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Its first container has just begun.
    First,
    /// Its main containers have just begun, if it got that far.
    Main,
    /// All that was to happen by now.
    Whole,
}

/// Follows the plans of a pod with that restart policy for the time since its start.
pub(crate) fn course(plans: &Plans, restart: &str, elapsed: Duration, reach: Reach) -> Course {
    let mut at = Some(Duration::ZERO);
    let mut initial = Vec::with_capacity(plans.initial.len());
    for (plan, is_sidecar) in &plans.initial {
        let Some(start) = at else {
            initial.push(State::WAITING);
            continue;
        };
        let state = if reach == Reach::First {
            begin(plan, start)
        } else {
            let restart = match (is_sidecar, restart) {
                (true, _) => "Always",
                (false, "Never") => "Never",
                (false, _) => "OnFailure",
            };
            follow(plan, restart, start, elapsed)
        };
        at = match state.doing {
            _ if *is_sidecar => Some(start),
            Doing::Ended(0, end) => Some(end),
            _ => None,
        };
        initial.push(state);
    }
    let main: Vec<State> = plans
        .main
        .iter()
        .map(|plan| match at {
            None => State::WAITING,
            Some(start) if reach == Reach::Whole => follow(plan, restart, start, elapsed),
            Some(start) => begin(plan, start),
        })
        .collect();
    let sidecars = plans.initial.iter().map(|(_, is_sidecar)| *is_sidecar);
    if let Some(end) = ended_at(&main) {
        for (state, _) in initial.iter_mut().zip(sidecars).filter(|(_, it)| *it) {
            state.doing = Doing::Ended(0, end.max(state.begun));
            state.changes = None;
        }
    }
    let debug = |plan| follow(plan, "Never", Duration::ZERO, elapsed);
    Course {
        initial,
        main,
        ephemeral: plans.ephemeral.iter().map(debug).collect(),
        initialized: at,
    }
}

/// When the last container ended, if all have ended for good.
fn ended_at(states: &[State]) -> Option<Duration> {
    let ends = states.iter().map(|state| match state.doing {
        Doing::Ended(_, end) => Some(end),
        _ => None,
    });
    let ends: Option<Vec<Duration>> = ends.collect();
    ends?.into_iter().max()
}

impl Course {
    /// All containers with the time of their next change or line.
    pub(crate) fn changes(&self) -> Option<Duration> {
        let all = [&self.initial, &self.main, &self.ephemeral];
        let states = all.into_iter().flatten();
        states.filter_map(|state| state.changes).min()
    }
}

fn begin(plan: &Plan, start: Duration) -> State {
    State {
        doing: Doing::Running,
        restarts: 0,
        begun: start,
        before: None,
        changes: next_line(plan, start, start).or_else(|| end_of(plan, start)),
    }
}

fn end_of(plan: &Plan, begun: Duration) -> Option<Duration> {
    plan.end.map(|(_, after)| begun.saturating_add(after))
}

/// When a run that has begun prints next.
fn next_line(plan: &Plan, begun: Duration, now: Duration) -> Option<Duration> {
    let mut times = plan.prints.iter().map(|(at, _)| begun.saturating_add(*at));
    times.find(|time| *time > now)
}

/// Follows a plan that begins at `start` through its restarts. Restarts are bounded by the time that
/// has passed.
fn follow(plan: &Plan, restart: &str, start: Duration, elapsed: Duration) -> State {
    let mut begun = start;
    let mut backoff = FIRST_BACKOFF;
    let mut restarts = 0;
    let mut before = None;
    loop {
        let state = |doing, changes| State {
            doing,
            restarts,
            begun,
            before,
            changes,
        };
        let next = next_line(plan, begun, elapsed);
        let Some((code, after)) = plan.end else {
            return state(Doing::Running, next);
        };
        let end = begun.saturating_add(after);
        if elapsed < end {
            return state(Doing::Running, Some(next.map_or(end, |next| next.min(end))));
        }
        if !(restart == "Always" || (restart == "OnFailure" && code != 0)) {
            return state(Doing::Ended(code, end), None);
        }
        let again = end.saturating_add(backoff);
        if elapsed < again {
            return state(Doing::BackingOff(code, end, backoff), Some(again));
        }
        before = Some(Run { code, begun, end });
        begun = again;
        restarts += 1;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn check(restart: &str, code: i64, after: u64, want: (Doing, i64, u64, Option<u64>)) {
        let plan = Plan::ends(code, seconds(2));
        let got = follow(&plan, restart, Duration::ZERO, seconds(after));
        let changes = got.changes.map(|time| time.as_secs());
        let got = (got.doing, got.restarts, got.begun.as_secs(), changes);
        assert_eq!(got, want, "{restart} {after}");
    }

    #[test]
    fn containers_are_restarted_with_growing_waits() {
        let ended = |code| Doing::Ended(code, seconds(2));
        check("Never", 1, 1, (Doing::Running, 0, 0, Some(2)));
        check("Never", 1, 99, (ended(1), 0, 0, None));
        check("OnFailure", 0, 99, (ended(0), 0, 0, None));
        let off = Doing::BackingOff(1, seconds(2), seconds(10));
        check("OnFailure", 1, 5, (off, 0, 0, Some(12)));
        check("Always", 0, 13, (Doing::Running, 1, 12, Some(14)));
        let off = Doing::BackingOff(0, seconds(14), seconds(20));
        check("Always", 0, 20, (off, 1, 12, Some(34)));
    }

    /// What each container does, as a letter, and when the main ones began.
    fn check_course(plans: &Plans, restart: &str, after: u64, want: (&str, Option<u64>)) {
        let got = course(plans, restart, seconds(after), Reach::Whole);
        let letters: String = got
            .initial
            .iter()
            .chain(&got.main)
            .map(|state| match state.doing {
                Doing::Waiting => 'w',
                Doing::Running => 'r',
                Doing::Ended(..) => 'e',
                Doing::BackingOff(..) => 'b',
            })
            .collect();
        let want = (want.0.to_owned(), want.1.map(seconds));
        assert_eq!((letters, got.initialized), want, "{restart} {after}");
    }

    #[test]
    fn init_containers_go_first_and_sidecars_stay() {
        let end = |code, after| Plan::ends(code, seconds(after));
        let plans = Plans {
            initial: vec![
                (end(0, 3), false),
                (Plan::default(), true),
                (end(0, 2), false),
            ],
            main: vec![end(0, 4)],
            ephemeral: Vec::new(),
        };
        check_course(&plans, "Never", 1, ("rwww", None));
        check_course(&plans, "Never", 4, ("errw", None));
        check_course(&plans, "Never", 6, ("erer", Some(5)));
        check_course(&plans, "Never", 9, ("eeee", Some(5)));
        let failing = Plans {
            initial: vec![(end(1, 3), false), (end(0, 1), false)],
            main: vec![end(0, 4)],
            ephemeral: Vec::new(),
        };
        check_course(&failing, "Never", 9, ("eww", None));
        check_course(&failing, "Always", 9, ("bww", None));
        check_course(&failing, "OnFailure", 14, ("rww", None));
    }

    #[test]
    fn the_first_steps_are_not_missed() {
        let plans = Plans {
            initial: vec![(Plan::ends(0, Duration::ZERO), false)],
            main: vec![Plan::ends(0, Duration::ZERO)],
            ephemeral: Vec::new(),
        };
        let doing = |reach| {
            let course = course(&plans, "Never", seconds(1), reach);
            (course.initial[0].doing, course.main[0].doing)
        };
        let ended = Doing::Ended(0, Duration::ZERO);
        assert_eq!(doing(Reach::First), (Doing::Running, Doing::Waiting));
        assert_eq!(doing(Reach::Main), (ended, Doing::Running));
        assert_eq!(doing(Reach::Whole), (ended, ended));
    }
}
