// admin.mjs SITE PICTURES PLAN COURSE: the browser's part of tests/e2e/admin, which does what a line on stdout asks for and
// answers with a line.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { assertAccessible } from './axe.mjs';
import { onEachScreen } from './browser.mjs';

const [site, pictures, plan, course] = process.argv.slice(2);
const students = JSON.parse(plan);
await mkdir(pictures, { recursive: true });

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(...words) {
  process.stdout.write(`${words.join(' ')}\n`);
  await lines.next();
}

const rowOf = (page, email) => page.locator('#grants tr', { hasText: email });

// How long after the grant's last change its row was there. Both clocks are this machine's.
async function assertQuick(row, screen) {
  await row.waitFor();
  const late = Date.now() - Date.parse(await row.locator('time').getAttribute('datetime'));
  console.log(`${screen}: in the table ${late} ms after the grant was confirmed`);
  assert.ok(late < 1000, `${late} ms`);
}

async function live(page, screen, look) {
  const [first, second, third] = students[screen];
  await page.locator('#live[data-state=live]').waitFor();
  await ask('pass', first);
  await assertQuick(page.locator('#grants tr.open', { hasText: first }), screen);

  // paused, nothing moves; a button says how much waits, and shows it
  await page.getByRole('button', { name: 'Pause' }).click();
  await ask('pass', second);
  const showNew = page.getByRole('button', { name: /Show what is new: \d/ });
  await showNew.waitFor();
  assert.equal(await rowOf(page, second).count(), 0);
  await look('grants-paused');
  // the first one's row may have been written once more meanwhile, and waits as well
  while ((await rowOf(page, second).count()) === 0) await showNew.click();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'pause');
  await page.getByRole('button', { name: 'Pause' }).click();

  // the gateway is killed, and what happens meanwhile is there once it is back
  if (screen === 'phone') return; // one screen is enough for what is no matter of looks
  await ask('kill');
  await page.locator('#live[data-state=broken]').waitFor();
  await look('grants-broken');
  await ask('pass-and-start', third);
  await page.locator('#live[data-state=live]').waitFor();
  await rowOf(page, third).waitFor();
  const ids = await page.locator('#grants tr').evaluateAll((rows) => rows.map((row) => row.id));
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(await rowOf(page, first).count(), 1);
}

await onEachScreen(site, async (page, screen) => {
  const look = async (name) => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await assertAccessible(page, `${name}, ${colorScheme}`);
    }
    await page.emulateMedia({ colorScheme: screen === 'desk' ? 'light' : 'dark' });
    await page.screenshot({ path: `${pictures}/admin-${screen}-${name}.png`, fullPage: true });
  };

  await page.goto(`${site}/login?next=%2Fadmin%2Fgrants`);
  await page.getByLabel('E-mail').fill('dora@example.org');
  await page.getByLabel('Boomstream code, 9 digits').fill('444444444');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await live(page, screen, look);
  await page.reload();
  await page.locator('#times summary').click();
  await look('grants');
  await page.getByLabel('E-mail, name or Stepik id').fill(students[screen][0]);
  await page.getByRole('button', { name: 'Show', exact: true }).click();
  await rowOf(page, students[screen][0]).waitFor();
  assert.equal(await page.locator('#grants tr').count(), 1);

  await page.goto(`${site}/admin/numbers?course=${course}`);
  await page.getByText('nobody watched', { exact: false }).first().waitFor();
  await page.getByText('Day by day').first().click();
  await look('numbers');
  await page.locator('.tile a').first().click();
  await page.getByRole('heading', { name: 'Enrolled' }).waitFor();
  await look('people');
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'All as CSV' }).click()]);
  assert.equal(file.suggestedFilename(), `course-${course}-enrolled.csv`);

  await page.goto(`${site}/admin/audit-log?what=sync`);
  await page.getByText('Before and after').first().click();
  await look('audit-log');
}, [/net::ERR_(CONNECTION_REFUSED|INCOMPLETE_CHUNKED_ENCODING|CONNECTION_RESET|EMPTY_RESPONSE)/]); // while the gateway is away

process.stdin.destroy(); // else it would keep this script alive
