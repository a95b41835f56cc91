//! Enums whose values have texts of their own: in rows, in forms, towards others.

/// Gives the values of an enum their texts, and reads these back. A value without a text does not compile; a text that no value
/// has reads as nothing, for the caller to refuse.
///
/// ```
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// enum Light {
///     Red,
///     Green,
/// }
/// throughline_kit::define_texts!(Light { Red: "RED", Green: "GREEN" });
///
/// assert_eq!(Light::Green.as_str(), "GREEN");
/// assert_eq!(Light::parse("RED"), Some(Light::Red));
/// assert_eq!(Light::parse("red"), None);
/// assert_eq!(Light::ALL, [Light::Red, Light::Green]);
/// ```
#[macro_export]
macro_rules! define_texts {
    ($name:ident { $($value:ident: $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value.
            pub(crate) const ALL: [Self; [$($text),+].len()] = [$(Self::$value),+];

            /// Its text.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            /// Reads a text back.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|value| value.as_str() == text)
            }
        }
    };
}
