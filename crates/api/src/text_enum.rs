//! Enums whose values are texts: the macro `text_enum!`.
//!
//! A text that this version does not know is kept in `Other`, so that a status written by another
//! version survives a round trip.

/// Defines an enum of texts with `Unset` (the empty text, Go's zero value) and `Other`.
macro_rules! text_enum {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $($(#[doc = $variant_doc:literal])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub enum $name {
            /// Not set: the empty text.
            #[default]
            Unset,
            $($(#[doc = $variant_doc])* $variant,)*
            /// A text that this version does not know.
            Other(Box<str>),
        }

        impl $name {
            /// The text on the wire; empty when not set.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $name::Unset => "",
                    $($name::$variant => $text,)*
                    $name::Other(text) => text,
                }
            }

            /// Whether nothing is set.
            #[must_use]
            pub fn is_unset(&self) -> bool {
                matches!(self, $name::Unset)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match text {
                    "" => $name::Unset,
                    $($text => $name::$variant,)*
                    other => $name::Other(other.into()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::wire::Wire for $name {
            fn read(value: yaml::Value) -> Result<Self, $crate::Error> {
                match value {
                    yaml::Value::String(text) => Ok(text.as_str().into()),
                    yaml::Value::Null => Ok($name::Unset),
                    other => Err($crate::Error::new("string", other.kind())),
                }
            }
            fn write(&self) -> yaml::Value {
                yaml::Value::from(self.as_str())
            }
            fn is_empty(&self) -> bool {
                self.is_unset()
            }
            fn schema() -> yaml::Map {
                $crate::wire::of_type("string")
            }
        }
    };
}

pub(crate) use text_enum;
