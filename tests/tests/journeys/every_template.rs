//! Every template that comes with the platform, run to its end over the public services.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use throughline::connection::bounded;
use throughline::orders;
use throughline_kit::clock::{Clock, Instant};
use throughline_kit::id::new_request_id;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::campaign_service_client::CampaignServiceClient;
use throughline_proto::order::v1::template_service_client::TemplateServiceClient;
use throughline_proto::order::v1::{
    CampaignKind, CustomerOrder, ItemAction, OrderState, SubmitOrderRequest,
};
use throughline_tests::actions::cny;
use throughline_tests::desk::{Desk, span};
use throughline_tests::operations::step;
use throughline_tests::shopping::{back, of_order, order};
use throughline_tests::traces::times_done;
use throughline_tests::world::World;

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the sample does not sell.
const CATALOG: &str = "
catalog:
  offerings:
    - code: package-199
      state: OFFERING_STATE_ACTIVE
      names: { en: Package 199 }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 5000000 } }
        - { kind: PRICE_KIND_RECURRING, unitPrice: { currencyCode: CNY, microUnits: 199000000 } }
      addTemplate: telecom-plan
      modifyTemplate: package-change
    - code: suspension
      state: OFFERING_STATE_ACTIVE
      names: { en: Suspension of a number }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 0 } }
      addTemplate: suspend-service
      modifyTemplate: suspend-service
    - code: resumption
      state: OFFERING_STATE_ACTIVE
      names: { en: Resumption of a number }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 2000000 } }
      addTemplate: resume-service
      modifyTemplate: resume-service
    - code: number-400
      state: OFFERING_STATE_ACTIVE
      names: { en: National 400 number }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 500000000 } }
        - { kind: PRICE_KIND_RECURRING, unitPrice: { currencyCode: CNY, microUnits: 100000000 } }
      resources: [{ poolCode: numbers-400, quantity: 1 }]
      addTemplate: national-400
    - code: cmnet-1g
      state: OFFERING_STATE_ACTIVE
      names: { en: Dedicated internet line }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 9000000000 } }
        - { kind: PRICE_KIND_RECURRING, unitPrice: { currencyCode: CNY, microUnits: 3000000000 } }
      addTemplate: cmnet-line
    - code: ims-voice
      state: OFFERING_STATE_ACTIVE
      names: { en: IMS voice }
      prices:
        - { kind: PRICE_KIND_ONE_OFF, unitPrice: { currencyCode: CNY, microUnits: 80000000 } }
        - { kind: PRICE_KIND_RECURRING, unitPrice: { currencyCode: CNY, microUnits: 30000000 } }
      resources: [{ poolCode: landline, quantity: 1 }]
      addTemplate: ims
