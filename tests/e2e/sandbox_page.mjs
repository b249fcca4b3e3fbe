// sandbox_page.mjs URL PICTURES: the browser's part of tests/e2e/sandbox_page.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { onEachScreen } from './browser.mjs';

const [url, pictures] = process.argv.slice(2);
await mkdir(pictures, { recursive: true });

await onEachScreen(url, async (page, screen) => {
  await page.goto(`${url}/`);
  const tab = async (name) => {
    if (screen === 'phone') await page.getByRole('button', { name, exact: true }).click();
  };

  // pick a student: the first at the desk, the second on the phone
  await tab('Students');
  const students = page.locator('#student-list button');
  const student = students.nth(screen === 'desk' ? 0 : 1);
  const name = await student.locator('span').first().textContent();
  await student.click();
  await page.locator('#who').getByText(name).waitFor();
  const lesson = page.locator('.lesson', { has: page.getByRole('button', { name: /^Pass: / }) }).first();
  const title = await lesson.getByRole('heading').textContent();
  await lesson.getByText('video is locked').waitFor();

  // pass it; the video opens by itself, by way of Stepik's grades, our daemons and Boomstream's buyers
  const began = Date.now();
  await lesson.getByRole('button', { name: `Pass: ${title}` }).click();
  await page.getByRole('status').getByText(`Passed: ${title}`).waitFor();
  const row = page.locator('.lesson', { has: page.getByRole('heading', { name: title, exact: true }) });
  const link = row.getByRole('link', { name: 'video is open' });
  await link.waitFor();
  console.log(`${screen}: "${title}" passed by a click, its video open on the page after ${Date.now() - began} ms`);
  await page.screenshot({ path: `${pictures}/sandbox-${screen}-lessons.png`, fullPage: true });

  // the link plays
  const player = await page.request.get(new URL(await link.getAttribute('href'), url).href);
  assert.equal(player.status(), 200);
  assert.doesNotMatch(await player.text(), /access_restricted/);

  // a fault is switched on and off by its chip
  await tab('Faults');
  const chip = page.getByRole('button', { name: 'Stepik 429' });
  await chip.click();
  await page.locator('#rules').getByText('stepik: status_429 30 %').waitFor();
  await page.screenshot({ path: `${pictures}/sandbox-${screen}-faults.png`, fullPage: true });
  await page.getByRole('button', { name: 'Stepik 429', pressed: true }).click();
  await page.locator('#rules li').waitFor({ state: 'detached' });
  await page.locator('#call-list').getByText('/api/ppv/addbuyer').first().waitFor();

  // a wrong entry is said, and changes nothing
  await page.getByText('Your own fault…').click();
  await page.getByLabel('Only this path').fill('/api/nowhere');
  await page.locator('#kinds').selectOption('failed_200');
  await page.getByRole('button', { name: 'Switch on' }).click(); // Stepik is chosen: it has no such answer
  await page.getByRole('status').getByText(/^kind: /).waitFor();
  assert.equal(await page.locator('#rules li').count(), 0);

  // the other language, and the keyboard alone
  await page.getByRole('button', { name: 'Switch to Russian' }).or(page.locator('#language')).first().click();
  await page.getByRole('heading', { name: 'Песочница' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru');
  await page.reload();
  await page.locator('#student-list button').first().waitFor({ state: 'attached' });
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'lessons');
}, [/the server responded with a status of 400/]); // the wrong entry
