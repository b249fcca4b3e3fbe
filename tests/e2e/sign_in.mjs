// Signs a person in with e-mail and code and ends on the page at `path`.
export async function signIn(page, site, path, { email, code }) {
  await page.goto(`${site}/login?next=${encodeURIComponent(path)}`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Boomstream code, 9 digits').fill(code);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(`${site}${path}`);
}
