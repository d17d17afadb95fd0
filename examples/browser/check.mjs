// Uses the page in a real browser, against a running server: `.ci/browser` does.
//
//     node check.mjs CHROMIUM FOLDER PORT SERVER TOKEN
//
// FOLDER has index.html and the bundled page.js. It is served on PORT, whose origin the server must allow, and on a free port, whose
// origin it must refuse.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';

import { chromium } from 'playwright-core';

const [executablePath, folder, port, server, token] = process.argv.slice(2);
assert.ok(token, 'usage: check.mjs CHROMIUM FOLDER PORT SERVER TOKEN');

const TYPES = { '/': ['index.html', 'text/html'], '/page.js': ['page.js', 'text/javascript'] };

// Serves the page; returns its URL.
function serve(onPort) {
  const web = createServer(async (request, response) => {
    const [file, type] = TYPES[request.url] ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(await readFile(path.join(folder, file)));
  });
  return new Promise((resolve) => {
    web.listen(onPort, '127.0.0.1', () => resolve([`http://127.0.0.1:${web.address().port}/`, web]));
  });
}

async function open(browser, url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  page.on('pageerror', (error) => console.error('the page failed:', error));
  await page.goto(url);
  await page.getByLabel('Server').fill(`http://${server}`);
  await page.getByLabel('Token').fill(token);
  return page;
}

// What the page says when it is done.
async function message(page) {
  const status = page.getByRole('status');
  await status.filter({ hasText: /./ }).waitFor();
  return status.textContent();
}

async function click(page, button) {
  await page.getByRole('button', { name: button }).click();
  return message(page);
}

const count = async (page) => page.locator('#customers tr').count();
const [[allowed, allowedWeb], [other, otherWeb]] = [await serve(Number(port)), await serve(0)];
// As root a sandbox needs what a container lacks; and nothing but the page may call out.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath, args });
try {
  const page = await open(browser, allowed);
  const listed = await click(page, 'List');
  const before = await count(page);
  assert.ok(before > 10, listed);
  assert.equal(listed, `${before} customers`);
  const reported = Number(await page.locator('#report').textContent());
  // The list has FLEET customers of the accounts above too, the report only the account's own.
  assert.ok(reported > 10 && reported <= before, `the stream has ${reported} rows`);
  console.log(`listed: ${listed}; the stream of the billing report: ${reported} rows`);

  const name = `Browser ${Date.now()}`;
  await page.getByLabel('Name').fill(name);
  await page.getByLabel('Email').fill('info@browser.example');
  assert.equal(await click(page, 'Create'), `${name} was created`);
  assert.equal(await count(page), before + 1);
  await page.getByRole('cell', { name, exact: true }).waitFor();
  console.log(`created: ${name}`);

  await page.getByLabel('Name').fill('');
  await page.getByLabel('Email').fill('nowhere');
  const refused = await click(page, 'Create');
  assert.match(refused, /^INVALID_FIELDS: /);
  for (const field of ['customer.name', 'customer.email']) {
    assert.match(await page.locator(`[data-field="${field}"]`).textContent(), /\w+/, `what is wrong with ${field}`);
  }
  assert.equal(await count(page), before + 1);
  console.log(`refused, with what is wrong beside each field: ${refused}`);

  await page.getByLabel('Token').fill('no token');
  assert.match(await click(page, 'List'), /^TOKEN_INVALID: /);

  const stranger = await open(browser, other);
  await stranger.getByLabel('Name').fill('Stranger');
  // The browser hides the answer from the page.
  assert.match(await click(stranger, 'Create'), /Failed to fetch/);
  await page.getByLabel('Token').fill(token);
  assert.equal(await click(page, 'List'), `${before + 1} customers`);
  console.log('a page of another origin: the browser refuses it the answer, and nothing was created');
} finally {
  await browser.close();
  for (const web of [allowedWeb, otherWeb]) web.close();
}
