// Accessibility by axe-core, as part of a visit: fails with every rule that a page breaks and where.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function assertAccessible(page, what) {
  await page.evaluate(source); // not a script tag: the site's Content-Security-Policy would rightly refuse it
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  if (violations.length > 0) {
    throw new Error(`${what}:\n` + violations.map((v) =>
      `${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.html}\n  ${n.failureSummary}`).join('\n')}`).join('\n'));
  }
}
