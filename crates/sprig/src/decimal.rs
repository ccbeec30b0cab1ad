//! Decimal numbers, in which Sprig adds and divides floats: 1.1 + 2.2 is 3.3.

use num_bigint::BigInt;

/// A number times a power of ten.
pub(super) struct Decimal {
    number: BigInt,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that is a float.
    ///
    /// # Errors
    /// Go's text for NaN and the infinities.
    pub(super) fn of_float(float: f64) -> Result<Self, String> {
        if !float.is_finite() {
            let shown = gotmpl::text::sprint(&[gotmpl::Value::Float(float)]);
            return Err(format!("Cannot create a Decimal from {shown}"));
        }
        let text = format!("{float:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let n_behind = mantissa
            .split_once('.')
            .map_or(0, |(_, behind)| behind.len());
        let exponent: i32 = exponent.parse().unwrap_or(0);
        Ok(Decimal {
            number: mantissa.replace('.', "").parse().unwrap_or_default(),
            exponent: exponent - i32::try_from(n_behind).unwrap_or(0),
        })
    }

    /// The nearest float.
    pub(super) fn float(&self) -> f64 {
        let text = format!("{}e{}", self.number, self.exponent);
        text.parse().unwrap_or(0.0)
    }

    pub(super) fn add(self, other: &Decimal) -> Result<Self, String> {
        let (first, second, exponent) = self.aligned(other);
        Ok(Decimal {
            number: first + second,
            exponent,
        })
    }

    pub(super) fn sub(self, other: &Decimal) -> Result<Self, String> {
        let (first, second, exponent) = self.aligned(other);
        Ok(Decimal {
            number: first - second,
            exponent,
        })
    }

    pub(super) fn mul(self, other: &Decimal) -> Result<Self, String> {
        Ok(Decimal {
            number: self.number * &other.number,
            exponent: self.exponent.saturating_add(other.exponent),
        })
    }

    /// The quotient to 16 digits behind the point, halves away from zero.
    pub(super) fn div(self, other: &Decimal) -> Result<Self, String> {
        const N_DIGITS: i32 = 16;
        let zero = BigInt::ZERO;
        if other.number == zero {
            return Err("decimal division by 0".to_owned());
        }
        let shift = self.exponent - other.exponent + N_DIGITS;
        let (above, below): (BigInt, BigInt) = if shift >= 0 {
            (self.number * power(shift), other.number.clone())
        } else {
            (self.number, &other.number * power(-shift))
        };
        let is_negative = (above < zero) != (below < zero);
        let (above, below) = (absolute(above), absolute(below));
        let quotient: BigInt = (&above * 2 + &below) / (&below * 2);
        Ok(Decimal {
            number: if is_negative { -quotient } else { quotient },
            exponent: -N_DIGITS,
        })
    }

    /// Both numbers at one exponent.
    fn aligned(self, other: &Decimal) -> (BigInt, BigInt, i32) {
        let exponent = self.exponent.min(other.exponent);
        let first = self.number * power(self.exponent - exponent);
        let second = &other.number * power(other.exponent - exponent);
        (first, second, exponent)
    }
}

fn absolute(number: BigInt) -> BigInt {
    if number < BigInt::ZERO {
        -number
    } else {
        number
    }
}

fn power(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Operation = fn(Decimal, &Decimal) -> Result<Decimal, String>;

    fn check(first: f64, operation: Operation, second: f64, want: f64) {
        let second = Decimal::of_float(second).expect("a number");
        let first = Decimal::of_float(first).expect("a number");
        assert_eq!(operation(first, &second).map(|it| it.float()), Ok(want));
    }

    #[test]
    fn decimals_have_no_binary_errors() {
        check(1.1, Decimal::add, 2.2, 3.3);
        check(1.3, Decimal::sub, 0.1, 1.2);
        check(0.1, Decimal::mul, 3.0, 0.3);
        check(1.0, Decimal::div, 3.0, 0.333_333_333_333_333_3);
        check(-2.0, Decimal::div, 3.0, -0.666_666_666_666_666_7);
        check(1e300, Decimal::mul, 1e300, f64::INFINITY);
        check(1e300, Decimal::add, 1e-300, 1e300);
    }
}
