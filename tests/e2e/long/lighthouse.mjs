// lighthouse.mjs SITE STUDENT: the browser's part of tests/e2e/long/lighthouse.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import lighthouse from 'lighthouse';
import { chromium } from 'playwright-core';
import { flags } from '../browser.mjs';
import { signIn } from '../sign_in.mjs';

const [site, who] = process.argv.slice(2);
const student = JSON.parse(who);
const floor = 95;
const firstVisit = 60 * 1024; // bytes over the wire
const tries = 3;              // a busy machine makes a page slow, never fast

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// One profile: Lighthouse opens tabs of its own in it, with its cookies.
const port = await freePort();
const browser = await chromium.launchPersistentContext('', {
  executablePath: '/usr/bin/chromium', args: [...flags, `--remote-debugging-port=${port}`], locale: 'en-GB' });
try {
  const faults = [];
  const report = [];
  const look = async (name, path) => {
    let result;
    for (let i = 0; i < tries; i += 1) {
      result = (await lighthouse(`${site}${path}`, { port, output: 'json', logLevel: 'error',
        onlyCategories: ['performance', 'accessibility', 'best-practices'] })).lhr;
      assert.ok(!result.runtimeError, `${name}: ${result.runtimeError?.message}`);
      assert.ok(new URL(result.finalDisplayedUrl).pathname === path, `${name} led to ${result.finalDisplayedUrl}`);
      if (Object.values(result.categories).every((c) => c.score * 100 >= floor)) break;
    }
    const scores = Object.values(result.categories).map((c) => `${c.title.toLowerCase()} ${Math.round(c.score * 100)}`);
    const kilobytes = result.audits['total-byte-weight'].numericValue / 1024;
    report.push(`${name}: ${scores.join(', ')}, ${kilobytes.toFixed(1)} KB`);
    for (const category of Object.values(result.categories)) {
      if (category.score * 100 >= floor) continue;
      const why = category.auditRefs.map((r) => result.audits[r.id]).filter((a) => a.score !== null && a.score < 0.9)
        .map((a) => `  ${a.title} ${a.displayValue ?? ''}`);
      faults.push(`${name}: ${category.title} ${Math.round(category.score * 100)}, at least ${floor} is wanted\n${why.join('\n')}`);
    }
    if (name === 'dashboard' && kilobytes * 1024 > firstVisit) faults.push(`a first visit takes ${kilobytes.toFixed(1)} KB, at most 60 are wanted`);
  };

  await look('login', '/login');
  const page = await browser.newPage();
  await signIn(page, site, '/dashboard', student);
  const lesson = await page.locator(`[data-lesson$="-${student.lesson}"] .title`).getAttribute('href');
  await page.close();
  await look('dashboard', '/dashboard');
  await look('lesson', lesson);
  assert.equal(faults.length, 0, faults.join('\n'));
  console.log(report.join('; '));
} finally {
  await browser.close();
}
