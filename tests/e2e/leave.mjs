// leave.mjs SITE EMAIL CODE: a student deletes his account, without scripts.
import { chromium } from 'playwright-core';
import { flags } from './browser.mjs';

const [site, email, code] = process.argv.slice(2);
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags });
try {
  const page = await (await browser.newContext({ javaScriptEnabled: false, locale: 'en-GB' })).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(`${site}/login?next=%2Fprofile`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Boomstream code, 9 digits').fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('What happens, and how to do it').click();
  await page.getByLabel('Type your e-mail to confirm').fill(email);
  await page.getByRole('button', { name: 'Delete my account' }).click();
  await page.getByRole('heading', { name: 'Your account is deleted' }).waitFor();
  await page.goto(`${site}/profile`);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
} finally {
  await browser.close();
}
