// every_page.mjs SITE PICTURES WHAT: the browser's part of tests/e2e/every_page.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { chromium } from 'playwright-core';
import { assertAccessible } from './axe.mjs';
import { flags, screens } from './browser.mjs';
import { signIn } from './sign_in.mjs';

const [site, pictures, what] = process.argv.slice(2);
const { email, code, course, lesson, student, queue, routes } = JSON.parse(what);
await mkdir(pictures, { recursive: true });

// What answers with something else than a page of its own.
const notPages = [
  /\/(stream|moves|csv)$/, // event streams and tables to take away
  /^\/(app\/)?play\//, // one use each; tests/e2e/site
  /^\/app(\/|$)/, // inside Telegram; tests/e2e/mini_app
  /^\/login\/(google|telegram|stepik)/, // off without their settings; tests/e2e/identities
  /^\/(assets\/|healthz|me$|profile\/data$|dashboard\/courses$)/,
];
const filled = { '{course_id}': course, '{id}': { lessons: lesson, students: student }, '{queue}': queue };
const queries = {
  '/admin/trouble/failures': `course=${course}&for=itself&reason=`,
  '/admin/numbers/students': `course=${course}&show=enrolled`,
  '/admin/courses/connect': `course=${course}`,
  '/login/link': 'token=unknown',
};
// Told so on purpose: a link that nobody made.
const refused = { '/login/link': 404 };
// Pictures of the main pages, in docs/pictures when asked for.
const shown = { '/': 'home', '/dashboard': 'dashboard', '/lessons/{id}': 'lesson', '/admin/grants': 'grants',
  '/admin/students/{id}': 'student', '/admin/courses/{course_id}/media': 'media-map', '/admin/numbers': 'numbers',
  '/admin/trouble': 'trouble' };

function addressOf(route) {
  const path = route.replace(/\{[a-z_]+\}/g, (name, at) => {
    const value = typeof filled[name] === 'object' ? filled[name][route.slice(0, at - 1).split('/').pop()] : filled[name];
    assert.ok(value !== undefined, `this test does not know what to put for ${name} of ${route}`);
    return encodeURIComponent(value);
  });
  return queries[route] ? `${path}?${queries[route]}` : path;
}

const pages = routes.filter((r) => !notPages.some((n) => n.test(r)));
assert.ok(pages.length >= 20, `only ${pages.length} pages among ${routes.length} routes`);

const faults = [];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
try {
  for (const [screen, shape] of Object.entries(screens)) {
    const context = await browser.newContext({ ...shape, locale: 'en-GB', colorScheme: 'light' });
    const page = await context.newPage();
    let route = '/login';
    page.on('console', (m) => {
      if (m.type() === 'error' && !refused[route]) faults.push(`${screen} ${route}: ${m.text()}`);
    });
    page.on('pageerror', (e) => faults.push(`${screen} ${route}: ${e.message}`));
    await page.goto(`${site}/login`);
    await assertAccessible(page, 'login before signing in');
    await signIn(page, site, '/dashboard', { email, code });

    for (route of pages) {
      if (route === '/login') continue; // leads on who is signed in
      const answer = await page.goto(`${site}${addressOf(route)}`);
      if (answer.status() !== (refused[route] ?? 200)) {
        faults.push(`${screen} ${route}: ${answer.status()}`);
        continue;
      }
      const headings = await page.locator('h1').count();
      if (headings !== 1) faults.push(`${screen} ${route}: ${headings} main headings`);
      for (const colorScheme of screen === 'desk' ? ['dark', 'light'] : ['light']) { // colours know no width
        await page.emulateMedia({ colorScheme });
        await assertAccessible(page, `${screen} ${route}, ${colorScheme}`).catch((e) => faults.push(e.message));
      }
      if (shown[route]) {
        await page.screenshot({ path: `${pictures}/${shown[route]}-${screen}.png`, scale: 'css' });
      }
      // as it is, and at 200 %
      for (const width of [shape.viewport.width, screen === 'desk' ? 640 : 320]) {
        await page.setViewportSize({ width, height: shape.viewport.height });
        const wider = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
        if (wider > 0) faults.push(`${screen} ${route}: ${wider} px wider than ${width} px`);
      }
      await page.setViewportSize(shape.viewport);
    }
    await context.close();
  }
} finally {
  await browser.close();
}
assert.equal(faults.length, 0, `\n${faults.join('\n')}`);
console.log(`${pages.length} pages, at a desk (light and dark) and on a phone: nothing to complain of`);
