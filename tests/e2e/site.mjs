// site.mjs SITE SANDBOX PICTURES STUDENTS: the browser's part of tests/e2e/site.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { assertAccessible } from './axe.mjs';
import { flags, onEachScreen } from './browser.mjs';

const [site, sandbox, pictures, who] = process.argv.slice(2);
const students = JSON.parse(who);
await mkdir(pictures, { recursive: true });

const lessonOf = (page, { course, lesson }) => page.locator(`[data-lesson="${course}-${lesson}"]`);

// Its module may be folded.
async function unfold(page, lesson) {
  const module = page.locator('details.module', { has: lesson });
  if ((await module.getAttribute('open')) === null) await module.locator('summary').click();
}

async function passOnStepik({ course, user, lesson }) {
  const done = await fetch(`${sandbox}/control/pass`, { method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ course, user, lesson }) });
  assert.ok(done.ok, `passing: ${done.status}`);
}

// From the start page to the dashboard; `look` sees every page on the way.
async function signIn(page, student, look) {
  await page.goto(`${site}/`);
  await look('home');
  await page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
  await page.getByLabel('E-mail').fill(student.email);
  await page.getByLabel('Boomstream code, 9 digits').fill('987654321');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('do not belong together').waitFor();
  assert.equal(await page.getByLabel('E-mail').inputValue(), student.email); // need not be typed again
  await look('login');
  await page.getByLabel('Boomstream code, 9 digits').fill(student.code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'My courses' }).waitFor();
}

// The language that this browser is shown, by its choice and back.
async function changeLanguage(page) {
  await page.getByRole('button', { name: 'Українська' }).click();
  await page.getByRole('heading', { name: 'Як це працює' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'uk');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'How it works' }).waitFor();
}

// The video plays in its frame, once for each press of the button.
async function watch(page, lesson, look) {
  await lesson.locator('.title').click();
  const button = page.getByRole('button', { name: /^Watch/ });
  await button.waitFor();
  await look('lesson');
  await button.click();
  const player = page.frameLocator('iframe.player');
  await player.locator('body[data-state=plays]').waitFor();
  await look('lesson-playing');
  const source = await page.content();
  assert.ok(!source.includes('id_recovery') && !page.url().includes('play/'), 'a link stands in the page or its address');
  const link = await page.locator('iframe.player').getAttribute('src');
  await page.goto(`${site}${link}`); // as a page of its own it is refused
  await page.getByRole('heading', { name: 'This is not allowed' }).waitFor();
  await page.goBack();
  await page.reload();
  await button.waitFor();

  // a link that was used tells so inside the frame, and the button there works
  await page.evaluate((src) => {
    const frame = document.createElement('iframe');
    frame.className = 'player';
    frame.title = 'used';
    frame.src = src;
    document.querySelector('form.player').replaceWith(frame);
  }, link);
  await player.getByText('has been used, or is too old').waitFor();
  await look('lesson-used-link');
  await player.getByRole('button', { name: 'Watch' }).click();
  await player.locator('body[data-state=plays]').waitFor();
}

async function profile(page, look) {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Anna' }).click();
  await page.getByLabel('Time zone').selectOption('Europe/Kyiv');
  await page.getByRole('button', { name: 'Save' }).first().click();
  await page.getByText('Saved.').waitFor();
  assert.equal(await page.getByLabel('Time zone').inputValue(), 'Europe/Kyiv');
  await page.getByText('What happens, and how to do it').click();
  await look('profile');
  await page.goto(`${site}/dashboard`);
}

await onEachScreen(site, async (page, screen) => {
  const student = students[screen];
  const look = async (name) => {
    for (const colorScheme of ['dark', 'light']) {
      await page.emulateMedia({ colorScheme });
      await assertAccessible(page, `${name}, ${colorScheme}`);
    }
    await page.emulateMedia({ colorScheme: screen === 'desk' ? 'light' : 'dark' });
    await page.screenshot({ path: `${pictures}/site-${screen}-${name}.png`, fullPage: true });
  };

  await page.goto(`${site}/`);
  await changeLanguage(page);
  await signIn(page, student, look);

  // the lesson is locked, with its reason and what to do
  const lesson = lessonOf(page, student);
  assert.equal(await lesson.getAttribute('data-state'), 'locked');
  await unfold(page, lesson);
  await lesson.getByText('The video opens when all tasks of').waitFor();
  assert.match(await lesson.locator('.action a').getAttribute('href'), /^https:\/\/stepik\.org\/lesson\/\d+/);
  await page.getByText(/^Next: /).waitFor();
  await look('dashboard');

  // its own page says the same
  await lesson.locator('.title').click();
  await page.getByText('The video opens when all tasks of').waitFor();
  assert.equal(await page.getByRole('button', { name: /^Watch/ }).count(), 0);
  await look('lesson-locked');
  await page.goto(`${site}/dashboard`);

  // a module that the reader opens stays open while the page moves by itself
  const folded = page.locator('details.module:not([open])').last();
  const opened = await folded.getAttribute('id');
  await folded.locator('summary').click();

  // passed, asked for a check, and open on the page without anybody touching it
  await passOnStepik(student);
  const began = Date.now();
  await page.getByRole('button', { name: 'Check me now' }).click();
  await page.locator(`[data-lesson="${student.course}-${student.lesson}"][data-state="open"]`).waitFor();
  console.log(`${screen}: open on the page ${Date.now() - began} ms after "check me now"`);
  await lesson.getByText('is open.').waitFor();
  await page.getByRole('status').getByText('is open.').waitFor({ state: 'attached' }); // and said aloud
  await page.getByText(/^Checked /).waitFor();
  assert.ok(await page.evaluate((id) => document.getElementById(id).open, opened), 'the module was folded again');
  await look('dashboard-open');

  await watch(page, lesson, look);
  await profile(page, look);

  // the keyboard alone: the first stop leads past the header
  await page.goto(`${site}/dashboard`);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');

  // twice as large as drawn: nothing needs a second direction of scrolling
  await page.setViewportSize({ width: screen === 'desk' ? 640 : 320, height: 600 });
  const wider = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
  assert.ok(wider <= 0, `${wider} px wider than the screen`);

  await page.goto(`${site}/nowhere`);
  await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
  await look('not-found');

  await page.goto(`${site}/dashboard`);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await page.goto(`${site}/dashboard`);
  assert.match(page.url(), /\/login\?next=%2Fdashboard$/);
}, [/the server responded with a status of (403|404|410|422)/], // what is refused on purpose
[sandbox]); // Boomstream's player, in its frame

// Without scripts: the same way, and a reload shows what has moved.
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
try {
  const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' });
  const page = await context.newPage();
  const student = students['script-less'];
  await signIn(page, student, async () => {});
  await passOnStepik(student);
  await page.getByRole('button', { name: 'Check me now' }).click();
  const open = page.locator(`[data-lesson="${student.course}-${student.lesson}"][data-state="open"]`);
  for (let reloads = 0; (await open.count()) === 0; reloads += 1) {
    assert.ok(reloads < 200, 'not open after 200 reloads');
    await page.reload();
  }
  console.log('script-less: open after a reload');
  await open.locator('.title').click();
  await page.getByRole('button', { name: /^Watch/ }).click();
  await page.frameLocator('iframe.player').getByText('Смотреть').waitFor();
  console.log('script-less: the video is in its frame');
} finally {
  await browser.close();
}
