//! What differs between two texts, line by line, as Python's difflib and its port to Go tell it.
//!
//! [`unified`] is the door. Which of several shortest ways is told depends on the order in which
//! equal lines are found, so this is that search and no better one.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Lines around a difference that are told with it.
const CONTEXT: usize = 3;
/// From so many lines on, those that repeat often are not looked for.
const MANY: usize = 200;

/// Lines that both texts have, one after the other: where they begin, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Block {
    old: usize,
    new: usize,
    size: usize,
}

/// What becomes of a span of lines of the old text.
#[derive(Clone, Copy, Debug)]
struct Span {
    is_same: bool,
    old: (usize, usize),
    new: (usize, usize),
}

/// A unified difference without a head; empty when the texts are the same.
#[must_use]
pub fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut out = String::new();
    for group in grouped(spans(&old, &new)) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let place = |from: usize, to: usize| match to - from {
            1 => (from + 1).to_string(),
            0 => format!("{from},0"),
            size => format!("{},{size}", from + 1),
        };
        let before = place(first.old.0, last.old.1);
        let after = place(first.new.0, last.new.1);
        let _infallible = writeln!(out, "@@ -{before} +{after} @@");
        for span in &group {
            let mut push = |mark: char, lines: &[&str]| {
                for line in lines {
                    out.push(mark);
                    out.push_str(line);
                    out.push('\n');
                }
            };
            if span.is_same {
                push(' ', &old[span.old.0..span.old.1]);
            } else {
                push('-', &old[span.old.0..span.old.1]);
                push('+', &new[span.new.0..span.new.1]);
            }
        }
    }
    out
}

fn spans(old: &[&str], new: &[&str]) -> Vec<Span> {
    let mut spans = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for block in blocks(old, new) {
        if at_old < block.old || at_new < block.new {
            spans.push(Span {
                is_same: false,
                old: (at_old, block.old),
                new: (at_new, block.new),
            });
        }
        (at_old, at_new) = (block.old + block.size, block.new + block.size);
        if block.size > 0 {
            spans.push(Span {
                is_same: true,
                old: (block.old, at_old),
                new: (block.new, at_new),
            });
        }
    }
    spans
}

/// The spans around differences, with few of the lines that stay: those that are near each other
/// belong together.
fn grouped(mut spans: Vec<Span>) -> Vec<Vec<Span>> {
    if let Some(first) = spans.first_mut().filter(|first| first.is_same) {
        first.old.0 = first.old.0.max(first.old.1.saturating_sub(CONTEXT));
        first.new.0 = first.new.0.max(first.new.1.saturating_sub(CONTEXT));
    }
    if let Some(last) = spans.last_mut().filter(|last| last.is_same) {
        last.old.1 = last.old.1.min(last.old.0 + CONTEXT);
        last.new.1 = last.new.1.min(last.new.0 + CONTEXT);
    }
    let mut groups = vec![Vec::new()];
    for mut span in spans {
        if span.is_same && span.old.1 - span.old.0 > 2 * CONTEXT {
            let head = Span {
                old: (span.old.0, span.old.0 + CONTEXT),
                new: (span.new.0, span.new.0 + CONTEXT),
                ..span
            };
            if let Some(group) = groups.last_mut() {
                group.push(head);
            }
            groups.push(Vec::new());
            span.old.0 = span.old.1 - CONTEXT;
            span.new.0 = span.new.1 - CONTEXT;
        }
        if let Some(group) = groups.last_mut() {
            group.push(span);
        }
    }
    groups.retain(|group| group.iter().any(|span| !span.is_same));
    groups
}

/// All blocks in order, neighbours joined, with an empty one at the end.
fn blocks(old: &[&str], new: &[&str]) -> Vec<Block> {
    let places = places(new);
    let mut found = Vec::new();
    let mut open = vec![((0, old.len()), (0, new.len()))];
    while let Some((in_old, in_new)) = open.pop() {
        let block = longest((old, in_old), (new, in_new), &places);
        if block.size > 0 {
            open.push(((in_old.0, block.old), (in_new.0, block.new)));
            let ends = (block.old + block.size, block.new + block.size);
            open.push(((ends.0, in_old.1), (ends.1, in_new.1)));
            found.push(block);
        }
    }
    found.sort_unstable();
    found.push(Block {
        old: old.len(),
        new: new.len(),
        size: 0,
    });
    let mut joined: Vec<Block> = Vec::new();
    for block in found {
        match joined.last_mut() {
            Some(last)
                if block.size > 0
                    && last.old + last.size == block.old
                    && last.new + last.size == block.new =>
            {
                last.size += block.size;
            }
            _ => joined.push(block),
        }
    }
    joined
}

/// Where each line of the new text stands; those that stand almost everywhere tell nothing.
fn places<'t>(new: &[&'t str]) -> HashMap<&'t str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, line) in new.iter().enumerate() {
        places.entry(line).or_default().push(index);
    }
    if new.len() >= MANY {
        let often = new.len() / 100 + 1;
        places.retain(|_, known| known.len() <= often);
    }
    places
}

/// The longest block within two ranges: of equal ones that which begins first in the old text, then
/// in the new one.
fn longest(
    (old, in_old): (&[&str], (usize, usize)),
    (new, in_new): (&[&str], (usize, usize)),
    places: &HashMap<&str, Vec<usize>>,
) -> Block {
    let mut best = Block {
        old: in_old.0,
        new: in_new.0,
        size: 0,
    };
    // How long the block is that ends at a line of the new text and at the line before.
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (at_old, line) in old.iter().enumerate().take(in_old.1).skip(in_old.0) {
        let mut next = HashMap::new();
        let known = places.get(line).map_or(&[][..], Vec::as_slice);
        let within = known
            .iter()
            .filter(|place| (in_new.0..in_new.1).contains(place));
        for &at_new in within {
            let before = at_new
                .checked_sub(1)
                .and_then(|before| lengths.get(&before));
            let size = before.copied().unwrap_or(0) + 1;
            next.insert(at_new, size);
            if size > best.size {
                best = Block {
                    old: at_old + 1 - size,
                    new: at_new + 1 - size,
                    size,
                };
            }
        }
        lengths = next;
    }
    // Lines that were not looked for belong to it where they stand beside it.
    while best.old > in_old.0 && best.new > in_new.0 && old[best.old - 1] == new[best.new - 1] {
        best.old -= 1;
        best.new -= 1;
        best.size += 1;
    }
    while best.old + best.size < in_old.1
        && best.new + best.size < in_new.1
        && old[best.old + best.size] == new[best.new + best.size]
    {
        best.size += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Python's `difflib.unified_diff` tells it.
    fn check(old: &str, new: &str, want: &str) {
        assert_eq!(unified(old, new), want, "{old:?} {new:?}");
    }

    #[test]
    fn the_same_text_has_no_difference() {
        check("a\nb", "a\nb", "");
    }

    #[test]
    fn a_difference_is_told_with_three_lines_around() {
        check(
            "1\n2\n3\n4\n5\n6\n7\n8\n9",
            "1\n2\n3\n4\nx\n6\n7\n8\n9",
            "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n",
        );
    }

    #[test]
    fn differences_far_apart_are_told_apart() {
        check(
            "a\n1\n2\n3\n4\n5\n6\n7\nb",
            "x\n1\n2\n3\n4\n5\n6\n7\ny",
            "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n",
        );
    }

    #[test]
    fn lines_come_and_go() {
        check("a", "a\nb", "@@ -1 +1,2 @@\n a\n+b\n");
        check("a\nb\nc", "c", "@@ -1,3 +1 @@\n-a\n-b\n c\n");
    }
}
