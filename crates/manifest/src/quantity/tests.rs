use super::*;

#[track_caller]
fn check(text: &str, want: &str) {
    let got = match text.parse::<Quantity>() {
        Ok(quantity) => quantity.to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(got, want, "{text:?}");
}

#[test]
fn texts_are_made_canonical() {
    for (text, want) in [
        ("0", "0"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("0.1Ki", "102400m"),
        ("1e3", "1e3"),
        ("1000", "1k"),
        ("1500", "1500"),
        ("100000000", "100M"),
        ("1.5n", "2n"),
        ("-0.1n", "-1n"),
        ("9223372036854775808Ki", "9223372036854775807"),
        ("0.0005Ki", "512m"),
    ] {
        check(text, want);
    }
}

#[test]
fn texts_that_are_no_quantity_are_refused_in_the_servers_words() {
    let format = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
    check("", format);
    check("1 Gi", format);
    check("ten", format);
    check("1iK", "unable to parse quantity's suffix");
    check("1e", "unable to parse quantity's suffix");
    check(&"9".repeat(60), "quantity has too many digits");
}

#[test]
fn amounts_compare_exactly_across_units() {
    for (left, right, want) in [
        ("1", "1000m", Ordering::Equal),
        ("1Gi", "1024Mi", Ordering::Equal),
        ("1G", "1Gi", Ordering::Less),
        ("-1", "1n", Ordering::Less),
        ("1e30", "1e29", Ordering::Greater),
        (
            "123456789012345678901234567890",
            "1e2147483000",
            Ordering::Less,
        ),
        ("-2", "-1", Ordering::Less),
    ] {
        let (a, b): (Quantity, Quantity) = (left.parse().unwrap(), right.parse().unwrap());
        assert_eq!(a.cmp(&b), want, "{left} against {right}");
        assert_eq!(b.cmp(&a), want.reverse(), "{right} against {left}");
    }
}

#[test]
fn amounts_round_away_from_zero() {
    let quantity: Quantity = "1500m".parse().unwrap();
    assert_eq!(quantity.scaled(0), Some(2));
    assert_eq!(quantity.scaled(-3), Some(1500));
    let sum = quantity.checked_add(&"1Ki".parse().unwrap()).unwrap();
    assert_eq!(sum.canonical(), "1025500m");
}
