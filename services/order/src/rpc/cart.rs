//! Serves `CartService`.

use prost::Message;
use throughline_kit::clock::Clock;
use throughline_kit::error::Error;
use throughline_kit::idempotency::{Idempotency, RequestKey};
use throughline_kit::identity::Caller;
use throughline_kit::storage::Database;
use throughline_proto::order::v1 as proto;
use throughline_proto::order::v1::cart_service_server::CartService;
use tonic::{Request, Response, Status};

use super::open;
use crate::acceptance::{Acceptance, check_agreed_prices};
use crate::cart::change::{ChangeCart, CreateCart, MergeCarts};
use crate::cart::check_out::CheckOut;
use crate::cart::query::CartQuery;
use crate::cart::{CartId, Command};
use crate::convert;
use crate::convert::cart::Wanted;

type Answer<T> = Result<Response<T>, Status>;

/// Serves `CartService`.
#[derive(Clone, Debug)]
pub(crate) struct Carts {
    idempotency: Idempotency,
    clock: Clock,
    query: CartQuery,
    check_out: CheckOut,
}

impl Carts {
    /// Serves the carts of a database.
    pub(crate) fn new(
        acceptance: &Acceptance,
        idempotency: &Idempotency,
        database: &Database,
        clock: &Clock,
    ) -> Self {
        let (idempotency, database, clock) = (idempotency.clone(), database.clone(), clock.clone());
        Self {
            query: CartQuery { database: database.clone(), clock: clock.clone() },
            check_out: CheckOut {
                acceptance: acceptance.clone(),
                idempotency: idempotency.clone(),
                database,
                clock: clock.clone(),
            },
            idempotency,
            clock,
        }
    }

    async fn change(
        &self,
        caller: &Caller,
        wanted: Wanted,
        method: &str,
        request: &impl Message,
    ) -> Result<proto::CartChanged, Error> {
        let Wanted { request_id, target, command } = wanted;
        let key = RequestKey::new(&caller.name, request_id, method, request);
        if let Command::Add(item) = &command
            && let Err(refusal) = check_agreed_prices(caller, std::slice::from_ref(item))
        {
            // What was added once stays added.
            let first = self.idempotency.recall(&self.query.database, &key).await?;
            return first.unwrap_or(Err(refusal));
        }
        let change = ChangeCart { target, command, clock: self.clock.clone() };
        self.idempotency.once(key, change).await
    }
}

#[tonic::async_trait]
impl CartService for Carts {
    async fn create_cart(
        &self,
        request: Request<proto::CreateCartRequest>,
    ) -> Answer<proto::CreateCartResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/CreateCart";
        let (caller, request) = open(request);
        let (request_id, new) = convert::cart::creation(&request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let (channel, clock) = (caller.name, self.clock.clone());
        let create = CreateCart { id: CartId::generate(), channel, new, clock };
        let cart = self.idempotency.once(key, create).await?.cart;
        Ok(Response::new(proto::CreateCartResponse { cart }))
    }

    async fn get_cart(
        &self,
        request: Request<proto::GetCartRequest>,
    ) -> Answer<proto::GetCartResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.get(&caller, &request).await?))
    }

    async fn list_carts(
        &self,
        request: Request<proto::ListCartsRequest>,
    ) -> Answer<proto::ListCartsResponse> {
        let (caller, request) = open(request);
        Ok(Response::new(self.query.list(&caller, &request).await?))
    }

    async fn add_cart_item(
        &self,
        request: Request<proto::AddCartItemRequest>,
    ) -> Answer<proto::AddCartItemResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/AddCartItem";
        let (caller, request) = open(request);
        let wanted = convert::cart::addition(&caller, &request)?;
        let proto::CartChanged { cart, item } =
            self.change(&caller, wanted, METHOD, &request).await?;
        Ok(Response::new(proto::AddCartItemResponse { cart, item }))
    }

    async fn update_cart_item(
        &self,
        request: Request<proto::UpdateCartItemRequest>,
    ) -> Answer<proto::UpdateCartItemResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/UpdateCartItem";
        let (caller, request) = open(request);
        let wanted = convert::cart::update(&caller, &request)?;
        let proto::CartChanged { cart, item } =
            self.change(&caller, wanted, METHOD, &request).await?;
        Ok(Response::new(proto::UpdateCartItemResponse { cart, item }))
    }

    async fn remove_cart_item(
        &self,
        request: Request<proto::RemoveCartItemRequest>,
    ) -> Answer<proto::RemoveCartItemResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/RemoveCartItem";
        let (caller, request) = open(request);
        let wanted = convert::cart::removal(&caller, &request)?;
        let proto::CartChanged { cart, item } =
            self.change(&caller, wanted, METHOD, &request).await?;
        Ok(Response::new(proto::RemoveCartItemResponse { cart, item }))
    }

    async fn merge_carts(
        &self,
        request: Request<proto::MergeCartsRequest>,
    ) -> Answer<proto::MergeCartsResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/MergeCarts";
        let (caller, request) = open(request);
        let (request_id, into, from) = convert::cart::merge(&caller, &request)?;
        let key = RequestKey::new(&caller.name, request_id, METHOD, &request);
        let merge = MergeCarts { into, from, clock: self.clock.clone() };
        let cart = self.idempotency.once(key, merge).await?.cart;
        Ok(Response::new(proto::MergeCartsResponse { cart }))
    }

    async fn transfer_cart(
        &self,
        request: Request<proto::TransferCartRequest>,
    ) -> Answer<proto::TransferCartResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/TransferCart";
        let (caller, request) = open(request);
        let wanted = convert::cart::transfer(&caller, &request)?;
        let cart = self.change(&caller, wanted, METHOD, &request).await?.cart;
        Ok(Response::new(proto::TransferCartResponse { cart }))
    }

    async fn check_out_cart(
        &self,
        request: Request<proto::CheckOutCartRequest>,
    ) -> Answer<proto::CheckOutCartResponse> {
        let (caller, request) = open(request);
        let proto::SubmitOrderResponse { order_id, state, create_time, group } =
            self.check_out.check_out(&caller, request).await?;
        Ok(Response::new(proto::CheckOutCartResponse { order_id, state, create_time, group }))
    }

    async fn delete_cart(
        &self,
        request: Request<proto::DeleteCartRequest>,
    ) -> Answer<proto::DeleteCartResponse> {
        const METHOD: &str = "throughline.order.v1.CartService/DeleteCart";
        let (caller, request) = open(request);
        let wanted = convert::cart::deletion(&caller, &request)?;
        let cart = self.change(&caller, wanted, METHOD, &request).await?.cart;
        Ok(Response::new(proto::DeleteCartResponse { cart }))
    }
}
