// Lists and creates customers by gRPC-Web. The clients in gen/ are generated from the contract: see README.md beside this file.

import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';

import { BillingReportColumn } from './gen/clientele/v1/billing_report_pb.js';
import { BillingService } from './gen/clientele/v1/billing_service_pb.js';
import { CustomerStatus } from './gen/clientele/v1/customer_pb.js';
import { CustomerService } from './gen/clientele/v1/customer_service_pb.js';
import { BadRequestSchema, ErrorInfoSchema } from './gen/google/rpc/error_details_pb.js';

const MILLISECONDS = 10_000; // for one call
const element = (id) => document.getElementById(id);
const value = (form, name) => element(form).elements[name].value.trim();

// Clients that send the token of the form with each call.
function clients() {
  const authorize = (next) => (request) => {
    request.header.set('authorization', `Bearer ${value('access', 'token')}`);
    return next(request);
  };
  const transport = createGrpcWebTransport({
    baseUrl: value('access', 'server'),
    defaultTimeoutMs: MILLISECONDS,
    interceptors: [authorize],
  });
  return { customers: createClient(CustomerService, transport), billing: createClient(BillingService, transport) };
}

async function list() {
  const { customers, billing } = clients();
  const { results } = await customers.searchCustomers({ pageSize: 1000 });
  element('customers').replaceChildren(
    ...results.map(({ customer }) => {
      const row = document.createElement('tr');
      for (const text of [customer.name, customer.email, CustomerStatus[customer.status]]) {
        row.insertCell().textContent = text;
      }
      return row;
    }),
  );
  let rows = 0;
  for await (const message of billing.streamBillingReport({ columns: [BillingReportColumn.NAME] })) {
    rows += message.rows.length;
  }
  element('report').textContent = String(rows);
  return `${results.length} customers`;
}

async function create() {
  const customer = { name: value('create', 'name'), email: value('create', 'email') };
  // A repeat of this call, after a lost answer, makes no second customer.
  const created = await clients().customers.createCustomer({ customer, requestId: crypto.randomUUID() });
  await list();
  return `${created.customer.name} was created`;
}

// Shows what an error says of each field beside it, and the reason.
function explain(failure) {
  const error = ConnectError.from(failure);
  for (const { fieldViolations } of error.findDetails(BadRequestSchema)) {
    for (const { field, description } of fieldViolations) {
      const place = document.querySelector(`[data-field="${CSS.escape(field)}"]`);
      if (place) place.textContent = description;
    }
  }
  const [info] = error.findDetails(ErrorInfoSchema);
  return `${info?.reason ?? Code[error.code]}: ${error.rawMessage}`;
}

// Runs an action when its form is sent, and shows how it ended.
function on(form, action) {
  element(form).addEventListener('submit', async (event) => {
    event.preventDefault();
    document.querySelectorAll('[data-field]').forEach((place) => (place.textContent = ''));
    element('message').textContent = '';
    element('message').textContent = await action().catch(explain);
  });
}

on('access', list);
on('create', create);
