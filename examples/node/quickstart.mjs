// Takes a customer from creation to the archive, call by call: the walk of examples/quickstart.rs in Node.
//
// With `cargo run -- dev` running in another terminal, from the root of the clone:
//
//     npm ci --prefix examples/node
//     node examples/node/quickstart.mjs 127.0.0.1:50051 "$(cargo run --quiet -- token bob)"

import { randomUUID } from 'node:crypto';

import { call, client, refusal } from './calls.mjs';

const [access, customers, history] = ['AccessService', 'CustomerService', 'HistoryService'].map(client);

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
await call(customers, 'ArchiveCustomers', { customer_ids: [created.id] });
console.log('suspended, resumed, archived');

// Page by page: a page may have fewer items than requested without being the last. The token says if there is more.
const page = { customer_id: created.id, page_size: 3, page_token: '' };
do {
  const { events, next_page_token } = await call(history, 'ListCustomerEvents', page);
  for (const event of events) {
    console.log(`event: ${event.type} (${event.changes.map((change) => change.field).join(', ')})`);
  }
  page.page_token = next_page_token;
} while (page.page_token);

for (const service of [access, customers, history]) service.close();
