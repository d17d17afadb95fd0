// What a client in Node does besides calling: it loads the protos, sends the token, retries where that is safe, and reads why a call
// was refused. quickstart.mjs and smallest.mjs use it.

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const [PROTO, THIRD_PARTY] = ['proto', 'third_party'].map((folder) => fileURLToPath(new URL(`../../${folder}`, import.meta.url)));
const MILLISECONDS = 10_000; // for one call
const TRIES = 3;

const services = ['access', 'billing', 'customer', 'history'].map((name) => `clientele/v1/${name}_service.proto`);
const files = [...services, 'clientele/v1/error_reason.proto', 'google/rpc/status.proto', 'google/rpc/error_details.proto'];
const protos = protoLoader.loadSync(files, {
  includeDirs: [PROTO, THIRD_PARTY],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
});
const { v1 } = grpc.loadPackageDefinition(protos).clientele;
const REASONS = v1.ErrorReason.type.value.map(({ name }) => name.replace('ERROR_REASON_', ''));

const [, program] = process.argv;
const [address, token] = process.argv.slice(2);
if (!token) {
  console.error(`usage: node ${program} ADDRESS TOKEN`);
  process.exit(1);
}
export const metadata = new grpc.Metadata();
metadata.set('authorization', `Bearer ${token}`);

// The config that ships with the protos: timeouts for all RPCs, retries for reads.
const config = readFileSync(`${PROTO}/clientele/v1/service_config.json`, 'utf8');

// A client of a service, as 'CustomerService'.
export function client(service) {
  return new v1[service](address, grpc.credentials.createInsecure(), { 'grpc.service_config': config });
}

// The details that the server sent with an error, by the names of their types.
export function details(error) {
  const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
  if (!bytes) return {};
  const found = protos['google.rpc.Status'].deserialize(bytes).details.map(({ type_url, value }) => {
    const type = type_url.split('/').pop();
    return [type.split('.').pop(), protos[type]?.deserialize(value)];
  });
  return Object.fromEntries(found);
}

function once(client, method, request) {
  return new Promise((resolve, reject) => {
    const answered = (error, answer) => (error ? reject(error) : resolve(answer));
    client[method](request, metadata, { deadline: Date.now() + MILLISECONDS }, answered);
  });
}

// Calls, and retries where that is safe: if the server says so with a RetryInfo; or, for a call with a request_id, if no
// answer came, because such a call takes effect only once.
export async function call(client, method, request = {}) {
  for (let tries = 1; ; tries++) {
    try {
      return await once(client, method, request);
    } catch (error) {
      const wait = details(error).RetryInfo?.retry_delay;
      const unanswered = error.code === grpc.status.UNAVAILABLE && request.request_id;
      if (tries === TRIES || !(wait || unanswered)) throw error;
      await pause(wait ? Number(wait.seconds) * 1000 + wait.nanos / 1e6 : 200);
    }
  }
}

// Why the server refuses the call: its ErrorInfo, and the fields that its BadRequest lists.
export async function refusal(client, method, request) {
  try {
    await call(client, method, request);
  } catch (error) {
    const { ErrorInfo: info, BadRequest: bad } = details(error);
    if (!REASONS.includes(info?.reason)) throw error; // not an answer of the service; perhaps there is no connection
    const fields = bad?.field_violations.map((violation) => violation.field) ?? [];
    return { info, fields };
  }
  throw new Error('it should have been refused');
}
