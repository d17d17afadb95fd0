//! `clientele.v1.HistoryService`.

use prost_types::{ListValue, Struct, Value, value::Kind};
use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        history::{
            event::{Changes, Event},
            event_type::EventType,
        },
    },
    grpc::{
        convert::{customer_id, page_size, principal_out, time_out},
        handler::{Answered, fit, read},
        pb::{self, history_service_server::HistoryService},
    },
    service::{Services, history::History},
};

/// The service's handlers.
pub(super) struct Handlers {
    history: History,
}

impl Handlers {
    pub(super) fn new(services: &Services) -> Self {
        Self { history: services.history.clone() }
    }
}

#[tonic::async_trait]
impl HistoryService for Handlers {
    async fn list_customer_events(
        &self,
        request: Request<pb::ListCustomerEventsRequest>,
    ) -> Answered<pb::ListCustomerEventsResponse> {
        read(
            request,
            |violations, _, pb::ListCustomerEventsRequest { customer_id: id, page_size: size, page_token }| {
                let id = customer_id(violations, "customer_id", &id);
                id.zip(page_size(violations, size)).map(|(id, size)| (id, size, page_token))
            },
            async |caller: &Caller, (id, size, token)| {
                let page = self.history.list(caller, id, size, &token).await?;
                let cursors: Vec<i64> = page.events.iter().map(|event| event.seq).collect();
                let (events, cut) = fit(page.events.into_iter().map(event_out).collect());
                let last = if cut { cursors.get(events.len().wrapping_sub(1)).copied() } else { page.next };
                let token = last.map(|seq| self.history.events_token(caller, id, seq)).transpose()?;
                Ok(pb::ListCustomerEventsResponse { events, next_page_token: token.unwrap_or_default() })
            },
        )
        .await
    }
}

fn event_out(event: Event) -> pb::CustomerEvent {
    let event_type = match event.happened {
        EventType::Unknown => pb::CustomerEventType::Unspecified,
        EventType::Created => pb::CustomerEventType::Created,
        EventType::Updated => pb::CustomerEventType::Updated,
        EventType::Approved => pb::CustomerEventType::Approved,
        EventType::Rejected => pb::CustomerEventType::Rejected,
        EventType::Archived => pb::CustomerEventType::Archived,
        EventType::Unarchived => pb::CustomerEventType::Unarchived,
        EventType::CustomIdsChanged => pb::CustomerEventType::CustomIdsChanged,
        EventType::Suspended => pb::CustomerEventType::Suspended,
        EventType::Resumed => pb::CustomerEventType::Resumed,
        EventType::HoldPlaced => pb::CustomerEventType::HoldPlaced,
        EventType::HoldReleased => pb::CustomerEventType::HoldReleased,
        EventType::TagsChanged => pb::CustomerEventType::TagsChanged,
        EventType::Migrated => pb::CustomerEventType::Migrated,
        EventType::MigrationReverted => pb::CustomerEventType::MigrationReverted,
        EventType::Transferred => pb::CustomerEventType::Transferred,
        EventType::PaymentMethodAdded => pb::CustomerEventType::PaymentMethodAdded,
        EventType::DefaultPaymentMethodChanged => pb::CustomerEventType::DefaultPaymentMethodChanged,
        EventType::PaymentMethodRemoved => pb::CustomerEventType::PaymentMethodRemoved,
    };
    pb::CustomerEvent {
        event_id: event.id.to_string(),
        customer_id: event.customer.to_string(),
        r#type: event_type.into(),
        event_time: Some(time_out(event.at)),
        principal: event.principal.as_ref().map(principal_out),
        actors: event.actors.iter().map(principal_out).collect(),
        workload: event.workload.unwrap_or_default(),
        acting_account_id: event.acting_account.to_string(),
        rpc: event.rpc,
        request_id: event.request_id.map(|id| id.to_string()).unwrap_or_default(),
        trace_id: event.trace_id.unwrap_or_default(),
        changes: changes_out(event.changes),
    }
}

/// Converts the changes of an event to their messages.
pub(super) fn changes_out(changes: Changes) -> Vec<pb::FieldChange> {
    let deltas = changes.0.into_iter();
    deltas
        .map(|(field, delta)| pb::FieldChange {
            field,
            old_value: Some(value(delta.old)),
            new_value: Some(value(delta.new)),
        })
        .collect()
}

fn value(json: serde_json::Value) -> Value {
    let kind = match json {
        serde_json::Value::Null => Kind::NullValue(0),
        serde_json::Value::Bool(flag) => Kind::BoolValue(flag),
        serde_json::Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        serde_json::Value::String(text) => Kind::StringValue(text),
        serde_json::Value::Array(items) => {
            Kind::ListValue(ListValue { values: items.into_iter().map(value).collect() })
        }
        serde_json::Value::Object(fields) => {
            Kind::StructValue(Struct { fields: fields.into_iter().map(|(name, json)| (name, value(json))).collect() })
        }
    };
    Value { kind: Some(kind) }
}
