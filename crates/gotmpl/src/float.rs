//! Digits of floats, as Go's `strconv.FormatFloat` gives them.

/// Digits without a point, and where it is: `0.d1d2d3… × 10^point`.
struct Decimal {
    digits: String,
    point: i32,
}

/// A number that is not negative and finite, by one of the verbs `e E f g G b x X`; without a
/// precision as short as possible.
pub fn format_float(number: f64, verb: char, precision: Option<usize>) -> String {
    match verb {
        'e' | 'E' => scientific(&decimal(number, precision), precision, verb),
        'f' => match precision {
            Some(precision) => format!("{number:.precision$}"),
            None => plain(&decimal(number, None)),
        },
        'g' | 'G' => general(number, verb, precision),
        'b' => binary(number),
        _ => hexadecimal(number, verb, precision),
    }
}

/// The shortest digits that give the number again, or so many behind the first.
fn decimal(number: f64, n_behind: Option<usize>) -> Decimal {
    let text = match n_behind {
        Some(n_behind) => format!("{number:.n_behind$e}"),
        None => format!("{number:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').expect("the notation asked for");
    let exponent: i32 = exponent.parse().expect("an exponent of a float");
    let digits = mantissa.replace('.', "");
    let point = if number == 0.0 { 0 } else { exponent + 1 };
    Decimal { digits, point }
}

/// Small and large numbers have an exponent: below a ten-thousandth, from the precision on.
fn general(number: f64, verb: char, precision: Option<usize>) -> String {
    /// Where the digits are as few as possible.
    const SHORTEST_LIMIT: i32 = 6;
    let significant = precision.map(|it| it.max(1));
    let mut decimal = decimal(number, significant.map(|it| it - 1));
    decimal
        .digits
        .truncate(decimal.digits.trim_end_matches('0').len());
    let n_digits = i32::try_from(decimal.digits.len()).unwrap_or(i32::MAX);
    let limit = match significant.and_then(|it| i32::try_from(it).ok()) {
        None => SHORTEST_LIMIT,
        Some(limit) if limit > n_digits && n_digits >= decimal.point => n_digits,
        Some(limit) => limit,
    };
    let exponent = decimal.point - 1;
    let is_zero = decimal.digits.is_empty();
    if !is_zero && (exponent < -4 || exponent >= limit) {
        let verb = if verb == 'G' { 'E' } else { 'e' };
        return scientific(&decimal, None, verb);
    }
    plain(&decimal)
}

fn scientific(decimal: &Decimal, n_behind: Option<usize>, verb: char) -> String {
    let exponent = if decimal.digits.bytes().all(|it| it == b'0') {
        0
    } else {
        decimal.point - 1
    };
    let (first, rest) = decimal.digits.split_at(1.min(decimal.digits.len()));
    let first = if first.is_empty() { "0" } else { first };
    let rest = match n_behind {
        Some(n_behind) => format!("{rest:0<n_behind$}"),
        None => rest.to_owned(),
    };
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!(
        "{first}{point}{rest}{verb}{sign}{:02}",
        exponent.unsigned_abs()
    )
}

fn plain(decimal: &Decimal) -> String {
    let digits = &decimal.digits;
    if decimal.point <= 0 {
        let n_zeros = usize::try_from(-decimal.point).unwrap_or(0);
        if digits.bytes().all(|it| it == b'0') {
            return "0".to_owned();
        }
        return format!("0.{}{digits}", "0".repeat(n_zeros));
    }
    let point = usize::try_from(decimal.point).unwrap_or(usize::MAX);
    if digits.len() <= point {
        return format!("{digits:0<point$}");
    }
    format!("{}.{}", &digits[..point], &digits[point..])
}

/// Sign, exponent and fraction of a float: `mantissa × 2^exponent`.
fn parts(number: f64) -> (u64, i32) {
    const N_FRACTION_BITS: u32 = 52;
    const BIAS: i32 = 1075;
    let bits = number.to_bits();
    let fraction = bits & ((1 << N_FRACTION_BITS) - 1);
    let exponent = i32::try_from((bits >> N_FRACTION_BITS) & 0x7ff).expect("eleven bits");
    if exponent == 0 {
        (fraction, 1 - BIAS)
    } else {
        (fraction | 1 << N_FRACTION_BITS, exponent - BIAS)
    }
}

fn binary(number: f64) -> String {
    let (mantissa, exponent) = parts(number);
    format!("{mantissa}p{exponent:+}")
}

fn hexadecimal(number: f64, verb: char, precision: Option<usize>) -> String {
    const N_DIGITS: usize = 13;
    let (mut mantissa, mut exponent) = parts(number);
    if mantissa == 0 {
        exponent = 0;
    } else {
        let shift = mantissa.leading_zeros() - 11;
        mantissa <<= shift;
        exponent += 52 - i32::try_from(shift).expect("at most 52");
    }
    if let Some(precision) = precision.filter(|it| *it < N_DIGITS) {
        let n_cut = 4 * (N_DIGITS - precision);
        let (kept, cut) = (mantissa >> n_cut, mantissa & ((1 << n_cut) - 1));
        let half = 1 << (n_cut - 1);
        let rounds_up = cut > half || (cut == half && kept & 1 == 1);
        mantissa = (kept + u64::from(rounds_up)) << n_cut;
        if mantissa >> 53 != 0 {
            mantissa >>= 1;
            exponent += 1;
        }
    }
    let fraction = format!("{:013x}", mantissa & ((1 << 52) - 1));
    let fraction = match precision {
        None => fraction.trim_end_matches('0').to_owned(),
        Some(precision) => format!("{fraction:0<precision$}")[..precision].to_owned(),
    };
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    let first = mantissa >> 52;
    let text = format!(
        "0x{first}{point}{fraction}p{sign}{:02}",
        exponent.unsigned_abs()
    );
    if verb == 'X' {
        text.to_uppercase()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: f64, verb: char, precision: Option<usize>, want: &str) {
        assert_eq!(
            format_float(number, verb, precision),
            want,
            "%{precision:?}{verb} of {number}"
        );
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        check(0.0, 'g', None, "0");
        check(1.0, 'g', None, "1");
        check(0.1, 'g', None, "0.1");
        check(123_456.0, 'g', None, "123456");
        check(1e6, 'g', None, "1e+06");
        check(1e21, 'g', None, "1e+21");
        check(1e-7, 'g', None, "1e-07");
        check(123.456, 'g', Some(2), "1.2e+02");
        check(100.0, 'g', Some(3), "100");
        check(123.456, 'e', Some(2), "1.23e+02");
        check(0.0, 'e', Some(6), "0.000000e+00");
        check(2.5, 'f', Some(0), "2");
        check(1.5, 'x', None, "0x1.8p+00");
        check(1.0, 'b', None, "4503599627370496p-52");
    }
}
