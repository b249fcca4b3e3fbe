// The browser's part of tests/e2e/staff: node staff.mjs SITE PICTURES LESSON QUEUE
import assert from 'node:assert/strict';
import { assertAccessible } from './axe.mjs';
import { onEachScreen } from './browser.mjs';

const [site, pictures, lesson, queue] = process.argv.slice(2);

await onEachScreen(site, async (page, screen) => {
  const look = async (name) => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await assertAccessible(page, `${name}, ${colorScheme}`);
    }
    await page.emulateMedia({ colorScheme: screen === 'desk' ? 'light' : 'dark' });
    await page.screenshot({ path: `${pictures}/staff-${screen}-${name}.png`, fullPage: true });
  };

  await page.goto(`${site}/login?next=%2Fadmin%2Fstudents`);
  await page.getByLabel('E-mail').fill('emil@example.org');
  await page.getByLabel('Boomstream code, 9 digits').fill('555555555');
  await page.getByRole('button', { name: 'Sign in' }).click();

  await page.getByLabel('E-mail, name, Stepik id or Telegram name').fill(`anna ${screen}`);
  await page.getByRole('button', { name: 'Find' }).click();
  await page.getByRole('link', { name: `Anna ${screen}` }).waitFor();
  assert.equal(await page.locator('tbody tr').count(), 1);
  await look('students');

  // a lesson is opened by hand, with a reason
  await page.getByRole('link', { name: `Anna ${screen}` }).click();
  await page.getByText('Lessons', { exact: true }).click();
  await page.locator(`[name=lesson-${lesson}]`).check();
  await page.getByLabel('Why').first().fill('solved it on paper');
  await page.getByRole('button', { name: 'Open what is ticked' }).click();
  await page.getByText('Done.').waitFor();
  await page.getByRole('cell', { name: 'Opened by hand' }).waitFor();
  for (let tries = 0; (await page.getByRole('cell', { name: 'The video opened' }).count()) === 0; ++tries) {
    assert.ok(tries < 100, 'the video never opened');
    await page.waitForTimeout(100);
    await page.reload();
  }
  await look('student');
  await page.getByRole('button', { name: 'See the site as this student' }).click();
  await page.getByText('You see the site as this student sees it:').waitFor();
  await page.locator(`[data-lesson$="-${lesson}"][data-state=open]`).waitFor({ state: 'attached' });
  await look('as-student');

  // a message that was put aside
  await page.goto(`${site}/admin/trouble`);
  for (let tries = 0; (await page.getByRole('link', { name: queue }).count()) === 0; ++tries) {
    assert.ok(tries < 100, 'the message was not put aside');
    await page.waitForTimeout(100);
    await page.reload();
  }
  await page.getByRole('link', { name: queue }).click();
  await page.getByText('What it says').first().click();
  await page.getByText('not json').waitFor();
  await look('parked');
  await page.getByLabel('Why').fill('   ');
  await page.getByRole('button', { name: 'Put back' }).click();
  await page.getByText('Why: this is not written as it should be.').waitFor();
  await page.goBack();
  await page.getByLabel('Why').fill('try it once more');
  await page.getByRole('button', { name: 'Put back' }).click();
  await page.getByText('The messages went back into their queue.').waitFor();
}, [/400 \(Bad Request\)/]);
