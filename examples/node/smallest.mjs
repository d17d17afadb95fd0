// The smallest client in Node: it creates a customer, reads it, reads why two calls are refused, and reads the billing report.
//
// examples/README.md has the commands that run this program.

import { randomUUID } from 'node:crypto';

import { call, client, metadata, refusal } from './calls.mjs';

const [customers, billing] = ['CustomerService', 'BillingService'].map(client);

// A request_id makes the call safe to repeat.
const customer = { name: `Kontiki ${randomUUID()}`, billing_email: 'billing@kontiki.example' };
const { customer: created } = await call(customers, 'CreateCustomer', { customer, request_id: randomUUID() });
console.log(`created ${created.name}`);

const { customer: read } = await call(customers, 'GetCustomer', { customer_id: created.id });
console.log(`read ${read.name}, ${read.status}`);

// An error has a reason, by which a program decides, and lists every invalid field.
const wrong = { name: 'Kontiki', email: 'nowhere', phone: { number: 'call us' } };
for (const [method, request] of [
  ['CreateCustomer', { customer: wrong }],
  ['GetCustomer', { customer_id: randomUUID() }],
]) {
  const { info, fields } = await refusal(customers, method, request);
  console.log(`refused: ${info.reason} (${fields.join(', ')})`);
}

// A stream: the billing report, as of one moment.
let found = false;
for await (const { rows } of billing.StreamBillingReport({ columns: ['BILLING_REPORT_COLUMN_NAME'] }, metadata)) {
  found ||= rows.some((row) => row.customer_id === created.id && row.name === created.name);
}
console.log(`in the billing report: ${found}`);

for (const service of [customers, billing]) service.close();
