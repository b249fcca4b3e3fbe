// mini_app.mjs SITE SANDBOX TELEGRAM PICTURES WHO: the browser's part of tests/e2e/mini_app. TELEGRAM is an origin of its own
// that this script serves: a page that shows the Mini App in a frame and plays Telegram's side.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import { assertAccessible } from './axe.mjs';
import { onEachScreen } from './browser.mjs';

const [site, sandbox, telegram, pictures, given] = process.argv.slice(2);
const { bot, students } = JSON.parse(given);
await mkdir(pictures, { recursive: true });

// As Telegram's apps have them; a hint is too faint to be read as text.
const themes = {
  light: { bg_color: '#ffffff', text_color: '#000000', hint_color: '#999999', link_color: '#2481cc', button_color: '#2481cc',
    button_text_color: '#ffffff', secondary_bg_color: '#f1f1f1', accent_text_color: '#2481cc', subtitle_text_color: '#999999' },
  dark: { bg_color: '#17212b', text_color: '#f5f5f5', hint_color: '#708599', link_color: '#6ab3f3', button_color: '#5288c1',
    button_text_color: '#ffffff', secondary_bg_color: '#232e3c', accent_text_color: '#6ab2f2', subtitle_text_color: '#708599' },
};

let launches = 0;
function initData(user, start) {
  const fields = { auth_date: Math.floor(Date.now() / 1000), query_id: `AAH${(launches += 1)}`, signature: 'c2ln',
    ...(start && { start_param: start }), user: JSON.stringify({ id: user, first_name: 'Anna', language_code: 'en' }) };
  const lines = Object.keys(fields).sort().map((name) => `${name}=${fields[name]}`).join('\n');
  const key = createHmac('sha256', 'WebAppData').update(bot).digest();
  return new URLSearchParams({ ...fields, hash: createHmac('sha256', key).update(lines).digest('hex') }).toString();
}

const fragment = (data, theme) => new URLSearchParams({ ...(data && { tgWebAppData: data }), tgWebAppVersion: '8.0',
  tgWebAppPlatform: 'weba', tgWebAppThemeParams: JSON.stringify(themes[theme]) });

// ---- Telegram's side ----

const host = `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Telegram</title>
<style>body { margin: 0; height: 100vh; display: grid; grid-template-rows: 3rem 1fr auto; font: 1rem system-ui; background: #17212b }
iframe { border: 0; width: 100%; height: 100% } button { font: inherit; color: #fff; background: none; border: 0; padding: .75rem }
#main { font-weight: 600 } [hidden] { display: none }</style>
<header><button id="back" hidden>←</button></header><iframe id="app" allow="autoplay; fullscreen; encrypted-media"></iframe>
<button id="main" hidden></button>
<script>
const app = document.querySelector('#app'), back = document.querySelector('#back'), main = document.querySelector('#main');
const events = [];
const say = (eventType, eventData) => app.contentWindow.postMessage(JSON.stringify({ eventType, eventData }), '*');
back.onclick = () => say('back_button_pressed');
main.onclick = () => say('main_button_pressed');
addEventListener('message', (message) => {
  if (message.source !== app.contentWindow) return;
  const { eventType, eventData } = JSON.parse(message.data);
  events.push([eventType, eventData]);
  if (eventType === 'web_app_setup_back_button') back.hidden = !eventData.is_visible;
  if (eventType === 'web_app_setup_main_button') {
    main.hidden = !eventData.is_visible;
    main.textContent = eventData.text ?? '';
    main.disabled = eventData.is_active === false;
    main.style.background = eventData.color ?? '';
    main.style.color = eventData.text_color ?? '';
  }
  if (eventType === 'web_app_request_safe_area') say('safe_area_changed', { top: 0, right: 0, bottom: 20, left: 0 });
  if (eventType === 'web_app_request_content_safe_area') say('content_safe_area_changed', { top: 10, right: 0, bottom: 0, left: 0 });
});
app.src = decodeURIComponent(location.hash.slice(1));
</script></html>`;
const server = createServer((request, response) => {
  response.setHeader('Content-Type', request.url === '/' ? 'text/html; charset=utf-8' : 'image/svg+xml');
  response.end(request.url === '/' ? host : '<svg xmlns="http://www.w3.org/2000/svg"/>');
});
await new Promise((listening) => { server.listen(new URL(telegram).port, '127.0.0.1', listening); });

// Opens the app as Telegram does; the frame.
async function open(page, path, data, theme = 'light') {
  await page.goto('about:blank');
  await page.goto(`${telegram}/#${encodeURIComponent(`${site}${path}#${fragment(data, theme)}`)}`);
  const frame = await (await page.locator('#app').elementHandle()).contentFrame();
  await frame.waitForURL(`${site}/app**`);
  return frame;
}

const heading = (frame, name) => frame.getByRole('heading', { level: 1, name }).waitFor();
const says = (page, eventType, eventData) => page.evaluate(([type, data]) => say(type, data), [eventType, eventData]);

async function passOnStepik({ course, user, lesson }) {
  const done = await fetch(`${sandbox}/control/pass`, { method: 'POST', headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ course, user, lesson }) });
  assert.ok(done.ok, `passing: ${done.status}`);
}

