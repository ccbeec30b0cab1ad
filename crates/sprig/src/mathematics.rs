//! Numbers: conversions, arithmetic, sequences.

use gotmpl::{Element, List, Scope, Value};

use crate::arguments::{ANY, Answer, Arguments, FLOAT, INT, INT64, INTS, Row, TEXT, length, text};
use crate::cast::{float_of, integer_of};
use crate::decimal::Decimal;

pub(super) const ROWS: &[Row] = &[
    Row::new("int", &[ANY], INT, |_, all| {
        Ok(Value::int(integer_of(all.value(0))))
    }),
    Row::new("int64", &[ANY], INT64, |_, all| {
        int64(integer_of(all.value(0)))
    }),
    Row::new("float64", &[ANY], FLOAT, |_, all| {
        float(float_of(all.value(0)))
    }),
    Row::new("atoi", &[TEXT], INT, |_, all| {
        Ok(Value::int(gotmpl::text::parse_plain(all.text(0), 10)))
    }),
    Row::new("toDecimal", &[ANY], INT64, |_, all| {
        let shown = gotmpl::text::sprint(&[all.value(0).clone()]);
        // What does not fit is an error in Go, and gives zero.
        int64(i64::from_str_radix(&shown, 8).unwrap_or(0))
    }),
    Row::new("add1", &[ANY], INT64, |_, all| {
        int64(integer_of(all.value(0)).wrapping_add(1))
    }),
    Row::new("add", &[], INT64, |_, all| {
        let numbers = all.rest(0).iter().map(integer_of);
        int64(numbers.fold(0, i64::wrapping_add))
    })
    .with_rest(ANY),
    Row::new("sub", &[ANY; 2], INT64, |_, all| {
        int64(integer_of(all.value(0)).wrapping_sub(integer_of(all.value(1))))
    }),
    Row::new("div", &[ANY; 2], INT64, |_, all| {
        let by = divisor(all.value(1))?;
        int64(integer_of(all.value(0)).wrapping_div(by))
    }),
    Row::new("mod", &[ANY; 2], INT64, |_, all| {
        let by = divisor(all.value(1))?;
        int64(integer_of(all.value(0)).wrapping_rem(by))
    }),
    Row::new("mul", &[ANY], INT64, |_, all| {
        let numbers = all.rest(0).iter().map(integer_of);
        int64(numbers.fold(1, i64::wrapping_mul))
    })
    .with_rest(ANY),
    Row::new("max", &[ANY], INT64, largest).with_rest(ANY),
    Row::new("biggest", &[ANY], INT64, largest).with_rest(ANY),
    Row::new("min", &[ANY], INT64, |_, all| {
        let numbers = all.rest(0).iter().map(integer_of);
        int64(numbers.min().unwrap_or(0))
    })
    .with_rest(ANY),
    Row::new("maxf", &[ANY], FLOAT, |_, all| {
        float(folded(all, |first, second| first > second))
    })
    .with_rest(ANY),
    Row::new("minf", &[ANY], FLOAT, |_, all| {
        float(folded(all, |first, second| first < second))
    })
    .with_rest(ANY),
    Row::new("ceil", &[ANY], FLOAT, |_, all| {
        float(float_of(all.value(0)).ceil())
    }),
    Row::new("floor", &[ANY], FLOAT, |_, all| {
        float(float_of(all.value(0)).floor())
    }),
    Row::new("round", &[ANY, INT], FLOAT, |_, all| {
        let on = all.float(2).unwrap_or(0.5);
        float(rounded(float_of(all.value(0)), all.int(1), on))
    })
    .with_rest(FLOAT),
    Row::new("add1f", &[ANY], FLOAT, |_, all| {
        decimals(all.value(0), &[Value::int(1)], Decimal::add)
    }),
    Row::new("addf", &[], FLOAT, |_, all| {
        decimals(&Value::Float(0.0), all.rest(0), Decimal::add)
    })
    .with_rest(ANY),
    Row::new("subf", &[ANY], FLOAT, |_, all| {
        decimals(all.value(0), all.rest(1), Decimal::sub)
    })
    .with_rest(ANY),
    Row::new("divf", &[ANY], FLOAT, |_, all| {
        decimals(all.value(0), all.rest(1), Decimal::div)
    })
    .with_rest(ANY),
    Row::new("mulf", &[ANY], FLOAT, |_, all| {
        decimals(all.value(0), all.rest(1), Decimal::mul)
    })
    .with_rest(ANY),
    Row::new("until", &[INT], INTS, |scope, all| {
        let count = all.int(0);
        ints(stepped(scope, 0, count, if count < 0 { -1 } else { 1 })?)
    }),
    Row::new("untilStep", &[INT; 3], INTS, |scope, all| {
        ints(stepped(scope, all.int(0), all.int(1), all.int(2))?)
    }),
    Row::new("seq", &[], TEXT, sequence).with_rest(INT),
];

