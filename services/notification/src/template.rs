//! Templates: what is said, by language, with variables to fill in.

use std::collections::{BTreeMap, BTreeSet};

/// The language that answers for languages that are missing.
pub(crate) const FALLBACK_LANGUAGE: &str = "en";

/// A piece of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Variable(String),
}

/// One text, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    source: String,
    pieces: Vec<Piece>,
}

/// What is said, by language; always in the fallback language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) code: String,
    bodies: BTreeMap<String, Body>,
}

/// A text that is ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// Language that was used.
    pub(crate) locale: String,
    pub(crate) text: String,
}

/// Variables of a template that were not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MissingVariables(pub(crate) Vec<String>);

impl Body {
    fn parse(source: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = source;
        while let Some(open) = rest.find(['{', '}']) {
            let (text, tail) = rest.split_at(open);
            let close = tail.find('}').filter(|close| *close > 0);
            let close = close.ok_or_else(|| format!("a brace stands alone in {source:?}"))?;
            let name = &tail[1..close];
            let letters = name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            if name.is_empty() || !letters {
                return Err(format!("{{{name}}} is no variable of a-z and _ in {source:?}"));
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            }
            pieces.push(Piece::Variable(name.to_owned()));
            rest = &tail[close + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if pieces.is_empty() {
            return Err("the text is empty".to_owned());
        }
        Ok(Self { source: source.to_owned(), pieces })
    }

    fn variables(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Variable(name) => Some(name.as_str()),
        })
    }

    fn render(&self, variables: &BTreeMap<String, String>) -> Result<String, MissingVariables> {
        let missing: BTreeSet<&str> =
            self.variables().filter(|name| !variables.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(MissingVariables(missing.into_iter().map(str::to_owned).collect()));
        }
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Variable(name) => variables.get(name).map_or("", String::as_str),
        });
        Ok(pieces.collect())
    }
}

impl Template {
    /// Parses the texts of a template.
    pub(crate) fn parse(code: &str, texts: &BTreeMap<String, String>) -> Result<Self, String> {
        if !texts.contains_key(FALLBACK_LANGUAGE) {
            return Err(format!("template {code}: there is no text in {FALLBACK_LANGUAGE:?}"));
        }
        let bodies = texts.iter().map(|(language, text)| {
            let body =
                Body::parse(text).map_err(|e| format!("template {code}, {language}: {e}"))?;
            Ok((language.to_ascii_lowercase(), body))
        });
        Ok(Self { code: code.to_owned(), bodies: bodies.collect::<Result<_, String>>()? })
    }

    /// The texts as they were written, by language.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        self.bodies.iter().map(|(language, body)| (language.clone(), body.source.clone())).collect()
    }

    /// All variables of all its texts.
    pub(crate) fn variables(&self) -> BTreeSet<&str> {
        self.bodies.values().flat_map(Body::variables).collect()
    }

    /// Finds the language to use for a wanted one: itself, else without its region or script, else the fallback.
    pub(crate) fn language(&self, wanted: &str) -> &str {
        let mut wanted = wanted.to_ascii_lowercase();
        loop {
            if let Some((language, _)) = self.bodies.get_key_value(&wanted) {
                return language;
            }
            match wanted.rfind(['-', '_']) {
                Some(cut) => wanted.truncate(cut),
                None => return FALLBACK_LANGUAGE,
            }
        }
    }

    /// Fills in the variables.
    pub(crate) fn render(
        &self,
        wanted: &str,
        variables: &BTreeMap<String, String>,
    ) -> Result<Rendered, MissingVariables> {
        let locale = self.language(wanted).to_owned();
        let body = self.bodies.get(&locale).expect("the language is one of the template's");
        Ok(Rendered { text: body.render(variables)?, locale })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn greeting() -> Template {
        let bodies =
            texts(&[("en", "Hello {name}, {name}!"), ("zh", "{name}，您好"), ("pt-BR", "Oi")]);
        Template::parse("greeting", &bodies).expect("valid")
    }

    #[test]
    fn a_language_falls_back_to_its_parent_and_then_to_english() {
        for (wanted, used) in [
            ("en", "en"),
            ("zh", "zh"),
            ("zh-CN", "zh"),
            ("zh_Hant_TW", "zh"),
            ("ZH", "zh"),
            ("pt-BR", "pt-br"),
            ("pt", "en"),
            ("fr", "en"),
            ("", "en"),
            ("-", "en"),
        ] {
            assert_eq!(greeting().language(wanted), used, "{wanted:?}");
        }
    }

    #[test]
    fn variables_are_filled_in_and_missing_ones_are_named() {
        let name = texts(&[("name", "Ada"), ("unused", "x")]);
        assert_eq!(greeting().render("fr", &name).map(|r| r.text), Ok("Hello Ada, Ada!".into()));
        assert_eq!(greeting().render("zh", &name).map(|r| r.text), Ok("Ada，您好".into()));
        let letter = Template::parse("letter", &texts(&[("en", "{b} {a} {b}")])).expect("valid");
        let missing = letter.render("en", &BTreeMap::new()).map(|r| r.text);
        assert_eq!(missing, Err(MissingVariables(vec!["a".into(), "b".into()])));
    }

    #[test]
    fn what_stands_in_a_value_is_no_variable() {
        let name = texts(&[("name", "{total}")]);
        assert_eq!(greeting().render("zh", &name).map(|r| r.text), Ok("{total}，您好".into()));
    }

    #[test]
    fn a_template_that_cannot_be_filled_in_is_refused() {
        for bad in ["", "{", "}", "a } b", "{name", "{}", "{Name}", "{a b}", "{{name}}", "}{"] {
            assert!(Template::parse("t", &texts(&[("en", bad)])).is_err(), "{bad:?}");
        }
        assert!(Template::parse("t", &texts(&[("zh", "好")])).is_err(), "there is no English");
    }

    impl std::fmt::Debug for Rendered {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(&self.text)
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused_and_keeps_every_character(text in "[a-c{}中 ]{0,20}") {
            if let Ok(body) = Body::parse(&text) {
                let same = body.variables().map(|v| (v.to_owned(), format!("{{{v}}}"))).collect();
                prop_assert_eq!(body.render(&same), Ok(text));
            }
        }
    }
}
