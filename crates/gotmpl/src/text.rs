//! Go's texts, for functions that callers give: their bytes, and numbers and values in them.

pub use crate::bytes::{bytes_of_text, carried, shown, string_of, text_of_bytes};
pub use crate::compare::is_same_object;
pub use crate::float::format_float;
pub use crate::number::{parse_float, parse_integer, parse_plain};
pub use crate::print::sprint;
pub use crate::printf::sprintf;
pub use crate::value::Text;
