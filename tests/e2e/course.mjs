// course.mjs SITE PICTURES WHAT: the browser's part of tests/e2e/course. On the first screen the course is connected, on the
// second its keys are given anew.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { assertAccessible } from './axe.mjs';
import { onEachScreen } from './browser.mjs';

const [site, pictures, what] = process.argv.slice(2);
const { email, code, course, student, group, videos } = JSON.parse(what);
await mkdir(pictures, { recursive: true });
const table = (rows) => rows.map(([lesson, media, subscription]) => `${lesson}\t1\t${media}\t${subscription}`).join('\n');

await onEachScreen(site, async (page, screen) => {
  const isFirst = screen === 'desk';
  const look = async (name) => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await assertAccessible(page, `${name}, ${colorScheme}`);
    }
    await page.emulateMedia({ colorScheme: isFirst ? 'light' : 'dark' });
    const wider = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
    assert.ok(wider <= 0, `${name} is ${wider} px wider than the screen`);
    await page.screenshot({ path: `${pictures}/course-${screen}-${name}.png`, fullPage: true });
  };
  const giveKeys = async (secret, key, subscription) => {
    await page.getByLabel('Client id').fill('sandbox-client');
    await page.getByLabel('Client secret').fill(secret);
    await page.getByLabel('API key of the project').fill(key);
    await page.getByLabel('Code of the subscription').fill(subscription);
    await page.getByRole('button', { name: 'Check and save' }).click();
  };

  await page.goto(`${site}/login?next=%2Fadmin%2Fcourses`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Boomstream code, 9 digits').fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Courses' }).waitFor();
  await look('list');
  if (isFirst) await page.getByRole('link', { name: 'Connect it' }).click();
  else await page.goto(`${site}/admin/courses/connect?course=${course}`);

  // wrong keys first: a sentence for each, and no secret comes back
  await look('connect');
  await giveKeys('wrong-secret', 'wrong-key', 'NOSUCH');
  await page.getByText('Stepik does not accept this client id and secret.').waitFor();
  await page.getByText('Boomstream does not accept this API key.').waitFor();
  assert.equal(await page.getByLabel('Client id').inputValue(), 'sandbox-client');
  assert.equal(await page.getByLabel('Client secret').inputValue(), '');
  assert.ok(!(await page.content()).includes('wrong-secret'), 'a secret stands in the page');
  await look('connect-wrong');
  await giveKeys('sandbox-secret', 'sandbox-key', 'NOSUCH');
  await page.getByText('has no subscription with this code').waitFor();
  await giveKeys('sandbox-secret', 'sandbox-key', group);
  await page.getByText('The keys work and are saved.').waitFor();

  // the lessons come from Stepik by themselves
  for (let reloads = 0; (await page.getByText('The lessons have not been read from Stepik yet.').count()) > 0; reloads += 1) {
    assert.ok(reloads < 300, 'no lessons after 300 reloads');
    await page.reload();
  }
  await look('course');

  // a table with one bad row, its difference, put right, saved
  await page.getByRole('link', { name: 'Media map' }).click();
  await page.getByRole('heading', { name: 'Change the whole map' }).waitFor();
  const wanted = videos.slice(0, isFirst ? 4 : 3);
  const field = page.getByLabel('One line for each video');
  await field.fill(`${table(wanted)}\n${wanted[0][0]}\t2\tbad`);
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByText(`Line ${wanted.length + 1}: The third column is the video's code`).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save the map' }).count(), 0);
  await look('media-bad');
  await field.fill(table(wanted));
  await page.getByRole('button', { name: 'Show the difference' }).click();
  await page.getByRole('cell', { name: isFirst ? 'added' : 'taken away' }).first().waitFor();
  await look('media-difference');
  await page.getByRole('button', { name: 'Save the map' }).click();
  await page.getByText('The media map is saved.').waitFor();
  await page.getByRole('button', { name: 'Check the codes at Boomstream' }).click();
  await page.getByRole('columnheader', { name: 'At Boomstream' }).waitFor();
  assert.equal(await page.getByRole('cell', { name: 'found', exact: true }).count(), wanted.length);
  await look('media');

  // who would gain, then the rule; the first lesson has no tasks and is open to everybody anyway
  await page.getByRole('link', { name: 'Rules' }).click();
  await page.getByLabel('Where', { exact: true }).selectOption(`lesson:${wanted[isFirst ? 1 : 2][0]}`);
  await page.getByLabel('Opens', { exact: true }).selectOption('on_enrolment');
  for (let looks = 0; ; looks += 1) { // the first sweep may be under way
    await page.getByRole('button', { name: 'See who would gain' }).click();
    await page.getByRole('heading', { name: 'Who would gain' }).waitFor();
    if ((await page.getByText(student).count()) > 0) break;
    assert.ok(looks < 300, 'the student was never found');
    await page.goBack();
  }
  await page.getByText('1 person would gain something at once.').waitFor();
  await look('rule-gains');
  await page.getByRole('button', { name: 'Save the rule' }).click();
  await page.getByText('The rule is saved.').waitFor();
  await look('rules');
  console.log(`${screen}: connected, mapped and ruled`);
}, [/the server responded with a status of 422/]); // what is refused on purpose
