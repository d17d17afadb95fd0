// Takes a customer from creation to the archive, call by call: the walk of examples/quickstart.rs in Node.
//
// With `cargo run -- dev` running in another terminal, from the root of the clone:
//
//     npm ci --prefix examples/node
//     node examples/node/quickstart.mjs 127.0.0.1:50051 "$(cargo run --quiet -- token bob)"

import { randomUUID } from 'node:crypto';

import { call, client, metadata, refusal } from './calls.mjs';

const services = ['AccessService', 'BillingService', 'CustomerService', 'HistoryService'];
const [access, billing, customers, history] = services.map(client);

const me = await call(access, 'WhoAmI');
console.log(`I am ${me.memberships[0].role} of ${me.memberships[0].account_name}`);

// An error lists every invalid field at once, by its path.
const wrong = { name: 'Kontiki', email: 'nowhere', phone: { number: 'call us' } };
const mistaken = await refusal(customers, 'CreateCustomer', { customer: wrong });
console.log(`refused: ${mistaken.info.reason} (${mistaken.fields.join(', ')})`);

// A request_id makes the call safe to repeat: the second call gets the first one's answer.
const create = {
  customer: {
    name: `Kontiki ${randomUUID().replaceAll('-', '')}`,
    legal_name: 'Kontiki Reisen GmbH',
    email: 'info@kontiki.example',
    billing_email: 'billing@kontiki.example',
    primary_address: { city: 'München' },
    contacts: [{ first_name: 'Jana', email: 'jana@kontiki.example' }],
  },
  request_id: randomUUID(),
};
await call(customers, 'CreateCustomer', create);
const { customer: created, replayed } = await call(customers, 'CreateCustomer', create);
console.log(`created ${created.name}, ${created.status}; sent twice, replayed: ${replayed}`);

const found = await call(customers, 'SearchCustomers', { query: `${created.name} munchen` });
console.log(`found ${found.results.length} by name and city`);

const number = `K-${randomUUID()}`;
await call(customers, 'UpdateCustomId', { customer_id: created.id, system: 'erp', custom_id: number });
const called = await call(customers, 'LookupCustomer', { custom_id: number.toUpperCase() });
console.log(`found by its ERP number: ${called.customer.id === created.id}`);

const tag = { customer_ids: [created.id], add_tags: ['key account'] };
const tagged = await call(customers, 'ModifyCustomerTags', tag);
console.log(`tagged: ${tagged.outcomes.every((outcome) => outcome.changed)}`);

const { customer: approved } = await call(customers, 'ApproveCustomer', { customer_id: created.id });
console.log(`approved: ${approved.status}, allowed actions: ${approved.allowed_actions.join(', ')}`);

// The etag names the version of the customer that this client has read. The first etag is out of date: the error lists
// what changed since. With the current etag the same call succeeds.
const suspend = { customer_id: created.id, reason: 'unpaid', etag: created.etag };
const late = await refusal(customers, 'SuspendCustomer', suspend);
console.log(`refused: ${late.info.reason} (${late.info.metadata.changed_fields})`);
await call(customers, 'SuspendCustomer', { ...suspend, etag: approved.etag });
await call(customers, 'ResumeCustomer', { customer_id: created.id });
console.log('suspended, resumed');

// The list is that of the account, or of the nearest one above it that has one. A new customer is on its first plan.
const { rate_plans: plans } = await call(billing, 'ListRatePlans');
console.log(`rate plan: ${plans[0].name}, in ${plans[0].currency}`);
const money = ({ units, currency_code }) => `${units} ${currency_code}`;
await call(billing, 'SetCreditLimit', { customer_id: created.id, credit_limit: { units: 25 } });
const feature = { customer_id: created.id, code: 'voicemail', quantity: 2 };
const { customer: active } = await call(billing, 'ActivateFeature', feature);
console.log(`active: voicemail; used ${money(active.credit_used)}, left ${money(active.credit_available)}`);
const tooMany = await refusal(billing, 'ActivateFeature', { ...feature, quantity: 11 });
console.log(`refused: ${tooMany.info.reason}`);

// A stream of messages, in the order of ids. Only the columns that are asked for are read and sent.
const columns = ['RATE_PLAN', 'FEATURES', 'TOTAL'].map((column) => `BILLING_REPORT_COLUMN_${column}`);
for await (const { rows } of billing.StreamBillingReport({ columns }, metadata)) {
  for (const row of rows.filter((row) => row.customer_id === created.id)) {
    const codes = row.features.map((feature) => feature.code).join(', ');
    console.log(`billing report: ${row.rate_plan_name}, ${codes}, ${money(row.total)}`);
  }
}

await call(customers, 'ArchiveCustomers', { customer_ids: [created.id] });
console.log('archived');

// Page by page: a page may have fewer items than requested without being the last. The token says if there is more.
const page = { customer_id: created.id, page_size: 3, page_token: '' };
do {
  const { events, next_page_token } = await call(history, 'ListCustomerEvents', page);
  for (const event of events) {
    console.log(`event: ${event.type} (${event.changes.map((change) => change.field).join(', ')})`);
  }
  page.page_token = next_page_token;
} while (page.page_token);

for (const service of [access, billing, customers, history]) service.close();
