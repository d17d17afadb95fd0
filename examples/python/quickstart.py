"""Takes a customer from creation to the archive, call by call: the walk of examples/quickstart.rs in Python.

With `cargo run -- dev` running in another terminal, from the root of the clone:

    python3 -m pip install -r examples/python/requirements.txt
    buf generate --template examples/python/buf.gen.yaml --output examples/python
    python3 examples/python/quickstart.py 127.0.0.1:50051 "$(cargo run --quiet -- token bob)"
"""

import uuid

from calls import refusal, run, v1


def walk(channel, call):
    access = v1.AccessServiceStub(channel)
    billing = v1.BillingServiceStub(channel)
    customers = v1.CustomerServiceStub(channel)
    history = v1.HistoryServiceStub(channel)
    status_name = v1.CustomerStatus.Name

    me = call(access.WhoAmI, v1.WhoAmIRequest())
    membership = me.memberships[0]
    print(f"I am {v1.Role.Name(membership.role)} of {membership.account_name}")

    # An error lists every invalid field at once, by its path.
    wrong = v1.Customer(name="Kontiki", email="nowhere", phone=v1.Phone(number="call us"))
    info, fields = refusal(call, customers.CreateCustomer, v1.CreateCustomerRequest(customer=wrong))
    print(f"refused: {info.reason} ({', '.join(fields)})")

    # A request_id makes the call safe to repeat: the second call gets the first one's answer.
    create = v1.CreateCustomerRequest(
        customer=v1.Customer(
            name=f"Kontiki {uuid.uuid4().hex}",
            legal_name="Kontiki Reisen GmbH",
            email="info@kontiki.example",
            billing_email="billing@kontiki.example",
            primary_address=v1.Address(city="München"),
            contacts=[v1.Contact(first_name="Jana", email="jana@kontiki.example")],
        ),
        request_id=str(uuid.uuid4()),
    )
    call(customers.CreateCustomer, create)
    again = call(customers.CreateCustomer, create)
    created = again.customer
    replayed = str(again.replayed).lower()
    print(f"created {created.name}, {status_name(created.status)}; sent twice, replayed: {replayed}")

    found = call(customers.SearchCustomers, v1.SearchCustomersRequest(query=f"{created.name} munchen"))
    print(f"found {len(found.results)} by name and city")

    number = f"K-{uuid.uuid4().hex}"
    own = v1.UpdateCustomIdRequest(customer_id=created.id, system="erp", custom_id=number)
    call(customers.UpdateCustomId, own)
    called = call(customers.LookupCustomer, v1.LookupCustomerRequest(custom_id=number.upper()))
    print(f"found by its ERP number: {str(called.customer.id == created.id).lower()}")

    tag = v1.ModifyCustomerTagsRequest(customer_ids=[created.id], add_tags=["key account"])
    tagged = call(customers.ModifyCustomerTags, tag)
    print(f"tagged: {str(all(outcome.changed for outcome in tagged.outcomes)).lower()}")

    approve = v1.ApproveCustomerRequest(customer_id=created.id)
    approved = call(customers.ApproveCustomer, approve).customer
    print(f"approved: {status_name(approved.status)}, allowed actions: {', '.join(approved.allowed_actions)}")

    # The etag names the version of the customer that this client has read. The first etag is out of date: the error lists
    # what changed since. With the current etag the same call succeeds.
    suspend = v1.SuspendCustomerRequest(customer_id=created.id, reason="unpaid", etag=created.etag)
    info, _ = refusal(call, customers.SuspendCustomer, suspend)
    print(f"refused: {info.reason} ({info.metadata['changed_fields']})")
    suspend.etag = approved.etag
    call(customers.SuspendCustomer, suspend)
    call(customers.ResumeCustomer, v1.ResumeCustomerRequest(customer_id=created.id))
    print("suspended, resumed")

    sell(billing, call, created.id)

    call(customers.ArchiveCustomers, v1.ArchiveCustomersRequest(customer_ids=[created.id]))
    print("archived")

    # Page by page: a page may have fewer items than requested without being the last. The token says if there is more.
    page = v1.ListCustomerEventsRequest(customer_id=created.id, page_size=3)
    while True:
        answer = call(history.ListCustomerEvents, page)
        for event in answer.events:
            changed = ", ".join(change.field for change in event.changes)
            print(f"event: {v1.CustomerEventType.Name(event.type)} ({changed})")
        page.page_token = answer.next_page_token
        if not page.page_token:
            return


def money(amount):
    """An amount of whole units."""
    return f"{amount.units} {amount.currency_code}"


def sell(billing, call, customer_id):
    """Gives the customer credit and a feature at the price of its rate plan, and reads what the billing report says of it."""
    # The list is that of the account, or of the nearest one above it that has one. A new customer is on its first plan.
    plan = call(billing.ListRatePlans, v1.ListRatePlansRequest()).rate_plans[0]
    print(f"rate plan: {plan.name}, in {plan.currency}")

    limit = v1.SetCreditLimitRequest(customer_id=customer_id)
    limit.credit_limit.units = 25
    call(billing.SetCreditLimit, limit)
    feature = v1.ActivateFeatureRequest(customer_id=customer_id, code="voicemail", quantity=2)
    active = call(billing.ActivateFeature, feature).customer
    print(f"active: voicemail; used {money(active.credit_used)}, left {money(active.credit_available)}")
    feature.quantity = 11
    info, _ = refusal(call, billing.ActivateFeature, feature)
    print(f"refused: {info.reason}")

    # A stream of messages, in the order of ids. Only the columns that are asked for are read and sent.
    columns = [v1.BillingReportColumn.Value(f"BILLING_REPORT_COLUMN_{name}") for name in ("RATE_PLAN", "FEATURES", "TOTAL")]
    for message in call(billing.StreamBillingReport, v1.StreamBillingReportRequest(columns=columns)):
        for row in message.rows:
            if row.customer_id == customer_id:
                codes = ", ".join(feature.code for feature in row.features)
                print(f"billing report: {row.rate_plan_name}, {codes}, {money(row.total)}")


if __name__ == "__main__":
    run(walk)
