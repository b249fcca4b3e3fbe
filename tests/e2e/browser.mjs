// Debian's Chromium under playwright-core, for all browser tests: one page per screen, which fails on whatever a person
// would only see in the console, on a request to anywhere else, and on a page wider than its screen.
import { chromium } from 'playwright-core';

export const screens = {
  desk: { viewport: { width: 1280, height: 900 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

export const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

// Runs `visit(page, screen)` on each screen; throws with everything that was wrong on it. `expected` are console messages
// that the visit provokes on purpose, `others` the origins that it may reach besides.
export async function onEachScreen(origin, visit, expected = [], others = []) {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
  try {
    for (const [screen, shape] of Object.entries(screens)) {
      const wrong = [];
      const context = await browser.newContext({ ...shape, locale: 'en-GB', colorScheme: screen === 'desk' ? 'light' : 'dark' });
      const page = await context.newPage();
      page.setDefaultTimeout(30_000);
      page.on('console', (m) => {
        if (m.type() === 'error' && !expected.some((e) => e.test(m.text()))) wrong.push(`console: ${m.text()}`);
      });
      page.on('pageerror', (e) => wrong.push(`script: ${e.message}`));
      page.on('request', (r) => {
        if (![origin, ...others, 'data:'].some((from) => r.url().startsWith(from))) wrong.push(`asked elsewhere: ${r.url()}`);
      });
      await visit(page, screen);
      const wider = await page.evaluate(() => document.scrollingElement.scrollWidth - window.innerWidth);
      if (wider > 0) wrong.push(`the page is ${wider} px wider than the screen`);
      await context.close();
      if (wrong.length > 0) throw new Error(`${screen}:\n${wrong.join('\n')}`);
    }
  } finally {
    await browser.close();
  }
}
