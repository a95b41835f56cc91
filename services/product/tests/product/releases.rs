//! Releases: kept, listed, shared by instances, announced.

use throughline_proto::event::v1::SubscribeRequest;

use super::*;

#[tokio::test]
async fn an_unknown_offering_is_not_found() {
    let database = &each_database().await[0];
    let mut center = Center::start(&database.config).await;
    for code in ["ghost", "", "套餐"] {
        let request = proto::GetOfferingRequest { code: code.to_owned() };
        let refused = answer(center.catalog.get_offering(request).await).expect_err("not there");
        assert_eq!(refused.reason, "OFFERING_NOT_FOUND");
        assert_eq!(refused.metadata["offering_code"], code);
    }
    center.stop().await;
}

#[tokio::test]
async fn the_catalog_is_there_after_a_restart() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        center.import(shop()).await.expect("imported");
        center.import(vec![offering("broadband", 1)]).await.expect("imported");
        center.stop().await;

        let mut center = Center::start(&database.config).await;
        let code = "broadband".to_owned();
        let request = proto::GetOfferingRequest { code };
        let read = answer(center.catalog.get_offering(request).await).expect("read");
        assert_eq!((read.release, read.offering), (2, Some(offering("broadband", 1))));
        assert_eq!(center.codes().await, ["broadband", "iptv"]);
        center.stop().await;
    }
}

#[tokio::test]
async fn offerings_are_listed_by_code_in_pages() {
    let _log = no_unexpected_warnings(&[]);
    let database = &each_database().await[0];
    let mut center = Center::start(&database.config).await;
    let codes = ["Z", "a", "a-1", "b", "b.2", "c"];
    let reversed = codes.iter().rev().map(|code| offering(code, 1)).collect();
    center.import(reversed).await.expect("imported");
    let mut request = proto::ListOfferingsRequest { page_size: 4, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = answer(center.catalog.list_offerings(request.clone()).await).expect("a page");
        seen.extend(page.offerings.into_iter().map(|o| o.code));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen, codes);

    request.page_token = "not ours".to_owned();
    let refused = answer(center.catalog.list_offerings(request).await).expect_err("not ours");
    assert_eq!(refused.reason, "PAGE_TOKEN_INVALID");
    let request = proto::ListOfferingsRequest { page_size: -1, ..Default::default() };
    let refused = answer(center.catalog.list_offerings(request).await).expect_err("negative");
    assert_eq!(paths(&refused), ["page_size"]);
    center.stop().await;
}

#[tokio::test]
async fn imports_at_the_same_time_make_one_release_after_the_other() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let imports: Vec<_> = (0..20)
            .map(|n| {
                let mut catalog = center.catalog.clone();
                tokio::spawn(async move {
                    let request_id = new_request_id();
                    // All change the same offering, and each adds one of its own.
                    let offerings = vec![offering("shared", n), offering(&format!("own-{n}"), 1)];
                    let request = proto::ImportCatalogRequest { request_id, offerings };
                    answer(catalog.import_catalog(request).await).expect("imported").release
                })
            })
            .collect();
        let mut releases = Vec::new();
        for import in imports {
            releases.push(import.await.expect("ran"));
        }
        releases.sort_unstable();
        assert_eq!(releases, (1..=20).collect::<Vec<i64>>());
        assert_eq!(center.codes().await.len(), 21);
        center.stop().await;
    }
}

#[tokio::test]
async fn a_release_of_another_instance_comes_into_force() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let config = Config { release_poll_interval_ms: 5, ..Config::default() };
        let mut one = Center::start_with(&database.config, config.clone()).await;
        let mut other = Center::start_with(&database.config, config).await;
        one.import(shop()).await.expect("imported");
        eventually("the other instance sees the release", async || {
            let mut catalog = other.catalog.clone();
            let list = catalog.list_offerings(proto::ListOfferingsRequest::default()).await;
            (list.expect("list").into_inner().offerings.len() == 2).then_some(())
        })
        .await;
        let next = other.import(vec![offering("mug", 1)]).await.expect("imported");
        assert_eq!(next.release, 2);
        one.stop().await;
        other.stop().await;
    }
}

#[tokio::test]
async fn each_release_is_announced_once_and_in_order() {
    let _log = no_unexpected_warnings(&[]);
    for database in each_database().await {
        let mut center = Center::start(&database.config).await;
        let first = center.import(shop()).await.expect("imported");
        center.import(shop()).await.expect("nothing new");
        let second = center.import(vec![offering("mug", 1)]).await.expect("imported");
        let request = SubscribeRequest { cursor: 0 };
        let mut feed = answer(center.events.subscribe(request).await).expect("subscribed");
        let mut events = Vec::new();
        while events.len() < 2 {
            events.extend(feed.message().await.expect("alive").expect("open").events);
        }
        let payloads: Vec<proto::ImportCatalogResponse> = events
            .iter()
            .map(|e| e.payload.as_ref().expect("a payload").to_msg().expect("an answer"))
            .collect();
        assert_eq!(payloads, [first, second]);
        assert!(events.iter().all(|e| e.r#type == "catalog.published" && e.order_id.is_empty()));
        drop(feed);
        center.stop().await;
    }
}
