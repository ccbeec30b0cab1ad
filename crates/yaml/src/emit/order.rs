//! go-yaml's natural order of keys: runs of digits compare as numbers, letters come after
//! everything else.

use std::cmp::Ordering;

use crate::{Map, Str, Value};

/// The entries of `map` in the order in which go-yaml writes them.
pub(super) fn natural(map: &Map, is_v2: bool) -> Vec<(&Str, &Value)> {
    let entries: Vec<_> = map.iter().collect();
    merge_sort(entries, &|a, b| less(a.0, b.0, is_v2))
}

/// A stable sort that, unlike the standard one, gives some order and no panic for a comparison
/// that is not transitive: go-yaml's is not where numbers overflow.
fn merge_sort<T: Copy>(mut items: Vec<T>, less: &impl Fn(T, T) -> bool) -> Vec<T> {
    if items.windows(2).all(|pair| !less(pair[1], pair[0])) {
        return items;
    }
    let right = merge_sort(items.split_off(items.len() / 2), less);
    let left = merge_sort(items, less);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if less(*b, *a) {
            right.next()
        } else {
            left.next()
        };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

fn less(a: &str, b: &str, is_v2: bool) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    let mut start = common;
    while !a.is_char_boundary(start) || !b.is_char_boundary(start) {
        start -= 1;
    }
    let (same, a, b) = (&a[..start], &a[start..], &b[start..]);
    let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
        return a.len() < b.len();
    };
    match (x.is_alphabetic(), y.is_alphabetic()) {
        (true, true) => return x < y,
        (false, false) => {}
        // v3 puts a letter first where it ends a run of digits: `a1x` before `a1-`.
        (x_is_letter, y_is_letter) => {
            let behind_digits = !is_v2 && same.chars().next_back().is_some_and(char::is_numeric);
            return if behind_digits {
                x_is_letter
            } else {
                y_is_letter
            };
        }
    }
    // Zeros count only behind another digit of the same number.
    let in_number = (x == '0' || y == '0')
        && same
            .chars()
            .rev()
            .take_while(|c| c.is_numeric())
            .any(|c| c != '0');
    let (x_len, x_number) = leading_number(a, in_number);
    let (y_len, y_number) = leading_number(b, in_number);
    let order = x_number
        .cmp(&y_number)
        .then(x_len.cmp(&y_len))
        .then(x.cmp(&y));
    order == Ordering::Less
}

/// The digits that `text` begins with: how many, and their value as Go's int64 holds it.
fn leading_number(text: &str, in_number: bool) -> (usize, i64) {
    let digits = text.chars().take_while(|c| c.is_numeric());
    digits.fold((0, i64::from(in_number)), |(len, number), c| {
        let digit = i64::from(u32::from(c)) - i64::from(b'0');
        (len + 1, number.wrapping_mul(10).wrapping_add(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &[&str]) {
        let map: Map = keys.iter().map(|key| (*key, Value::Null)).collect();
        let sorted: Vec<&str> = natural(&map, true)
            .iter()
            .map(|(key, _)| key.as_str())
            .collect();
        assert_eq!(sorted, keys);
    }

    #[test]
    fn digits_compare_as_numbers() {
        check(&["a1", "a2", "a10", "a10b", "b"]);
    }

    #[test]
    fn letters_come_last() {
        check(&["_", "1", "A", "a", "a-b", "a.b", "ab"]);
    }
}
