//! What customers are told: in their language, once for each event.

use std::time::Duration;

use throughline_proto::order::v1::{CustomerOrder, SubmitOrderRequest};
use throughline_tests::actions::refused;
use throughline_tests::desk::Desk;
use throughline_tests::shopping::{at_the_counter, order};
use throughline_tests::traces::times_done;
use throughline_tests::world::World;

const EARPHONES: [(&str, &str, i64); 1] = [("ears", "earphones", 1)];

fn speaking(locale: &str, mut request: SubmitOrderRequest) -> SubmitOrderRequest {
    let customer = request.customer.as_mut().expect("a customer");
    locale.clone_into(&mut customer.locale);
    "Li Lei".clone_into(&mut customer.name);
    request
}

/// Carries an order out and gives the last message; every message was sent once.
async fn last_words(desk: &Desk, request: SubmitOrderRequest, end: &str) -> String {
    let ended: CustomerOrder = desk.carry_out(request).await;
    let mut told = desk.told(&ended.order_id, end).await;
    assert_eq!(told.len(), 2, "{told:#?}");
    let sent = times_done(&desk.effects_of(&ended.order_id).await, "SendSms");
    assert_eq!(sent, 2, "each message left once");
    told.pop().expect("two")
}

#[tokio::test]
async fn a_completed_order_is_told_in_the_language_of_the_customer() {
    let english = |number: &str| {
        format!(
            "Dear Li Lei, your order {number} is complete. Total: 99.50 CNY. \
             Thank you for choosing us."
        )
    };
    let chinese = |number: &str| {
        format!("Li Lei，您好！您的订单 {number} 已全部办理完成，总金额 99.50 CNY。感谢您的信任。")
    };
    let world = World::start().await;
    for (locale, number, said) in [
        ("en", "A-1", english("A-1")),
        ("zh", "A-2", chinese("A-2")),
        ("zh-CN", "A-3", chinese("A-3")),
        ("fr", "A-4", english("A-4")),
    ] {
        let request = speaking(locale, order(number, &EARPHONES));
        let told = last_words(&world.desk, request, "order.completed").await;
        assert_eq!(told, said, "{locale}");
    }
    world.end().await;
}

/// How an order ends whose customer hears a reason.
struct Refused {
    number: &'static str,
    line: (&'static str, &'static str, i64),
    english: &'static str,
    chinese: &'static str,
}

const REFUSED: [Refused; 5] = [
    Refused {
        number: "stock",
        line: ("line", "handset-a1", 51),
        english: "it is out of stock",
        chinese: "库存不足",
    },
    Refused {
        number: "money",
        line: ("line", "earphones", 1),
        english: "the payment was declined",
        chinese: "支付未成功",
    },
    Refused {
        number: "missing",
        line: ("line", "ip-phone", 1),
        english: "it cannot be ordered without a product that it needs",
        chinese: "缺少必须同时办理的商品",
    },
    Refused {
        number: "both",
        line: ("line", "broadband-300m", 1),
        english: "the chosen products cannot be ordered together",
        chinese: "所选商品不可同时办理",
    },
    Refused {
        number: "retired",
        line: ("line", "no-such-offering", 1),
        english: "it is no longer on sale",
        chinese: "所选商品已下架",
    },
];

#[tokio::test]
async fn a_refusal_that_customers_meet_often_is_explained_in_their_own_language() {
    let world = World::start().await;
    let desk = &world.desk;
    desk.misbehave(refused("Charge", "", "INSUFFICIENT_FUNDS")).await;
    for case in REFUSED {
        for (locale, said) in [("en", case.english), ("zh", case.chinese)] {
            let number = format!("{}-{locale}", case.number);
            let mut lines = vec![case.line];
            if case.number == "both" {
                lines.push(("other", "broadband-100m", 1));
            }
            let request = speaking(locale, order(&number, &lines));
            let told = last_words(desk, request, "order.rejected").await;
            assert!(told.contains(&number) && told.contains(said), "{number}: {told}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_customer_who_let_the_time_to_pay_pass_is_told_that_the_order_is_cancelled() {
    let world = World::start().await;
    for (locale, said) in [("en", "has been cancelled"), ("zh", "已取消")] {
        let request = speaking(locale, order(&format!("late-{locale}"), &EARPHONES));
        let request = at_the_counter(request, Duration::from_secs(1));
        let told = last_words(&world.desk, request, "order.cancelled").await;
        assert!(told.contains(said), "{told}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_customer_without_a_phone_is_told_nothing_and_is_served_all_the_same() {
    let world = World::start().await;
    let desk = &world.desk;
    let mut silent = order("silent", &EARPHONES);
    silent.customer.as_mut().expect("a customer").phone.clear();
    let silent = desk.carry_out(silent).await;
    // The feed is read in order: when the next customer is told, the one before was passed over.
    let next = desk.carry_out(order("next", &EARPHONES)).await;
    desk.told(&next.order_id, "order.completed").await;
    assert_eq!(desk.messages(&silent.order_id).await, []);
    world.end().await;
}
