//! Hostile documents and expressions: an answer within bounds, never a panic.

use proptest::prelude::*;

use super::{business, compile};
use crate::template::{MAX_EXPRESSION_BYTES, MAX_TEMPLATE_BYTES, SHIPPED};

/// Compiles; whatever is wrong is the document's, not the compiler's.
fn survives(source: &str) {
    assert!(!codes(source).contains(&"COMPILER_FAILED"), "{source}");
}

fn codes(source: &str) -> Vec<&'static str> {
    let findings = compile(source).err().unwrap_or_default();
    findings.iter().map(|finding| finding.code).collect()
}

fn with_expression(expression: &str) -> String {
    let quoted = serde_json::to_string(expression).expect("a text is JSON");
    business(&format!("  - {{ id: a, when: {quoted}, timer: {{ for: 1s }} }}\n"))
}

#[test]
fn a_short_text_cannot_stand_for_an_endless_one() {
    let laughs = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n";
    assert_eq!(codes(laughs), ["YAML_REFERENCE"]);
    assert_eq!(codes("template: !!str x\n"), ["YAML_REFERENCE"]);
}

#[test]
fn what_is_too_large_is_refused_before_it_is_read() {
    let large = "#".repeat(MAX_TEMPLATE_BYTES + 1);
    assert_eq!(codes(&large), ["TEMPLATE_TOO_LARGE"]);
    let deep = format!("steps: {}{}", "[".repeat(20), "]".repeat(20));
    assert_eq!(codes(&deep), ["DOCUMENT_TOO_DEEP"]);
    let deeper = format!("steps: {}", "[".repeat(30_000));
    assert_eq!(codes(&deeper), ["YAML_INVALID"]);
    let wide = format!("steps: [{}]", "x,".repeat(20_000));
    assert_eq!(codes(&wide), ["DOCUMENT_TOO_DEEP"]);
    let steps = "  - { id: a, timer: { for: 1s } }\n".repeat(65);
    assert_eq!(codes(&business(&steps)), ["STEPS_TOO_MANY"]);
}

#[test]
fn hostile_expressions_are_refused() {
    let cases = [
        ("a".repeat(MAX_EXPRESSION_BYTES + 1), "EXPRESSION_TOO_LARGE"),
        (format!("{}true{}", "(".repeat(1_000), ")".repeat(1_000)), "EXPRESSION_TOO_LARGE"),
        ("!".repeat(4_000), "EXPRESSION_TOO_LARGE"),
        (format!("1{}", "+1".repeat(2_000)), "EXPRESSION_TOO_LARGE"),
        ("now".to_owned() + &".a".repeat(2_000), "EXPRESSION_TOO_LARGE"),
        ("true?".repeat(800), "EXPRESSION_TOO_LARGE"),
        ("r'\\'".to_owned() + &"(".repeat(1_000), "EXPRESSION_TOO_LARGE"),
        ("'''".to_owned() + &"(".repeat(1_000), "EXPRESSION_SYNTAX"),
        ("items.all(a, items.all(b, items.all(c, true)))".to_owned(), "EXPRESSION_TOO_COSTLY"),
        (
            "items.all(a, items.all(b, a.quantity + b.quantity > 3 && a.item_key != b.item_key))"
                .to_owned(),
            "EXPRESSION_TOO_COSTLY",
        ),
        ("1r'\\'".to_owned() + &"(".repeat(1_000), "EXPRESSION_SYNTAX"),
        ("ar'\\''".to_owned() + &"+1".repeat(1_000), "EXPRESSION_TOO_LARGE"),
        ("'a'.matches('(a+)+$')".to_owned(), "FUNCTION_UNKNOWN"),
    ];
    for (expression, code) in cases {
        let found = codes(&with_expression(&expression));
        let shown: String = expression.chars().take(60).collect();
        assert_eq!(found, [code], "{shown}");
    }
}

#[test]
fn the_largest_expressions_that_are_read_end_soon() {
    let chain = |part: &str, times: usize| format!("true{}", part.repeat(times));
    let cases = [
        chain(" && true", 120),
        format!("{}true", "!".repeat(200)),
        format!("{}true", "-".repeat(200)),
        format!("{}true{}", "(".repeat(16), ")".repeat(16)),
        format!("{}1{} == 1", "[".repeat(16), "]".repeat(16)),
        format!("{}true", "true ? true : ".repeat(60)),
        format!("{}true", "true ? ".repeat(120)),
        format!("1{} > 1", " + 1".repeat(120)),
        format!("{}1", "1 == ".repeat(120)),
        format!("now{}", ".a".repeat(120)),
        format!("items{}", "[0]".repeat(80)),
        format!("size({}", "'a', ".repeat(120)),
        format!("{{{}}}", "'a': 1, ".repeat(60)),
        "< ".repeat(120),
        "( ) [ ] { } ".repeat(40),
        "a.b(c".repeat(16),
    ];
    for expression in cases {
        let begun = std::time::Instant::now();
        survives(&with_expression(&expression));
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(5), "{took:?} {expression}");
    }
}

#[test]
fn the_fullest_document_is_checked_soon() {
    let save: Vec<String> = (0..31).map(|n| format!("a{n}: event.b + event.c")).collect();
    let save = save.join(", ");
    let steps: Vec<String> = (0..64)
        .map(|n| {
            format!("  - {{ id: s{n}, wait: {{ event: e, save: {{ {save} }} }}, timeout: 1d }}\n")
        })
        .collect();
    let source = business(&steps.concat());
    assert!(source.len() > MAX_TEMPLATE_BYTES / 2 && source.len() <= MAX_TEMPLATE_BYTES);
    let begun = std::time::Instant::now();
    assert_eq!(codes(&source), [""; 0]);
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_makes_the_compiler_panic(source in "\\PC{0,400}") {
        survives(&source);
    }

    #[test]
    fn no_yaml_like_text_makes_the_compiler_panic(
        source in "(template|kind|steps|call|request|when|- |: |\n|  |\\[|\\]|\\{|\\}|'|\"|a|1|&a|\\*a|!b|#|\\||>){0,80}"
    ) {
        survives(&source);
    }

    #[test]
    fn no_expression_makes_the_compiler_panic(expression in "\\PC{0,200}") {
        survives(&with_expression(&expression));
    }

    #[test]
    fn no_cel_like_expression_makes_the_compiler_panic(
        expression in concat!(
            "(items|order|step|now|steps|i|\\.|\\(|\\)|\\[|\\]|\\{|\\}|,|:|\\?|&&|\\|\\||!|-|\\+|==| in ",
            "|map|all|has|size|'a'|\"|`|1|1u|0x|1\\.5|r'|b'|\\\\|null|true|items\\.map\\(i, ){0,40}"
        )
    ) {
        survives(&with_expression(&expression));
    }

    #[test]
    fn no_mutation_of_a_shipped_template_makes_the_compiler_panic(
        which in 0..SHIPPED.len(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), "[\\PC\n]{0,6}"), 1..6)
    ) {
        let mut text: Vec<char> = SHIPPED[which].source.chars().collect();
        for (at, put) in cuts {
            let at = at.index(text.len());
            let end = (at + put.chars().count() / 2 + 1).min(text.len());
            text.splice(at..end, put.chars());
        }
        let source: String = text.into_iter().collect();
        survives(&source);
        for finding in compile(&source).err().unwrap_or_default() {
            prop_assert!(finding.line >= 1 && !finding.message.is_empty() && !finding.remedy.is_empty());
        }
    }
}
