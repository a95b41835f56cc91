//! Imports: what they answer, and everything that they refuse.

use super::*;

#[tokio::test]
async fn an_import_makes_a_release_and_importing_what_is_there_makes_none() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let first = center.import(shop()).await.expect("imported");
        assert_eq!((first.release, first.added_count, first.changed_count), (1, 2, 0));
        assert_eq!(first.publish_time, Some(START.to_proto()));

        let same = center.import(shop()).await.expect("imported");
        assert_eq!((same.release, same.added_count, same.changed_count), (1, 0, 0));
        assert_eq!(same.publish_time, first.publish_time);

        let second = vec![offering("broadband", 1_500), offering("mug", 100)];
        let second = center.import(second).await.expect("imported");
        assert_eq!((second.release, second.added_count, second.changed_count), (2, 1, 1));
        assert_eq!(center.codes().await, ["broadband", "iptv", "mug"]);

        let code = "broadband".to_owned();
        let request = proto::GetOfferingRequest { code };
        let read = answer(center.catalog.get_offering(request).await).expect("read");
        assert_eq!(read.release, 2);
        assert_eq!(read.offering, Some(offering("broadband", 1_500)));
        center.stop().await;
    }
}

#[tokio::test]
async fn a_repeated_request_has_its_first_answer_and_other_content_is_refused() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let request_id = new_request_id();
        let request =
            proto::ImportCatalogRequest { request_id: request_id.clone(), offerings: shop() };
        let first = answer(center.catalog.import_catalog(request.clone()).await).expect("first");
        center.import(vec![offering("broadband", 1)]).await.expect("imported");
        // The first answer, and not a third release that sets the price back.
        let again = answer(center.catalog.import_catalog(request).await).expect("again");
        assert_eq!(again, first);
        let last = center.import(vec![offering("broadband", 1)]).await.expect("imported");
        assert_eq!(last.release, 2);

        let offerings = vec![offering("mug", 1)];
        let other = proto::ImportCatalogRequest { request_id, offerings };
        let refused = answer(center.catalog.import_catalog(other).await).expect_err("reused");
        assert_eq!(refused.reason, "REQUEST_ID_REUSED");
        center.stop().await;
    }
}

#[tokio::test]
async fn everything_wrong_with_an_import_is_named_by_its_path() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let config = Config { max_offerings_per_import: 5, ..Config::default() };
        let mut center = Center::start_with(&database.config, config).await;
        let mut bad = offering("a b", 1);
        bad.prices[0].unit_price = None;
        let request = proto::ImportCatalogRequest {
            request_id: "1".to_owned(),
            offerings: vec![offering("mug", 1), bad, offering("mug", 2)],
        };
        let refused = answer(center.catalog.import_catalog(request).await).expect_err("invalid");
        assert_eq!(refused.reason, "FIELD_INVALID");
        assert_eq!(
            paths(&refused),
            [
                "request_id",
                "offerings[1].code",
                "offerings[1].prices[0].unit_price",
                "offerings[2].code"
            ]
        );
        let refused = center.import(Vec::new()).await.expect_err("empty");
        assert_eq!(paths(&refused), ["offerings"]);

        let many = (0..6).map(|n| offering(&format!("o{n}"), 1)).collect();
        let refused = center.import(many).await.expect_err("too many");
        assert_eq!(refused.reason, "LIMIT_REACHED");
        assert_eq!(refused.metadata["limit"], "max_offerings_per_import");

        let mut lonely = offering("lonely", 1);
        lonely.relations.push(relation(proto::RelationKind::After, "ghost"));
        let refused = center.import(vec![offering("mug", 1), lonely]).await.expect_err("unknown");
        assert_eq!(refused.reason, "RELATION_UNKNOWN");
        assert_eq!(paths(&refused), ["offerings[1].relations[0].offering_code"]);

        center.import(shop()).await.expect("imported");
        let mut broadband = offering("broadband", 1);
        broadband.relations.push(relation(proto::RelationKind::After, "iptv"));
        let refused = center.import(vec![broadband]).await.expect_err("a cycle");
        assert_eq!(refused.reason, "RELATION_CYCLE");
        assert_eq!(refused.metadata["cycle"], "broadband > iptv > broadband");
        assert_eq!(paths(&refused), ["offerings[0].relations"]);
        assert_eq!(center.codes().await, ["broadband", "iptv"], "nothing refused is stored");
        center.stop().await;
    }
}

#[tokio::test]
async fn a_thousand_wrong_fields_are_still_an_answer() {
    let database = &each_database().await[0];
    let mut center = Center::start(&database.config).await;
    let refused = center.import(vec![offering("a b", 1); 1_000]).await.expect_err("invalid");
    assert_eq!(refused.reason, "FIELD_INVALID");
    assert_eq!(refused.fields.len(), 50);
    assert!(refused.message.starts_with("1999 field(s)"), "{}", refused.message);
    center.stop().await;
}
