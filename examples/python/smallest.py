"""The smallest client in Python: it creates a customer, reads it, reads why two calls are refused, and reads the billing report.

examples/README.md has the commands that generate the code and run this program.
"""

import uuid

from calls import refusal, run, v1


def walk(channel, call):
    customers = v1.CustomerServiceStub(channel)

    # A request_id makes the call safe to repeat.
    customer = v1.Customer(name=f"Kontiki {uuid.uuid4()}", billing_email="billing@kontiki.example")
    create = v1.CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
    created = call(customers.CreateCustomer, create).customer
    print(f"created {created.name}")

    read = call(customers.GetCustomer, v1.GetCustomerRequest(customer_id=created.id)).customer
    print(f"read {read.name}, {v1.CustomerStatus.Name(read.status)}")

    # An error has a reason, by which a program decides, and lists every invalid field.
    wrong = v1.Customer(name="Kontiki", email="nowhere", phone=v1.Phone(number="call us"))
    unknown = v1.GetCustomerRequest(customer_id=str(uuid.uuid4()))
    for method, request in (
        (customers.CreateCustomer, v1.CreateCustomerRequest(customer=wrong)),
        (customers.GetCustomer, unknown),
    ):
        info, fields = refusal(call, method, request)
        # Fails for what is not one of the contract's reasons.
        v1.ErrorReason.Value(f"ERROR_REASON_{info.reason}")
        print(f"refused: {info.reason} ({', '.join(fields)})")

    # A stream: the billing report, as of one moment.
    names = v1.StreamBillingReportRequest(columns=[v1.BILLING_REPORT_COLUMN_NAME])
    report = v1.BillingServiceStub(channel).StreamBillingReport(names, metadata=call.metadata)
    rows = [row for message in report for row in message.rows]
    found = any(row.customer_id == created.id and row.name == created.name for row in rows)
    print(f"in the billing report: {str(found).lower()}")


if __name__ == "__main__":
    run(walk)
