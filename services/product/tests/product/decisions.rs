//! Checks, quotes and decompositions.

use throughline_kit::error::Kind;

use super::*;

/// Three IPTV that need a broadband, the broadband, and a broadband that is taken back.
fn converged() -> Vec<proto::Line> {
    let mut back = line("3", "broadband", 1);
    back.action = proto::LineAction::Delete.into();
    vec![line("1", "iptv", 3), line("2", "broadband", 1), back]
}

#[tokio::test]
async fn a_check_says_what_blocks_and_what_would_change_it() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        center.import(shop()).await.expect("imported");
        let lines = vec![line("1", "iptv", 1)];
        let request = proto::CheckConfigurationRequest { lines };
        let check = answer(center.decisions.check_configuration(request).await).expect("checked");
        assert_eq!((check.outcome(), check.release), (proto::VerdictOutcome::Block, 1));
        let verdict = &check.verdicts[0];
        assert_eq!(verdict.outcome(), proto::VerdictOutcome::Block);
        assert_eq!(verdict.reason, "REQUIRES_MISSING");
        assert_eq!(verdict.remedy, "add broadband");
        assert_eq!(verdict.line_keys, ["1"]);

        let request = proto::CheckConfigurationRequest { lines: converged() };
        let check = answer(center.decisions.check_configuration(request).await).expect("checked");
        assert_eq!(check.outcome(), proto::VerdictOutcome::Pass);
        assert!(check.verdicts.is_empty());
        center.stop().await;
    }
}

#[tokio::test]
async fn a_quote_names_its_release_and_its_time_and_its_lines_sum_to_the_totals() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        center.import(shop()).await.expect("imported");
        let currency_code = "GBP".to_owned();
        let request = proto::QuotePriceRequest { lines: converged(), currency_code };
        let quote = answer(center.decisions.quote_price(request).await).expect("priced");
        assert_eq!(quote.one_off_total, gbp(1_500 + 2_000));
        assert_eq!(quote.recurring_total, gbp(2_997));
        assert_eq!(quote.refund_total, gbp(2_000));
        assert_eq!((quote.release, quote.quote_time), (1, Some(START.to_proto())));
        let keys: Vec<&str> = quote.lines.iter().map(|l| l.line_key.as_str()).collect();
        assert_eq!(keys, ["1", "2", "3"]);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_decomposition_names_business_orders_their_needs_and_their_demands() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        center.import(shop()).await.expect("imported");
        let request = proto::DecomposeOfferingRequest { lines: converged() };
        let plan = answer(center.decisions.decompose_offering(request).await).expect("planned");
        let planned = |key: &str, template: &str, line: &str, requires: &[&str]| {
            proto::PlannedBusinessOrder {
                plan_key: key.to_owned(),
                template: template.to_owned(),
                line_keys: vec![line.to_owned()],
                requires: requires.iter().map(|key| (*key).to_owned()).collect(),
                after: Vec::new(),
            }
        };
        assert_eq!(
            plan.business_orders,
            [
                planned("bo-1", "deliver", "2", &[]),
                planned("bo-2", "deliver", "1", &["bo-1"]),
                planned("bo-3", "collect", "3", &[]),
            ]
        );
        let demands: Vec<(&str, &str, i64)> = plan
            .demands
            .iter()
            .map(|d| (d.line_key.as_str(), d.pool_code.as_str(), d.quantity))
            .collect();
        // The last line is given back: it says what comes back into stock.
        let expected =
            [("1", "iptv-pool", 6), ("2", "broadband-pool", 2), ("3", "broadband-pool", 2)];
        assert_eq!(demands, expected);
        assert_eq!(plan.release, 1);
        center.stop().await;
    }
}

#[tokio::test]
async fn each_wrong_field_of_a_question_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut center = Center::start(&database.config).await;
    let mut priced = line("5", "iptv", 1);
    priced.agreed_unit_price = Some(UnitPrice { currency_code: "GBP".into(), micro_units: -1 });
    let mut odd = line("6", "iptv", 1);
    odd.action = 9;
    let lines = vec![
        line("1", "iptv", 0),
        line("1", "iptv", 1),
        line("", "iptv", 1_000_001),
        line("4", "a b", 1),
        priced,
        odd,
    ];
    let expected = [
        "lines[0].quantity",
        "lines[1].line_key",
        "lines[2].line_key",
        "lines[2].quantity",
        "lines[3].offering_code",
        "lines[4].agreed_unit_price",
        "lines[5].action",
    ];
    let request = proto::CheckConfigurationRequest { lines: lines.clone() };
    let refused = answer(center.decisions.check_configuration(request).await).expect_err("bad");
    assert_eq!(paths(&refused), expected);
    let request = proto::DecomposeOfferingRequest { lines: lines.clone() };
    let refused = answer(center.decisions.decompose_offering(request).await).expect_err("bad");
    assert_eq!(paths(&refused), expected);
    let request = proto::QuotePriceRequest { lines, currency_code: "gbp".to_owned() };
    let refused = answer(center.decisions.quote_price(request).await).expect_err("bad");
    assert_eq!(paths(&refused)[0], "currency_code");
    assert_eq!(paths(&refused)[1..], expected);

    for count in [0, 1_001] {
        let lines = vec![line("1", "iptv", 1); count];
        let request = proto::DecomposeOfferingRequest { lines };
        let refused = answer(center.decisions.decompose_offering(request).await).expect_err("bad");
        assert_eq!(paths(&refused), ["lines"], "{count}");
    }
    center.stop().await;
}

#[tokio::test]
async fn refusals_of_decisions_say_which_line_and_why() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut center = Center::start(&database.config).await;
    let mut retired = offering("old", 1);
    retired.state = proto::OfferingState::Retired.into();
    let mut kept = offering("kept", 1);
    kept.delete_template.clear();
    center.import(vec![retired, kept, offering("mug", 1)]).await.expect("imported");
    let mut back = line("2", "kept", 1);
    back.action = proto::LineAction::Delete.into();
    for (second, currency, reason) in [
        (line("2", "ghost", 1), "GBP", "OFFERING_NOT_ACTIVE"),
        (line("2", "old", 1), "GBP", "OFFERING_NOT_ACTIVE"),
        (back, "GBP", "ACTION_NOT_OFFERED"),
        (line("2", "mug", 1), "EUR", "PRICE_NOT_FOUND"),
    ] {
        let code = second.offering_code.clone();
        let lines = vec![second];
        let request = proto::QuotePriceRequest { lines, currency_code: currency.to_owned() };
        let refused = answer(center.decisions.quote_price(request).await).expect_err("refused");
        assert_eq!((refused.reason.as_str(), refused.domain.as_str()), (reason, "product"));
        assert_eq!(
            (&refused.metadata["line_key"], &refused.metadata["offering_code"]),
            (&"2".to_owned(), &code)
        );
    }
    let lines = (0..201).map(|n| line(&n.to_string(), "mug", 1)).collect();
    let request = proto::DecomposeOfferingRequest { lines };
    let refused = answer(center.decisions.decompose_offering(request).await).expect_err("many");
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Invalid, "LIMIT_REACHED"));
    assert_eq!(refused.metadata["limit"], "max_business_orders");
    center.stop().await;
}