try {
  await onEachScreen(telegram, async (page, screen) => {
    const student = students[screen];
    const look = async (frame, name) => {
      for (const theme of ['dark', 'light']) {
        await says(page, 'theme_changed', { theme_params: themes[theme] });
        await frame.locator(`html[data-scheme=${theme}]`).waitFor();
        await assertAccessible(frame, `${name}, ${theme}`);
        await page.screenshot({ path: `${pictures}/mini_app-${screen}-${theme}-${name}.png` });
      }
      const wider = await frame.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      assert.ok(wider <= 0, `${name}: ${wider} px wider than the frame`);
    };
    const mainButton = page.locator('#main');
    const backButton = page.locator('#back');

    // The dashboard, in Telegram's colours and inside what the device leaves free.
    const data = initData(student.telegram);
    const frame = await open(page, '/app', data, 'dark');
    await heading(frame, 'My courses');
    assert.equal(await frame.evaluate(() => getComputedStyle(document.body).backgroundColor), 'rgb(23, 33, 43)');
    assert.deepEqual(await frame.evaluate(() => [getComputedStyle(document.body).paddingTop, getComputedStyle(document.body)
      .paddingBottom]), ['10px', '20px']);
    assert.equal(await frame.evaluate(() => window.location.hash), '', 'Telegram\'s word stays in the address');
    assert.deepEqual(await page.context().cookies(), [], 'the app sets cookies');
    const posted = await page.evaluate(() => events.map(([type]) => type));
    for (const event of ['iframe_ready', 'web_app_ready', 'web_app_expand']) assert.ok(posted.includes(event), event);
    await look(frame, 'dashboard');

    // Passed, "Check me now" by Telegram's main button, and open without anybody touching it.
    await passOnStepik(student);
    await mainButton.getByText('Check me now').waitFor();
    await mainButton.click();
    const lesson = frame.locator(`[data-lesson="${student.course}-${student.lesson}"]`);
    await frame.locator(`[data-lesson="${student.course}-${student.lesson}"][data-state=open]`).waitFor();
    await frame.getByRole('status').getByText('is open.').waitFor({ state: 'attached' });

    // Its own page: watch by the main button, once for each press; back by Telegram's.
    assert.ok(await backButton.isHidden());
    await lesson.locator('.title').click();
    await frame.getByRole('button', { name: /^Watch/ }).waitFor();
    await look(frame, 'lesson');
    assert.equal(await mainButton.textContent(), 'Watch');
    await mainButton.click();
    const player = frame.frameLocator('iframe.player');
    await player.locator('body[data-state=plays]').waitFor();
    await mainButton.waitFor({ state: 'hidden' });
    await look(frame, 'lesson-playing');
    const link = await frame.locator('iframe.player').getAttribute('src');
    assert.match(link, /^\/app\/play\/[0-9a-f]{64}$/);
    await frame.evaluate((src) => { document.querySelector('iframe.player').src = `${src}?again`; }, link);
    await player.getByText('has been used, or is too old').waitFor();
    await backButton.click();
    await heading(frame, 'My courses');
    await backButton.waitFor({ state: 'hidden' });

    // Loaded again where he was: the session goes on; the same launch once more too.
    await lesson.locator('.title').click();
    await frame.getByRole('button', { name: /^Watch/ }).waitFor();
    await frame.evaluate(() => window.location.reload());
    await frame.getByRole('button', { name: /^Watch/ }).waitFor();
    await heading(await open(page, '/app', data), 'My courses');

    // What is elsewhere is opened by Telegram.
    const opened = await open(page, '/app', initData(student.telegram, `lesson_${student.lesson}`)); // and a deep link
    await opened.getByRole('link', { name: 'The lesson on Stepik' }).click();
    const asked = await page.waitForFunction(() => events.find(([type]) => type === 'web_app_open_link'));
    assert.match((await asked.jsonValue())[1].url, /^https:\/\/stepik\.org\/lesson\/\d+/);

    // The bot's "watch": signed in, and playing at once.
    const watching = await open(page, `/app/watch/${student.lesson}/1`, initData(student.telegram));
    await watching.frameLocator('iframe.player').locator('body[data-state=plays]').waitFor();

    // The profile: the language, and out. The launch is worth nothing then.
    await backButton.click();
    await watching.getByRole('link', { name: 'Profile' }).click();
    await heading(watching, 'Profile');
    await look(watching, 'profile');
    await watching.getByLabel('Language').selectOption('uk');
    await watching.getByRole('button', { name: 'Save' }).click();
    await heading(watching, 'Профіль');
    assert.equal(await watching.evaluate(() => document.documentElement.lang), 'uk');
    const over = initData(student.telegram);
    const leaving = await open(page, '/app/profile', over);
    await leaving.getByRole('button', { name: 'Вийти' }).click();
    await heading(leaving, 'Ви вийшли');
    await heading(await open(page, '/app', over), 'You are signed out');

    // Ways in that lead nowhere say what to do.
    const unknown = await open(page, '/app', initData(99));
    await heading(unknown, 'We do not know you yet');
    await look(unknown, 'unknown');
    await heading(await open(page, '/app', null), 'Telegram did not say who you are');
    await heading(await open(page, '/app', `${initData(student.telegram)}0`), 'You are not signed in');
    await page.goto(`${site}/app`);
    await heading(page, 'This page lives in Telegram');
    assert.equal(await page.getByRole('link', { name: 'Open the bot' }).getAttribute('href'), 'https://t.me/coursegate_bot');
    await assertAccessible(page, 'outside');
    await page.screenshot({ path: `${pictures}/mini_app-${screen}-outside.png` });
    console.log(`${screen}: the Mini App in Telegram's frame, its buttons and its colours`);
  }, [/the server responded with a status of (403|410)/], // what is refused on purpose
  [site, sandbox]);
} finally {
  server.close();
}