stock:
  receipts:
    - { poolCode: numbers-400, kind: POOL_KIND_SERIAL, itemIds: [\"4005550101\", \"4005550102\"] }
";

/// Carries an order out that must be completed; notes the templates by which it ran.
async fn completed(desk: &Desk, ran: &mut BTreeSet<String>, order_id: &str) -> CustomerOrder {
    let ended = desk.end_of(order_id).await;
    assert_eq!(ended.state(), OrderState::Completed, "{ended:#?}");
    ran.insert(ended.template.clone());
    ran.extend(ended.business_orders.iter().map(|bo| bo.template.clone()));
    ended
}

async fn carry_out(desk: &Desk, ran: &mut BTreeSet<String>, request: SubmitOrderRequest) {
    let order_id = desk.submit(request).await;
    completed(desk, ran, &order_id).await;
}

/// The same lines as a change of what the customer has.
fn modify(customer: &str, offering: &str) -> SubmitOrderRequest {
    let mut request = order(customer, &[("line", offering, 1)]);
    request.items[0].action = ItemAction::Modify.into();
    request
}

/// A campaign for earphones that is open today.
async fn open_campaign(desk: &Desk, code: &str, kind: CampaignKind) {
    let at = |instant: SystemTime| Some(prost_types::Timestamp::from(instant));
    let campaign = proto::Campaign {
        campaign: code.to_owned(),
        names: [("en".to_owned(), code.to_owned())].into(),
        kind: kind.into(),
        offering_codes: vec!["earphones".to_owned()],
        start_time: at(SystemTime::UNIX_EPOCH),
        end_time: at(SystemTime::UNIX_EPOCH + 365 * 200 * DAY),
        units_per_buyer: 1,
        group_terms: (kind == CampaignKind::GroupBuy)
            .then(|| proto::GroupTerms { group_size: 2, group_ttl: span(DAY) }),
        ..Default::default()
    };
    let request =
        proto::SetCampaignRequest { request_id: new_request_id(), campaign: Some(campaign) };
    let mut service = CampaignServiceClient::new(desk.operator.channel());
    service.set_campaign(bounded(request)).await.expect("a campaign");
}

async fn telecom(desk: &Desk, ran: &mut BTreeSet<String>) {
    let home = [("broadband", "broadband-100m", 1), ("phone", "ip-phone", 1)];
    for request in [
        order("opens an account", &[("plan", "plan-4g-59", 1)]),
        order("lives here", &home),
        order("talks", &[("voice", "ims-voice", 1)]),
        modify("changes", "package-199"),
        modify("suspends", "suspension"),
        modify("resumes", "resumption"),
    ] {
        carry_out(desk, ran, request).await;
    }
}

async fn enterprise(desk: &Desk, ran: &mut BTreeSet<String>) {
    let number = desk.submit(order("company", &[("number", "number-400", 1)])).await;
    let review = desk.task(&number, "qualification").await;
    assert_eq!(review.group, "enterprise-review");
    let form = [("qualified", "true"), ("licence", "91310000-EXAMPLE")];
    desk.complete(&review.task_id, &form).await.expect("reviewed");
    let done = completed(desk, ran, &number).await;
    assert_eq!(done.items[0].assigned_items.len(), 1, "a number of its own");

    let line = desk.submit(order("data center", &[("line", "cmnet-1g", 1)])).await;
    let survey = desk.task(&line, "survey").await;
    let form = [("feasible", "true"), ("access", "fiber")];
    desk.complete(&survey.task_id, &form).await.expect("surveyed");
    desk.signal(&line, "construction.finished").await.expect("built");
    let acceptance = desk.task(&line, "acceptance").await;
    let opened = times_done(&desk.effects_of(&line).await, "OpenAccount");
    assert_eq!(opened, 0, "nobody is charged for a line that is not accepted");
    desk.complete(&acceptance.task_id, &[("accepted", "true")]).await.expect("accepted");
    completed(desk, ran, &line).await;
}

async fn retail(desk: &Desk, ran: &mut BTreeSet<String>) {
    carry_out(desk, ran, order("buys", &EARPHONES)).await;
    let mut brings_back = back("brings back", &EARPHONES, &of_order("buys"));
    brings_back.customer = order("buys", &EARPHONES).customer;
    carry_out(desk, ran, brings_back).await;

    open_campaign(desk, "flash", CampaignKind::FlashSale).await;
    let in_campaign = |customer: &str, campaign: &str, group: &str| SubmitOrderRequest {
        campaign: campaign.to_owned(),
        group: group.to_owned(),
        ..order(customer, &EARPHONES)
    };
    carry_out(desk, ran, in_campaign("is quick", "flash", "")).await;

    open_campaign(desk, "together", CampaignKind::GroupBuy).await;
    let first = orders::submit(&desk.channel, in_campaign("first", "together", "")).await;
    let first = first.expect("accepted");
    let waits = |order: &CustomerOrder| {
        order.steps.iter().any(|step| step.step_id == "group" && step.start_time.is_some())
    };
    let waiting = desk.until(&first.order_id, "the wait for its group", waits).await;
    assert_eq!((waiting.state(), waiting.paid), (OrderState::Pending, Some(cny(9_950))));
    assert_eq!(waiting.reservation_id, "", "nothing is reserved for a group that may be missed");
    let second = desk.submit(in_campaign("second", "together", &first.group)).await;
    completed(desk, ran, &first.order_id).await;
    completed(desk, ran, &second).await;
}

async fn before_delivery(desk: &Desk, ran: &mut BTreeSet<String>) {
    let begin = Clock::system().now().plus(Duration::from_secs(2));
    let placed_ahead = SubmitOrderRequest {
        requested_start_time: Some(begin.to_proto()),
        ..order("placed ahead", &EARPHONES)
    };
    let order_id = desk.submit(placed_ahead).await;
    let done = completed(desk, ran, &order_id).await;
    let prepared = step(&done, None, "prepare").and_then(|step| step.start_time.as_ref());
    assert!(prepared.is_some_and(|at| Instant::from_proto(at) >= begin), "not before its time");
    let audited =
        SubmitOrderRequest { template: "audited".to_owned(), ..order("audited", &EARPHONES) };
    let order_id = desk.submit(audited).await;
    let audit = desk.task(&order_id, "audit").await;
    assert_eq!(times_done(&desk.effects_of(&order_id).await, "Charge"), 0, "not yet");
    desk.complete(&audit.task_id, &[("approved", "true")]).await.expect("approved");
    completed(desk, ran, &order_id).await;
}

#[tokio::test]
async fn every_shipped_template_is_carried_to_its_end() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.seed(CATALOG).await;
    let mut ran = BTreeSet::new();
    telecom(desk, &mut ran).await;
    enterprise(desk, &mut ran).await;
    retail(desk, &mut ran).await;
    before_delivery(desk, &mut ran).await;
    let request = proto::ListTemplatesRequest { page_size: 500, ..Default::default() };
    let mut service = TemplateServiceClient::new(desk.operator.channel());
    let listed = service.list_templates(bounded(request)).await.expect("templates").into_inner();
    let shipped: BTreeSet<String> = listed.templates.into_iter().map(|t| t.name).collect();
    assert_eq!(ran, shipped);
    world.end().await;
}