fn int64(number: i64) -> Answer {
    Ok(Value::int64(number))
}

fn float(number: f64) -> Answer {
    Ok(Value::Float(number))
}

fn divisor(value: &Value) -> Result<i64, String> {
    match integer_of(value) {
        0 => Err("runtime error: integer divide by zero".to_owned()),
        number => Ok(number),
    }
}

fn largest(_: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let numbers = all.rest(0).iter().map(integer_of);
    int64(numbers.max().unwrap_or(0))
}

/// The first of the floats that is beyond all others. As in Go's `math.Max`, the farthest infinity
/// wins over NaN, NaN over all else, and of zeros the sign counts.
fn folded(all: Arguments<'_>, is_beyond: fn(f64, f64) -> bool) -> f64 {
    let farthest = if is_beyond(1.0, 0.0) {
        f64::INFINITY
    } else {
        f64::NEG_INFINITY
    };
    let rank = |number: f64| (number == farthest, number.is_nan());
    let chosen = all.rest(0).iter().map(float_of).reduce(|first, second| {
        let is_signed_zero = first == 0.0 && second == 0.0;
        if rank(first) != rank(second) {
            return if rank(second) > rank(first) {
                second
            } else {
                first
            };
        }
        if is_signed_zero {
            let wants_positive = farthest > 0.0;
            return if first.is_sign_positive() == wants_positive {
                first
            } else {
                second
            };
        }
        if is_beyond(second, first) {
            second
        } else {
            first
        }
    });
    chosen.unwrap_or(0.0)
}

/// To so many places: up from a fraction of `on` on.
fn rounded(number: f64, places: i64, on: f64) -> f64 {
    let power = 10f64.powf(places as f64);
    let shifted = power * number;
    let whole = if shifted.fract() >= on {
        shifted.ceil()
    } else {
        shifted.floor()
    };
    whole / power
}

fn decimals(
    first: &Value,
    others: &[Value],
    operation: fn(Decimal, &Decimal) -> Result<Decimal, String>,
) -> Answer {
    let mut result = Decimal::of_float(float_of(first))?;
    for other in others {
        result = operation(result, &Decimal::of_float(float_of(other))?)?;
    }
    float(result.float())
}

/// Numbers from a start until before an end.
fn stepped(scope: &mut Scope<'_>, start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    let is_down = stop < start;
    if step == 0 || is_down != (step < 0) {
        return Ok(Vec::new());
    }
    let distance = start.abs_diff(stop);
    scope
        .session()
        .take_steps(distance.div_ceil(step.unsigned_abs()))?;
    let numbers = std::iter::successors(Some(start), |number| number.checked_add(step));
    let is_before = |number: &i64| {
        if is_down {
            *number > stop
        } else {
            *number < stop
        }
    };
    Ok(numbers.take_while(is_before).collect())
}

fn ints(numbers: Vec<i64>) -> Answer {
    let items = numbers.into_iter().map(Value::int).collect();
    Ok(Value::List(List::new(items, Element::Int)))
}

fn sequence(scope: &mut Scope<'_>, all: Arguments<'_>) -> Answer {
    let (first, second, third) = (all.int(0), all.int(1), all.int(2));
    let direction = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, step, end) = match length(all.rest(0).len()) {
        1 => (1, direction(1, first), first),
        2 => (first, direction(first, second), second),
        3 if third < first && second > 0 => return text(""),
        3 => (first, second, third),
        _ => return text(""),
    };
    let stop = end.wrapping_add(direction(start, end));
    let numbers = stepped(scope, start, stop, step)?;
    let shown: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    text(shown.join(" "))
}
