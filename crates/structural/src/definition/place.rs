//! Where a schema stands in a definition: put into words only when something is wrong there.

use std::fmt;

/// The way to a schema, from the member of the definition that holds it.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    above: Option<&'a At<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Start(&'a str),
    Member(&'a str),
    Property(&'a str),
    Item(&'a str, usize),
}

impl<'a> At<'a> {
    /// The place of a path that is written out.
    pub(super) fn start(path: &'a str) -> Self {
        At {
            above: None,
            step: Step::Start(path),
        }
    }

    /// `.name`
    pub(super) fn member(&'a self, name: &'a str) -> Self {
        self.below(Step::Member(name))
    }

    /// `.properties[name]`
    pub(super) fn property(&'a self, name: &'a str) -> Self {
        self.below(Step::Property(name))
    }

    /// `.name[index]`
    pub(super) fn item(&'a self, name: &'a str, index: usize) -> Self {
        self.below(Step::Item(name, index))
    }

    fn below(&'a self, step: Step<'a>) -> Self {
        At {
            above: Some(self),
            step,
        }
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        match self.step {
            Step::Start(path) => f.write_str(path),
            Step::Member(name) => write!(f, ".{name}"),
            Step::Property(name) => write!(f, ".properties[{name}]"),
            Step::Item(name, index) => write!(f, ".{name}[{index}]"),
        }
    }
}

impl From<At<'_>> for String {
    fn from(at: At<'_>) -> String {
        at.to_string()
    }
}
